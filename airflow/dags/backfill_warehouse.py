"""
### Make days of the warehouse equal to the lake again

A run is a day on which the lake committed (UTC), all tables of it in one transaction. Make runs with

    airflow backfill create --dag-id backfill_warehouse --from-date 2026-11-01 --to-date 2026-11-07

A day that is equal already stays as it is; a day without commits has nothing to do. `docs/airflow.md` has the rest.
"""

from __future__ import annotations

from airflow.sdk import DAG
from c360_days import DRY_RUN, days
from c360_operator import C360Operator

DAY = "{{ dag_run.partition_key }}"

with DAG(
    "backfill_warehouse", description="Make days of the warehouse equal to the lake", doc_md=__doc__, **days("UTC", {"dry_run": DRY_RUN})
):
    C360Operator(task_id="warehouse", command=["warehouse", "backfill"], first=DAY, last=DAY, flags=["--if-any"])
