from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from commerce360.errors import ConfigError
from commerce360.settings import Calendar
from producers.truth import TRUTH
from schemas.tables import DIM_DATE, DIM_HOLIDAY
from stream_jobs import calendar


def day(text: str, **settings: int) -> dict[str, Any]:
    date = dt.date.fromisoformat(text)
    [found] = calendar.days(date, date, **settings)
    return found


def fiscal(text: str, start: int) -> tuple[int, int, int]:
    found = day(text, fiscal_year_start=start)
    return found["fiscal_year"], found["fiscal_quarter"], found["fiscal_month"]


def names(country: str, year: int) -> dict[str, str]:
    rows = calendar.holidays_of(dt.date(year, 1, 1), dt.date(year, 12, 31), [country])
    return {str(row["date"]): row["name"] for row in rows}


def test_every_day_is_there_once_with_every_column():
    days = list(calendar.days())
    assert [d["date"] for d in days] == [calendar.FIRST + dt.timedelta(n) for n in range(len(days))]
    assert days[-1]["date"] == calendar.LAST
    assert all([*d, "batch_id"] == [c.name for c in DIM_DATE.columns] for d in days)


def test_a_leap_day():
    assert day("2028-02-29") == {
        "date_key": 20280229,
        "date": dt.date(2028, 2, 29),
        "year": 2028,
        "quarter": 1,
        "month": 2,
        "month_name": "February",
        "day": 29,
        "day_of_week": 2,
        "day_name": "Tuesday",
        "iso_year": 2028,
        "iso_week": 9,
        "is_weekend": False,
        "fiscal_year": 2028,
        "fiscal_quarter": 1,
        "fiscal_month": 2,
    }


def test_the_last_days_of_a_year_can_belong_to_the_first_week_of_the_next_and_the_first_ones_to_week_53():
    for text, year, iso_year, iso_week in (("2024-12-30", 2024, 2025, 1), ("2027-01-03", 2027, 2026, 53), ("2026-12-28", 2026, 2026, 53)):
        found = day(text)
        assert (found["year"], found["iso_year"], found["iso_week"]) == (year, iso_year, iso_week)


def test_saturday_and_sunday_are_the_weekend_and_quarters_have_three_months():
    assert [day(f"2026-03-0{n}")["is_weekend"] for n in range(1, 9)] == [True, False, False, False, False, False, True, True]
    assert [day(f"2026-{m:02d}-15")["quarter"] for m in range(1, 13)] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]


def test_a_fiscal_year_is_named_after_the_year_in_which_it_ends():
    assert [fiscal(d, 1) for d in ("2026-01-01", "2026-12-31")] == [(2026, 1, 1), (2026, 4, 12)]
    assert [fiscal(d, 4) for d in ("2026-03-31", "2026-04-01", "2026-12-31", "2027-01-01", "2027-03-31")] == [
        (2026, 4, 12), (2027, 1, 1), (2027, 3, 9), (2027, 4, 10), (2027, 4, 12),
    ]  # fmt: skip
    assert [fiscal(d, 10) for d in ("2026-09-30", "2026-10-01", "2027-02-28", "2027-09-30")] == [
        (2026, 4, 12), (2027, 1, 1), (2027, 2, 5), (2027, 4, 12),
    ]  # fmt: skip
    assert fiscal("2028-02-29", 4) == (2028, 4, 11)


@pytest.mark.parametrize("start", range(1, 13))
def test_every_fiscal_year_has_twelve_whole_months_in_order(start: int):
    days = list(calendar.days(fiscal_year_start=start))
    begins = [d for d, before in zip(days[1:], days, strict=False) if d["fiscal_year"] != before["fiscal_year"]]
    assert [(d["month"], d["day"], d["fiscal_month"]) for d in begins] == [(start, 1, 1)] * (15 if start == 1 else 16)
    months = [d["fiscal_month"] for d in days if d["day"] == 1 and d["fiscal_year"] == 2027]
    assert months == list(range(1, 13))


def test_public_holidays_of_germany():
    assert names("DE", 2026) == {
        "2026-01-01": "New Year's Day",
        "2026-04-03": "Good Friday",
        "2026-04-06": "Easter Monday",
        "2026-05-01": "Labor Day",
        "2026-05-14": "Ascension Day",
        "2026-05-25": "Pentecost Monday",
        "2026-10-03": "German Unity Day",
        "2026-12-25": "Christmas Day",
        "2026-12-26": "Second Day of Christmas",
    }


def test_a_holiday_of_some_regions_only_is_none_of_the_country():
    assert "2026-01-06" not in names("DE", 2026)  # Epiphany: three of sixteen states
    assert "2026-03-17" not in names("GB", 2026)  # Saint Patrick's Day: Northern Ireland
    assert names("IE", 2026)["2026-03-17"] == "Saint Patrick's Day"


def test_a_day_that_is_free_in_the_place_of_a_holiday_says_so():
    rows = {str(r["date"]): r for r in calendar.holidays_of(dt.date(2021, 1, 1), dt.date(2022, 12, 31), ["US"])}
    assert [rows[d]["is_observed"] for d in ("2021-07-04", "2021-07-05", "2022-07-04")] == [False, True, False]
    assert rows["2021-12-31"]["is_observed"], "New Year's Day of 2022 is a Saturday: kept in the year before"
    assert names("US", 2026)["2026-11-26"] == "Thanksgiving Day"


@pytest.mark.parametrize(
    ("own", "known", "language"),
    [
        ("de", ("de", "en_US"), "en_US"),
        ("en_GB", ("en_GB", "en_US"), "en_GB"),
        ("en_IE", ("en_IE", "ga"), "en_IE"),
        ("xx", ("en_CA", "xx"), "en_CA"),
        ("xx", ("xx",), None),
        (None, (), None),
    ],
)
def test_names_are_english_where_the_library_has_them_else_as_the_country_has_them(own: Any, known: Any, language: Any):
    assert calendar._language(type("Country", (), {"default_language": own, "supported_languages": known})) == language
    assert names("NZ", 2026)["2026-02-06"] == "Waitangi Day"  # without a choice of languages
    assert names("IT", 2026)["2026-06-02"] == "Republic Day"


def test_holidays_are_the_same_whichever_days_are_asked_for():
    whole = calendar.whole(DIM_HOLIDAY, Calendar())
    assert whole == calendar.whole(DIM_HOLIDAY, Calendar())
    assert all([*row, "batch_id"] == [c.name for c in DIM_HOLIDAY.columns] for row in whole)
    assert len({(row["date"], row["country"]) for row in whole}) == len(whole)
    dates = {dt.date(2026, 4, 6), dt.date(2031, 12, 25), dt.date(2026, 4, 7)}
    assert calendar.expected(DIM_HOLIDAY, dates, Calendar()) == [row for row in whole if row["date"] in dates]


@pytest.mark.parametrize("table", calendar.TABLES)
def test_no_rows_are_expected_for_no_days_and_others_also_outside_the_usual_years(table: Any):
    assert calendar.expected(table, [], Calendar()) == []
    outside = [dt.date(1995, 12, 25), dt.date(2050, 1, 1)]
    assert {row["date"] for row in calendar.expected(table, outside, Calendar())} == set(outside)


def test_days_are_expected_with_the_fiscal_year_of_the_settings():
    found = calendar.expected(DIM_DATE, [dt.date(2026, 10, 1), dt.date(2026, 1, 1)], Calendar(fiscal_year_start=10))
    assert [(r["date_key"], r["fiscal_year"]) for r in found] == [(20260101, 2026), (20261001, 2027)]


def test_a_country_without_known_holidays_is_refused_with_its_code():
    for code in ("XX", "UK"):  # the United Kingdom is GB
        with pytest.raises(ConfigError, match=f"'{code}'") as caught:
            calendar.expected(DIM_HOLIDAY, [calendar.FIRST], Calendar(countries=("DE", code)))
        assert "ISO 3166-1 alpha-2, such as DE, GB or US" in caught.value.hint


def test_the_countries_are_those_that_the_shop_sells_to():
    assert Calendar().countries == tuple(code for code, _, _ in TRUTH.countries)


def test_corrections_are_what_differs_and_a_holiday_that_is_not_wanted_is_marked_once():
    wanted = calendar.expected(DIM_HOLIDAY, [dt.date(2026, 10, 3), dt.date(2026, 12, 25)], Calendar(countries=("DE",)))
    stored = [{**row, "batch_id": 0} for row in wanted]
    assert calendar.corrections(DIM_HOLIDAY, stored, wanted) == []
    assert calendar.corrections(DIM_HOLIDAY, stored[1:], wanted) == wanted[:1]
    renamed = [{**stored[0], "name": "Tag der Deutschen Einheit"}, stored[1]]
    assert calendar.corrections(DIM_HOLIDAY, renamed, wanted) == wanted[:1]
    [marked] = calendar.corrections(DIM_HOLIDAY, stored, wanted[:1])
    assert marked == {**wanted[1], "is_deleted": True}
    gone = [stored[0], {**marked, "batch_id": 1}]
    assert calendar.corrections(DIM_HOLIDAY, gone, wanted[:1]) == []
    assert calendar.corrections(DIM_HOLIDAY, gone, wanted) == wanted[1:]
