"""The DAGs on a real stack, through a real Airflow: gaps are repaired, twice is the same as once, kills are survived.

Run with `build/venv-airflow/bin/python -m pytest tests/dags --confcutdir=tests/dags -m stack`; it needs `make setup`, too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from real_stack import PYTHON, RunningAirflow, Stack, c360, running_airflow, running_stack, wait

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]
TODAY = dt.datetime.now(dt.UTC).date()
WEEK = [(TODAY - dt.timedelta(days=n)).isoformat() for n in reversed(range(7))]
CLOSED = [(TODAY - dt.timedelta(days=n)).isoformat() for n in reversed(range(2, 9))]
SHOWN = "SELECT COUNT(*) AS N FROM CORE.FCT_SALES"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not PYTHON.exists():
        pytest.skip("the main environment is not there: run `make setup`")
    with running_stack(tmp_path_factory.mktemp("dags"), rate=2) as stack:
        yield stack


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Iterator[RunningAirflow]:
    with running_airflow(stack) as airflow:
        airflow.known("backfill_warehouse")
        yield airflow


@pytest.fixture(scope="module")
def _engine(stack: Stack) -> None:
    if c360("backfill", "--help", check=False).returncode:
        pytest.skip("this build has no `c360 backfill`")


def lose_sales(stack: Stack) -> int:
    """Take rows that readers see out of the warehouse, beside the live stream; how many."""
    shown = "(SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)"
    return int(stack.warehouse(f'client.change("DELETE FROM RAW.FCT_SALES WHERE QUANTITY % 2 = 0 AND BATCH_ID <= {shown}")'))


def missing(airflow: RunningAirflow) -> int:
    """Of sales, in the summaries of the week."""
    rows = [row for day in WEEK for row in airflow.summary("backfill_warehouse", day, "warehouse")]
    return sum(row["missing"] for row in rows if row["table"] == "gold.fct_sales")


def test_gaps_of_the_warehouse_are_repaired_and_twice_changes_nothing(stack: Stack, airflow: RunningAirflow) -> None:
    """By the command line as documented; six of the seven days have no commits."""
    wait("sales in the warehouse", lambda: stack.warehouse(f"client.query({SHOWN!r})[0]['n']") > 1000, every_s=5)
    lost = lose_sales(stack)
    assert lost > 0
    days = ["--from-date", WEEK[0], "--to-date", WEEK[-1]]
    airflow.command("backfill", "create", "--dag-id", "backfill_warehouse", *days)
    newest = int(airflow.api("/backfills?dag_id=backfill_warehouse")["backfills"][-1]["id"])
    assert airflow.finish("backfill_warehouse", newest) == dict.fromkeys(WEEK, "success")
    assert missing(airflow) == lost

    again = airflow.backfill("backfill_warehouse", WEEK[0], WEEK[-1], "completed")
    assert airflow.finish("backfill_warehouse", again) == dict.fromkeys(WEEK, "success")
    assert missing(airflow) == 0


def test_kills_of_the_scheduler_and_of_a_task_are_survived(stack: Stack, airflow: RunningAirflow) -> None:
    lost = lose_sales(stack)
    backfill = airflow.backfill("backfill_warehouse", WEEK[0], WEEK[-1], "completed")
    command = airflow.kill_task()
    wait("the end of its command", lambda: command not in airflow.commands(), 20)
    wait("another command", airflow.commands, 120, 0.1)
    airflow.kill_scheduler()
    assert airflow.finish("backfill_warehouse", backfill) == dict.fromkeys(WEEK, "success")
    assert max(airflow.tries("backfill_warehouse").values()) > 1
    assert missing(airflow) <= lost  # a command that was killed may have repaired its day before
    checked = airflow.backfill("backfill_warehouse", WEEK[0], WEEK[-1], "completed", {"dry_run": True})
    airflow.finish("backfill_warehouse", checked)
    assert missing(airflow) == 0


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize("dag_id", ["backfill_sales", "backfill_customers", "backfill_behaviour"])
def test_days_of_gold_are_filled_and_twice_changes_nothing(airflow: RunningAirflow, dag_id: str) -> None:
    """Not run yet: it waits for `c360 backfill`, and then wants gaps planted in gold before the first backfill."""
    for behaviour in ("none", "completed"):
        backfill = airflow.backfill(dag_id, CLOSED[0], CLOSED[-1], behaviour)
        assert airflow.finish(dag_id, backfill) == dict.fromkeys(CLOSED, "success")
    tables = sorted({task for _, task in airflow.tries(dag_id)})
    rows = [row for day in CLOSED for table in tables for row in airflow.summary(dag_id, day, table)]
    assert {(row["day"], row["table"]) for row in rows} == {(day, table) for day in CLOSED for table in tables}
    assert {row["changed"] for row in rows} == {0}


@pytest.mark.usefixtures("_engine")
def test_a_day_that_is_open_is_refused_at_once(airflow: RunningAirflow) -> None:
    """Not run yet: it waits for `c360 backfill`."""
    day = TODAY.isoformat()
    backfill = airflow.backfill("backfill_sales", day, day)
    assert airflow.finish("backfill_sales", backfill)[day] == "failed"
    assert airflow.tries("backfill_sales")[day, "dim_product"] == 1


@pytest.mark.usefixtures("_engine")
def test_the_calendar_is_loaded(airflow: RunningAirflow) -> None:
    """Not run yet: it waits for `c360 backfill`."""
    run = airflow.api("/dags/load_dim_date/dagRuns", {"logical_date": None, "conf": {"year": 2027, "years_ahead": 1}})["dag_run_id"]
    path = f"/dags/load_dim_date/dagRuns/{run}"
    assert wait("the run", lambda: (state := airflow.api(path)["state"]) in {"success", "failed"} and state, 600) == "success"
