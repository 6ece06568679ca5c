"""The loader: tails the lake's logs and streams them into the warehouse, whole batches at a time.

`ops.batches` says which batches are complete and which version each table had then. For each of them every table is streamed up to that
version; once the warehouse has committed all of it, and only then, the row of `ops.batches` follows, behind which the views hide. All
that the loader knows is in the channels' committed offset tokens: killed at any point, it goes on behind them.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from commerce360 import log, metrics, service
from commerce360.errors import C360Error, UnavailableError
from commerce360.lake import Lake
from commerce360.settings import Settings
from schemas.tables import BATCHES, FED, Table
from warehouse.client import Client
from warehouse.streams import Place, Stream, open_streams

PART_ROWS = 5000  # part of what a stored token means: change it only when the warehouse has everything
SETTLE_ROWS = 50_000  # a table's rows that the SDK may hold before the warehouse has confirmed them
AHEAD_BATCHES = 25  # streamed and not shown yet
COMMIT_TIMEOUT_S = 60.0
QUERY_TIMEOUT_S = 5  # its queries are tiny; after that it connects anew, as soon as the warehouse is back
CHECK_S = 0.05  # between two looks at what is committed; the SDK's own knowledge of that is up to a second old
BACKOFF_S = (0.5, 1.0, 2.0, 5.0)
PUBLISH_EVERY_S = 1.0


@dataclass(frozen=True)
class Sent:
    """A lake batch on its way: its row of ops.batches, and what must be committed before that row may follow."""

    place: Place
    rows: list[dict[str, Any]]
    needs: dict[str, Place]
    at: float  # monotonic


class Loader:
    def __init__(self, settings: Settings, tables: Sequence[Table] = FED) -> None:
        """`tables`: what is fed, with `ops.batches`."""
        self.settings = settings
        self.tables = tables
        self.data = tuple(t for t in tables if t is not BATCHES)
        self.lake = Lake(settings.lake)
        self.streams: dict[str, Stream] = {}
        self.client = Client(settings.warehouse, QUERY_TIMEOUT_S)
        self.batch_id = -1
        self.total = 0
        self.reconnects = -1
        self.failures = 0  # in a row, without a step between them that went well
        self.error = ""
        self.notes = settings.state / "run" / "loader.freshness.jsonl"
        self._newest = self._seen = 0  # versions of ops.batches: in the lake, and up to which every batch is taken
        self._looked = 0.0
        self._sent: deque[Sent] = deque()  # streamed, but not shown yet
        self._taken = Place(-1, -1)  # of ops.batches: up to here all is streamed
        self._loaded = Place(-1, -1)  # and up to here it is shown
        self._finished: dict[str, Place] = {}  # last parts of a version: it need not be read again to know that

    def open(self) -> None:
        """(Re)open every channel at what the warehouse has committed. Raises C360Error when that is not of this lake."""
        self.close()
        self.streams = open_streams(self.settings.warehouse, self.tables)
        self.reconnects += 1
        self._finished = {}
        for table in self.tables:
            self._refuse_other_lake(table)
        self._taken = self.streams[BATCHES.name].place
        self._seen, self._loaded = 0, self._taken
        self.batch_id = self.shown_batch()

    def close(self) -> None:
        self.total = self.rows()
        if self._sent:  # streamed, perhaps, but not shown: it is to be taken again
            self._sent.clear()
            self._seen, self._taken = 0, self._loaded
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.close()
        self.client.close()

    def step(self) -> int:
        """Stream batches that are new, show those that the warehouse has whole; how many moved. Waits for nothing."""
        return self._take() + self._show()

    @property
    def waiting(self) -> bool:
        return bool(self._sent)

    def _take(self) -> int:
        """A batch is streamed while those before it are not committed yet: their waits do not add up."""
        if time.monotonic() - self._looked >= self.settings.warehouse.poll_s:
            self._newest, self._looked = self.lake.delta(BATCHES).version(), time.monotonic()
        room, before = AHEAD_BATCHES - len(self._sent), len(self._sent)
        waiting = self._parts(BATCHES, self._newest, self._taken)
        for place, rows in islice(waiting, room):
            versions = json.loads(rows[-1]["versions"])
            for table in self.data:
                self._stream(table, int(versions[table.name]))
            needs = {t.name: self.streams[t.name].place for t in self.data}
            self._sent.append(Sent(place, rows, needs, time.monotonic()))
            self._taken = place
        if len(self._sent) - before < room:
            self._seen = self._newest
        return len(self._sent) - before

    def _show(self) -> int:
        """Their rows of ops.batches, once all data before them is committed: the views then show them."""
        if not self._sent:
            return 0
        committed = {t.name: self.streams[t.name].committed() for t in self.data}
        whole = list(takewhile(lambda sent: all(committed[name] >= place for name, place in sent.needs.items()), self._sent))
        if not whole:
            if time.monotonic() - self._sent[0].at > COMMIT_TIMEOUT_S:
                raise UnavailableError(f"the warehouse has not committed rows for {COMMIT_TIMEOUT_S:.0f} s", "see `c360 logs warehouse`")
            return 0
        for sent in whole:
            self.streams[BATCHES.name].append(sent.rows, sent.place)
            self._sent.popleft()
        self.streams[BATCHES.name].deliver()
        self._note_queryable(int(whole[-1].rows[-1]["batch_id"]))
        self._loaded = whole[-1].place
        return len(whole)

    def behind(self) -> int:
        """Complete lake batches that the warehouse does not show. Of those that are not taken yet only the versions are known."""
        return len(self._sent) + max(0, self._newest - max(self._seen, self._taken.version))

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
        for place, rows in self._parts(table, upto, before):
            stream.append(rows, place)
            if stream.unsettled_rows >= SETTLE_ROWS:
                stream.settle()
        if stream.place != before:
            stream.flush()

    def _parts(self, table: Table, upto: int, done: Place) -> Iterator[tuple[Place, list[dict[str, Any]]]]:
        """Parts of the table's log behind the place `done`. Files of a commit never change, so the parts are the same after a crash."""
        again = 0 if self._finished.get(table.name) == done else 1
        for commit in self.lake.commits(table, max(-1, done.version - again), upto, done.version):
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
            if not loader.streams:
                loader.open()
            moved = loader.step()
            loader.failures, loader.error = 0, ""
            if time.monotonic() - published >= PUBLISH_EVERY_S:
                now = loader.rows()
                loader.publish((now - rows) / max(0.001, time.monotonic() - published))
                published, rows = time.monotonic(), now
            if not moved:
                stop.wait(CHECK_S if loader.waiting else settings.warehouse.poll_s)
        except Exception as error:  # whatever it was: the committed tokens say where to go on
            loader.failures, loader.error = loader.failures + 1, f"{type(error).__name__}: {str(error)[:800]}"
            logger.warning("interrupted_load", failures=loader.failures, error=loader.error)
            loader.close()
            loader.publish()
            stop.wait(BACKOFF_S[min(loader.failures, len(BACKOFF_S)) - 1])
    loader.close()


def _wait_for_lake(loader: Loader, stop: threading.Event) -> None:
    loader.publish()
    while not stop.is_set() and not all(loader.lake.exists(t) for t in loader.tables):
        stop.wait(0.3)


def _end_half_line(path: Path) -> None:
    """A line that a killed loader did not finish must not swallow the next one."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("a") as file:
            file.write("\n")


if __name__ == "__main__":
    service.run("loader", main)
