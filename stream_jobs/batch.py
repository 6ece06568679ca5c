"""One micro-batch from Kafka to every table of the lake: the only writer.

Order of commits, and why a crash between any two loses and doubles nothing:

1. bronze (in a thread, beside the rest): found again by its stamp.
2. dead letters: before the tables they are about, because a replay of a fold that is stored already may not reject again.
3. silver (Spark, found again by stamp) beside gold (delta-rs): a replay folds the same records into what is stored and finds
   no difference, so it appends nothing.
4. ops.batches, last: what a reader may see ends with it; one row a batch.
5. The caches take over the rows, and Spark marks the batch as finished in its checkpoint.

Only the first batch after a start can be a replay, so only that one looks for stamps.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from commerce360.lake import Lake
from schemas.tables import BATCHES, DEAD_LETTERS, RECORDS, TABLES, Table
from stream_jobs import bronze
from stream_jobs.checkpoint import Checkpoint, Offsets
from stream_jobs.decode import Schema
from stream_jobs.entity import Rejection, Row
from stream_jobs.folds import Folded, Folds
from stream_jobs.silver import DOCUMENTS
from stream_jobs.taken import Taken, take
from stream_jobs.wire import Schemas

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Tables that a replay would fill twice; folds need no stamp, they find no difference.
STAMPED = (RECORDS, DEAD_LETTERS, *(d.table for d in DOCUMENTS), BATCHES)
MAX_LOOKUPS = 50  # garbage can name any schema id: how many a batch may ask the registry for


@dataclass
class Done:
    """What is known of a finished batch."""

    batch_id: int
    ends: Offsets
    records: int = 0
    rejected: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    stages_ms: dict[str, float] = field(default_factory=dict)
    newest_event: dt.datetime | None = None
    committed_at: float = 0.0
    replayed: bool = False


class Batch:
    """Spark's foreachBatch function. Not for concurrent calls; `reached` is told each commit by its table's name."""

    def __init__(
        self,
        lake: Lake,
        checkpoint: Checkpoint,
        folds: Folds,
        schema_of: Schemas,
        reached: Callable[[str, int], None] = lambda table, batch_id: None,
    ) -> None:
        self.lake = lake
        self.checkpoint = checkpoint
        self.folds = folds
        self.schema_of = schema_of
        self.reached = reached
        self.query_id = checkpoint.create()
        self.known: dict[int, Schema] = {}
        self.threads = ThreadPoolExecutor(1 + len(DOCUMENTS), "lake")
        self.first = True
        self.stages: dict[str, float] = {}

    def __call__(self, frame: DataFrame, batch_id: int) -> Done:
        """Write the batch. Whatever it raises must end the query: the caches are empty then, and the batch is not finished."""
        began, self.stages = time.time(), {}
        written = self._written(batch_id) if self.first else frozenset()
        with self._timed("all"):
            raw = bronze.received(frame).persist()
            try:
                done = self._run(raw, batch_id, written, began)
            except BaseException:
                self.folds.discard()
                raise
            finally:
                raw.unpersist()
        self.first = False
        done.stages_ms = self.stages
        return done

    def _run(self, raw: DataFrame, batch_id: int, written: frozenset[Table], began: float) -> Done:
        ends, pending = self.checkpoint.ends(batch_id), list[Future[None]]()
        try:
            if RECORDS not in written:
                pending.append(self.threads.submit(self._spark, bronze.records(raw, batch_id), RECORDS, batch_id))
            with self._timed("take"):
                taken = self._take(raw, self._moved(batch_id, ends))
            with self._timed("fold"):
                folded = self.folds.apply(taken.records)
            rejected = dead_letters([*taken.rejections, *folded.rejections], batch_id)
            if DEAD_LETTERS not in written:
                self._delta(DEAD_LETTERS, rejected, batch_id)
            for part in DOCUMENTS:
                if taken.counts[part.topic.name] and part.table not in written:
                    rows = part.rows(raw, self.known, batch_id)
                    pending.append(self.threads.submit(self._spark, rows, part.table, batch_id))
            for table, rows_of in folded.rows.items():
                self._delta(table, [{**row, "batch_id": batch_id} for row in rows_of], batch_id)
            with self._timed("wait"):
                for future in pending:
                    future.result()
        finally:
            wait(pending)  # also after an exception: a commit must not land behind the back of the next attempt
        done = self._done(batch_id, ends, taken, folded, len(rejected))
        done.replayed = bool(written)
        if BATCHES not in written:
            self._close(done, began)
        self.folds.commit()
        done.committed_at = time.time()
        return done

    def _take(self, raw: DataFrame, moved: frozenset[str]) -> Taken:
        documents = any(d.topic.name in moved for d in DOCUMENTS)
        taken = take(raw, self.known, documents)
        news = {i: s for i in sorted(taken.unknown_ids)[:MAX_LOOKUPS] if (s := self.schema_of(i)) is not None}
        if news:
            self.known |= news
            taken = take(raw, self.known, documents)
        return taken

    def _moved(self, batch_id: int, ends: Offsets) -> frozenset[str]:
        """Topics in which the batch goes on."""
        before = self.checkpoint.ends(batch_id - 1)
        return frozenset(t for t, parts in ends.items() if any(end > before.get(t, {}).get(p, 0) for p, end in parts.items()))

    def _written(self, batch_id: int) -> frozenset[Table]:
        """Tables that have this batch already, by the stamps of their last commits."""
        stamp = (self.query_id, batch_id)
        return frozenset(t for t in STAMPED if any((c.query_id, c.batch_id) == stamp for c in self.lake.last_commits(t)))

    def _spark(self, rows: DataFrame, table: Table, batch_id: int) -> None:
        with self._timed(table.entity):
            bronze.append(rows, self.lake.uri(table), self.query_id, batch_id)
        self.reached(table.name, batch_id)

    def _delta(self, table: Table, rows: Sequence[Row], batch_id: int) -> None:
        if rows:
            with self._timed(table.entity):
                self.lake.append(table, rows, self.query_id, batch_id)
            self.reached(table.name, batch_id)

    def _done(self, batch_id: int, ends: Offsets, taken: Taken, folded: Folded, rejected: int) -> Done:
        done = Done(batch_id, ends, taken.counts.total(), rejected)
        done.rows = {t.name: len(rows) for t, rows in folded.rows.items()}
        done.newest_event = max((r["event_ts"] for rows in folded.rows.values() for r in rows if r["event_ts"]), default=None)
        for part in DOCUMENTS:
            done.rows[part.table.name] = taken.counts[part.topic.name] and self._appended(part.table, batch_id)
        return done

    def _appended(self, table: Table, batch_id: int) -> int:
        """Rows of Spark's commit of this batch, from the commit itself."""
        last = self.lake.last_commits(table, 1)
        if not last or last[0].batch_id != batch_id:
            return 0
        metrics = self.lake.delta(table).history(1)[0].get("operationMetrics", {})
        return int(metrics.get("numOutputRows", 0))

    def _close(self, done: Done, began: float) -> None:
        versions = {t.name: self.lake.delta(t).version() for t in TABLES if t is not BATCHES}
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
        self._delta(BATCHES, [row], done.batch_id)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stages[stage] = round((time.perf_counter() - began) * 1000, 1)


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
