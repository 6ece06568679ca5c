"""What was received, as received: Spark appends it to bronze, and the driver takes the records that it folds."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from schemas.tables import RECORDS
from stream_jobs.entity import Record, Row
from stream_jobs.values import EPOCH

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LINK_HEADERS = ("__debezium.newkey", "__debezium.oldkey")
RAW = ("topic", "partition", "offset", "timestamp", "headers", "key", "value")


def received(batch: DataFrame) -> DataFrame:
    """The columns of the Kafka source, in one partition: at these sizes a task costs more than its rows."""
    return batch.select(*RAW).coalesce(1)


def records(raw: DataFrame, batch_id: int) -> DataFrame:
    """Rows of bronze.records."""
    kafka_names = {"kafka_ts": "timestamp", "batch_id": f"CAST({batch_id} AS BIGINT)"}
    return raw.selectExpr(*(f"{kafka_names.get(c.name, c.name)} AS {c.name}" for c in RECORDS.columns))


def append(rows: DataFrame, uri: str, query_id: str, batch_id: int) -> None:
    """One Delta commit, stamped so that a replay of the batch can find it.

    Not by Delta's txnAppId: its check rebuilds the table's state, which more than doubles the cost of a small commit.
    """
    stamp = json.dumps({"query": query_id, "batch": batch_id})
    rows.write.format("delta").mode("append").option("userMetadata", stamp).save(uri)


def record_of(row: Row) -> Record:
    """A row of bronze as the record that it was."""
    headers = tuple((h["key"], h["value"]) for h in row["headers"] or [])
    micros = (row["kafka_ts"] - EPOCH) // dt.timedelta(microseconds=1)
    return Record(row["topic"], row["partition"], row["offset"], micros, row["key"], row["value"], headers)


def take(raw: DataFrame, topics: Iterable[str]) -> list[Record]:
    """The records of the topics, in the order of their partitions, with the headers that mean something. One Spark job."""
    import pyarrow as pa

    names, links = (", ".join(f"'{n}'" for n in found) for found in (topics, LINK_HEADERS))
    read = (
        raw.where(f"topic IN ({names})")
        .selectExpr(*Record._fields[:3], "timestamp", "key", "value", f"filter(headers, h -> h.key IN ({links})) AS headers")
        .toArrow()
    )
    micros = read["timestamp"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
    columns = [read[n].to_pylist() for n in ("topic", "partition", "offset", "key", "value", "headers")]
    return [
        Record(topic, partition, offset, at, key, value, tuple((h["key"], h["value"]) for h in headers or ()))
        for topic, partition, offset, key, value, headers, at in zip(*columns, micros, strict=True)
    ]
