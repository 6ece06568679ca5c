"""The loader: tails the lake's logs and streams them into the warehouse, whole batches at a time.

`ops.batches` says which batches are complete and which version each table had then. For each of them every table is streamed up to that
version; once the warehouse has committed all of it, and only then, the row of `ops.batches` follows, behind which the views hide. All
that the loader knows is in the channels' committed offset tokens: killed at any point, it goes on behind them.

Whatever goes wrong, it opens every channel again at what is committed and goes on from there; docs/loading.md has the faults one by one.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from deltalake.exceptions import DeltaError

from commerce360 import log, metrics, service
from commerce360.errors import C360Error, UnavailableError
from commerce360.lake import Lake
from commerce360.settings import Settings
from commerce360.telemetry.declared import BY_NAME
from commerce360.telemetry.metric import Histogram
from schemas.tables import BATCHES, FED, Table
from warehouse import watch
from warehouse.client import Client
from warehouse.ddl import landing
from warehouse.evolution import Evolution
from warehouse.streams import Stream, close_streams, committed, open_streams
from warehouse.tail import START, Batch, Place, Tail

if TYPE_CHECKING:
    import pyarrow as pa

AHEAD_BATCHES = 25  # streamed and not shown yet
AHEAD_ROWS = 200_000  # streamed and not committed yet: what the SDK may hold in memory, and the bound of the rows per round trip
COMMIT_TIMEOUT_S = 60.0
QUERY_TIMEOUT_S = 5  # its queries are tiny; after that it connects anew, as soon as the warehouse is back
CHECK_S = 0.05  # between two looks at what is committed; the SDK's own knowledge of that is up to a second old
BACKOFF_S = (0.5, 1.0, 2.0, 5.0)
PUBLISH_EVERY_S = 1.0


class StoppedError(Exception):
    """Told to stop while it waited."""


@dataclass(frozen=True)
class Sent:
    """A lake batch on its way: its rows of ops.batches, and what must be committed before they may follow."""

    place: Place
    batch_id: int
    rows: pa.Table | None  # None: they are there; a table of the batch is loaded again
    needs: dict[str, Place]
    at: float  # monotonic
    committed_at: float  # in the lake, epoch seconds


class Loader:
    def __init__(self, settings: Settings, tables: Sequence[Table] = FED, stop: threading.Event | None = None) -> None:
        """`tables`: what is fed, with `ops.batches`."""
        self.settings = settings
        self.tables = tables
        self.data = tuple(t for t in tables if t is not BATCHES)
        self.stop = stop or threading.Event()
        self.tail = Tail(Lake(settings.lake))
        self.lake = self.tail.lake
        self.streams: dict[str, Stream] = {}
        self.client = Client(settings.warehouse, QUERY_TIMEOUT_S)
        self.evolution = Evolution(self.client, self.lake)
        self.batch_id = -1
        self.total = 0
        self.reconnects = -1
        self.failures = 0  # in a row, without a step between them that went well
        self.interruptions = 0
        self.delay = Histogram(BY_NAME["c360_loader_delay_seconds"])
        self.error = ""
        self.again: tuple[str, ...] = ()  # landing tables that are loaded again from the start
        self.moved_at = time.time()  # when the warehouse last came further, or had nothing to come to
        self.notes = settings.state / "run" / "loader.freshness.jsonl"
        self._newest = self._seen = 0  # versions of ops.batches: in the lake, and up to which every batch is taken
        self._looked = 0.0
        self._sent: deque[Sent] = deque()  # streamed, but not shown yet
        self._taken = START  # of ops.batches: up to here all is streamed
        self._loaded = START  # and up to here it is shown
        self._places: dict[str, Place] = {}  # committed
        self._came_further = 0.0  # monotonic, when that last changed
        self._gap = False  # the first of them is shown already, and loaded again
        self._told = Tail(Lake(settings.lake))  # of the thread that tells
        self._telling = threading.Lock()
        self._rows, self._rows_at = 0, time.monotonic()

    def open(self) -> None:
        """(Re)open every channel at what the warehouse has committed. Raises C360Error when that is not of this lake."""
        self.close()
        self.streams = open_streams(self.settings.warehouse, self.tables, self._meanwhile)
        self.reconnects += 1
        self.tail.forget()
        for table in self.tables:
            self._refuse_other_lake(table)
        self._taken = self.streams[BATCHES.name].place
        self._seen, self._loaded = 0, self._taken
        self.batch_id = self.shown_batch()
        self._refuse_other_history()
        self.evolution.check({t: self.streams[t.name].place for t in self.data})
        self._fill_gaps()

    def _meanwhile(self) -> None:
        if self.stop.is_set():
            raise StoppedError

    def close(self) -> None:
        self.total = self.rows()
        if self._sent:  # streamed, perhaps, but not shown: it is to be taken again
            self._sent.clear()
            self._gap = False
            self._seen, self._taken = 0, self._loaded
        streams, self.streams = self.streams, {}
        close_streams(streams.values())
        self.client.close()

    def step(self) -> int:
        """Stream batches that are new, show those that the warehouse has whole; how many moved. Waits for nothing but room."""
        return self._take() + self._show()

    @property
    def waiting(self) -> bool:
        return bool(self._sent)

    def _fill_gaps(self) -> None:
        """What a batch that is shown needs and a table does not have any more: the table was replaced, and its token went with it.

        Nothing new is shown before it is whole again. What was shown before cannot be hidden: the table is as empty as its owner made it.
        """
        shown = self.tail.batch_at(self._loaded) if self._loaded > START else None
        if shown is None:
            self.again = ()
            return
        before = {t.name: self.streams[t.name].place for t in self.data}
        self.again = tuple(landing(t) for t in self.data if before[t.name] == START and shown.versions.get(t.name, 0) > 0)
        needs = self._stream_all(shown)
        if needs != before:
            self._sent.append(Sent(shown.place, shown.batch_id, None, needs, time.monotonic(), shown.committed))
            self._gap = True
        else:
            self.again = ()

    def _take(self) -> int:
        """A batch is streamed while those before it are not committed yet: their waits do not add up."""
        if time.monotonic() - self._looked >= self.settings.warehouse.poll_s:
            self._newest, self._looked = self.tail.version(BATCHES), time.monotonic()
        room, before = AHEAD_BATCHES - len(self._sent), len(self._sent)
        for batch in islice(self.tail.batches(self._newest, self._taken), room):
            needs = self._stream_all(batch)
            self._sent.append(Sent(batch.place, batch.batch_id, batch.rows, needs, time.monotonic(), batch.committed))
            self._taken = batch.place
        if len(self._sent) - before < room:
            self._seen = self._newest
        return len(self._sent) - before

    def _stream_all(self, batch: Batch) -> dict[str, Place]:
        for table in self.data:
            self._stream(table, batch.versions.get(table.name, -1))  # a batch from before the table has none of it
        return {t.name: self.streams[t.name].place for t in self.data}

    def _stream(self, table: Table, upto: int) -> None:
        stream = self.streams[table.name]
        before = stream.place
        for place, part in self.tail.parts(table, upto, before):
            self.evolution.note(table, part, place)
            stream.append(part, place)
            self._wait_for_room()
        if stream.place != before:
            stream.flush()

    def _wait_for_room(self) -> None:
        """Until the SDK holds fewer rows than it may: what the warehouse does not take stays in the lake."""
        held, since = self.in_flight, time.monotonic()
        while held >= AHEAD_ROWS:
            self._committed()
            held = self.in_flight
            if time.monotonic() - max(since, self._came_further) > COMMIT_TIMEOUT_S:
                raise _not_committed()
            self._meanwhile()
            time.sleep(CHECK_S)

    def _committed(self) -> dict[str, Place]:
        """How far each table is in the warehouse."""
        found = committed(self.streams)
        if found != self._places:
            self._places, self._came_further, self.moved_at = found, time.monotonic(), time.time()
        return found

    @property
    def in_flight(self) -> int:
        """Rows that the SDK may hold."""
        return sum(s.in_flight for s in self.streams.values())

    def _show(self) -> int:
        """Their rows of ops.batches, once all data before them is committed: the views then show them."""
        done = self._committed()
        if not self._sent:
            self.moved_at = time.time()
            return 0
        whole = list(takewhile(lambda sent: all(done[name] >= place for name, place in sent.needs.items()), self._sent))
        if not whole:
            if time.monotonic() - max(self._sent[0].at, self._came_further) > COMMIT_TIMEOUT_S:
                raise _not_committed()
            return 0
        self.evolution.confirm(done)
        for sent in whole:
            if sent.rows is not None:
                self.streams[BATCHES.name].append(sent.rows, sent.place)
            self._sent.popleft()
        self._gap = False
        self.streams[BATCHES.name].deliver()
        self._note_queryable(whole[-1].batch_id)
        for sent in whole:
            if sent.rows is not None and sent.committed_at:  # without rows it was shown long since
                self.delay.observe(max(0.0, time.time() - sent.committed_at))
        self._loaded, self.again, self.moved_at = whole[-1].place, (), time.time()
        return len(whole)

    def behind(self) -> int:
        """Complete lake batches that the warehouse does not show. Of those that are not taken yet only the versions are known."""
        return len(self._sent) - self._gap + max(0, self._newest - max(self._seen, self._taken.version))

    def tell(self) -> None:
        """Publish the metrics. From any thread: the SDK may block for a minute, and that is when somebody wants to know."""
        with self._telling:
            with suppress(DeltaError, OSError):  # what is wrong with the lake, the load says
                self._newest = self._told.version(BATCHES)
            now, rows = time.monotonic(), self.rows()
            rate = (rows - self._rows) / max(0.001, now - self._rows_at)
            self._rows, self._rows_at = rows, now
            self._publish(rate)

    def _publish(self, rows_per_s: float) -> None:
        streams, lag = self.streams, self.behind()
        verdict = watch.overall(lag, time.time() - self.moved_at, self.error, self.again)
        values = {
            "batch_id": self.batch_id,
            "lag_batches": lag,
            "rows_total": self.rows(),
            "rows_per_s": round(rows_per_s, 1),
            "rows_waiting": self.in_flight,
            "rows_rejected": {landing(s.table): s.rejected for s in streams.values() if s.rejected},
            "reconnects": max(0, self.reconnects),
            "failures": self.failures,
            "interruptions": self.interruptions,
            "delay": self.delay.as_json(),
            "moved_at": self.moved_at,
            "error": self.error,
            "verdict": verdict.kind,
            "reason": verdict.reason,
            "loading_again": list(self.again),
            "tokens": {name: s.place.token() for name, s in streams.items()},
        }
        metrics.publish(self.settings.state, "loader", values)

    def rows(self) -> int:
        return self.total + sum(s.rows for s in self.streams.values())

    def _refuse_other_lake(self, table: Table) -> None:
        place, version = self.streams[table.name].place, self.tail.version(table)
        if place.version > version:
            raise self._other_lake(f"it has version {place.version} of {table.name}, this one ends at {version}")

    def _refuse_other_history(self) -> None:
        """A lake may have got as far as another one: its newest batch that is loaded must be the one that the warehouse has."""
        shown = self.tail.batch_at(self._loaded) if self._loaded > START else None
        if shown is None:
            return
        found = self.client.query("SELECT COMMITTED_AT FROM OPS.LAKE_BATCHES WHERE BATCH_ID = %s", (shown.batch_id,))
        times = {row["committed_at"] for row in found}
        if times and shown.committed_at not in times:
            raise self._other_lake(f"batch {shown.batch_id} was complete at {min(times)} there, at {shown.committed_at} in this one")

    def _other_lake(self, how: str) -> C360Error:
        return C360Error(
            f"the warehouse was filled from another lake: {how}",
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


def _not_committed() -> UnavailableError:
    return UnavailableError(f"the warehouse has not committed rows for {COMMIT_TIMEOUT_S:.0f} s", "see `c360 logs warehouse`")


def main(settings: Settings, stop: threading.Event) -> None:
    logger = log.get("loader")
    loader = Loader(settings, stop=stop)
    _end_half_line(loader.notes)
    threading.Thread(target=_keep_telling, args=(loader, stop), daemon=True).start()
    _wait_for_lake(loader, stop)
    while not stop.is_set():
        try:
            if not loader.streams:
                loader.open()
            moved = loader.step()
            loader.failures, loader.error = 0, ""
            if not moved:
                stop.wait(CHECK_S if loader.waiting else settings.warehouse.poll_s)
        except StoppedError:
            break
        except Exception as error:  # whatever it was: the committed tokens say where to go on
            loader.interruptions += 1
            loader.failures, loader.error = loader.failures + 1, f"{type(error).__name__}: {str(error)[:800]}"
            logger.warning("interrupted_load", failures=loader.failures, error=loader.error)
            loader.close()
            loader.tell()
            stop.wait(BACKOFF_S[min(loader.failures, len(BACKOFF_S)) - 1])
    loader.close()


def _keep_telling(loader: Loader, stop: threading.Event) -> None:
    loader.tell()
    while not stop.wait(PUBLISH_EVERY_S):
        loader.tell()


def _wait_for_lake(loader: Loader, stop: threading.Event) -> None:
    while not stop.is_set() and not all(loader.lake.exists(t) for t in loader.tables):
        stop.wait(0.3)


def _end_half_line(path: Path) -> None:
    """A line that a killed loader did not finish must not swallow the next one."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("a") as file:
            file.write("\n")


if __name__ == "__main__":
    service.run("loader", main)
