"""The calendar: days, and public holidays of whole countries, as the `holidays` library knows them. Made from dates and settings alone.

A fiscal year is named after the calendar year in which it ends: with April as its first month, 2026-04-01 begins fiscal year 2027.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version

from commerce360.errors import ConfigError
from commerce360.settings import Calendar
from schemas.tables import DIM_DATE, DIM_HOLIDAY, Table
from stream_jobs.entity import Row

FIRST = dt.date(2020, 1, 1)
LAST = dt.date(2035, 12, 31)
TABLES = (DIM_DATE, DIM_HOLIDAY)


def days(first: dt.date = FIRST, last: dt.date = LAST, fiscal_year_start: int = 1) -> Iterator[Row]:
    """Rows of gold.dim_date from `first` to `last`, both included; weeks by ISO 8601, names in English. Without `batch_id`."""
    for date in _range(first, last):
        iso = date.isocalendar()
        fiscal_month = (date.month - fiscal_year_start) % 12 + 1
        yield {
            "date_key": _key(date),
            "date": date,
            "year": date.year,
            "quarter": (date.month + 2) // 3,
            "month": date.month,
            "month_name": calendar.month_name[date.month],
            "day": date.day,
            "day_of_week": iso.weekday,
            "day_name": calendar.day_name[date.weekday()],
            "iso_year": iso.year,
            "iso_week": iso.week,
            "is_weekend": iso.weekday > 5,
            "fiscal_year": date.year + (date.month >= fiscal_year_start > 1),
            "fiscal_quarter": (fiscal_month + 2) // 3,
            "fiscal_month": fiscal_month,
        }


def holidays_of(first: dt.date, last: dt.date, countries: Sequence[str]) -> Iterator[Row]:
    """Rows of gold.dim_holiday from `first` to `last`, both included, by country and day. Without `batch_id`.

    Raises ConfigError for a country that the library does not know.
    """
    for country in countries:
        for year in range(first.year, last.year + 1):
            for date, (name, is_observed) in _holidays(country, year).items():
                if first <= date <= last:
                    yield {
                        "date_key": _key(date),
                        "country": country,
                        "date": date,
                        "name": name,
                        "is_observed": is_observed,
                        "is_deleted": False,
                    }


def expected(table: Table, dates: Collection[dt.date], settings: Calendar) -> list[Row]:
    """Rows that `table`, one of TABLES, must have for these days and has no others, without `batch_id`.

    Raises ConfigError for a country that the library does not know.
    """
    wanted = set(dates)
    if not wanted:
        return []
    first, last = min(wanted), max(wanted)
    made = days(first, last, settings.fiscal_year_start) if table == DIM_DATE else holidays_of(first, last, settings.countries)
    return [row for row in made if row["date"] in wanted]


def whole(table: Table, settings: Calendar) -> list[Row]:
    """All rows of `table`, one of TABLES."""
    return expected(table, list(_range(FIRST, LAST)), settings)


def corrections(table: Table, stored: Collection[Row], wanted: Collection[Row]) -> list[Row]:
    """What is to be appended, so that the newest rows become `wanted`; nothing when they are. Without `batch_id`.

    `stored`: the newest row of each key, those that are marked as deleted as well. A holiday that is not wanted is marked.
    """
    there = {_identity(table, row): {k: v for k, v in row.items() if k != "batch_id"} for row in stored}
    asked = {_identity(table, row): row for row in wanted}
    made = [row for key, row in asked.items() if there.get(key) != row]
    if table == DIM_HOLIDAY:
        made += [{**row, "is_deleted": True} for key, row in there.items() if key not in asked and not row["is_deleted"]]
    return made


def origin(settings: Calendar) -> str:
    """What the holidays are made from: while it is the same, so are they."""
    return f"holidays {version('holidays')}, {FIRST} to {LAST}: {','.join(settings.countries)}"


@cache
def _holidays(country: str, year: int) -> Mapping[dt.date, tuple[str, bool]]:
    """By day: the names, and whether the day is free in the place of another one only. What the library calls public, without regions."""
    import holidays
    from holidays.registry import COUNTRIES

    if country not in {codes[1] for codes in COUNTRIES.values()}:
        raise ConfigError(f"no public holidays are known of {country!r}", "countries are codes of ISO 3166-1 alpha-2, such as DE, GB or US")
    language = _language(getattr(holidays, country))
    years = range(year - 1, year + 2)  # New Year's Day may be kept in the year before
    kept, named = (holidays.country_holidays(country, years=years, observed=o, language=language) for o in (True, False))
    return {date: ("; ".join(kept.get_list(date)), date not in named) for date in sorted(kept) if date.year == year}


def _language(country: type) -> str | None:
    """English where the library has it for the country, else None, the country's own."""
    own, known = getattr(country, "default_language", None), getattr(country, "supported_languages", ())
    return next((name for name in (own, "en_US", *known) if name and name.startswith("en") and name in known), None)


def _range(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    return (dt.date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1))


def _key(date: dt.date) -> int:
    return date.year * 10_000 + date.month * 100 + date.day


def _identity(table: Table, row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in table.key)
