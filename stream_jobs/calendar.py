"""The calendar dimension: one row a day, made from nothing but two dates."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator

from stream_jobs.entity import Row

FIRST = dt.date(2020, 1, 1)
LAST = dt.date(2035, 12, 31)


def days(first: dt.date = FIRST, last: dt.date = LAST, batch_id: int = 0) -> Iterator[Row]:
    """Rows of gold.dim_date from `first` to `last`, both included; weeks by ISO 8601, names in English."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        date = dt.date.fromordinal(ordinal)
        iso = date.isocalendar()
        yield {
            "date_key": date.year * 10_000 + date.month * 100 + date.day,
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
            "batch_id": batch_id,
        }
