"""One table size in a process of its own, so that its memory and its garbage collection are its own: a Spark session, the lake job's
tables, and the reference's. The functions are called in that process, one at a time, by a `ProcessPoolExecutor`.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import scd2_lake
from scd2_chained import Bare, Chained
from scd2_changes import Change, Message, State, Workload
from scd2_merge import Merging

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass
class Bench:
    """What the process holds between two calls."""

    workload: Workload
    batches: Iterator[list[Change]]
    opened: scd2_lake.Opened
    spark: SparkSession
    merging: Merging | None
    bare: Bare | None = None
    table: pa.Table | None = None


held: list[Bench] = []


def make(root: Path, rows: int) -> None:
    scd2_lake.make(root, rows)


def start(root: Path, workload: Workload, sizes: list[int], memory: str, reference: type[Merging] | None = None) -> dict[str, float]:
    """Fill the caches, then start Spark. `sizes`: of all batches to come. Returns what the start costs."""
    gc.collect()
    before = psutil.Process().memory_info().rss
    opened = scd2_lake.Opened(root)
    filled = psutil.Process().memory_info().rss
    spark = scd2_lake.session(root, memory)
    merging = reference and reference(spark, root / "merge", workload.rows)
    bare = Bare(spark, root) if reference is Chained else None
    batches = (workload.batch(size) for size in sizes)
    held[:] = [Bench(workload, batches, opened, spark, merging, bare)]
    return {"fill_s": opened.fill_s, "fill_rss_mb": (filled - before) / 1e6}


def draw() -> int:
    """Make the next batch; returns its changes' number."""
    bench = held[0]
    changes = next(bench.batches)
    bench.table = scd2_lake.arrow(bench.workload.messages(changes))
    return len(changes)


def ours() -> tuple[float, dict[str, float]]:
    bench = held[0]
    return bench.opened.apply(bench.spark.createDataFrame(bench.table), bench.workload.ends)


def merged() -> float:
    bench = held[0]
    assert bench.merging is not None
    return bench.merging.apply(bench.table)


def appended() -> float:
    bare = held[0].bare
    assert bare is not None
    return bare.apply()


def memory() -> dict[str, float]:
    bench = held[0]
    jvm = psutil.Process(scd2_lake.jvm(bench.spark)).memory_info().rss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"rss_mb": psutil.Process().memory_info().rss / 1e6, "peak_rss_mb": peak / 1e6, "jvm_rss_mb": jvm / 1e6}


def facts() -> dict[str, Any]:
    """What the changes were."""
    workload, lengths = held[0].workload, held[0].workload.lengths
    mean = round(sum(lengths) / len(lengths), 3)
    return {"kinds": workload.kinds, "mean_history_met": mean, "compactions": held[0].opened.compactions}


def wrong() -> dict[str, int]:
    """Open versions that differ from the source's state, for ours and the reference."""
    bench = held[0]
    found = {"ours": differences(bench.workload, bench.opened)}
    if bench.merging is not None:
        found["merge"] = differences(bench.workload, bench.merging)
    return found


def differences(workload: Workload, contender: scd2_lake.Opened | Merging) -> int:
    """Wrong, missing or left over among the open versions: every changed customer's, and the number of all."""
    rows = contender.open_rows(sorted(workload.changed))
    bad = sum(1 for n, state in workload.changed.items() if not same(rows.get(n), state))
    return bad + abs(contender.open_count() - workload.open)


def same(row: State | None, state: State | None) -> bool:
    return row is None if state is None else row is not None and all(row[c] == state[c] for c in row)


def stop() -> None:
    bench = held.pop()
    for contender in (bench.opened, bench.merging, bench.bare):
        if contender is not None:
            contender.close()
    bench.spark.stop()


def without_spark(root: Path, workload: Workload, sizes: list[int]) -> dict[str, Any]:
    """Seconds of each batch by fold and delta-rs alone."""
    opened = scd2_lake.Opened(root)
    seconds = []
    for size in sizes:
        messages: list[Message] = workload.messages(workload.batch(size))
        seconds.append(opened.fold(messages, workload.ends))
    return {"seconds": seconds, "wrong": differences(workload, opened), "versions": opened.version_count()}


def versions() -> int:
    return held[0].opened.version_count()
