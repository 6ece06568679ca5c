"""What the driver takes out of a batch: records to fold, documents that cannot be used, and what was there at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.topics import TOPICS
from stream_jobs.decode import Schema
from stream_jobs.entity import Record, Rejection
from stream_jobs.silver import DOCUMENTS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

LINK_HEADERS = "__debezium.newkey", "__debezium.oldkey"
FOLDED = tuple(t.name for t in TOPICS if t.name not in {d.topic.name for d in DOCUMENTS})
DETAIL = {
    "bad_magic": "does not begin with a zero byte and a schema id",
    "unknown_schema": "schema id {sid} is not in the registry",
    "undecodable": "bytes, JSON or key do not fit schema {sid}",
}


@dataclass
class Taken:
    records: list[Record] = field(default_factory=list)  # of the folded topics, in the order of their partitions
    rejections: list[Rejection] = field(default_factory=list)  # of the document topics
    counts: Counter[str] = field(default_factory=Counter)  # records a topic
    unknown_ids: set[int] = field(default_factory=set)  # schema ids nobody asked the registry for


def take(raw: DataFrame, known: Mapping[int, Schema], documents: bool = True) -> Taken:
    """One Spark job. Bytes travel only of records that the driver folds or rejects. `documents` false: none are there."""
    topics = ", ".join(f"'{t}'" for t in FOLDED)
    links = ", ".join(f"'{h}'" for h in LINK_HEADERS)
    frame = raw.where(f"topic IN ({topics})").selectExpr(
        *("topic", "partition", "offset", "timestamp", "key", "value"),
        f"filter(headers, h -> h.key IN ({links})) AS headers",
        "CAST(NULL AS STRING) AS reason",
        "CAST(NULL AS BIGINT) AS sid",
    )
    for part in DOCUMENTS if documents else ():
        frame = frame.unionAll(
            part.read(raw, known).selectExpr(
                *("topic", "partition", "offset", "timestamp"),
                "CASE WHEN reason IS NOT NULL THEN key END AS key",
                "CASE WHEN reason IS NOT NULL THEN value END AS value",
                "CAST(NULL AS ARRAY<STRUCT<key: STRING, value: BINARY>>) AS headers",
                "reason",
                "sid",
            )
        )
    return sort_out(frame.toArrow())


def sort_out(table: pa.Table) -> Taken:
    """Rows to records and rejections."""
    import pyarrow as pa

    timestamps = table["timestamp"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    names = ("topic", "partition", "offset", "key", "value", "headers", "reason", "sid")
    columns: dict[str, list[Any]] = {name: table[name].to_pylist() for name in names}
    made, folded = Taken(), frozenset(FOLDED)
    made.counts.update(columns["topic"])
    for row in zip(*(columns[n] for n in names), timestamps, strict=True):
        topic, partition, offset, key, value, headers, reason, sid, at = row
        if topic not in folded and reason is None:
            continue
        pairs = tuple((h["key"], h["value"]) for h in headers) if headers else ()
        record = Record(topic, partition, offset, at, key, value, pairs)
        if reason is None:
            made.records.append(record)
            continue
        made.rejections.append(Rejection(record, reason, DETAIL[reason].format(sid=sid)))
        if reason == "unknown_schema":
            made.unknown_ids.add(sid)
    return made
