"""
### Calendar and holidays

Every 1 December, and on demand: the calendar of this year and the next ones, with fiscal periods, ISO weeks and public holidays. A day
that is there as it should be stays as it is. Another year: *Trigger*, with `year` and `years_ahead`.
"""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, CronTriggerTimetable, Param
from c360_days import DRY_RUN, POOL, SHOP_ZONE
from c360_operator import DEFAULTS, C360Operator

YEAR = "(params.year or dag_run.run_after.astimezone(shop_zone).year)"
# Not at once when it is unpaused: without this, a run of the last five weeks (a tenth of the year) would be made up for.
EACH_DECEMBER = CronTriggerTimetable("0 5 1 12 *", timezone=SHOP_ZONE, run_immediately=timedelta(0))

with DAG(
    "load_dim_date",
    description="Calendar and holidays of this year and the next ones",
    doc_md=__doc__,
    schedule=EACH_DECEMBER,
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    user_defined_macros={"shop_zone": ZoneInfo(SHOP_ZONE)},
    default_args={**DEFAULTS, "pool": POOL},
    params={
        "year": Param(None, type=["null", "integer"], minimum=2000, maximum=2100, description="First year; empty: that of the run."),
        "years_ahead": Param(2, type="integer", minimum=0, maximum=20, description="How many years after it."),
        "dry_run": DRY_RUN,
    },
    tags=["commerce360", "calendar"],
):
    C360Operator(
        task_id="calendar",
        command=["backfill"],
        tables=["dim_date", "dim_holiday"],
        first=f"{{{{ {YEAR} }}}}-01-01",
        last=f"{{{{ {YEAR} + params.years_ahead }}}}-12-31",
    )
