"""Columns that a lake table got after its contract was written: their values must not be lost on the way into the warehouse.

The landing tables evolve: a field without a column adds it. Where they may not, the warehouse takes the row and drops the value without a
word, so the loader looks whether the column is there before it shows a batch that has a value of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from commerce360.errors import C360Error
from commerce360.lake import Lake
from schemas.tables import Column, Table, quoted
from warehouse.client import Client
from warehouse.ddl import landing
from warehouse.tail import PART_ROWS, Place

if TYPE_CHECKING:
    import pyarrow as pa


class Evolution:
    def __init__(self, client: Client, lake: Lake) -> None:
        self.client = client
        self.lake = lake
        self._seen: set[tuple[str, str]] = set()  # (landing table, column) that the warehouse has
        self._sent: dict[tuple[Table, str], Place] = {}  # those that it must have once the table is committed up to that place

    def check(self, places: Mapping[Table, Place]) -> None:
        """After channels were opened: raises C360Error when values that were sent earlier have no column."""
        self._seen, self._sent = set(), {}
        for table, place in places.items():
            for column in self._added(table):
                if not self._there(landing(table), column.name) and self._has_value(table, column, place):
                    raise _lost(landing(table), column.name)

    def note(self, table: Table, part: pa.Table, place: Place) -> None:
        """These rows, which end at that place, are sent now."""
        contract = {c.name for c in table.columns}
        for name in part.column_names:
            if name not in contract and (landing(table), name) not in self._seen and part[name].null_count < part.num_rows:
                self._sent.setdefault((table, name), place)

    def confirm(self, committed: Mapping[str, Place]) -> None:
        """Raises C360Error when a column of rows that are committed (up to which place, by table) is not there.

        Rows of later batches are on their way meanwhile: nothing can be said of their columns yet.
        """
        for table, name in [of for of, place in self._sent.items() if committed[of[0].name] >= place]:
            if not self._there(landing(table), name):
                raise _lost(landing(table), name)
            self._seen.add((landing(table), name))
            del self._sent[table, name]

    def _added(self, table: Table) -> tuple[Column, ...]:
        return self.lake.extended(table).columns[len(table.columns) :]

    def _there(self, table: str, column: str) -> bool:
        sql = "SELECT COUNT(*) AS N FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND COLUMN_NAME = %s"
        return bool(self.client.query(sql, (*table.split("."), column.upper()))[0]["n"])

    def _has_value(self, table: Table, column: Column, place: Place) -> bool:
        """Has a row up to that place a value in the column?"""
        if place.version < 0:
            return False
        commit = next(iter(self.lake.commits(table, place.version - 1, place.version, place.version)), None)
        now = self.lake.extended(table)
        sql = f"SELECT MIN(batch_id) AS first FROM {table.entity} WHERE {quoted(column.name)} IS NOT NULL"
        first = self.lake.query(now, sql).to_pylist()[0]["first"]
        if first is None or commit is None:
            return False
        if commit.is_rewrite or first < commit.batch_id:
            return True
        if first > commit.batch_id:
            return False
        sent = self.lake.read_files(now, commit.added, [column.name]).slice(0, (place.part + 1) * PART_ROWS)
        return bool(sent[column.name].null_count < sent.num_rows)


def _lost(table: str, column: str) -> C360Error:
    return C360Error(
        f"{table} has no column {column.upper()}: values that the lake has are not in the warehouse",
        f"set ENABLE_SCHEMA_EVOLUTION on {table} and grant EVOLVE SCHEMA to the loader's role, then replace the table: it is loaded again",
    )
