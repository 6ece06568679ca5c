from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snowflake_account import Asking, LocalAccount


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The engine of the local Snowflake, in this process."""
    from commerce360.local.doubles.snowflake.engine import Engine

    folder: Path = tmp_path_factory.mktemp("engine")
    made = Engine(folder)
    yield made
    made.duck.close()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAccount]:
    """A local Snowflake that serves SQL in this process."""
    with LocalAccount(tmp_path_factory.mktemp("account")).serving() as served:
        yield served


@pytest.fixture(scope="module")
def admin(account: LocalAccount) -> Iterator[Asking]:
    """C360_ADMIN in ACCOUNTADMIN, in an empty database SHOP with schemas RAW and CORE."""
    asking = account.session()
    for statement in ("CREATE DATABASE SHOP", "CREATE SCHEMA SHOP.RAW", "CREATE SCHEMA SHOP.CORE", "CREATE WAREHOUSE READS"):
        asking(statement)
    yield asking
    asking.close()
