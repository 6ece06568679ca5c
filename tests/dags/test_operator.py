"""What a task hands on, returns, and says when it fails; the command is a real process."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from conftest import Command

DAY = "2026-11-03"


def execute(bag: DagBag, dag_id: str, task_id: str, conf: dict[str, Any] | None = None, **of_run: Any) -> Any:
    """The task in a run of that day: rendered, then executed, as Airflow does."""
    from copy import copy

    dag = bag.dags[dag_id]
    task = copy(dag.task_dict[task_id])
    run = SimpleNamespace(conf=conf, partition_key=DAY, **of_run)
    context: Any = {"dag": dag, "dag_run": run, "params": {**dag.params.dump(), **(conf or {})}}
    task.render_template_fields(context)
    return task.execute(context)


@pytest.mark.parametrize("table", ["dim_product", "fct_sales"])
def test_a_day_of_a_table_is_asked_for_and_its_summary_returned(bag: DagBag, command: Command, table: str) -> None:
    (row,) = execute(bag, "backfill_sales", table)
    assert command.calls() == [
        ["backfill", "--table", table, "--from", DAY, "--to", DAY, "--source", "bronze", "--json", "--state", "/stack"]
    ]
    assert (row["day"], row["table"], row["read"]) == (DAY, table, 5)


def test_parameters_of_a_run_reach_the_command(bag: DagBag, command: Command) -> None:
    execute(bag, "backfill_behaviour", "reviews", {"source": "files", "files": "/landing", "dry_run": True})
    assert command.calls()[0][7:12] == ["--source", "files", "--files", "/landing", "--dry-run"]


def test_a_day_of_the_warehouse_may_have_nothing(bag: DagBag, command: Command) -> None:
    command.does("")
    assert execute(bag, "backfill_warehouse", "warehouse") == []
    assert command.calls() == [["warehouse", "backfill", "--from", DAY, "--to", DAY, "--if-any", "--json", "--state", "/stack"]]


@pytest.mark.parametrize(
    ("conf", "first", "last"),
    [
        ({}, "2026-01-01", "2028-12-31"),
        ({"year": 2030, "years_ahead": 0}, "2030-01-01", "2030-12-31"),
        ({"years_ahead": 5}, "2026-01-01", "2031-12-31"),
    ],
    ids=str,
)
def test_the_calendar_of_this_year_and_the_next_ones(bag: DagBag, command: Command, conf: dict[str, Any], first: str, last: str) -> None:
    execute(bag, "load_dim_date", "calendar", conf, run_after=datetime(2025, 12, 31, 23, 30, tzinfo=UTC))  # 2026 in the shop
    tables = ["--table", "dim_date", "--table", "dim_holiday"]
    assert command.calls() == [["backfill", *tables, "--from", first, "--to", last, "--json", "--state", "/stack"]]


def test_a_parameter_that_is_misspelt_does_nothing(bag: DagBag, command: Command) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="no parameter 'dryrun': it is one of dry_run, files, source; nothing was done"):
        execute(bag, "backfill_sales", "fct_sales", {"dryrun": True})
    assert command.calls() == []


@pytest.mark.parametrize(
    ("body", "again", "says"),
    [
        (
            f"say('error: {DAY} is still open'); say('hint: wait until it is over'); sys.exit(2)",
            False,
            [f"{DAY}, fct_sales: {DAY} is still open (exit code 2)", "hint: wait until it is over", "what to do: nothing was changed"],
        ),
        (
            "say('error: Kafka does not answer'); sys.exit(75)",
            True,
            [f"{DAY}, fct_sales: Kafka", "(exit code 75)", "tried again by itself"],
        ),
        ("row('fct_sales'); say('error: boom'); sys.exit(1)", False, ["boom (exit code 1)", "done before: fct_sales", "--dry-run"]),
        ("sys.exit(4)", False, ["no error message (exit code 4)", "not tried again"]),
        ("os.kill(os.getpid(), signal.SIGKILL)", True, ["killed by signal 9", "killed from outside"]),
    ],
    ids=["open", "transient", "failed", "unknown", "killed"],
)
def test_a_failure_says_the_day_the_step_and_what_to_do(bag: DagBag, command: Command, body: str, again: bool, says: list[str]) -> None:
    """Airflow tries again after every exception but AirflowFailException."""
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    command.does(body)
    with pytest.raises(AirflowException) as raised:
        execute(bag, "backfill_sales", "fct_sales")
    assert isinstance(raised.value, AirflowFailException) is not again
    for part in says:
        assert part in str(raised.value)
    assert "clear this task" in str(raised.value)
