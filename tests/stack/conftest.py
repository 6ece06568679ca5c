from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> None:
    """The jars and the MongoDB stand-in, or a skip that says how to get them."""
    from commerce360.local.bootstrap import jars
    from commerce360.local.bootstrap.paths import BUILD

    if jars.missing(jars.read_lock()) or not jars.group_dir("kafka").is_dir() or not (BUILD / "venv-mongo").is_dir():
        pytest.skip("the local servers are not installed: run `make setup`")
