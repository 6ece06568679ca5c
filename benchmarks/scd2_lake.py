"""The SCD2 benchmark's only contact with the lake job: tables to begin with, batches with and without Spark, and what came out."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from scd2_changes import PARTITIONS, SCHEMAS, SNAPSHOT_US, TOPIC, TRACKED, Message, State, initial, message, snapshot

from commerce360.lake import Lake
from commerce360.local.bootstrap.jars import spark_jars
from commerce360.local.bootstrap.java import find_java, spark_java_home
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_CUSTOMER, RECORDS, TABLES
from schemas.types import arrow_schema
from stream_jobs.batch import Batch
from stream_jobs.checkpoint import Checkpoint
from stream_jobs.compaction import Compactor
from stream_jobs.entity import Record
from stream_jobs.folds import Folds
from stream_jobs.job import open_folds, prepare_tables
from stream_jobs.session import jvm_pid, open_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CHUNK = 20_000  # records of a batch while the job catches up: its `max_offsets_per_trigger`
SAMPLE = 50
LOOK_BATCHES = 25  # the job looks every ten seconds for what to compact: about so many batches
Ends = dict[int, int]


def settings(root: Path, memory: str = "1g") -> LakeSettings:
    return LakeSettings(root=str(root / "lake"), checkpoint=str(root / "checkpoint"), driver_memory=memory)


def session(root: Path, memory: str) -> SparkSession:
    """As the job opens it. C360_LAKE__JARS names other jars than those of `c360 setup`."""
    given = os.environ.get("C360_LAKE__JARS", "") or spark_jars()
    if not given:
        raise SystemExit("error: the Spark jars are not here\nhint: run `make setup`")
    local = settings(root, memory).model_copy(update={"jars": given, "java_home": str(spark_java_home(find_java(17)))})
    return open_session(local, (root / "scratch").absolute())


def jvm(spark: SparkSession) -> int:
    return jvm_pid(spark)


class Checkpoints:
    """What Spark writes around a batch, since no stream runs here."""

    def __init__(self, root: Path) -> None:
        self.folder = Path(settings(root).checkpoint)

    def plan(self, batch_id: int, ends: Ends) -> None:
        self._file("offsets", batch_id).write_text("v1\n{}\n" + json.dumps({TOPIC: ends}))

    def finish(self, batch_id: int) -> None:
        self._file("commits", batch_id).write_text("v1\n{}")

    def _file(self, kind: str, batch_id: int) -> Path:
        (self.folder / kind).mkdir(parents=True, exist_ok=True)
        return self.folder / kind / str(batch_id)


def records(messages: Iterable[Message]) -> list[Record]:
    return [Record(TOPIC, *m) for m in messages]


def arrow(messages: Sequence[Message]) -> pa.Table:
    """Columns of Spark's Kafka source."""
    schema = arrow_schema(RECORDS)
    parts = [pa.array(column) for column in zip(*messages, strict=True)]
    columns = {
        "topic": pa.repeat(pa.scalar(TOPIC), len(messages)),
        "partition": parts[0].cast(pa.int32()),
        "offset": parts[1],
        "timestamp": parts[2].cast(pa.timestamp("us", tz="UTC")),
        "headers": pa.nulls(len(messages), schema.field("headers").type),
        "key": parts[3].cast(pa.binary()),
        "value": parts[4].cast(pa.binary()),
    }
    return pa.table(columns)


def make(root: Path, rows: int) -> None:
    """A lake as the job leaves it behind after the snapshot of `rows` customers.

    Writes the rows of the fold without folding one by one; raises AssertionError when a sample differs from what the job's folds say.
    """
    lake, checkpoint, marks = Lake(settings(root)), Checkpoint(settings(root)), Checkpoints(root)
    query_id = prepare_tables(lake, checkpoint)
    template = _check(Folds(lake, SCHEMAS.get), range(0, rows, max(1, rows // SAMPLE)))
    for batch_id, start in enumerate(range(0, rows, CHUNK)):
        numbers = range(start, min(rows, start + CHUNK))
        ends = {p: (numbers[-1] - p) // PARTITIONS + 1 for p in range(PARTITIONS)}
        marks.plan(batch_id, ends)
        lake.append(RECORDS, _bronze(numbers, batch_id), query_id, batch_id)
        lake.append(DIM_CUSTOMER, log_rows(numbers, template, batch_id), query_id, batch_id)
        lake.append(BATCHES, [_complete(batch_id, ends, query_id, len(numbers))], query_id, batch_id)
        marks.finish(batch_id)


def log_rows(numbers: range, template: dict[str, Any], batch_id: int) -> pa.Table:
    """Rows of gold.dim_customer for the snapshot of these customers; what all have in common comes from `template`."""
    states = [initial(n) for n in numbers]
    begun = pa.array([SNAPSHOT_US + n for n in numbers])
    columns = {name: [s[name] for s in states] for name in ("customer_id", *TRACKED, "points")}
    columns |= {"_ts": begun, "event_ts": begun, "valid_from": begun, "kafka_ts": [(SNAPSHOT_US + n) // 1000 * 1000 for n in numbers]}
    columns["version_key"] = [hashlib.sha256(f"{n}@{SNAPSHOT_US + n}".encode()).hexdigest()[:32] for n in numbers]
    columns["origin"] = [f"{TOPIC}/{n % PARTITIONS}/{n // PARTITIONS}" for n in numbers]
    columns["_after"] = [_image(s) for s in states]
    common = {**template, "batch_id": batch_id}
    return pa.table(
        [
            pa.array(columns[f.name]).cast(f.type) if f.name in columns else pa.repeat(pa.scalar(common[f.name], f.type), len(numbers))
            for f in arrow_schema(DIM_CUSTOMER)
        ],
        schema=arrow_schema(DIM_CUSTOMER),
    )


def _image(state: State) -> str:
    kept = {name: state[name] for name in (*TRACKED, "points", "last_login_at")}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _check(folds: Folds, numbers: range) -> dict[str, Any]:
    """The first row, when all rows are those that the job's folds make of the same records."""
    folded = folds.apply(records(message(snapshot(n)) for n in numbers)).rows[DIM_CUSTOMER]
    folds.discard()
    for number, row in zip(numbers, folded, strict=True):
        made = log_rows(range(number, number + 1), folded[0], 0).to_pylist()[0]
        assert made == {**row, "batch_id": 0}, f"{made} is not what the job writes: {row}"
    return folded[0]


def _bronze(numbers: range, batch_id: int) -> pa.Table:
    table = arrow([message(snapshot(n)) for n in numbers])
    table = table.rename_columns([{"timestamp": "kafka_ts"}.get(n, n) for n in table.column_names])
    return table.append_column("batch_id", pa.repeat(pa.scalar(batch_id, pa.int64()), len(numbers))).cast(arrow_schema(RECORDS))


def _complete(batch_id: int, ends: Ends, query_id: str, rows: int) -> dict[str, Any]:
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=batch_id)
    row = {"batch_id": batch_id, "started_at": at, "committed_at": at, "records": rows, "rejected": 0, "rows_out": rows, "versions": "{}"}
    return {**row, "offsets": json.dumps({TOPIC: ends}), "query_id": query_id}


class Opened:
    """A lake at work. Opening fills the caches from the tables, which `fill_s` tells."""

    def __init__(self, root: Path) -> None:
        self.lake, self.checkpoint, self.marks = Lake(settings(root)), Checkpoint(settings(root)), Checkpoints(root)
        self.query_id = prepare_tables(self.lake, self.checkpoint)
        began = time.perf_counter()
        self.folds, *_ = open_folds(Lake(settings(root)), SCHEMAS.get)  # without the 360 view, which has a benchmark of its own
        self.fill_s = time.perf_counter() - began
        self.compactor = Compactor(Lake(settings(root)), TABLES)
        self.compactions = 0
        self.next_id = self.checkpoint.completed() + 1
        self._batch: Batch | None = None

    def apply(self, frame: DataFrame, ends: Ends) -> tuple[float, dict[str, float]]:
        """The fused batch: bronze, gold and ops.batches. Seconds, and the milliseconds of its stages.

        Compaction runs beside the job's batches; here some batches end with it, so that its whole time counts.
        """
        if self._batch is None:
            self._batch = Batch(self.lake, self.checkpoint, self.folds, SCHEMAS.get)
        self.marks.plan(self.next_id, ends)
        began = time.perf_counter()
        done = self._batch(frame, self.next_id)
        if self.next_id % LOOK_BATCHES == 0:
            self.compactions += sum(map(self.compactor.compact, self.compactor.due()))
        seconds = time.perf_counter() - began
        self.marks.finish(self.next_id)
        self.next_id += 1
        assert done.rejected == 0, f"{done.rejected} rejected"
        return seconds, done.stages_ms

    def fold(self, messages: Sequence[Message], ends: Ends) -> float:
        """The same records without Spark: decode, fold and append to gold, nothing else. Seconds."""
        self.marks.plan(self.next_id, ends)
        taken = records(messages)
        began = time.perf_counter()
        folded = self.folds.apply(taken)
        for table, rows in folded.rows.items():
            if rows:
                self.lake.append(table, [{**row, "batch_id": self.next_id} for row in rows], self.query_id, self.next_id)
        self.folds.commit()
        seconds = time.perf_counter() - began
        assert not folded.rejections, folded.rejections[:3]
        self.marks.finish(self.next_id)
        self.next_id += 1
        return seconds

    def open_count(self) -> int:
        return int(self._query("SELECT COUNT(*) AS n FROM newest WHERE is_visible AND is_current AND NOT is_deleted")[0]["n"])

    def version_count(self) -> int:
        return int(self._query("SELECT COUNT(*) AS n FROM newest WHERE is_visible")[0]["n"])

    def open_rows(self, numbers: Sequence[int]) -> dict[int, State]:
        """Open versions of these customers."""
        names = ", ".join(("customer_id", *TRACKED, "points"))
        found: dict[int, State] = {}
        for part in _parts(numbers, 5_000):
            bound = f"customer_id IN ({', '.join(map(str, part))})"
            sql = f"SELECT {names} FROM newest WHERE is_visible AND is_current AND NOT is_deleted"
            found |= {row["customer_id"]: row for row in self._query(sql, bound)}
        return found

    def close(self) -> None:
        if self._batch is not None:
            self._batch.threads.shutdown()

    def _query(self, sql: str, bound: str = "") -> list[dict[str, Any]]:
        inner = DIM_CUSTOMER.newest_sql(DIM_CUSTOMER.entity, bound)
        return self.lake.query(DIM_CUSTOMER, f"WITH newest AS ({inner}) {sql}").to_pylist()


def _parts(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
