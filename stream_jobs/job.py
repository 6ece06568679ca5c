"""The lake job: one streaming query from all topics to all tables. `python -m stream_jobs.job`.

It ends when its query ends: the supervisor starts it again, and it goes on from its checkpoint.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obstore.exceptions import BaseError

from commerce360 import log, service
from commerce360.errors import UnavailableError
from commerce360.lake import INTERVAL, Lake
from commerce360.settings import Calendar as CalendarSettings
from commerce360.settings import Settings
from schemas.tables import RECORDS, TABLES, Table
from schemas.topics import TOPICS
from stream_jobs import calendar_log
from stream_jobs.batch import Batch, Done
from stream_jobs.checkpoint import Checkpoint, ensure_agreement
from stream_jobs.compaction import Compactor
from stream_jobs.dimensions import DIMENSIONS, Dimension
from stream_jobs.folds import Folds
from stream_jobs.inputs import Inputs, kafka_options
from stream_jobs.ownership import AGAIN, Ownership, TakenOverError
from stream_jobs.progress import Progress
from stream_jobs.rebuild import agree, rebase, settle
from stream_jobs.session import Fence, jvm_pid, open_session
from stream_jobs.view360.view import View
from stream_jobs.wire import RegistrySchemas, Schemas

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

logger = log.get("lake")
CHECKPOINT_INTERVAL = 100  # commits from one Delta checkpoint to the next; each table adds its place, so that they never meet
SPARK_CHECKPOINT_INTERVAL = 10_000  # of bronze, whose batch would wait for seconds: the compaction makes them beside the batches
STOP_TIMEOUT_S = 20.0
MARK_TIMEOUT_S = 2.0


class StoppedError(Exception):
    """A batch came after the stop: it must not run, and Spark must not take it for finished."""


class Gate:
    """Lets batches through one at a time until it is closed; closing waits for the one inside."""

    def __init__(self, batch: Callable[[DataFrame, int], Done], note: Callable[[Done], None]) -> None:
        self.batch = batch
        self.note = note
        self.last = -1  # the last batch that is complete
        self._inside = threading.Lock()
        self._closed = False

    def __call__(self, frame: DataFrame, batch_id: int) -> None:
        with self._inside:
            if self._closed:
                raise StoppedError
            self.note(self.batch(frame, batch_id))
            self.last = batch_id

    def close(self, timeout_s: float) -> bool:
        """False when the batch inside did not end in time."""
        self._closed = True
        if not self._inside.acquire(timeout=timeout_s):
            return False
        self._inside.release()
        return True


def prepare_tables(lake: Lake, checkpoint: Checkpoint, tables: Sequence[Table] = TABLES, calendar: CalendarSettings | None = None) -> str:
    """Make what is missing and keep the calendar; returns the query's id. Raises ConfigError when lake and checkpoint disagree."""
    ensure_agreement(lake, checkpoint, tables)
    query_id = checkpoint.create()
    for place, table in enumerate(tables):
        if not lake.exists(table):
            lake.create(table, SPARK_CHECKPOINT_INTERVAL if table is RECORDS else CHECKPOINT_INTERVAL + 7 * place)
        elif table is RECORDS and lake.properties(table).get(INTERVAL) != str(SPARK_CHECKPOINT_INTERVAL):  # of an older version
            lake.set_properties(table, {INTERVAL: str(SPARK_CHECKPOINT_INTERVAL)})
    if made := calendar_log.keep(lake, calendar or CalendarSettings(), query_id):
        logger.info("kept_calendar", **{name.replace(".", "_"): rows for name, rows in made.items()})
    return query_id


def open_folds(lake: Lake, schemas: Schemas) -> tuple[Folds, list[Dimension], View]:
    """The folds over the tables as they are, the dimensions that were folded again because their new roles are approved, and the 360 view.

    Raises ConfigDriftError for roles that are neither those of the table nor approved, before anything is read.
    """
    changed = [d.table.name for d in DIMENSIONS if agree(lake, d)]
    folds = Folds(lake, schemas)
    rebuilt = [e for e in folds.entities if isinstance(e, Dimension) and e.table.name in changed]
    for dimension in rebuilt:
        rebase(lake, folds, dimension)
        logger.info("folded_again", table=dimension.table.name, rows=len(folds.logs[dimension.table.name].carried))
    return folds, rebuilt, View(lake, folds.logs)


def start_query(session: SparkSession, settings: Settings, batch: Callable[[DataFrame, int], None]) -> StreamingQuery:
    options = kafka_options(settings.kafka, [t.name for t in TOPICS], settings.lake.max_offsets_per_trigger)
    stream = session.readStream.format("kafka").options(**options).load()
    writer = stream.writeStream.foreachBatch(batch).option("checkpointLocation", settings.lake.checkpoint).queryName("lake")
    return writer.trigger(processingTime=f"{settings.lake.trigger_s} seconds").start()


def main(settings: Settings, stop: threading.Event) -> None:
    """Run until `stop` is set or the query dies, which is an UnavailableError."""
    fence, owner = Fence(settings.state / "run" / "lake.jvm.json"), Ownership(settings)
    if fence.clear():
        logger.warning("ended_orphan_jvm")
    if not owner.take(stop):
        return
    rests = False
    try:
        rests = run(settings, fence, owner, stop)
    finally:
        if rests:
            owner.release()
        else:
            owner.leave()


def run(settings: Settings, fence: Fence, owner: Ownership, stop: threading.Event) -> bool:
    """As `main`, for the owner of the lake. False when a batch was left that may still write."""
    inputs = Inputs(settings.kafka, settings.registry, [t.name for t in TOPICS])
    lake, checkpoint = Lake(settings.lake, owner.ensure_fresh), Checkpoint(settings.lake)
    owner.fence(lake, TABLES)
    prepare_tables(lake, checkpoint, calendar=settings.calendar)
    schemas = RegistrySchemas(settings.registry)
    with ThreadPoolExecutor(2, "start") as threads:  # the JVM takes longest: all else happens beside it
        waiting = threads.submit(inputs.wait, stop)
        folding = threads.submit(open_folds, Lake(settings.lake, owner.ensure_fresh), schemas)
        session = open_session(settings.lake, scratch(settings.state))
        if settings.lake.session == "own":  # the cluster's JVM is its driver, and lives on
            fence.mark(jvm_pid(session))
        logger.info("opened_session")
        ready, (folds, rebuilt, view) = waiting.result(), folding.result()
    if not ready:
        return True
    progress = Progress(settings.state, time.time)
    compaction = Compactor(Lake(settings.lake, owner.ensure_fresh), TABLES)
    compactor = threading.Thread(target=compaction.run, args=(stop,), name="compaction", daemon=True)

    def note(done: Done) -> None:
        progress.note(done)
        if not compactor.ident:  # not before the first batch has looked for its stamps: old logs go with a checkpoint
            compactor.start()
        while rebuilt and not folds.carrying:  # a batch has written what differed
            settle(lake, rebuilt.pop())

    gate = Gate(Batch(lake, checkpoint, folds, schemas, view=view, calendar=settings.calendar, owner=owner), note)
    query = start_query(session, settings, gate)
    logger.info("started_query", query_id=query.id)
    try:
        watch(query, inputs, progress, owner, stop)
    except BaseException:
        stop.set()
        gate.close(STOP_TIMEOUT_S)
        ended(compactor)
        raise
    return finish(query, gate, checkpoint) & ended(compactor)


def ended(compactor: threading.Thread) -> bool:
    """Wait for the compaction inside: the process must not end within native code. False when it did not end in time."""
    if compactor.ident:
        compactor.join(STOP_TIMEOUT_S)
    return not compactor.is_alive()


def scratch(state: Path) -> Path:
    return (state / "data" / "lake-scratch").absolute()


def watch(query: StreamingQuery, inputs: Inputs, progress: Progress, owner: Ownership, stop: threading.Event) -> None:
    """Publish metrics until the stop. Raises UnavailableError when the query ends by itself, or another job has taken the lake."""
    asked = 0.0
    while not stop.wait(0.2):
        active = query.isActive
        if owner.lost or not active:
            with contextlib.suppress(BaseError, OSError):  # of a storage that does not answer
                owner.ensure()
        if owner.lost:
            raise TakenOverError("the lake belongs to another job now", AGAIN)
        if not active:
            raise UnavailableError(f"the lake query ended: {_cause(query)}", "it goes on from its checkpoint when started again")
        if time.monotonic() - asked > 1.0:
            try:
                progress.behind(inputs.lag(progress.ends))
            except UnavailableError as error:
                logger.warning("missed_lag", message=error.message)
            asked = time.monotonic()
        progress.publish()


def finish(query: StreamingQuery, gate: Gate, checkpoint: Checkpoint) -> bool:
    """Stop between two batches: a query that is stopped inside one dies with an error that says nothing. False when it did not end.

    Spark marks a batch as finished when the gate is behind it already; without the mark the next start would repeat it.
    """
    if not gate.close(STOP_TIMEOUT_S):
        logger.warning("left_batch_unfinished", hint="it is repeated at the next start")
        return False
    deadline = time.monotonic() + MARK_TIMEOUT_S
    while checkpoint.completed() < gate.last and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        query.stop()
    except Exception as error:  # whatever Spark makes of the batch that the gate turned away
        logger.debug("stopped_query_with_error", error=str(error)[:200])
    return True


def _cause(query: StreamingQuery) -> str:
    found: Any = query.exception()
    text = str(found) if found is not None else "no reason given"
    lines = [line for line in text.splitlines() if line.strip()]
    return " | ".join([lines[0], *lines[-1:]])[:1000] if lines else text


if __name__ == "__main__":
    service.run("lake", main)
