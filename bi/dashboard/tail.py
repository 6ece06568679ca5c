"""Follow the log of one lake table: only data files that are new are read, and of these only the columns asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from commerce360.lake import Lake
from schemas.tables import Table

BURST = 60  # versions read at once; a reader that is further behind skips


class Tail:
    """Starts `backlog` versions before the newest one. Raises what storage raises; the next call goes on."""

    def __init__(self, lake: Lake, table: Table, columns: Sequence[str], backlog: int) -> None:
        self.lake = lake
        self.table = table
        self.columns = tuple(columns)
        self.backlog = backlog
        self.version: int | None = None

    def read(self, upto: int | None = None) -> list[dict[str, Any]]:
        """Rows appended since the last call, in commit order, up to table version `upto`."""
        last = self.lake.delta(self.table).version() if upto is None else upto
        after = last - self.backlog if self.version is None else max(self.version, last - BURST)
        rows: list[dict[str, Any]] = []
        for commit in self.lake.commits(self.table, max(-1, after), last, last):
            if commit.added and not commit.is_rewrite:  # those were shown long since
                rows += self.lake.read_files(self.table, commit.added, self.columns).to_pylist()
        self.version = last
        return rows
