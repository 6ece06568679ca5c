from __future__ import annotations

import pytest

# They start a stack with a lake job, or load one, and keep a small machine busy; others mostly wait for Connect or a page.
BUSY = (
    "loader",
    "lake_backfill",
    "demo",
    "privacy",
    "shop_replay",
    "ingest",
    "sentiment",
    "record",
    "new_column",
    "loader_faults",
    "load_replay",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup` a file stays with one worker, and all busy files with the same one: two of them at once would starve."""
    for item in items:
        name = item.path.stem.removeprefix("test_")
        item.add_marker(pytest.mark.xdist_group("busy" if name in BUSY else name))


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> None:
    """The jars and the MongoDB stand-in, or a skip that says how to get them."""
    from commerce360.local.bootstrap import jars
    from commerce360.local.bootstrap.paths import BUILD

    if jars.missing(jars.read_lock()) or not jars.group_dir("kafka").is_dir() or not (BUILD / "venv-mongo").is_dir():
        pytest.skip("the local servers are not installed: run `make setup`")
