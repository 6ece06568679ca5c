"""The DAGs as Airflow reads them: what there is, when it runs, what it may be asked for, and that reading them does nothing."""

from __future__ import annotations

import builtins
import os
import runpy
import socket
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from conftest import DAGS

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

STEPS = {
    "backfill_sales": ["dim_product", "fct_sales"],
    "backfill_customers": ["dim_customer", "mart_customer_360"],
    "backfill_behaviour": ["clickstream", "reviews", "fct_sessions", "fct_page_events", "fct_reviews"],
    "backfill_warehouse": ["warehouse"],
    "load_dim_date": ["calendar"],
}
BY_DAY = sorted(set(STEPS) - {"load_dim_date"})
WITH_SOURCE = sorted(set(BY_DAY) - {"backfill_warehouse"})


def as_stored(bag: DagBag, dag_id: str) -> Any:
    """The DAG as the scheduler has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[dag_id]))


def test_airflow_is_the_package_and_not_our_folder() -> None:
    import airflow

    assert "site-packages" in (airflow.__file__ or "")
    assert not list(DAGS.parent.rglob("__init__.py"))


def test_the_dags_load_and_are_these(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert {dag_id: [t.task_id for t in dag.topological_sort()] for dag_id, dag in bag.dags.items()} == STEPS


@pytest.mark.parametrize("dag_id", STEPS)
def test_whoever_opens_the_page_finds_an_owner_a_text_and_a_tag(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert dag.owner == "commerce360"
    assert dag.description
    assert (dag.doc_md or "").strip().startswith("###")
    assert "commerce360" in dag.tags


@pytest.mark.parametrize("dag_id", STEPS)
def test_tries_are_limited_and_grow_apart_and_so_is_what_runs_at_once(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert dag.catchup is False
    assert dag.max_active_runs == (2 if dag_id in BY_DAY else 1)
    for task in dag.tasks:
        assert (task.retries, bool(task.retry_exponential_backoff), task.pool) == (4, True, "default_pool")
        assert task.max_active_tis_per_dag == (2 if dag_id in BY_DAY else None)
        assert task.execution_timeout is not None


@pytest.mark.parametrize("dag_id", BY_DAY)
def test_a_run_is_a_day_and_the_scheduler_makes_none_by_itself(bag: DagBag, dag_id: str) -> None:
    dag = as_stored(bag, dag_id)
    made = dag.iter_dagrun_infos_between(datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC))
    assert [info.partition_key for info in made] == ["2026-10-24", "2026-10-25", "2026-10-26"]  # also where clocks are set back
    assert dag.timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=dag._time_restriction) is None
    assert {str(kind) for kind in dag.allowed_run_types} == {"scheduled", "backfill"}


@pytest.mark.parametrize(("dag_id", "zone"), [*((d, "Europe/Berlin") for d in WITH_SOURCE), ("backfill_warehouse", "UTC")])
def test_days_are_of_the_zone_in_which_the_command_counts(bag: DagBag, dag_id: str, zone: str) -> None:
    (only,) = as_stored(bag, dag_id).iter_dagrun_infos_between(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    assert only.partition_date.isoformat() == ("2026-07-01T00:00:00+00:00" if zone == "UTC" else "2026-06-30T22:00:00+00:00")


@pytest.mark.parametrize(
    ("now", "year"),
    [
        (datetime(2026, 6, 1, tzinfo=UTC), 2026),
        (datetime(2026, 12, 1, 3, 59, tzinfo=UTC), 2026),
        (datetime(2026, 12, 1, 4, 1, tzinfo=UTC), 2027),
        (datetime(2027, 1, 1, 12, tzinfo=UTC), 2027),
    ],
)
def test_the_calendar_is_loaded_each_december_and_not_at_once(
    bag: DagBag, monkeypatch: pytest.MonkeyPatch, now: datetime, year: int
) -> None:
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: pendulum.instance(now))
    dag = as_stored(bag, "load_dim_date")
    following = dag.timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=dag._time_restriction).run_after
    assert following == datetime(year, 12, 1, 4, tzinfo=UTC)


def refused(bag: DagBag, dag_id: str, conf: dict[str, Any]) -> bool:
    """Whether `airflow backfill create --dag-run-conf`, and a trigger, say no to it."""
    try:
        as_stored(bag, dag_id).params.deep_merge(conf).validate()
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("dag_id", WITH_SOURCE)
@pytest.mark.parametrize(
    "conf", [{"source": "moon"}, {"source": None}, {"dry_run": "yes"}, {"dry_run": 1}, {"files": ""}, {"files": 3}], ids=str
)
def test_a_parameter_that_does_not_do_is_refused(bag: DagBag, dag_id: str, conf: dict[str, Any]) -> None:
    assert refused(bag, dag_id, conf)
    assert not refused(bag, dag_id, {"source": "files", "files": "/landing", "dry_run": True})


@pytest.mark.parametrize(
    "conf", [{"year": 1999}, {"year": "2027"}, {"years_ahead": -1}, {"years_ahead": 21}, {"years_ahead": None}], ids=str
)
def test_a_year_that_does_not_do_is_refused(bag: DagBag, conf: dict[str, Any]) -> None:
    assert refused(bag, "load_dim_date", conf)
    assert not refused(bag, "load_dim_date", {"year": 2027, "years_ahead": 0, "dry_run": True})


@pytest.mark.parametrize("engine", ["local", "databricks"])
def test_reading_the_files_touches_nothing(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """No socket, no process, no file that is written, no variable or connection of Airflow; with the cloud's setting as well."""
    from airflow.sdk import Connection, Variable

    def forbidden(*args: object, **_: object) -> None:
        raise AssertionError(f"reading a DAG file did {args}")

    opened = builtins.open

    def reading_only(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        return forbidden(file, mode) if set(mode) & set("wxa+") else opened(file, mode, *args, **more)

    for place, name in ((socket, "socket"), (subprocess, "Popen"), (os, "fork"), (os, "mkdir"), (Variable, "get"), (Connection, "get")):
        monkeypatch.setattr(place, name, forbidden)
    monkeypatch.setattr(builtins, "open", reading_only)
    monkeypatch.setenv("C360_AIRFLOW_ENGINE", engine)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in [name for name in sys.modules if name.startswith("c360_")]:
        monkeypatch.delitem(sys.modules, name)
    read = {file.stem: runpy.run_path(str(file)) for file in DAGS.glob("[!c]*.py")}
    assert set(read) == set(STEPS)


def test_dag_files_are_found_and_their_helpers_are_not_taken_for_some() -> None:
    assert sorted(p.stem for p in DAGS.glob("*.py") if not p.stem.startswith("c360_")) == sorted(STEPS)
    assert (DAGS / ".airflowignore").read_text().split() == ["c360_*.py"]
