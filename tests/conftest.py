"""For every tier but that of the DAGs, which runs in Airflow's environment: `make test-airflow`."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

collect_ignore = ["dags"]

settings.register_profile("c360", deadline=None)  # no test is timed: machines are shared
settings.load_profile("c360")
sys.path.append(str(Path(__file__).parent / "spark"))  # records as the connectors write them: other tiers make some, too

# They start a stack with a lake job, or load one, and keep a small machine busy; others mostly wait for Connect or a page.
BUSY = frozenset(
    f"test_{name}.py"
    for name in (
        "demo",
        "ingest",
        "lake_backfill",
        "loader",
        "loader_faults",
        "loader_upgrade",
        "new_column",
        "privacy",
        "record",
        "sentiment",
        "shop_replay",
    )
)


class BusyFilesTogether(LoadFileScheduling):
    """A file stays with one worker, and all busy files with the same one: two of them at once would starve each other."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "busy" if Path(file).name in BUSY else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    return BusyFilesTogether(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The busy files first, with `--no-loadscope-reorder`: theirs is the longest way."""
    items.sort(key=lambda item: item.path.name not in BUSY)
