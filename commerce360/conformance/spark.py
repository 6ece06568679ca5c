"""The lake job as an engine: its batches, over tables in a temporary lake.

What Kafka would hand to a batch is made here, and a change is said in the terms of the rules; the rest is the job's own code.
"""

from __future__ import annotations

import io
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro

from commerce360.conformance.cases import Batch as CaseBatch
from commerce360.conformance.runner import Row, Run
from commerce360.conformance.tables import FACT_PREFIX, SCOPE, Group, as_row, as_target, groups, rows_sql, targets_sql
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.reading import DATAFUSION, SPARK, Dialect
from schemas.tables import BATCHES, DEAD_LETTERS, RECORDS, Table
from stream_jobs.batch import Batch
from stream_jobs.checkpoint import Offsets
from stream_jobs.entity import Record
from stream_jobs.folds import Folds
from stream_jobs.rebuild import agree, check
from stream_jobs.scd2.facts import Target
from stream_jobs.scd2.roles import Roles
from stream_jobs.session import open_session
from stream_jobs.silver import DOCUMENTS
from stream_jobs.values import timestamp

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = {"type": "record", "name": "Change", "fields": [{"name": "change", "type": "string"}]}
SCHEMA_ID = 1
START_US = 1_790_000_000_000_000
COMMON = (RECORDS, DEAD_LETTERS, *(d.table for d in DOCUMENTS))
FRAME = (
    "topic string, partition int, offset long, timestamp timestamp, "
    "headers array<struct<key: string, value: binary>>, key binary, value binary"
)
CRASHES = 3  # at most, of one batch
Select = Callable[[Mapping[str, str], Dialect], str]


class CrashedError(Exception):
    """The batch was stopped at one of its commits, as a case asked."""


class Plan:
    """What Spark's checkpoint would say of the batches."""

    def __init__(self) -> None:
        self._ends: dict[int, Offsets] = {}

    def create(self) -> str:
        return "conformance"

    def note(self, batch_id: int, ends: Offsets) -> None:
        self._ends[batch_id] = ends

    def ends(self, batch_id: int) -> Offsets:
        return self._ends.get(batch_id, {})


class SparkEngine:
    """All cases in one session and one lake, which is temporary."""

    name = "spark"
    declares_new = False  # new columns come by themselves

    def __init__(self, lake: LakeSettings, session: SparkSession | None = None) -> None:
        """`lake` says how Spark is started; its tables are not touched. With a `session`, none is started."""
        self._settings = lake
        self._given = session
        self._own: SparkSession | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._batch: Batch | None = None
        self._dice = random.Random(4)  # noqa: S311 - where a batch crashes
        self._fuse = ""  # the table behind whose commit it crashes
        self.crashes: list[str] = []

    def open(self, runs: Sequence[Run]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="c360-scd2-")
        root = Path(self._folder.name)
        settings = self._settings.model_copy(update={"root": str(root / "lake"), "checkpoint": str(root / "checkpoint")})
        if self._given is None:
            self._own = open_session(settings, root / "scratch")
        self.lake = Lake(settings)
        self.groups, self._refused = groups(runs, self.declares_new)
        self._of_run = {run: group for group in self.groups for run in group.runs}
        self.tables: tuple[Table, ...] = (*COMMON, *(t for g in self.groups for t in g.tables), BATCHES)
        for table in self.tables:
            self.lake.create(table)
        for group in self.groups:
            agree(self.lake, group.dimension)
        self.plan, self._batch_id = Plan(), -1
        self._offsets: dict[str, int] = defaultdict(int)
        self._through_spark = False
        self._batch = self._started()

    @property
    def session(self) -> SparkSession:
        found = self._given or self._own
        assert found is not None
        return found

    @property
    def batch(self) -> Batch:
        assert self._batch is not None
        return self._batch

    def close(self) -> None:
        if self._batch is not None:
            self.batch.threads.shutdown()
        if self._own is not None:
            self._own.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def deliver(self, step: Mapping[str, CaseBatch]) -> dict[str, ConfigError]:
        errors = {name: error for name, batch in step.items() if (error := self._drift(name, batch)) is not None}
        taken = {name: batch for name, batch in step.items() if name not in errors}
        self._batch_id += 1
        records = self._records(taken)
        for table in self._places(taken) if any(batch.crash for batch in taken.values()) else ():
            if not self._crashed(records, table):
                self._batch_id += 1  # it had no commit there: it comes once more
                records = self._records(taken)
        self.batch(self._frame(records), self._batch_id)
        return errors

    def settle(self) -> None:
        self._through_spark = True

    def rows(self, runs: Sequence[str]) -> Mapping[str, list[Row]]:
        found: dict[str, list[Row]] = {run: [] for run in runs}
        for group in self._of(runs):
            table = self._table(group)
            for row in self.select_rows(group):
                if row[SCOPE.name] in found:
                    found[row[SCOPE.name]].append(as_row(row, group.dimension.roles, table))
        return found

    def targets(self, runs: Sequence[str]) -> Mapping[str, Mapping[Any, Target]]:
        found: dict[str, dict[Any, Target]] = {run: {} for run in runs}
        for group in self._of(runs):
            for row in self.select_targets(group):
                if row[SCOPE.name] in found:
                    found[row[SCOPE.name]][json.loads(row["fact_id"])] = as_target(row)
        return found

    def rejections(self, runs: Sequence[str]) -> Mapping[str, list[Row]]:
        """Dead letters; those that say the very same are one (R5)."""
        found: dict[str, dict[tuple[str, str], Row]] = {run: {} for run in runs}
        for row in self.lake.newest(DEAD_LETTERS).to_pylist():
            if row["topic"] in found:
                found[row["topic"]][row["reason"], row["detail"]] = {"reason": row["reason"], **_named(row["detail"])}
        return {run: list(letters.values()) for run, letters in found.items()}

    def select_rows(self, group: Group) -> list[Row]:
        return self._select(group, partial(rows_sql, group, self._table(group)))

    def select_targets(self, group: Group) -> list[Row]:
        return self._select(group, partial(targets_sql, group))

    def _select(self, group: Group, sql: Select) -> list[Row]:
        """Rows of the reading view. After every batch by the engine that needs no Spark job; at the end as Spark's users read it."""
        tables = (self._table(group), group.facts.table)
        dialect = SPARK if self._through_spark else DATAFUSION
        newest = {t.name: t.newest_sql(t.entity, quote=dialect.quote) for t in tables}
        if not self._through_spark:
            there: list[Row] = self.lake.sql(tables, sql(newest, dialect)).to_pylist()
            return there
        for table in tables:
            self.session.read.format("delta").load(self.lake.uri(table)).createOrReplaceTempView(table.entity)
        found: list[Row] = self.session.sql(sql(newest, dialect)).toArrow().to_pylist()
        return found

    def _of(self, runs: Iterable[str]) -> list[Group]:
        wanted = frozenset(runs)
        return [group for group in self.groups if group.runs & wanted]

    def _table(self, group: Group) -> Table:
        """With the columns that it has by now."""
        return self.batch.folds.logs[group.dimension.table.name].entity.table

    def _drift(self, run: str, batch: CaseBatch) -> ConfigError | None:
        """What the job's start says to the configuration of the batch."""
        if run in self._refused:
            return self._refused[run]
        try:
            if batch.config is not None:
                check(self.lake, self._of_run[run].dimension.table, Roles.of(batch.config))
        except ConfigError as error:
            return error
        return None

    def _started(self) -> Batch:
        """As after a start of the job: all that it knows is in the tables."""
        schemas = {SCHEMA_ID: SCHEMA}.get
        entities = [e for g in self.groups for e in (g.dimension, g.facts)]
        return Batch(self.lake, self.plan, Folds(Lake(self.lake.settings), schemas, entities), schemas, self._reached, self.tables)

    def _places(self, runs: Iterable[str]) -> list[str]:
        """Tables behind whose commits a batch crashes, one try after the other, in the order in which it writes them."""
        commits = [DEAD_LETTERS.name, *(t.name for g in self._of(runs) for t in g.tables), RECORDS.name, BATCHES.name]
        chosen = self._dice.sample(range(len(commits)), self._dice.randint(1, CRASHES))
        return [commits[place] for place in sorted(chosen)]

    def _crashed(self, records: Sequence[Record], table: str) -> bool:
        """Stop the batch behind its commit to the table and start anew. False when it went through."""
        self._fuse = table
        try:
            self.batch(self._frame(records), self._batch_id)
        except CrashedError as stopped:
            self.crashes.append(str(stopped))
            self.batch.threads.shutdown()
            self._batch = self._started()
            return True
        finally:
            self._fuse = ""
        return False

    def _reached(self, table: str, batch_id: int) -> None:
        if table == self._fuse:
            raise CrashedError(f"behind {table} of batch {batch_id}")

    def _records(self, step: Mapping[str, CaseBatch]) -> list[Record]:
        made = []
        for run, batch in step.items():
            made += [self._record(run, change) for change in batch.changes]
            made += [self._record(FACT_PREFIX + run, fact) for fact in batch.facts]
        self.plan.note(self._batch_id, {topic: {0: end} for topic, end in self._offsets.items()})
        return made

    def _record(self, topic: str, content: Any) -> Record:
        """A repetition is a record of its own, at a new offset."""
        offset = self._offsets[topic]
        self._offsets[topic] += 1
        out = io.BytesIO()
        fastavro.schemaless_writer(out, SCHEMA, {"change": json.dumps(content)})
        return Record(topic, 0, offset, START_US + offset, None, b"\0" + SCHEMA_ID.to_bytes(4, "big") + out.getvalue())

    def _frame(self, records: Sequence[Record]) -> DataFrame:
        rows: list[tuple[Any, ...]] = [(r.topic, r.partition, r.offset, timestamp(r.timestamp_us), [], r.key, r.value) for r in records]
        return self.session.createDataFrame(rows, FRAME)


def _named(detail: str | None) -> Row:
    try:
        found = json.loads(detail or "{}")
    except ValueError:
        found = {}
    return {k: found.get(k) for k in ("op", "key", "seq")} if isinstance(found, dict) else {}
