"""Tables of the 360 view: what plain SQL makes of silver and sales, against what the tables say.

They are recomputed whole, since a session or a mart's row depends on other days too; then the days that are asked for are compared. The
lake job computes the units that differ again from what it knows, so nothing has to be brought from anywhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from commerce360.backfill.days import DAYLESS, WHOLE
from commerce360.backfill.found import Days, Found
from commerce360.backfill.received import day_text
from commerce360.lake import Lake
from commerce360.reconcile.recompute import Base, read_base, recompute
from schemas.columns import Table
from schemas.marts import MART_REVENUE_MINUTE
from stream_jobs.entity import Row
from stream_jobs.view360.memory import digest
from stream_jobs.view360.units import unit_of

if TYPE_CHECKING:
    import pyarrow as pa


class Derived:
    name = "recomputed"
    span = 36_600

    def __init__(self, lake: Lake, upto: int) -> None:
        self.lake = lake
        self.upto = upto
        self._made: dict[str, pa.Table] | None = None

    def find(self, table: Table, days: list[dt.date]) -> Days:
        names = [WHOLE] if table in DAYLESS else [d.isoformat() for d in days]
        found = {name: Found() for name in names}
        expected = {self._key(table, row): row for row in _rows(self._expected(table))}
        there = {self._key(table, row): row for row in _rows(self.lake.newest(table, self.upto, table.visible))}
        for key in sorted(expected.keys() | there.keys(), key=repr):
            row, old = expected.get(key), there.get(key)
            for name in {day_of_row(table, r) for r in (row, old) if r is not None}.intersection(names):
                mine, unit = found[name], unit_of(table, row or there[key])[0]
                mine.read += row is not None
                mine.keys.add(unit)
                if row is None or old is None or digest(table, row) != digest(table, old):
                    mine.differing[unit] = []
        return found

    def feed(self, table: Table, found: Found) -> int:
        """It all follows from what the lake job knows."""
        return 0

    def _expected(self, table: Table) -> pa.Table:
        if self._made is None:
            self._made = recompute(self._base())
        return self._made[table.name]

    def _base(self) -> Base:
        return read_base(self.lake, self.upto)

    def _key(self, table: Table, row: Row) -> tuple[Any, ...]:
        return tuple(row[k] for k in table.key)


def day_of_row(table: Table, row: Row) -> str:
    if table in DAYLESS:
        return WHOLE
    if table is MART_REVENUE_MINUTE:
        return day_text(row["minute"])
    return row["day"].isoformat() if row["day"] is not None else WHOLE


def _rows(table: pa.Table) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()
