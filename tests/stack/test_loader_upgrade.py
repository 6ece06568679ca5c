"""A lake and a warehouse of before the fiscal year and the holidays, loaded by the loader of then, go on with the one of today."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lake_writer import row
from load_checks import differences, view_differences, wait, wait_shown
from local_ports import new_state

from commerce360.lake import Lake
from commerce360.local.stack import Stack
from commerce360.local.warehouse import prepare
from commerce360.settings import Calendar
from schemas.tables import BATCHES, DIM_DATE, DIM_HOLIDAY, FED
from stream_jobs import calendar, calendar_log
from warehouse import scripts
from warehouse.client import Client
from warehouse.loader import Loader
from warehouse.scripts import order

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]
OLDER_DATE = replace(DIM_DATE, columns=tuple(c for c in DIM_DATE.columns if not c.name.startswith("fiscal")))
OLDER = tuple(OLDER_DATE if t is DIM_DATE else t for t in FED if t is not DIM_HOLIDAY)
SETTINGS = Calendar(fiscal_year_start=4, countries=("DE", "GB"))


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path / "state"))
    try:
        stack.start_service("warehouse")
        yield stack
    finally:
        stack.stop()


def close(lake: Lake, batch_id: int) -> None:
    known = [t for t in FED if t is not BATCHES and lake.exists(t)]
    versions = json.dumps({t.name: lake.delta(t).version() for t in known})
    lake.append(BATCHES, [{**row(BATCHES, batch_id, batch_id), "versions": versions}], "q", batch_id)


def test_what_was_loaded_stays_and_the_calendar_comes_with_the_next_batch(stack: Stack) -> None:
    settings = stack.settings()
    prepare(settings, found=[s for s in scripts.read() if s.version and order(s.version) <= order("1.2.0")])
    lake = Lake(settings.lake)
    for table in OLDER:
        lake.create(table)
    names = {c.name for c in OLDER_DATE.columns}
    lake.append(OLDER_DATE, [{k: v for k, v in {**d, "batch_id": 0}.items() if k in names} for d in calendar.days()], "q", 0)
    close(lake, 0)
    close(lake, 1)
    (settings.state / "run").mkdir(exist_ok=True)
    loader = Loader(settings, tables=OLDER)
    loader.open()
    wait(lambda: loader.step() is not None and loader.batch_id == 1)
    loader.close()

    prepare(settings)
    with Client(settings.warehouse) as sql:
        assert sql.query("SELECT COUNT(*) AS N, COUNT(FISCAL_YEAR) AS FISCAL FROM CORE.DIM_DATE") == [{"n": 5844, "fiscal": 0}]
        lake = Lake(settings.lake)
        lake.create(DIM_HOLIDAY)
        calendar_log.keep(lake, SETTINGS, "q")
        stack.start_service("loader")
        wait_shown(stack, 1)
        assert sql.query("SELECT * FROM RAW.DIM_HOLIDAY") == []
        close(lake, 2)
        wait_shown(stack, 2)
        assert sql.query("SELECT MIN(FISCAL_YEAR) AS A, MAX(FISCAL_YEAR) AS B, COUNT(*) AS N FROM CORE.DIM_DATE") == [
            {"a": 2020, "b": 2036, "n": 5844}
        ]
        assert sql.query("SELECT COUNT(*) AS N FROM RAW.DIM_DATE") == [{"n": 2 * 5844}]
        assert sql.query("SELECT NAME FROM CORE.DIM_HOLIDAY WHERE DATE = '2026-10-03' ORDER BY COUNTRY") == [{"name": "German Unity Day"}]
    assert differences(stack) == []
    assert view_differences(stack)[2] == []
