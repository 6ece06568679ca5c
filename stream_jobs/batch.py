"""One micro-batch from Kafka to every table of the lake: the only writer.

Order of commits, and why a crash between any two loses and doubles nothing:

1. bronze (in a thread, beside the rest): found again by its stamp.
2. dead letters: before the tables they are about, because a replay of a fold that is stored already may not reject again.
3. silver, found again by its stamp.
4. gold.fct_sales_moves, before all other gold: moves follow from what gold says before and after the batch, so they must be written
   while it still says the one. Where they or any later gold have the batch's stamp, they are decided and not made again.
5. gold: a replay folds the same records into what is stored and finds no difference, so it appends nothing.
6. the 360 view: it follows from silver and gold, and a replay finds no difference.
7. ops.backfills: what became of slices of backfills (`slices`), if the batch has any. A replay counts what is left to change.
8. ops.batches, last: what a reader may see ends with it; one row a batch. A replay of a batch that has it does nothing.
9. The caches take over the rows, and Spark marks the batch as finished in its checkpoint.

Spark appends bronze, where all bytes go. The other tables get few rows a batch, and delta-rs commits those in a tenth of the time that
Spark's writer needs. Only the first batch after a start can be a replay, so only that one looks for stamps.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.settings import Calendar
from schemas.tables import BACKFILLS, BATCHES, BY_NAME, CLICKSTREAM, DEAD_LETTERS, FCT_SALES_MOVES, RECORDS, REVIEWS, TABLES, Table
from schemas.topics import BACKFILL
from stream_jobs import bronze
from stream_jobs.again import Again
from stream_jobs.checkpoint import Offsets
from stream_jobs.decode import Schema
from stream_jobs.entity import Record, Rejection, Row
from stream_jobs.folds import Folded, Folds
from stream_jobs.freshness import Delay, sample
from stream_jobs.silver import DOCUMENTS, Documents, Sorted
from stream_jobs.values import timestamp
from stream_jobs.view360.view import Changes, View
from stream_jobs.wire import Schemas

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

# Tables that a replay would fill twice; folds need no stamp, they find no difference.
STAMPED = (RECORDS, DEAD_LETTERS, *(d.table for d in DOCUMENTS), BACKFILLS, BATCHES)
REBASED = "c360.rebased"  # property of the moves: the last batch in which histories that were folded again came, with their roles


class Plan(Protocol):
    """What is written down of the batches before they run: a `Checkpoint`."""

    def create(self) -> str: ...

    def ends(self, batch_id: int) -> Offsets: ...


@dataclass
class Done:
    """What is known of a finished batch."""

    batch_id: int
    ends: Offsets
    records: int = 0
    rejections: Counter[str] = field(default_factory=Counter)  # dead letters by topic
    rows: dict[str, int] = field(default_factory=dict)
    delays: list[Delay] = field(default_factory=list)  # of a sample of its changes
    stages_ms: dict[str, float] = field(default_factory=dict)
    newest_event: dt.datetime | None = None
    committed_at: float = 0.0
    replayed: bool = False

    @property
    def rejected(self) -> int:
        return self.rejections.total()


class Owner(Protocol):
    """Whoever may write: an `Ownership`. Both raise when that is somebody else now."""

    def ensure(self) -> None: ...

    def ensure_fresh(self) -> None: ...


class Batch:
    """Spark's foreachBatch function. Not for concurrent calls; `reached` is told each commit by its table's name."""

    def __init__(
        self,
        lake: Lake,
        checkpoint: Plan,
        folds: Folds,
        schema_of: Schemas,
        reached: Callable[[str, int], None] = lambda table, batch_id: None,
        tables: Sequence[Table] = TABLES,
        view: View | None = None,
        calendar: Calendar | None = None,
        owner: Owner | None = None,
    ) -> None:
        """`tables`: all that a reader of the lake bounds by its last complete batch. `view`: None where nobody keeps the 360 view.

        `owner`: None where nobody else can write. It is asked for what Spark writes; `lake` has a guard of its own.
        """
        self.lake = lake
        self.checkpoint = checkpoint
        self.folds = folds
        self.schema_of = schema_of
        self.reached = reached
        self.tables = tables
        self.view = view
        self.calendar = calendar or Calendar()
        self.owner = owner
        self.query_id = checkpoint.create()
        self.known: dict[int, Schema] = {}
        self.threads = ThreadPoolExecutor(2 + len(DOCUMENTS), "lake")
        self.first = True
        self.stages: dict[str, float] = {}

    def __call__(self, frame: DataFrame, batch_id: int) -> Done:
        """Write the batch. Whatever it raises must end the query: the caches are empty then, and the batch is not finished."""
        began, self.stages = time.time(), {}
        if self.owner:
            self.owner.ensure()
        written = self._written(batch_id) if self.first else frozenset()
        with self._timed("all"):
            raw = bronze.received(frame).persist()
            try:
                done = self._run(raw, batch_id, written, began)
            except BaseException:
                self.folds.discard()
                if self.view:
                    self.view.discard()
                raise
            finally:
                raw.unpersist()
        self.first = False
        done.stages_ms = self.stages
        return done

    def _run(self, raw: DataFrame, batch_id: int, written: frozenset[Table], began: float) -> Done:
        ends, pending = self.checkpoint.ends(batch_id), list[Future[None]]()
        done = Done(batch_id, ends, replayed=bool(written))
        if BATCHES in written:  # only Spark's mark is missing; what the folds carry belongs to the next batch
            done.committed_at = time.time()
            return done
        decided = self._decided(written, batch_id)
        before = self.checkpoint.ends(batch_id - 1)
        try:
            if RECORDS not in written:
                pending.append(self.threads.submit(self._bronze, bronze.records(raw, batch_id), batch_id))
            moved = moved_topics(before, ends)
            again = self._asked(raw, moved)
            records, silver = self._take(raw, batch_id, moved, again)
            with self._timed("fold"):
                folded = self.folds.apply([*records, *again.records(self.folds.topics)], again.look(self.folds))
            bad = [*again.rejections, *again.news([*(r for s in silver.values() for r in s.rejections), *folded.rejections])]
            rejected = dead_letters(bad, batch_id)
            done.records = len(records) + sum(s.records for s in silver.values()) + len(again.asked_by)
            done.rejections = Counter(row["topic"] for row in rejected)
            if DEAD_LETTERS not in written:
                self._append(DEAD_LETTERS, rejected, batch_id)
            self._write(done, silver, folded, written, decided)
            made = {**self._keep_view(done, records, silver, folded, again), **self._keep_calendar(done, again)}
            if BACKFILLS not in written:
                self._serve(batch_id, again, {**{t: d.rows for t, d in silver.items()}, **folded.rows, **made}, bad)
            done.newest_event = max((r["event_ts"] for rows in folded.rows.values() for r in rows if r["event_ts"]), default=None)
            with self._timed("wait"):
                for future in pending:
                    future.result()
        finally:
            wait(pending)  # also after an exception: a commit must not land behind the back of the next attempt
        self._close(done, began)
        self.folds.commit()
        if self.view:
            self.view.commit()
        done.committed_at = time.time()
        done.delays = sample(folded.rows, before, done.committed_at)
        return done

    def _write(self, done: Done, silver: dict[Table, Sorted], folded: Folded, written: frozenset[Table], decided: bool) -> None:
        """Silver, moves, gold, in this order."""
        for table, found in silver.items():
            done.rows[table.name] = found.rows.num_rows
            if table not in written:
                self._append(table, found.rows, done.batch_id)
        if not decided:
            done.rows[FCT_SALES_MOVES.name] = len(folded.moves)
            self._append(FCT_SALES_MOVES, [{**row, "batch_id": done.batch_id} for row in folded.moves], done.batch_id)
        for table, rows in folded.rows.items():
            done.rows[table.name] = len(rows)
            self._append(table, [{**row, "batch_id": done.batch_id} for row in rows], done.batch_id)

    def _keep_view(
        self, done: Done, records: Sequence[Record], silver: dict[Table, Sorted], folded: Folded, again: Again
    ) -> dict[Table, list[Row]]:
        """What the batch changes in the 360 view, after all that it follows from. Its tables do not depend on each other."""
        if self.view is None:
            return {}
        times = [s.newest for s in silver.values() if s.newest is not None]
        if stamps := [r.timestamp_us for r in (*records, *again.asked_by)]:
            times.append(timestamp(max(stamps)))
        with self._timed("view"):
            clicks, reviews = (silver[t].rows.to_pylist() if t in silver else [] for t in (CLICKSTREAM, REVIEWS))
            made = self.view.apply(Changes(clicks, reviews, folded.outcomes, max(times, default=None), again.units()))
        stamped = {table: [{**row, "batch_id": done.batch_id} for row in rows] for table, rows in made.items()}
        with self._timed("append view"):
            wait(writing := [self.threads.submit(self._append, t, rows, done.batch_id) for t, rows in stamped.items()])
        for future in writing:
            future.result()
        done.rows |= {table.name: len(rows) for table, rows in made.items()}
        return made

    def _keep_calendar(self, done: Done, again: Again) -> dict[Table, list[Row]]:
        made = again.calendar(self.calendar)
        for table, rows in made.items():
            done.rows[table.name] = len(rows)
            self._append(table, [{**row, "batch_id": done.batch_id} for row in rows], done.batch_id)
        return made

    def _serve(self, batch_id: int, again: Again, rows: Mapping[Table, pa.Table | Sequence[Row]], bad: Sequence[Rejection]) -> None:
        """Say what became of the slices. Tables may have got columns, and are called by name."""
        if again.slices:
            served = again.served({BY_NAME[t.name]: r if isinstance(r, Sequence) else r.to_pylist() for t, r in rows.items()}, bad)
            self._append(BACKFILLS, [{**row, "batch_id": batch_id} for row in served], batch_id)

    def _asked(self, raw: DataFrame, moved: frozenset[str]) -> Again:
        """What backfills want of the batch; nothing, without a look, where their topic does not go on."""
        if BACKFILL.name not in moved:
            return Again(self.lake)
        with self._timed("slices"):
            return Again(self.lake, bronze.take(raw, [BACKFILL.name]), self.folds.decoder.decode)

    def _take(self, raw: DataFrame, batch_id: int, moved: frozenset[str], again: Again) -> tuple[list[Record], dict[Table, Sorted]]:
        """Spark jobs beside each other: the records to fold, and the documents of each collection that goes on."""
        parts = {d: raw for d in DOCUMENTS if d.topic.name in moved}
        for part in (d for d in DOCUMENTS if d.topic.name in again.topics):
            parts[part] = raw.unionByName(again.frame(raw.sparkSession, part.topic.name))
        reading = {d.table: self.threads.submit(self._documents, d, frame, batch_id) for d, frame in parts.items()}
        try:
            with self._timed("take"):
                records = bronze.take(raw, self.folds.topics & moved) if self.folds.topics & moved else []
            return records, {table: again.unknown(table, found.result()) for table, found in reading.items()}
        finally:
            wait(reading.values())

    def _documents(self, part: Documents, raw: DataFrame, batch_id: int) -> Sorted:
        """Schema ids come from the records; what the registry does not know after one look is a dead letter."""
        with self._timed(f"read {part.table.entity}"):
            found = part.take(raw, self.known, batch_id)
            news = {i: s for i in sorted(found.unknown_ids) if (s := self.schema_of(i)) is not None}
            if news:
                known = self.known = {**self.known, **news}  # what the other thread just learned may be lost: it costs one more look
                found = part.take(raw, known, batch_id)
        return found

    def _written(self, batch_id: int) -> frozenset[Table]:
        """Tables that have this batch already, by the stamps of their last commits."""
        stamp, moves = (self.query_id, batch_id), self.folds.moves
        stamped = (t for t in STAMPED if t is not BACKFILLS or t in self.tables)  # who keeps no such table takes no slices
        asked = (*stamped, *(moves.tables if moves else ()))
        return frozenset(t for t in asked if any((c.query_id, c.batch_id) == stamp for c in self.lake.last_commits(t)))

    def _decided(self, written: frozenset[Table], batch_id: int) -> bool:
        """Whether the moves of the batch are known to the lake, though they may be none.

        Raises ConfigError when they were decided before histories were folded again: what that moves would be missing.
        """
        if self.folds.moves is None:
            return True
        roles, carrying = self.folds.roles, self.folds.carrying
        if written.isdisjoint(self.folds.moves.tables):
            if carrying:
                noted = {"batch": batch_id, "roles": {name: roles[name] for name in carrying}}
                self.lake.set_properties(FCT_SALES_MOVES, {REBASED: json.dumps(noted)})
            return False
        noted = json.loads(self.lake.properties(FCT_SALES_MOVES).get(REBASED) or "{}")
        begun: dict[str, str] = noted["roles"] if noted.get("batch") == batch_id else {}
        if other := {n for n in begun if roles[n] != begun[n]} | (carrying - begun.keys()):
            raise ConfigError(
                f"batch {batch_id} was begun with other column roles of {', '.join(sorted(other))}, and a part of it is written",
                "start the lake job once with the roles of before; it takes the new ones at its next start",
            )
        return True

    def _bronze(self, rows: DataFrame, batch_id: int) -> None:
        if self.owner:
            self.owner.ensure_fresh()
        with self._timed(RECORDS.entity):
            bronze.append(rows, self.lake.uri(RECORDS), self.query_id, batch_id)
        self.reached(RECORDS.name, batch_id)

    def _append(self, table: Table, rows: Sequence[Row] | pa.Table, batch_id: int) -> None:
        """No commit for no rows."""
        if len(rows):
            with self._timed(table.entity):
                self.lake.append(table, rows, self.query_id, batch_id)
            self.reached(table.name, batch_id)

    def _close(self, done: Done, began: float) -> None:
        versions = {t.name: self.lake.delta(t).version() for t in self.tables if t is not BATCHES}
        row: Row = {
            "batch_id": done.batch_id,
            "started_at": dt.datetime.fromtimestamp(began, dt.UTC),
            "committed_at": dt.datetime.now(dt.UTC),
            "records": done.records,
            "rejected": done.rejected,
            "rows_out": sum(done.rows.values()),
            "versions": json.dumps(versions),
            "offsets": json.dumps(done.ends),
            "query_id": self.query_id,
        }
        self._append(BATCHES, [row], done.batch_id)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stages[stage] = round((time.perf_counter() - began) * 1000, 1)


def moved_topics(before: Offsets, ends: Offsets) -> frozenset[str]:
    """Topics in which a batch goes on."""
    return frozenset(t for t, parts in ends.items() if any(end > before.get(t, {}).get(p, 0) for p, end in parts.items()))


def dead_letters(rejections: Sequence[Rejection], batch_id: int) -> list[Row]:
    """Rows of bronze.dead_letters: one for each record and reason."""
    made: dict[tuple[str, int, int, str], Row] = {}
    for rejection in rejections:
        record = rejection.record
        made[(record.topic, record.partition, record.offset, rejection.reason)] = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "reason": rejection.reason,
            "detail": rejection.detail,
            "kafka_ts": dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=record.timestamp_us),
            "key": record.key,
            "value": record.value,
            "batch_id": batch_id,
        }
    return list(made.values())
