"""Small files of the tables made into large ones, beside the batches.

Every batch adds a file or two to every table; a reader pays for each of them. Compaction changes no row: its commits say so
(`dataChange` false), so the warehouse feed and everybody else who tails a log passes over them. The files that it replaces stay: a
reader of an older version may still need them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from commerce360 import log
from commerce360.lake import Lake
from schemas.tables import RECORDS, Table

logger = log.get("lake")
EVERY_COMMITS = 100  # of a table, between two compactions of it
# Of a table that Spark writes: behind somebody else's commit its next one reads the state of the table anew, for a second and more.
EVERY_COMMITS_OF_SPARK = {RECORDS: 500}
TARGET_BYTES = 32 * 1024 * 1024  # a file of this size is never written again
LOOK_S = 10.0
PAUSE_S = 5.0  # tables get their commits together: all of them in a row would keep a core from the batches for seconds


class Compactor:
    """`lake` is its own handle: it runs in a thread of its own."""

    def __init__(self, lake: Lake, tables: Sequence[Table]) -> None:
        self.lake = lake
        self.tables = tables
        self._done: dict[str, int] = {}  # table -> version behind its last compaction

    def is_due(self, table: Table) -> bool:
        """Whether it has enough new commits."""
        version = self._version(table)
        if table.name not in self._done:  # nobody knows: as many commits as there are files is a good guess
            self._done[table.name] = version - len(self.lake.delta(table).file_uris())
        return version - self._done[table.name] >= _every(table)

    def compact(self, table: Table) -> bool:
        """False when an append came between, which is no error: it stays due."""
        from deltalake.exceptions import CommitFailedError

        try:
            files = self.lake.compact(table, TARGET_BYTES)
            self.lake.checkpoint(table)
        except CommitFailedError as error:
            logger.warning("compaction_lost_a_race", table=table.name, error=str(error)[:200])
            return False
        self._done[table.name] = self._version(table)
        logger.info("compacted", table=table.name, files=files)
        return True

    def run(self, stop: threading.Event) -> None:
        """Until the stop."""
        while not stop.wait(LOOK_S):
            for table in self.tables:
                if self._attempt(table) and stop.wait(PAUSE_S):
                    return

    def _attempt(self, table: Table) -> bool:
        """False when it was not due. Nothing that goes wrong here may end the job or keep other tables waiting: all is right without it."""
        try:
            if not self.is_due(table):
                return False
            self.compact(table)
        except Exception as error:
            if table.name in self._done:
                self._done[table.name] += _every(table)  # not again at once
            logger.warning("compaction_failed", table=table.name, error=f"{type(error).__name__}: {str(error)[:300]}")
        return True

    def _version(self, table: Table) -> int:
        return int(self.lake.delta(table).version())


def _every(table: Table) -> int:
    return EVERY_COMMITS_OF_SPARK.get(table, EVERY_COMMITS)
