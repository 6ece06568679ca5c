"""The loader: tails the lake's logs and streams them into the warehouse, whole batches at a time.

`ops.batches` says which batches are complete and which version each table had then. A round streams every table up to those versions, waits
until the warehouse has committed all of it, and only then streams the rows of `ops.batches` behind which the views hide. All that the
loader knows is in the channels' committed offset tokens: killed at any point, it goes on behind them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from commerce360 import log, metrics, service
from commerce360.errors import C360Error
from commerce360.lake import Lake
from commerce360.settings import Settings
from schemas.tables import BATCHES, FED, Table
from warehouse.client import Client
from warehouse.streams import Place, Stream, open_streams

PART_ROWS = 5000  # part of what a stored token means: change it only when the warehouse has everything
SETTLE_ROWS = 50_000  # a table's rows that the SDK may hold before the warehouse has confirmed them
ROUND_BATCHES = 25  # of a backlog: the views go on while it is loaded
BACKOFF_S = (0.5, 1.0, 2.0, 5.0)
PUBLISH_EVERY_S = 1.0
DATA = tuple(t for t in FED if t is not BATCHES)


class Loader:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = Lake(settings.lake)
        self.streams: dict[str, Stream] = {}
        self.client = Client(settings.warehouse)
        self.batch_id = -1
        self.total = 0
        self.reconnects = -1
        self.failures = 0  # rounds in a row that did not end
        self.error = ""
        self.notes = settings.state / "run" / "loader.freshness.jsonl"
        self._newest = self._loaded = 0  # versions of ops.batches: in the lake, and up to which all is in the warehouse
        self._finished: dict[str, Place] = {}  # last parts of a version: it need not be read again to know that

    def look(self) -> None:
        """See how far the lake is."""
        self._newest = self.lake.delta(BATCHES).version()

    def open(self) -> None:
        """(Re)open every channel at what the warehouse has committed. Raises C360Error when that is not of this lake."""
        self.close()
        self.streams = open_streams(self.settings.warehouse, FED)
        self.reconnects += 1
        self._finished = {}
        for table in FED:
            self._refuse_other_lake(table)
        self._loaded = self.streams[BATCHES.name].place.version
        self.batch_id = self.shown_batch()

    def close(self) -> None:
        self.total = self.rows()
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.close()
        self.client.close()

    def round(self) -> int:
        """Load complete batches that are new, at most ROUND_BATCHES; how many."""
        pending = list(islice(self._parts(BATCHES, self._newest), ROUND_BATCHES))
        if not pending:
            self._loaded = self._newest
            return 0
        last = pending[-1][1][-1]
        versions = json.loads(last["versions"])
        for table in DATA:
            self._stream(table, int(versions[table.name]))
        for table in DATA:
            self.streams[table.name].settle()
        for place, rows in pending:
            self.streams[BATCHES.name].append(rows, place)
        self.streams[BATCHES.name].deliver()
        self._note_queryable(int(last["batch_id"]))
        self._loaded = pending[-1][0].version
        return sum(len(rows) for _, rows in pending)

    def behind(self) -> int:
        """Complete lake batches that the warehouse does not show. A version of ops.batches is a batch; version 0 is the empty table."""
        return max(0, self._newest - max(0, self._loaded))

    def publish(self, rows_per_s: float = 0.0) -> None:
        values = {
            "batch_id": self.batch_id,
            "lag_batches": self.behind(),
            "rows_total": self.rows(),
            "rows_per_s": round(rows_per_s, 1),
            "reconnects": max(0, self.reconnects),
            "failures": self.failures,
            "error": self.error,
            "tokens": {name: s.place.token() for name, s in self.streams.items()},
        }
        metrics.publish(self.settings.state, "loader", values)

    def rows(self) -> int:
        return self.total + sum(s.rows for s in self.streams.values())

    def _stream(self, table: Table, upto: int) -> None:
        stream = self.streams[table.name]
        before = stream.place
        for place, rows in self._parts(table, upto):
            stream.append(rows, place)
            if stream.unsettled_rows >= SETTLE_ROWS:
                stream.settle()
        if stream.place != before:
            stream.flush()

    def _parts(self, table: Table, upto: int) -> Iterator[tuple[Place, list[dict[str, Any]]]]:
        """Parts of the table's log behind the channel's place. Files never change, so the parts are the same after a crash."""
        done = self.streams[table.name].place
        again = 0 if self._finished.get(table.name) == done else 1
        for commit in self.lake.commits(table, max(-1, done.version - again), upto):
            if not commit.added:
                continue
            found = self.lake.read_files(table, commit.added)
            for part, start in enumerate(range(0, found.num_rows, PART_ROWS)):
                place = Place(commit.version, part)
                if place > done:
                    yield place, found.slice(start, PART_ROWS).to_pylist()
            self._finished[table.name] = Place(commit.version, max(0, found.num_rows - 1) // PART_ROWS)

    def _refuse_other_lake(self, table: Table) -> None:
        place, version = self.streams[table.name].place, self.lake.delta(table).version()
        if place.version > version:
            raise C360Error(
                f"the warehouse was filled from another lake: it has version {place.version} of {table.name}, this one ends at {version}",
                f"point C360_LAKE__ROOT at that lake, or drop database {self.settings.warehouse.database} to load this one",
            )

    def _note_queryable(self, batch_id: int) -> None:
        """Ask the warehouse as an analyst would until it shows the batch."""
        deadline = time.monotonic() + 60
        while self.shown_batch() < batch_id:
            if time.monotonic() > deadline:
                raise C360Error(f"batch {batch_id} was sent but cannot be queried", "see `c360 logs warehouse`")
            time.sleep(0.02)
        with self.notes.open("a") as file:
            file.write(json.dumps({"batch_id": batch_id, "queryable_at": time.time()}) + "\n")
        self.batch_id = batch_id

    def shown_batch(self) -> int:
        """The newest lake batch that a query of the warehouse shows, -1 for none."""
        found = self.client.query("SELECT MAX(BATCH_ID) AS BATCH_ID FROM OPS.LAKE_BATCHES")[0]["batch_id"]
        return -1 if found is None else int(found)


def main(settings: Settings, stop: threading.Event) -> None:
    logger = log.get("loader")
    loader = Loader(settings)
    _end_half_line(loader.notes)
    _wait_for_lake(loader, stop)
    published, rows = 0.0, 0
    while not stop.is_set():
        try:
            loader.look()
            if not loader.streams:
                loader.open()
            loaded = loader.round()
            loader.failures, loader.error = 0, ""
            if time.monotonic() - published >= PUBLISH_EVERY_S:
                now = loader.rows()
                loader.publish((now - rows) / max(0.001, time.monotonic() - published))
                published, rows = time.monotonic(), now
            if not loaded:
                stop.wait(settings.warehouse.poll_s)
        except Exception as error:  # whatever it was: the committed tokens say where to go on
            loader.failures, loader.error = loader.failures + 1, f"{type(error).__name__}: {str(error)[:800]}"
            logger.warning("interrupted_load", failures=loader.failures, error=loader.error)
            loader.close()
            loader.publish()
            stop.wait(BACKOFF_S[min(loader.failures, len(BACKOFF_S)) - 1])
    loader.close()


def _wait_for_lake(loader: Loader, stop: threading.Event) -> None:
    loader.publish()
    while not stop.is_set() and not all(loader.lake.exists(t) for t in FED):
        stop.wait(0.3)


def _end_half_line(path: Path) -> None:
    """A line that a killed loader did not finish must not swallow the next one."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("a") as file:
            file.write("\n")


if __name__ == "__main__":
    service.run("loader", main)
