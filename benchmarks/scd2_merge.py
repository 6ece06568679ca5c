"""The usual way of SCD2 in Structured Streaming, as the benchmark's reference: one Delta MERGE in each batch.

foreachBatch decodes the records, keeps the newest change of each customer, stages a changed one twice (under its key to close the open
version, under NULL to insert the new one) and merges once; bronze is appended beside it. It is helped where that can be: a hash of the
tracked columns, changes that are cached and broadcast, and what was measured to be the fastest at the table's size. A change that comes
late is dropped, since the MERGE that could place it must read closed versions too; a deleted customer's version is closed.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from scd2_changes import SCHEMAS, SNAPSHOT_LSN, SNAPSHOT_US, TRACKED, VALUE_ID, State, initial

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Two slow cores, batches of 200 changes. 10,000 rows: 2.3 s as the job's session is, 3 s with adaptive plans, 4 s and more with deletion
# vectors. 1,000,000 rows: 4 s with code generation and deletion vectors, 6 s without the vectors, 8 s without the code generation.
LARGE = 100_000
LARGE_SESSION = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
HASH = f"xxhash64({', '.join(TRACKED)})"
KEPT = (*TRACKED, "points", "last_login_at")
CHUNK = 100_000
DECODED = f"""
SELECT op, lsn, ts_us, row.customer_id, {", ".join(f"row.{c}" for c in TRACKED)}, row.points,
       CAST(row.last_login_at AS TIMESTAMP) AS last_login_at
FROM (SELECT e.op, e.source.lsn AS lsn, e.source.ts_us AS ts_us, coalesce(e.after, e.before) AS row
      FROM (SELECT from_avro(substring(value, 6), '{json.dumps(SCHEMAS[VALUE_ID])}', map('mode', 'FAILFAST')) AS e
            FROM raw WHERE value IS NOT NULL))
"""
NEWEST = f"""
SELECT *, {HASH} AS hash, timestamp_micros(ts_us) AS at
FROM (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY lsn DESC) AS place FROM ({{changes}})) WHERE place = 1
"""
STAGED = """
SELECT customer_id AS merge_key, * FROM newest
UNION ALL
SELECT NULL AS merge_key, n.*
FROM {dim} AS d JOIN newest AS n ON d.customer_id = n.customer_id
WHERE d.is_current AND n.op <> 'd' AND n.lsn > d.lsn AND n.hash <> d.hash
"""
VALUES = {
    "customer_id": "s.customer_id",
    **{c: f"s.{c}" for c in KEPT},
    "hash": "s.hash",
    "lsn": "s.lsn",
    "valid_from": "s.at",
    "valid_to": "NULL",
    "is_current": "true",
    "closed_by": "NULL",
    "batch_id": "{batch}",
}
MERGE = f"""
MERGE INTO {{dim}} AS d USING staged AS s ON d.customer_id = s.merge_key AND d.is_current
WHEN MATCHED AND s.op = 'd' AND s.lsn > d.lsn
  THEN UPDATE SET is_current = false, valid_to = s.at, closed_by = 'delete', batch_id = {{batch}}
WHEN MATCHED AND s.lsn > d.lsn AND s.hash <> d.hash
  THEN UPDATE SET is_current = false, valid_to = s.at, closed_by = 'change', batch_id = {{batch}}
WHEN MATCHED AND s.lsn > d.lsn AND (NOT s.points <=> d.points OR NOT s.last_login_at <=> d.last_login_at)
  THEN UPDATE SET points = s.points, last_login_at = s.last_login_at, lsn = s.lsn, batch_id = {{batch}}
WHEN NOT MATCHED AND s.op <> 'd' THEN INSERT ({", ".join(VALUES)}) VALUES ({", ".join(VALUES.values())})
"""


class Merging:
    """The reference's tables below a folder. Its batches take the same frames as the lake job's."""

    def __init__(self, spark: SparkSession, root: Path, rows: int) -> None:
        self.spark = spark.newSession()
        for name, value in (LARGE_SESSION if rows > LARGE else {}).items():
            self.spark.conf.set(name, value)
        self.dim, self.bronze = f"delta.`{root.absolute()}/dim`", root.absolute() / "bronze"
        self.batch = 0
        self.threads = ThreadPoolExecutor(1)
        self._begin(root, rows)

    def apply(self, table: pa.Table) -> float:
        """Seconds of one batch; the frame is made before."""
        frame = self.spark.createDataFrame(table)
        began = time.perf_counter()
        raw = frame.coalesce(1).persist()
        storing = self.threads.submit(self._store, raw)
        raw.createOrReplaceTempView("raw")
        self._merge(DECODED)
        storing.result()
        raw.unpersist()
        self.batch += 1
        return time.perf_counter() - began

    def open_count(self) -> int:
        return self.spark.sql(f"SELECT 1 FROM {self.dim} WHERE is_current").count()

    def open_rows(self, numbers: list[int]) -> dict[int, State]:
        names = ", ".join(("customer_id", *TRACKED, "points"))
        self.spark.createDataFrame(pa.table({"id": numbers})).createOrReplaceTempView("asked")
        found = self.spark.sql(f"SELECT {names} FROM {self.dim} JOIN asked ON id = customer_id WHERE is_current").toArrow()
        return {row["customer_id"]: row for row in found.to_pylist()}

    def close(self) -> None:
        self.threads.shutdown()

    def _merge(self, changes: str) -> None:
        newest = self.spark.sql(NEWEST.format(changes=changes)).coalesce(1).persist()
        newest.hint("broadcast").createOrReplaceTempView("newest")
        staged = self.spark.sql(STAGED.format(dim=self.dim))
        staged.hint("broadcast").createOrReplaceTempView("staged")
        self.spark.sql(MERGE.format(dim=self.dim, batch=self.batch))
        newest.unpersist()

    def _store(self, raw: DataFrame) -> None:
        stored = raw.withColumnRenamed("timestamp", "kafka_ts").selectExpr("*", f"CAST({self.batch} AS BIGINT) AS batch_id")
        stored.write.format("delta").mode("append").save(str(self.bronze))

    def _begin(self, root: Path, rows: int) -> None:
        """The table that follows from the snapshot, in a few files."""
        first = root.absolute() / "first.parquet"
        root.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(first, _part(range(1)).schema) as writer:
            for start in range(0, rows, CHUNK):
                writer.write_table(_part(range(start, min(rows, start + CHUNK))))
        frame = self.spark.read.parquet(str(first)).selectExpr(
            "customer_id",
            *KEPT[:-1],
            "CAST(last_login_at AS TIMESTAMP) AS last_login_at",
            f"{HASH} AS hash",
            f"CAST({SNAPSHOT_LSN} AS BIGINT) AS lsn",
            f"timestamp_micros({SNAPSHOT_US} + customer_id) AS valid_from",
            "CAST(NULL AS TIMESTAMP) AS valid_to",
            "true AS is_current",
            "CAST(NULL AS STRING) AS closed_by",
            "CAST(0 AS BIGINT) AS batch_id",
        )
        writer = frame.write.format("delta").option("delta.enableDeletionVectors", str(rows > LARGE).lower())
        writer.save(f"{root.absolute()}/dim")
        first.unlink()


def _part(numbers: range) -> pa.Table:
    states: list[dict[str, Any]] = [initial(n) for n in numbers]
    columns: dict[str, Any] = {name: [s[name] for s in states] for name in ("customer_id", *TRACKED, "points")}
    return pa.table({**columns, "last_login_at": pa.nulls(len(states), pa.string())})
