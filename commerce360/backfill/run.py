"""One backfill: every table and day that is asked for, found, handed over, counted."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from commerce360.backfill.calendar import Calendar
from commerce360.backfill.database import Database
from commerce360.backfill.days import DAYLESS
from commerce360.backfill.derived import Derived
from commerce360.backfill.found import Found, Result, Source, slices
from commerce360.backfill.landed import Files
from commerce360.backfill.lane import Lane, ensure_ready
from commerce360.backfill.received import Bronze
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.settings import Settings
from connect_configs.cluster import Cluster
from schemas.columns import Table
from stream_jobs.calendar import TABLES as CALENDAR
from stream_jobs.slices import AGAIN
from stream_jobs.view360.view import TABLES as VIEWED
from stream_jobs.wire import Decoder, RegistrySchemas

Say = Callable[[str], None]


class Backfill:
    def __init__(
        self,
        settings: Settings,
        source: str = "bronze",
        files: Path | None = None,
        cluster: Callable[[], Cluster] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        """`source`: bronze, database (with the Connect `cluster` that reads it) or files (with their folder). `say` is told of progress.

        Raises C360Error when the lake holds nothing yet.
        """
        self.settings = settings
        self.source = source
        self.files = files
        self.cluster = cluster
        self.say = say
        self.lake = Lake(settings.lake)
        self.run_id = str(uuid.uuid4())
        self.number = 0  # of the next slice
        self._derived: Derived | None = None  # of base tables as they are since the last slice
        ensure_ready(self.lake)

    def run(self, tables: Sequence[Table], days: list[dt.date], dry: bool = False) -> Iterator[Result]:
        """What became of each day of each table. What was handed over stays so if a later one fails.

        Tables that follow from others come behind them: what they lack is seen once those are right.
        """
        lane = None if dry else Lane(self.settings, self.lake)
        years = len({day.year for day in days})
        began, total = time.monotonic(), sum(1 if t in DAYLESS else years if t in CALENDAR else len(days) for t in tables)
        done = 0
        for table in sorted(tables, key=AGAIN.index):
            source = self._source(table)
            self.say(f"{table.entity}: comparing {days[0]} to {days[-1]} with {source.name}")
            started = time.monotonic()
            for day, found in self._found(source, table, days):
                rows = self._hand_over(lane, table, day, found, source) if lane else None
                taken, started = time.monotonic() - started, time.monotonic()
                changed = len(found.differing)
                yield Result(day, table.entity, source.name, found.read, changed, found.unchanged, found.rejected, rows, round(taken, 3))
                done += 1
                left = (time.monotonic() - began) / done * (total - done)
                self.say(f"{done} of {total} days of tables are done, about {left:.0f} s left")

    def _found(self, source: Source, table: Table, days: list[dt.date]) -> Iterator[tuple[str, Found]]:
        for start in range(0, len(days), source.span):
            yield from sorted(source.find(table, days[start : start + source.span]).items())

    def _hand_over(self, lane: Lane, table: Table, day: str, found: Found, source: Source) -> int:
        """Rows that the lake job wrote for it."""
        rows = 0
        for asked in slices(self.run_id, table, day, found.differing, self.number):
            self.number = asked.number + 1
            rows += int(lane.serve(asked)["changed"])
            self.say(f"{day} {table.entity}: {len(asked.keys)} keys looked at, {rows} rows written so far")
        if found.differing and table not in VIEWED:
            self._derived = None
        return rows + (source.feed(table, found) if found.differing else 0)

    def _source(self, table: Table) -> Source:
        """Derived tables and the calendar follow from the lake, whatever the source is."""
        upto = ensure_ready(self.lake)
        if table in VIEWED:
            self._derived = self._derived or Derived(self.lake, upto)
            return self._derived
        if table in CALENDAR:
            return Calendar(self.lake, self.settings.calendar, upto)
        if self.source == "database" and self.cluster is not None:
            return Database(self.settings, self.lake, self.cluster, self.say)
        if self.source == "files" and self.files is not None:
            return Files(self.settings, self.lake, self.files, self.say)
        if self.source != "bronze":
            raise ConfigError(f"there is no source {self.source}", "bronze, database or files")
        return Bronze(self.lake, Decoder(RegistrySchemas(self.settings.registry)), upto)
