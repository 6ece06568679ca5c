"""Wait until everything that entered has come out at the other end, or say which stage holds it up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from commerce360 import metrics
from commerce360.errors import C360Error, UnavailableError
from commerce360.lake import Lake
from commerce360.reconcile import model, sources, topics
from commerce360.reconcile.compare import Stage, compare
from commerce360.settings import Settings
from connect_configs import snapshot
from connect_configs.client import Connect
from connect_configs.files import configurations
from connect_configs.http import Access
from schemas.tables import BATCHES
from schemas.topics import TOPICS
from stream_jobs.entity import Row

OLTP = "oltp-postgres"
QUIET_S = 3.0
PATIENCE_S = 20.0  # longer than any retry delay of a MongoDB connector


class Drain:
    """The traffic must have stopped before. `wait` returns when all stages are quiet and level.

    What that guarantees: every task of every connector ran at the last look; Debezium has stored a position behind the last commit
    before `wait` was called; the topics were quiet for QUIET_S, and the lake and the warehouse have all of them. A change stream has no
    position that could be compared with MongoDB's end, so there the content decides: every document is in silver as it is in
    MongoDB now. Where it is not though nothing moved for PATIENCE_S, waiting is over, and the reconciliation names the documents.
    """

    def __init__(self, settings: Settings, note: Callable[[str], None] = lambda _: None) -> None:
        self.settings = settings
        self.note = note
        self.lake = Lake(settings.lake)
        self.connect = Connect(settings.connect.url, access=Access.of(settings.connect), patience_s=1)

    def wait(self, timeout_s: float = 180.0) -> float:
        """Seconds that it took. Raises UnavailableError that names the stage which did not get there."""
        began = time.monotonic()
        target = sources.wal_position(self.settings.postgres)
        ends, since = self._ends(), time.monotonic()
        while True:
            if (now := self._ends()) != ends:
                ends, since = now, time.monotonic()
            late = self._behind(target, ends)
            quiet_s = time.monotonic() - since
            if not late and quiet_s >= QUIET_S:
                found = (self._documents_behind(c) for c in model.DOCUMENTS)
                late = next(filter(None, found), "")
                if not late or quiet_s >= PATIENCE_S:
                    return time.monotonic() - began
            if time.monotonic() - began > timeout_s:
                raise UnavailableError(
                    f"not drained after {timeout_s:.0f} s: {late or 'topics still grow'}", "see `c360 status` and `c360 logs`"
                )
            self.note(late or "waiting for quiet")
            time.sleep(0.25)

    def _documents_behind(self, source: model.Source) -> str:
        landed = sources.landed(self.settings.state, source.topic.entity)
        return documents_behind(self.lake, source, sources.documents(self.settings.mongo, source), landed)

    def _ends(self) -> dict[str, dict[int, int]]:
        return topics.end_offsets(self.settings.kafka, [t.name for t in TOPICS])

    def _behind(self, wal: int, ends: dict[str, dict[int, int]]) -> str:
        """The first stage that is not level, as a sentence; empty when all are."""
        return connectors_behind(self.connect, wal) or self._lake_behind(ends)

    def _lake_behind(self, ends: dict[str, dict[int, int]]) -> str:
        if not self.lake.exists(BATCHES):
            return "the lake has no tables yet"
        batch = self.lake.last_batch()
        if lag := offsets_behind(batch, ends):
            return f"the lake is {lag} offsets behind"
        shown = int(metrics.read(self.settings.state, "loader").get("batch_id", -1))
        if batch and shown < batch["batch_id"]:
            return f"the warehouse is {batch['batch_id'] - shown} batches behind"
        return ""


def wait_for_gold(lake: Lake, timeout_s: float = 240.0) -> None:
    """Until a first batch has made a row. Raises UnavailableError."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            batch = lake.last_batch()
        except Exception:  # the tables are not there yet, whatever storage calls that
            batch = None
        if batch and batch["rows_out"]:
            return
        if time.monotonic() > deadline:
            raise UnavailableError(f"no row reached gold in {timeout_s:.0f} s", "see `c360 logs lake` and `c360 logs connect`")
        time.sleep(0.3)


def offsets_behind(batch: Row | None, ends: Mapping[str, Mapping[int, int]]) -> int:
    """How many offsets below `ends` the lake's last batch does not have."""
    done = json.loads(batch["offsets"]) if batch else {}
    return sum(max(0, end - int(done.get(t, {}).get(str(p), 0))) for t, parts in ends.items() for p, end in parts.items())


def connectors_behind(connect: Connect, wal: int) -> str:
    """Which connector does not run with all its tasks, or how much WAL Debezium has yet to read; empty when all is well.

    Debezium's stored offset is the position; its heartbeat moves it when the tables are quiet.
    """
    try:
        for name in configurations():
            found = connect.status(name)
            if found is None or not found.running:
                return f"connector {name} does not run" + (f": {found.cause}" if found and found.cause else "")
        position = snapshot.position(connect.offsets(OLTP), configurations()[OLTP]["topic.prefix"])
    except C360Error as error:  # Connect may be starting again
        return error.message
    return f"Debezium is {(wal - position) / 1024:.0f} KiB of WAL behind" if position < wal else ""


def documents_behind(lake: Lake, source: model.Source, documents: Sequence[Row], landed: Collection[str] = ()) -> str:
    """How many of the source's documents, present or deleted, silver does not have as they are now; empty for none.

    `landed`: keys of documents that came from files, and that the source need not have.
    """
    table, key = model.DOCUMENTS[source], source.key[0]
    strangers = set(landed) - {row[key] for row in documents}
    there = [row for row in lake.newest(table, where=table.visible).to_pylist() if row[key] not in strangers]
    found = [
        Stage.of("mongo", documents, source.key, source.columns),
        Stage.of("silver", there, source.key, source.columns),
    ]
    count = sum(compare(table.entity, found, source.columns, show=0).kinds.values())
    return f"{count} documents of {table.entity} are not in the lake as they are in MongoDB" if count else ""
