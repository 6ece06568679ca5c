"""For every tier but that of the DAGs, which runs in Airflow's environment: `make test-airflow`."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

collect_ignore = ["dags"]
# A batch a second is enough for a test, and leaves the machine to what else runs.
os.environ.setdefault("C360_LAKE__TRIGGER_S", "1")

settings.register_profile("c360", deadline=None)  # no test is timed: machines are shared
settings.load_profile("c360")
sys.path.append(str(Path(__file__).parent / "spark"))  # records as the connectors write them: other tiers make some, too

# They run a whole lake job beside a stack, and keep a small machine busy; others mostly wait for Connect, the warehouse or a page.
BUSY = frozenset({"test_demo.py", "test_lake_backfill.py", "test_load_run.py", "test_new_column.py", "test_privacy.py"})
# The longest ones of the Spark tier, each on a worker of its own.
LONGEST = frozenset({"test_lake_crashes.py", "test_scd2_spark.py"})


class BusyFilesTogether(LoadFileScheduling):
    """A file stays with one worker, and all busy files with the same one: two of them at once would starve each other."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "busy" if Path(file).name in BUSY else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    return BusyFilesTogether(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The busy and the longest files first, with `--no-loadscope-reorder`: theirs is the longest way."""
    items.sort(key=lambda item: item.path.name not in BUSY | LONGEST)
