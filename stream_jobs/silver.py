"""Documents of MongoDB as typed rows: the change events of the MongoDB source connector, decoded inside the JVM.

The connector's default value schema (mongo-kafka-connect 2.0.1) has the document and its key as JSON text:
`operationType`, `fullDocument`, `documentKey {"_id": ..}`, `clusterTime {"$timestamp": {"t": seconds, "i": counter}}`, NULL when the
document was copied at the start. A change whose document was deleted before the connector could look it up says
nothing: the deletion follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.tables import CLICKSTREAM, LINEAGE_NAMES, REVIEWS, Column, Table
from schemas.topics import CLICKSTREAM as CLICKSTREAM_TOPIC
from schemas.topics import REVIEWS as REVIEWS_TOPIC
from schemas.topics import Topic
from schemas.types import SPARK
from stream_jobs import decode
from stream_jobs.decode import Schema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FIELDS = ("operationType", "fullDocument", "documentKey", "clusterTime")
CHANGES = "'insert', 'update', 'replace', 'delete'"
CLUSTER_TIME = "`$timestamp` STRUCT<t: BIGINT, i: BIGINT>"
CORRUPT = "_corrupt"


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

    def read(self, raw: DataFrame, known: Mapping[int, Schema]) -> DataFrame:
        """Every record of the topic: Kafka's columns, `sid`, `reason`, `op`, `id`, `doc` and `at` (parsed, NULL where unusable)."""
        position = ("topic", "partition", "offset", "timestamp")
        ddl = ", ".join([*(f"{c.name} {SPARK[c.type]}" for c in self.fields), f"{CORRUPT} STRING"])
        options = f"map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', '{CORRUPT}')"
        bytes_ = raw.where(f"topic = '{self.topic.name}'").selectExpr(*position, "key", "value", f"{decode.schema_id()} AS sid")
        avro = bytes_.selectExpr("*", f"{decode.avro_struct(known, FIELDS)} AS e")
        parsed = avro.selectExpr(
            *position,
            "key",
            "value",
            "sid",
            f"{decode.reason(known, 'e')} AS wire_reason",
            "e.operationType AS op",
            "e.fullDocument IS NOT NULL AS has_document",
            "e.clusterTime IS NOT NULL AS has_time",
            "get_json_object(e.documentKey, '$._id') AS id",
            f"from_json(e.fullDocument, {decode.sql_text(ddl)}, {options}) AS doc",
            f"from_json(e.clusterTime, {decode.sql_text(CLUSTER_TIME)}).`$timestamp` AS at",
        )
        bad = f"op IN ({CHANGES}) AND (id IS NULL OR doc.{CORRUPT} IS NOT NULL OR (has_time AND (at.t IS NULL OR at.i IS NULL)))"
        seen = f"coalesce(wire_reason, CASE WHEN value IS NOT NULL AND (op IS NULL OR ({bad})) THEN 'undecodable' END) AS reason"
        return parsed.selectExpr("*", seen)

    def rows(self, raw: DataFrame, known: Mapping[int, Schema], batch_id: int) -> DataFrame:
        """Rows of the table: the newest change of each document in this batch. Readers only take the newest anyway."""
        values = {
            self.key: "id",
            "seq": "coalesce(shiftleft(at.t, 32) | at.i, 0)",
            "source_offset": "offset",
            "is_deleted": "op = 'delete'",
            **{c.name: f"doc.{c.name}" for c in self.fields},
            "event_ts": "timestamp_seconds(at.t)",
            "kafka_ts": "timestamp",
            "origin": "concat_ws('/', topic, partition, offset)",
            "batch_id": f"CAST({batch_id} AS BIGINT)",
        }
        usable = self.read(raw, known).where(f"reason IS NULL AND op IN ({CHANGES}) AND (op = 'delete' OR has_document)")
        typed = usable.selectExpr(*(f"{values[c.name]} AS {c.name}" for c in self.table.columns))
        order = ", ".join(f"{c} DESC" for c in self.table.newest)
        ranked = typed.selectExpr("*", f"row_number() OVER (PARTITION BY {self.key} ORDER BY {order}) AS newest_rank")
        return ranked.where("newest_rank = 1").drop("newest_rank")


DOCUMENTS = (Documents(CLICKSTREAM_TOPIC, CLICKSTREAM), Documents(REVIEWS_TOPIC, REVIEWS))
