"""The lake's logs as the loader reads them: part by part behind a place, the same parts after every restart."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from commerce360.lake import Lake
from schemas.tables import BATCHES, Table

if TYPE_CHECKING:
    import pyarrow as pa

PART_ROWS = 5000  # part of what a stored token means: change it only when the warehouse has everything


class Place(NamedTuple):
    """A part of one version of a lake table. Everything up to it has been committed when it is a channel's token."""

    version: int
    part: int

    @classmethod
    def parse(cls, token: str | None) -> Place:
        if not token:
            return cls(-1, -1)
        version, _, part = token.partition(":")
        return cls(int(version), int(part))

    def token(self) -> str:
        return f"{self.version}:{self.part}"


START = Place(-1, -1)


@dataclass(frozen=True)
class Batch:
    """A complete lake batch: the rows of ops.batches that say so, and the version of each table then."""

    place: Place
    batch_id: int
    versions: dict[str, int]
    rows: pa.Table

    @property
    def committed_at(self) -> dt.datetime | None:
        """UTC, without a zone, as the warehouse has it."""
        import pyarrow as pa

        found: dt.datetime | None = self.rows["committed_at"].cast(pa.timestamp("us"))[-1].as_py()
        return found

    @property
    def committed(self) -> float:
        """The same as epoch seconds; 0 where the row has none."""
        at = self.committed_at
        return at.replace(tzinfo=dt.UTC).timestamp() if at else 0.0


class Tail:
    """Reads what follows a place. Not for sharing between threads."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._finished: dict[str, Place] = {}  # last parts of a version: it need not be read again to know that

    def parts(self, table: Table, upto: int, done: Place) -> Iterator[tuple[Place, pa.Table]]:
        """Parts of the table's log behind the place `done`, without the writer's own columns, with those that the table has by now.

        Files of a commit never change, so the parts are the same after a crash.
        """
        again = 0 if self._finished.get(table.name) == done else 1
        for commit in self.lake.commits(table, max(-1, done.version - again), upto, done.version):
            if not commit.added:
                continue
            now = self.lake.extended(table)
            found = self.lake.read_files(now, commit.added, [c.name for c in now.fed_columns])
            for part, start in enumerate(range(0, found.num_rows, PART_ROWS)):
                place = Place(commit.version, part)
                if place > done:
                    yield place, found.slice(start, PART_ROWS)
            self._finished[table.name] = Place(commit.version, max(0, found.num_rows - 1) // PART_ROWS)

    def batches(self, upto: int, done: Place) -> Iterator[Batch]:
        """Complete batches behind a place of ops.batches; of a part with several rows, the last one counts for all."""
        for place, rows in self.parts(BATCHES, upto, done):
            yield _batch(place, rows)

    def batch_at(self, place: Place) -> Batch | None:
        """The batch at a place of ops.batches that a token names."""
        before = Place(place.version, place.part - 1)
        return next((b for b in Tail(self.lake).batches(place.version, before) if b.place == place), None)

    def rows_behind(self, table: Table, upto: int, done: Place) -> int:
        """How many rows `parts` would give, without reading them."""
        found = 0
        for commit in self.lake.commits(table, max(-1, done.version - 1), upto, done.version):
            rows = self.lake.count_rows(table, commit.added)
            found += max(0, rows - (done.part + 1) * PART_ROWS) if commit.version == done.version else rows
        return found

    def forget(self) -> None:
        self._finished = {}

    def version(self, table: Table) -> int:
        return int(self.lake.delta(table).version())


def _batch(place: Place, rows: pa.Table) -> Batch:
    last: dict[str, Any] = rows.slice(rows.num_rows - 1).to_pylist()[0]
    return Batch(place, int(last["batch_id"]), {name: int(v) for name, v in json.loads(last["versions"]).items()}, rows)
