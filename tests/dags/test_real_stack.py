"""The DAGs on a real stack, through a real Airflow: gaps are repaired, twice is the same as once, kills are survived.

Run with `build/venv-airflow/bin/python -m pytest tests/dags --confcutdir=tests/dags -m stack`; it needs `make setup`, too.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from real_stack import PYTHON, RunningAirflow, Stack, running_airflow, running_stack, wait

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]
TODAY = dt.datetime.now(dt.UTC).date()
DAYS = int(os.environ.get("TEST_DAYS", "2"))  # of a range; 7 takes minutes more
CLOSED = [(TODAY - dt.timedelta(days=n)).isoformat() for n in reversed(range(2, 2 + DAYS))]
SHOWN = "SELECT COUNT(*) AS N FROM CORE.FCT_SALES"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not PYTHON.exists():
        pytest.skip("the main environment is not there: run `make setup`")
    with running_stack(tmp_path_factory.mktemp("dags"), rate=1) as stack:
        yield stack


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Iterator[RunningAirflow]:
    with running_airflow(stack) as airflow:
        airflow.known("backfill_warehouse")
        yield airflow


@pytest.fixture
def week(stack: Stack, airflow: RunningAirflow) -> list[str]:
    """Days of UTC up to now. All that the stack committed is of the last two of them, whatever the hour."""
    wait("sales in the warehouse", lambda: stack.warehouse(f"client.query({SHOWN!r})[0]['n']") > 800, every_s=5)
    today = dt.datetime.now(dt.UTC).date()
    return [(today - dt.timedelta(days=n)).isoformat() for n in reversed(range(DAYS))]


def lose_sales(stack: Stack) -> int:
    """Take rows that readers see out of the warehouse, beside the live stream; how many."""
    shown = "(SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)"
    return int(stack.warehouse(f'client.change("DELETE FROM RAW.FCT_SALES WHERE QUANTITY % 2 = 0 AND BATCH_ID <= {shown}")'))


def missing(airflow: RunningAirflow, days: list[str]) -> int:
    """Of sales, in the summaries of the days."""
    rows = [row for day in days for row in airflow.summary("backfill_warehouse", day, "warehouse")]
    return sum(row["missing"] for row in rows if row["table"] == "gold.fct_sales")


def test_gaps_of_the_warehouse_are_repaired_and_twice_changes_nothing(stack: Stack, airflow: RunningAirflow, week: list[str]) -> None:
    """By the command line as documented; most of the days have no commits."""
    lost = lose_sales(stack)
    assert lost > 0
    airflow.command("backfill", "create", "--dag-id", "backfill_warehouse", "--from-date", week[0], "--to-date", week[-1])
    newest = int(airflow.api("/backfills?dag_id=backfill_warehouse")["backfills"][-1]["id"])
    assert all_succeeded(airflow.finish("backfill_warehouse", newest), week)
    assert missing(airflow, week) == lost

    again = airflow.backfill("backfill_warehouse", week[-2], week[-1], "completed")
    assert all_succeeded(airflow.finish("backfill_warehouse", again), week)
    assert missing(airflow, week[-2:]) == 0


@pytest.mark.long
def test_kills_of_the_scheduler_and_of_a_task_are_survived(stack: Stack, airflow: RunningAirflow, week: list[str]) -> None:
    lost, last = lose_sales(stack), week[-2:]
    backfill = airflow.backfill("backfill_warehouse", *last, "completed")
    command = airflow.kill_task()
    wait("the end of its command", lambda: command not in airflow.commands(), 20)
    wait("another command", airflow.commands, 120, 0.1)
    airflow.kill_scheduler()
    assert all_succeeded(airflow.finish("backfill_warehouse", backfill), last)
    assert max(airflow.tries("backfill_warehouse").values()) > 1
    assert missing(airflow, last) <= lost  # a command that was killed may have repaired its day before
    checked = airflow.backfill("backfill_warehouse", *last, "completed", {"dry_run": True})
    assert all_succeeded(airflow.finish("backfill_warehouse", checked), last)
    assert missing(airflow, last) == 0


def all_succeeded(states: dict[str, str], days: list[str]) -> bool:
    return all(states[day] == "success" for day in days)


def lose(stack: Stack, days: list[str], table: str, key: str, at: str) -> int:
    """Take every second key of the days out of a table of the lake, while the lake job writes; how many."""
    code = f"""
import datetime as dt, time
from deltalake.exceptions import CommitFailedError
from commerce360.backfill.days import bounds
from commerce360.lake import Lake
from schemas.tables import BY_NAME
from stream_jobs.values import literal
lake, table = Lake(settings.lake), BY_NAME[{table!r}]
first, end = bounds([dt.date.fromisoformat(d) for d in {days!r}])
where = f"{at} >= {{literal(first)}} AND {at} < {{literal(end)}}"
rows = lake.query(table, f"SELECT DISTINCT {key} AS key FROM {{table.entity}} WHERE {{where}} ORDER BY 1").to_pylist()
keys = [row["key"] for row in rows][::2]
assert keys, "no rows on these days"
while result is None:
    try:
        lake.delta(table).delete(f"{key} IN ({{', '.join(map(literal, keys))}})")
        result = len(keys)
    except CommitFailedError:
        time.sleep(0.1)
"""
    return int(stack.python(code))


def last_day_with_rows(stack: Stack, table: str, at: str) -> str:
    """Of the days that are over: a small shop has no visitor on many of them."""
    code = f"""
from commerce360.backfill.received import day_text
from commerce360.lake import Lake
from schemas.tables import BY_NAME
times = Lake(settings.lake).newest(BY_NAME[{table!r}]).column({at!r}).to_pylist()
result = max(d for d in map(day_text, times) if d <= {CLOSED[-1]!r})
"""
    return str(stack.python(code))


def changed(airflow: RunningAirflow, dag_id: str, days: list[str], tables: list[str]) -> int:
    """Keys, in the summaries of the days; every table of every day has one."""
    rows = [row for day in days for table in tables for row in airflow.summary(dag_id, day, table)]
    assert {(row["day"], row["table"]) for row in rows} >= {
        (day, table) for day in days for table in tables if table != "mart_customer_360"
    }
    return sum(row["changed"] for row in rows)


def test_days_of_sales_with_gaps_in_gold_is_repaired_and_twice_changes_nothing(stack: Stack, airflow: RunningAirflow) -> None:
    """By the command line as documented."""
    lost = lose(stack, CLOSED, "gold.fct_sales", "order_id", "ordered_at")
    assert lost > 0
    days = ["--from-date", CLOSED[0], "--to-date", CLOSED[-1]]
    airflow.command("backfill", "create", "--dag-id", "backfill_sales", *days)
    newest = int(airflow.api("/backfills?dag_id=backfill_sales")["backfills"][-1]["id"])
    assert airflow.finish("backfill_sales", newest) == dict.fromkeys(CLOSED, "success")
    assert changed(airflow, "backfill_sales", CLOSED, ["fct_sales"]) == lost
    again = airflow.backfill("backfill_sales", CLOSED[0], CLOSED[-1], "completed")
    assert airflow.finish("backfill_sales", again) == dict.fromkeys(CLOSED, "success")
    assert changed(airflow, "backfill_sales", CLOSED, ["dim_product", "fct_sales"]) == 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("dag_id", "tables", "loses"),
    [
        ("backfill_customers", ["dim_customer", "mart_customer_360"], ()),
        (
            "backfill_behaviour",
            ["clickstream", "reviews", "fct_sessions", "fct_page_events", "fct_reviews"],
            ("silver.clickstream", "event_id", "occurred_at"),
        ),
    ],
)
def test_days_of_customers_and_behaviour(
    stack: Stack, airflow: RunningAirflow, dag_id: str, tables: list[str], loses: tuple[str, str, str]
) -> None:
    days = [last_day_with_rows(stack, loses[0], loses[2])] if loses else CLOSED[-1:]
    lost = lose(stack, days, *loses) if loses else 0
    backfill = airflow.backfill(dag_id, days[0], days[-1])
    assert airflow.finish(dag_id, backfill) == dict.fromkeys(days, "success")
    assert changed(airflow, dag_id, days, tables) >= lost


def test_a_day_that_is_open_is_refused_at_once(airflow: RunningAirflow) -> None:
    """The day before is done all the same. (Airflow itself refuses a range whose first day is not a day of UTC yet.)"""
    today = dt.datetime.now(ZoneInfo("Europe/Berlin")).date()
    closed, opened = (today - dt.timedelta(days=1)).isoformat(), today.isoformat()
    states = airflow.finish("backfill_sales", airflow.backfill("backfill_sales", closed, opened))
    assert (states[closed], states[opened]) == ("success", "failed")
    assert airflow.tries("backfill_sales")[opened, "dim_product"] == 1


def test_the_calendar_is_loaded_beyond_its_usual_end(stack: Stack, airflow: RunningAirflow) -> None:
    run = airflow.api("/dags/load_dim_date/dagRuns", {"logical_date": None, "conf": {"year": 2036, "years_ahead": 1}})["dag_run_id"]
    path = f"/dags/load_dim_date/dagRuns/{run}"
    assert wait("the run", lambda: (state := airflow.api(path)["state"]) in {"success", "failed"} and state, 600) == "success"
    loaded = "client.query('SELECT COUNT(*) AS N FROM CORE.DIM_DATE WHERE YEAR = 2037')[0]['n']"
    wait("the days in the warehouse", lambda: stack.warehouse(loaded) == 365)
