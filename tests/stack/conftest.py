from __future__ import annotations

from itertools import chain, zip_longest

import pytest

# They start a stack with a lake job or a warehouse and keep the machine busy; others mostly wait for Connect.
BUSY = ("loader", "lake_backfill", "demo", "privacy", "shop_replay", "ingest", "sentiment", "record", "new_column", "loader_faults")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A busy file, another one, and so on: whoever runs two files at a time should have one of each kind, and no long one last."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path.stem, []).append(item)
    busy = [files.pop(f"test_{name}") for name in BUSY if f"test_{name}" in files]
    others = sorted(files.values(), key=len, reverse=True)
    items[:] = [item for found in chain.from_iterable(zip_longest(busy, others, fillvalue=[])) for item in found]


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> None:
    """The jars and the MongoDB stand-in, or a skip that says how to get them."""
    from commerce360.local.bootstrap import jars
    from commerce360.local.bootstrap.paths import BUILD

    if jars.missing(jars.read_lock()) or not jars.group_dir("kafka").is_dir() or not (BUILD / "venv-mongo").is_dir():
        pytest.skip("the local servers are not installed: run `make setup`")
