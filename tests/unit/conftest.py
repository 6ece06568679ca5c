from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local Snowflake at rest with all migrations: made once, copied by whoever needs one."""
    from commerce360.local.scratch import serving
    from commerce360.local.warehouse import prepare

    folder: Path = tmp_path_factory.mktemp("migrated")
    with serving(folder) as settings:
        prepare(settings)
    return folder


@pytest.fixture(scope="module")
def migrated(migrated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Settings of the owner of a local Snowflake in this process, with all migrations."""
    from commerce360.local.scratch import serving

    folder: Path = tmp_path_factory.mktemp("copy") / "state"
    shutil.copytree(migrated_folder, folder)
    with serving(folder) as settings:
        yield settings


@pytest.fixture(scope="module")
def owner(migrated: Any) -> Iterator[Any]:
    """A cursor of the real connector, the owner's."""
    from warehouse.client import Client

    with Client(migrated.warehouse) as client, client.connection.cursor() as cursor:
        yield cursor
