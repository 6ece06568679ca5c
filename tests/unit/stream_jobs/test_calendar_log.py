"""The calendar's rows in the lake: filled once, corrected where the settings or the contract changed, never written again for nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.settings import Calendar
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_DATE, DIM_HOLIDAY, Table
from stream_jobs import calendar, calendar_log

GERMANY = Calendar(countries=("DE",))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(LakeSettings(root=str(tmp_path / "lake")))
    for table in (DIM_DATE, DIM_HOLIDAY, BATCHES):
        made.create(table)
    return made


def complete(lake: Lake, batch_id: int) -> None:
    lake.append(BATCHES, [{**dict.fromkeys(c.name for c in BATCHES.columns), "batch_id": batch_id}], "q", batch_id)


def versions(lake: Lake) -> list[int]:
    return [lake.delta(t).version() for t in calendar.TABLES]


def stored(lake: Lake, table: Table, **bounds: Any) -> list[dict[str, Any]]:
    rows = lake.newest(table, where=table.visible, **bounds).to_pylist()
    return sorted(({k: v for k, v in row.items() if k != "batch_id"} for row in rows), key=lambda r: [r[k] for k in table.key])


def test_a_first_start_fills_both_tables_with_batch_0_and_the_next_one_writes_nothing(lake: Lake):
    made = calendar_log.keep(lake, GERMANY, "q")
    assert made == {"gold.dim_date": 5844, "gold.dim_holiday": 16 * 9}
    assert {r["batch_id"] for t in calendar.TABLES for r in lake.newest(t).to_pylist()} == {0}
    before = versions(lake)
    assert calendar_log.keep(Lake(lake.settings), GERMANY, "q") == {}
    assert versions(lake) == before


def test_a_start_that_died_before_it_noted_what_it_made_is_followed_by_one_that_appends_nothing(lake: Lake):
    calendar_log.keep(lake, GERMANY, "q")
    lake.set_properties(DIM_HOLIDAY, {calendar_log.ORIGIN: ""})
    assert calendar_log.keep(lake, GERMANY, "q") == {}


def test_another_list_of_countries_marks_holidays_with_the_next_batch_and_readers_of_before_still_see_them(lake: Lake):
    calendar_log.keep(lake, GERMANY, "q")
    complete(lake, 0)
    complete(lake, 1)
    calendar_log.keep(lake, Calendar(countries=("AT",)), "q")
    assert stored(lake, DIM_HOLIDAY) == sorted(
        calendar.whole(DIM_HOLIDAY, Calendar(countries=("AT",))), key=lambda r: (r["date_key"], r["country"])
    )
    newest = lake.newest(DIM_HOLIDAY).to_pylist()
    assert Counter((r["country"], r["is_deleted"], r["batch_id"]) for r in newest).keys() == {("DE", True, 2), ("AT", False, 2)}
    assert {r["country"] for r in stored(lake, DIM_HOLIDAY, max_batch=1)} == {"DE"}
    complete(lake, 2)
    calendar_log.keep(lake, GERMANY, "q")
    assert stored(lake, DIM_HOLIDAY) == calendar.whole(DIM_HOLIDAY, GERMANY)


def test_two_changes_before_a_batch_came_leave_one_row_a_key_and_batch(lake: Lake):
    complete(lake, 0)
    calendar_log.keep(lake, Calendar(fiscal_year_start=4, countries=("DE",)), "q")
    calendar_log.keep(lake, Calendar(fiscal_year_start=10, countries=("DE",)), "q")
    rows = lake.query(DIM_DATE, "SELECT date_key, batch_id FROM dim_date").to_pylist()
    assert max(Counter((r["date_key"], r["batch_id"]) for r in rows).values()) == 1
    assert {r["batch_id"] for r in rows} == {1, 2}
    assert stored(lake, DIM_DATE) == calendar.whole(DIM_DATE, Calendar(fiscal_year_start=10))


def test_only_days_that_differ_are_appended_again(lake: Lake):
    calendar_log.keep(lake, GERMANY, "q")
    [day] = [{**d, "day_name": "Someday", "batch_id": 1} for d in calendar.days() if d["date_key"] == 20260301]
    lake.append(DIM_DATE, [day], "q", 1)
    assert calendar_log.keep(lake, GERMANY, "q") == {"gold.dim_date": 1}
    assert stored(lake, DIM_DATE) == calendar.whole(DIM_DATE, GERMANY)


def test_a_lake_of_before_the_fiscal_year_gets_the_columns_and_their_values_with_the_next_batch(tmp_path: Path):
    lake = Lake(LakeSettings(root=str(tmp_path / "old")))
    older = replace(DIM_DATE, columns=tuple(c for c in DIM_DATE.columns if not c.name.startswith("fiscal")))
    for table in (older, DIM_HOLIDAY, BATCHES):
        lake.create(table)
    names = {c.name for c in older.columns}
    lake.append(older, [{k: v for k, v in {**d, "batch_id": 0}.items() if k in names} for d in calendar.days()], "q", 0)
    complete(lake, 0)
    made = calendar_log.keep(Lake(lake.settings), GERMANY, "q")
    assert made["gold.dim_date"] == 5844
    lake = Lake(lake.settings)
    assert stored(lake, DIM_DATE) == calendar.whole(DIM_DATE, GERMANY)
    assert {r["fiscal_year"] for r in stored(lake, DIM_DATE, max_batch=0)} == {None}


def test_a_country_without_known_holidays_stops_a_start_before_anything_is_written(lake: Lake):
    with pytest.raises(ConfigError, match="'XX'"):
        calendar_log.keep(lake, Calendar(countries=("DE", "XX")), "q")
    assert versions(lake) == [0, 0]


def test_no_countries_no_holidays(lake: Lake):
    assert calendar_log.keep(lake, Calendar(countries=()), "q") == {"gold.dim_date": 5844}
    assert stored(lake, DIM_HOLIDAY) == []
