"""A warehouse of an older version, taken to this one by its migrations: with the rows that were loaded, and what the lake sends since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from commerce360.local.scratch import serving
from commerce360.local.warehouse import prepare
from warehouse import apply as runner
from warehouse import scripts
from warehouse.check import check
from warehouse.client import Client
from warehouse.scripts import order

BEFORE_FISCAL_YEARS = "1.2.0"
SHOWN = "SELECT DATE_KEY, FISCAL_YEAR, BATCH_ID FROM CORE.DIM_DATE ORDER BY DATE_KEY"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """With all versioned scripts of then, and a day in it."""
    with serving(tmp_path_factory.mktemp("older")) as settings:
        then = [s for s in scripts.read() if s.version and order(s.version) <= order(BEFORE_FISCAL_YEARS)]
        prepare(settings, found=then)
        with Client(settings.warehouse) as client:
            for key, date in ((20260401, "2026-04-01"), (20260402, "2026-04-02")):
                client.query("INSERT INTO RAW.DIM_DATE (DATE_KEY, DATE, YEAR, BATCH_ID) SELECT %s, %s, 2026, 0", (key, date))
            client.query("INSERT INTO OPS.LAKE_BATCHES (BATCH_ID, RECORDS) SELECT 0, 1")
        yield settings.warehouse


def test_apply_brings_the_fiscal_year_and_the_holidays_and_the_lake_s_new_rows_fill_them(older: Any) -> None:
    ran = [step.script.name for step in runner.apply(older) if step.runs]
    assert [name for name in ran if name.startswith("V")] == ["V1.3.0__fiscal_calendar_and_holidays.sql"]
    assert [str(d) for d in check(older)] == []
    with Client(older) as client:
        was = [(20260401, None, 0), (20260402, None, 0)]
        assert [tuple(r.values()) for r in client.query(SHOWN)] == was
        assert client.query("SELECT * FROM CORE.DIM_HOLIDAY") == []
        client.query("INSERT INTO RAW.DIM_DATE (DATE_KEY, DATE, YEAR, FISCAL_YEAR, BATCH_ID) SELECT 20260401, '2026-04-01', 2026, 2027, 1")
        client.query(
            "INSERT INTO RAW.DIM_HOLIDAY (DATE_KEY, COUNTRY, DATE, NAME, IS_DELETED, BATCH_ID) "
            "SELECT 20260406, 'DE', '2026-04-06', 'Easter Monday', FALSE, 1"
        )
        assert [tuple(r.values()) for r in client.query(SHOWN)] == was, "batch 1 is not complete"
        client.query("INSERT INTO OPS.LAKE_BATCHES (BATCH_ID, RECORDS) SELECT 1, 1")
        assert [tuple(r.values()) for r in client.query(SHOWN)] == [(20260401, 2027, 1), (20260402, None, 0)]
        assert [r["name"] for r in client.query("SELECT NAME FROM CORE.DIM_HOLIDAY")] == ["Easter Monday"]
    assert not any(step.runs for step in runner.apply(older))
