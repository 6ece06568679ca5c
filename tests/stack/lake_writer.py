"""A lake written batch by batch, as the lake job does it: every fed table, then the row that says the batch is complete."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from commerce360.lake import Lake
from schemas.tables import BATCHES, FED, Column, Table

T0 = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
SHOWN = {"is_visible": True, "is_current": True, "is_complete": True, "is_deleted": False, "line_no": 1}
DATA = tuple(t for t in FED if t is not BATCHES)


class LakeWriter:
    """`next` is the id of the batch to come; `clock` says when a batch with that id is committed, now if there is none."""

    def __init__(self, lake: Lake, clock: Callable[[int], dt.datetime] | None = None) -> None:
        self.lake = lake
        self.clock = clock or (lambda _: dt.datetime.now(dt.UTC))
        self.next = 0
        self.rows = 0
        for table in FED:
            lake.create(table)

    def batch(self, rows: int = 1, without: Collection[Table] = ()) -> int:
        """One complete batch with `rows` new rows in each table; its id."""
        for table in DATA:
            if table not in without:
                self.append(table, rows)
        self.rows += rows
        return self.close()

    def append(self, table: Table, rows: int = 1) -> None:
        """Rows of the batch to come: nobody may show them before `close`."""
        made = [row(table, self.next, self.rows + n) for n in range(rows)]
        self.lake.append(table, made, "q", self.next)

    def close(self) -> int:
        versions = {t.name: self.lake.delta(t).version() for t in DATA}
        made = {**row(BATCHES, self.next, self.next), "committed_at": self.clock(self.next), "versions": json.dumps(versions)}
        self.lake.append(BATCHES, [made], "q", self.next)
        self.next += 1
        return self.next - 1


def row(table: Table, batch_id: int, number: int) -> dict[str, Any]:
    """A row of which `number` is the key, with a NULL here and there, that its view shows."""
    made = {c.name: _value(c, number, place) for place, c in enumerate(table.columns)}
    return {**made, **{k: v for k, v in SHOWN.items() if k in made}, "batch_id": batch_id}


def _value(column: Column, number: int, place: int) -> Any:
    if column.nullable and (number + place) % 4 == 0:
        return None
    values: dict[str, Any] = {
        "bigint": number,
        "int": number % 2_000_000_000,
        "string": f"{column.name} {number} ü\n'\"",
        "boolean": number % 2 == 0,
        "timestamp": T0 + dt.timedelta(microseconds=number * 1_000_001),
        "date": T0.date() + dt.timedelta(days=number % 1000),
        "decimal(6,4)": Decimal(number % 20_001 - 10_000) / 10_000,
        "decimal(12,2)": Decimal(9_999_999_000 + number) / 100,
        "decimal(14,2)": Decimal(number - 5) / 100,
        "decimal(18,2)": Decimal(10**15 + number - 5) / 100,
        "decimal(18,4)": Decimal(number - 5) / 10_000,
    }
    return values[column.type]
