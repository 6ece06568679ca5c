"""What the DAGs that fill days again have in common: a run is a day, and only `airflow backfill create` makes runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import CronPartitionTimetable, Param, chain
from c360_operator import DEFAULTS, C360Operator

SHOP_ZONE = "Europe/Berlin"
POOL = os.environ.get("C360_AIRFLOW_POOL") or "default_pool"
AT_ONCE = 2  # days of one DAG, whatever a backfill asks for
NEVER = datetime(2000, 1, 1, tzinfo=UTC)  # the end of the scheduler's own runs; a backfill does not look at it
DRY_RUN = Param(False, type="boolean", description="Say what would change, change nothing.")
SOURCES = {
    "source": Param(
        "bronze",
        type="string",
        enum=["bronze", "database", "files"],
        description="bronze: what was received; database: PostgreSQL or MongoDB, before the stream began; files: the landing zone.",
    ),
    "files": Param(None, type=["null", "string"], minLength=1, description="With source files: the folder, where it is not the usual one."),
    "dry_run": DRY_RUN,
}


def days(zone: str, params: dict[str, Param]) -> dict[str, Any]:
    """Arguments of a DAG whose runs are days of `zone`."""
    return {
        "schedule": CronPartitionTimetable("0 0 * * *", timezone=zone, key_format="%Y-%m-%d"),
        "end_date": NEVER,
        "catchup": False,
        "is_paused_upon_creation": False,
        "allowed_run_types": ["scheduled", "backfill"],  # Airflow insists on the first where there is a timetable
        "max_active_runs": AT_ONCE,
        "params": params,
        "default_args": {**DEFAULTS, "pool": POOL, "max_active_tis_per_dag": AT_ONCE},
        "tags": ["commerce360", "backfill"],
    }


def tables_of_day(names: Sequence[str]) -> None:
    """A task a table, one after the other: what follows from a table is filled after it."""
    day = "{{ dag_run.partition_key }}"
    chain(*(C360Operator(task_id=name, command=["backfill"], tables=[name], first=day, last=day) for name in names))
