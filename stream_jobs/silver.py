"""Documents of MongoDB as typed rows: the change events of the MongoDB source connector, decoded inside the JVM.

The connector's default value schema (mongo-kafka-connect 2.0.1) has the document and its key as JSON text:
`operationType`, `fullDocument`, `documentKey {"_id": ..}`, `clusterTime {"$timestamp": {"t": seconds, "i": counter}}`, NULL when the
document was copied at the start. A change whose document was deleted before the connector could look it up says
nothing: the deletion follows. A value that its column holds and that cannot be meant (`_limits`) makes the record a bad one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.behaviour import END_OF_TIME, FIRST_TIME, RATINGS
from schemas.tables import CLICKSTREAM, LINEAGE_NAMES, REVIEWS, Column, Table
from schemas.topics import CLICKSTREAM as CLICKSTREAM_TOPIC
from schemas.topics import REVIEWS as REVIEWS_TOPIC
from schemas.topics import Topic
from schemas.types import SPARK, arrow_schema
from stream_jobs import decode
from stream_jobs.decode import Schema
from stream_jobs.entity import Record, Rejection

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

FIELDS = ("operationType", "fullDocument", "documentKey", "clusterTime")
CHANGES = "'insert', 'update', 'replace', 'delete'"
CLUSTER_TIME = "`$timestamp` STRUCT<t: BIGINT, i: BIGINT>"
UINT32 = "BETWEEN 0 AND 4294967295"  # both parts of a BSON timestamp
CORRUPT = "_corrupt"
ASIDE = ("partition", "sid", "reason", "bad_fields", "is_change", "key_bytes", "value_bytes")  # what a row says beside its table's columns
OF_REJECTED = ("kafka_ts", "source_offset", *ASIDE)
DETAIL = {
    "bad_magic": "the value is not in the registry's wire format",
    "unknown_schema": "the value names schema {sid}",
    "undecodable": "the value: bytes, JSON or key do not fit schema {sid}",
    "bad_value": "the document: {bad_fields} out of range",
}


@dataclass(frozen=True)
class Sorted:
    """What a batch holds of one collection. `rows` is ready to append."""

    rows: pa.Table
    rejections: list[Rejection]
    unknown_ids: frozenset[int]
    records: int
    newest: dt.datetime | None = None  # of the times of its Kafka records


@dataclass(frozen=True)
class Documents:
    """One collection: its topic, its table, and which columns are fields of the document."""

    topic: Topic
    table: Table

    @property
    def key(self) -> str:
        return self.table.key[0]

    @property
    def fields(self) -> tuple[Column, ...]:
        ours = {self.key, "seq", "source_offset", "is_deleted", *LINEAGE_NAMES}
        return tuple(c for c in self.table.columns if c.name not in ours)

    def take(self, raw: DataFrame, known: Mapping[int, Schema], batch_id: int) -> Sorted:
        """One Spark job. The rows pass through the driver as Arrow, not as Python objects."""
        return self.sort(self.read(raw, known, batch_id).toArrow())

    def read(self, raw: DataFrame, known: Mapping[int, Schema], batch_id: int) -> DataFrame:
        """A row for every record of the topic: the columns of the table and those of `ASIDE`."""
        ddl = ", ".join([*(f"{c.name} {SPARK[c.type]}" for c in self.fields), f"{CORRUPT} STRING"])
        options = f"map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', '{CORRUPT}')"
        values = {
            self.key: "id",
            "seq": "coalesce(shiftleft(at.t, 32) | at.i, 0)",
            "source_offset": "offset",
            "is_deleted": "coalesce(op = 'delete', false)",
            **{c.name: f"doc.{c.name}" for c in self.fields},
            "event_ts": f"timestamp_seconds(CASE WHEN at.t {UINT32} THEN at.t END)",
            "kafka_ts": "timestamp",
            "origin": "concat_ws('/', topic, partition, offset)",
            "batch_id": f"CAST({batch_id} AS BIGINT)",
            "is_change": f"coalesce(op IN ({CHANGES}) AND (op = 'delete' OR e.fullDocument IS NOT NULL), false)",
            "key_bytes": "CASE WHEN reason IS NOT NULL THEN key END",
            "value_bytes": "CASE WHEN reason IS NOT NULL THEN value END",
        }
        steps = (
            ("*", f"{decode.schema_id()} AS sid"),
            ("*", f"{decode.avro_struct(known, FIELDS)} AS e"),
            (
                "*",
                "e.operationType AS op",
                "get_json_object(e.documentKey, '$._id') AS id",
                f"from_json(e.fullDocument, {decode.sql_text(ddl)}, {options}) AS doc",
                f"from_json(e.clusterTime, {decode.sql_text(CLUSTER_TIME)}).`$timestamp` AS at",
            ),
            ("*", f"{_bad_fields(self.fields)} AS bad_fields"),
            ("*", f"{_reason(known)} AS reason"),
            tuple(f"{values.get(n, n)} AS {n}" for n in (*(c.name for c in self.table.columns), *ASIDE)),
        )
        frame = raw.where(f"topic = '{self.topic.name}'")
        for step in steps:
            frame = frame.selectExpr(*step)
        return frame

    def sort(self, read: pa.Table) -> Sorted:
        """Of each document only the newest change of the batch: readers take no other."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names = ("reason", "is_change", self.key, *self.table.newest)
        newest: dict[str, tuple[list[int], int]] = {}
        bad: list[int] = []
        for place, (reason, is_change, key, *order) in enumerate(zip(*(read[n].to_pylist() for n in names), strict=True)):
            if reason is not None:
                bad.append(place)
            elif is_change and (key not in newest or newest[key][0] < order):
                newest[key] = (order, place)
        schema = arrow_schema(self.table)
        kept = read.take(pa.array(sorted(place for _, place in newest.values()), pa.int64())).select(schema.names).cast(schema)
        rejected = read.select(OF_REJECTED).take(pa.array(bad, pa.int64())).to_pylist()  # Python has no words for some of the other values
        unknown = frozenset(row["sid"] for row in rejected if row["reason"] == "unknown_schema")
        at = pc.max(read["kafka_ts"]).as_py()
        return Sorted(kept, [self._rejection(row) for row in rejected], unknown, read.num_rows, at)

    def _rejection(self, row: dict[str, Any]) -> Rejection:
        micros = int(row["kafka_ts"].timestamp() * 1000) * 1000  # Kafka keeps milliseconds
        record = Record(self.topic.name, row["partition"], row["source_offset"], micros, row["key_bytes"], row["value_bytes"])
        return Rejection(record, row["reason"], DETAIL[row["reason"]].format_map(row))


def _limits(column: Column) -> tuple[str, str] | None:
    """SQL of the least value and of the first that is too large, where a column has such."""
    if column.type == "timestamp":
        return f"TIMESTAMP'{FIRST_TIME.isoformat()}'", f"TIMESTAMP'{END_OF_TIME.isoformat()}'"
    return (str(RATINGS[0]), str(RATINGS[1] + 1)) if column.name == "rating" else None


def _bad_fields(fields: Iterable[Column]) -> str:
    """SQL of the names of the fields whose values cannot be meant; empty for none."""
    limited = ((c.name, *limits) for c in fields if (limits := _limits(c)))
    cases = (f"CASE WHEN doc.{name} < {least} OR doc.{name} >= {end} THEN '{name}' END" for name, least, end in limited)
    return f"concat_ws(', ', {', '.join(cases)})"


def _reason(known: Mapping[int, Schema]) -> str:
    no_time = f"e.clusterTime IS NOT NULL AND NOT coalesce(at.t {UINT32} AND at.i {UINT32}, false)"
    no_document = f"doc.{CORRUPT} IS NOT NULL OR (op <> 'delete' AND e.fullDocument IS NOT NULL AND doc IS NULL)"
    undecodable = f"op IS NULL OR (op IN ({CHANGES}) AND (id IS NULL OR {no_document} OR ({no_time})))"
    bad_value = f"op IN ({CHANGES}) AND bad_fields <> ''"
    mine = f"CASE WHEN value IS NULL THEN NULL WHEN {undecodable} THEN 'undecodable' WHEN {bad_value} THEN 'bad_value' END"
    return f"coalesce({decode.reason(known, 'e', FIELDS)}, {mine})"


DOCUMENTS = (Documents(CLICKSTREAM_TOPIC, CLICKSTREAM), Documents(REVIEWS_TOPIC, REVIEWS))
