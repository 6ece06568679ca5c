"""Visible facts by the row of a dimension that they name and by their time: what a change of its history can move.

A private database beside the driver, as the `RowStore`: the facts of a product that are older than a change are not looked at, however
many there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stream_jobs.rowstore import private_database

EVER = -(2**63)  # before all times


class Fact(NamedTuple):
    """`keys`: one for each dimension. `ts` in microseconds."""

    order_id: str
    line_no: int
    keys: tuple[int | None, ...]
    ts: int | None


class Found(NamedTuple):
    order_id: str
    line_no: int
    ts: int


class FactIndex:
    """A fact without a key or a time belongs to no version, and is not kept. For one thread at a time."""

    def __init__(self) -> None:
        self._db = private_database()
        self._db.execute(
            "CREATE TABLE facts (dimension INT, key INT, ts INT, order_id TEXT, line_no INT, "
            "PRIMARY KEY (dimension, key, ts, order_id, line_no)) WITHOUT ROWID"
        )

    def change(self, gone: Iterable[Fact], come: Iterable[Fact]) -> None:
        self._db.execute("BEGIN")
        gone_rows = (row for fact in gone for row in _rows(fact))
        self._db.executemany("DELETE FROM facts WHERE (dimension, key, ts, order_id, line_no) = (?, ?, ?, ?, ?)", gone_rows)
        self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?)", (row for fact in come for row in _rows(fact)))
        self._db.execute("COMMIT")

    def between(self, dimension: int, key: int, start: int, end: int | None) -> list[Found]:
        """Facts of the key from `start` on and before `end` (None: for ever)."""
        sql, bounds = "SELECT order_id, line_no, ts FROM facts WHERE dimension = ? AND key = ? AND ts >= ?", [dimension, key, start]
        if end is not None:
            sql, bounds = f"{sql} AND ts < ?", [*bounds, end]
        return [Found(*row) for row in self._db.execute(sql, bounds)]


def _rows(fact: Fact) -> Iterable[tuple[int, int, int, str, int]]:
    for dimension, key in enumerate(fact.keys):
        if key is not None and fact.ts is not None:
            yield dimension, key, fact.ts, fact.order_id, fact.line_no
