from __future__ import annotations

import datetime as dt

from schemas.tables import DIM_DATE
from stream_jobs import calendar


def day(text: str) -> dict[str, object]:
    date = dt.date.fromisoformat(text)
    [found] = calendar.days(date, date, batch_id=4)
    return found


def test_every_day_is_there_once_with_every_column():
    days = list(calendar.days())
    assert [d["date"] for d in days] == [calendar.FIRST + dt.timedelta(n) for n in range(len(days))]
    assert days[-1]["date"] == calendar.LAST
    assert all(list(d) == [c.name for c in DIM_DATE.columns] for d in days)


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
        "batch_id": 4,
    }


def test_the_last_days_of_a_year_can_belong_to_the_first_week_of_the_next():
    found = day("2024-12-30")
    assert (found["year"], found["iso_year"], found["iso_week"]) == (2024, 2025, 1)


def test_saturday_and_sunday_are_the_weekend_and_quarters_have_three_months():
    assert [day(f"2026-03-0{n}")["is_weekend"] for n in range(1, 9)] == [True, False, False, False, False, False, True, True]
    assert [day(f"2026-{m:02d}-15")["quarter"] for m in range(1, 13)] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
