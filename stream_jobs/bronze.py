"""Spark's part of a batch: what was received, as received, and stamped appends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schemas.tables import RECORDS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

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
