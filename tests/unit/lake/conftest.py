"""Where the lake's tests keep one: files, Azurite (`make test-adls`), or an account (`C360_TEST_LAKE_ROOT` and `C360_LAKE__*`)."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commerce360.local import environment
from commerce360.local.bootstrap import azurite
from commerce360.local.services.azurite import Azurite
from commerce360.local.state import State
from commerce360.settings import Lake, Settings

ACCOUNT = "C360_TEST_LAKE_ROOT"  # an abfss:// address for scratch lakes
PLACES = ["files", pytest.param("azurite", marks=pytest.mark.adls), pytest.param("account", marks=pytest.mark.cloud)]
_numbers = itertools.count(1)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """Settings of an empty lake."""
    if request.param == "files":
        return Lake(root=f"{tmp_path}/lake", checkpoint=f"{tmp_path}/checkpoint")
    at: Lake = request.getfixturevalue(request.param)
    below = f"{at.root}/{os.getpid()}-{next(_numbers)}"
    return at.model_copy(update={"root": f"{below}/lake", "checkpoint": f"{below}/checkpoint"})


@pytest.fixture(scope="session")
def azurite_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    if not azurite.is_installed():
        pytest.skip("Azurite is not installed: run `make test-adls`")
    state = State.open(tmp_path_factory.mktemp("azurite") / "state", lake="adls")
    service = Azurite(state)
    service.prepare()
    made = service.command()
    process = subprocess.Popen(made.args, env=made.env, cwd=made.cwd)
    try:
        deadline = time.monotonic() + service.ready_timeout_s
        while not service.ready():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield state
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session", name="azurite")
def _azurite(azurite_state: State) -> Lake:
    return Lake(**environment.places(azurite_state))


@pytest.fixture(scope="session")
def account() -> Lake:
    root = os.environ.get(ACCOUNT)
    if not root:
        pytest.skip(f"{ACCOUNT} is not set")
    return Settings().lake.model_copy(update={"root": root.rstrip("/")})
