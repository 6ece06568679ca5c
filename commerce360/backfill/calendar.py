"""The calendar: rows that follow from their day alone, against what the tables say."""

from __future__ import annotations

import datetime as dt

from commerce360.backfill.found import Days, Found
from commerce360.lake import Lake
from commerce360.settings import Calendar as CalendarSettings
from schemas.columns import Table
from stream_jobs.calendar import corrections, expected
from stream_jobs.calendar_log import stored


class Calendar:
    name = "calendar"
    span = 36_600

    def __init__(self, lake: Lake, settings: CalendarSettings, upto: int) -> None:
        self.lake = lake
        self.settings = settings
        self.upto = upto

    def find(self, table: Table, days: list[dt.date]) -> Days:
        """By year: a new one has hundreds of days that differ, and each slice waits for a batch."""
        made, there = expected(table, days, self.settings), stored(self.lake, table, days, self.upto)
        found: Days = {}
        for day in days:
            found.setdefault(str(day.year), Found()).keys.add(day.isoformat())
        for row in made:
            found[str(row["date"].year)].read += 1
        for row in corrections(table, there, made):
            found[str(row["date"].year)].differing[row["date"].isoformat()] = []
        return found

    def feed(self, table: Table, found: Found) -> int:
        """It all follows from the day."""
        return 0
