"""Spark's commit of bronze, begun before the lake was taken by another job, fails as those of delta-rs do."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lake_job import lake_settings

from commerce360.lake import Lake
from schemas.tables import RECORDS
from stream_jobs import bronze
from stream_jobs.ownership import OWNER

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

AT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize("taken", [True, False])
def test_an_append_that_another_owner_came_between(spark: SparkSession, tmp_path: Path, taken: bool) -> None:
    from py4j.protocol import Py4JJavaError

    lake = Lake(lake_settings(tmp_path))
    lake.create(RECORDS)
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"

    def halted(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        begun.touch()
        while not go_on.exists():
            time.sleep(0.05)
        yield from parts

    rows = [("orders", 0, offset, AT, None, b"k", b"v", 3) for offset in range(5)]
    row = spark.createDataFrame(rows, bronze.records(spark.createDataFrame([], _raw()), 3).schema)
    failed = list[Py4JJavaError]()

    def append() -> None:
        try:
            bronze.append(row.coalesce(1).mapInArrow(halted, row.schema), lake.uri(RECORDS), "query", 3)
        except Py4JJavaError as error:
            failed.append(error)

    thread = threading.Thread(target=append)
    thread.start()
    try:
        deadline = time.monotonic() + 120
        while not begun.exists():
            assert time.monotonic() < deadline
            assert thread.is_alive(), failed
            time.sleep(0.05)
        if taken:
            lake.set_properties(RECORDS, {OWNER: "1"})
    finally:
        go_on.touch()
        thread.join(60)
    assert ["MetadataChangedException" in str(e) for e in failed] == ([True] if taken else [])
    assert lake.query(RECORDS, "SELECT COUNT(*) AS n FROM records")["n"].to_pylist() == [0 if taken else 5]


def _raw() -> str:
    header = "ARRAY<STRUCT<key: STRING, value: BINARY>>"
    return f"topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, headers {header}, key BINARY, value BINARY"
