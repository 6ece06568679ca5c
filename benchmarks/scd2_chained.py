"""Three tables one behind the other, as the medallion layout is usually built, and what the least three commits cost.

Each step reads what the one before it committed: bronze as it came, silver decoded, gold merged. In Structured Streaming these are three
queries, with a trigger and a checkpoint each; only their batches count here, which favours them.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from scd2_merge import DECODED, Merging

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Chained(Merging):
    def __init__(self, spark: SparkSession, root: Path, rows: int) -> None:
        super().__init__(spark, root, rows)
        self.silver = root.absolute() / "silver"

    def apply(self, table: pa.Table) -> float:
        """Seconds of one batch; the frame is made before."""
        frame = self.spark.createDataFrame(table)
        began = time.perf_counter()
        self._store(frame.coalesce(1))
        self._committed(self.bronze).createOrReplaceTempView("raw")
        decoded = self.spark.sql(DECODED).selectExpr("*", f"CAST({self.batch} AS BIGINT) AS batch_id")
        decoded.coalesce(1).write.format("delta").mode("append").save(str(self.silver))
        self._committed(self.silver).createOrReplaceTempView("changes")
        self._merge("SELECT * EXCEPT (batch_id) FROM changes")
        self.batch += 1
        return time.perf_counter() - began

    def _committed(self, path: Path) -> DataFrame:
        """This batch's rows of a table; statistics of the files keep the others out."""
        return self.spark.read.format("delta").load(str(path)).where(f"batch_id = {self.batch}")


class Bare:
    """Three tables, and nothing to do but to append a row to each."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        self.spark = spark.newSession()
        self.tables = [root.absolute() / f"bare-{n}" for n in range(3)]
        self.threads = ThreadPoolExecutor(len(self.tables))

    def apply(self) -> float:
        """Seconds until all three, in threads as the fused batch has them, are committed."""
        row = self.spark.range(1).coalesce(1)
        began = time.perf_counter()
        list(self.threads.map(lambda path: row.write.format("delta").mode("append").save(str(path)), self.tables))
        return time.perf_counter() - began

    def close(self) -> None:
        self.threads.shutdown()
