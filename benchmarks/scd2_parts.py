"""The three measurements of the SCD2 benchmark. Each takes its contenders by turns in one run, so noise of the machine hits all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import scd2_worker as worker
from scd2_chained import Chained
from scd2_changes import PLAIN, TRACKED, State, Workload, initial
from scd2_merge import Merging

PEERS = Path("build/venv-bench/bin/python")
PEER_NAMES = ("customer_id", *TRACKED, "points")


@dataclass(frozen=True)
class Plan:
    """Sizes of everything. `warm`: batches of each part that come first and do not count."""

    work: Path
    small: int = 10_000
    large: int = 1_000_000
    changes: int = 200
    batches: int = 300
    warm: int = 20
    merge_batches: int = 60
    merge_large_batches: int = 20
    merge_warm: int = 20
    chain_batches: int = 40
    chain_warm: int = 20
    peer_rows: int = 100_000
    peer_batches: int = 10
    peer_changes: tuple[int, ...] = (200, 2_000)
    peer_warm: int = 10
    cold: float = 0.5
    memory: str = "1g"

    def workload(self, rows: int) -> Workload:
        return Workload(rows, like=self.small, cold=self.cold)


def _quiet(log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


class Process:
    """A process for one table size. An exception in it is raised here."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_quiet, initargs=(log,))

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()

    def call(self, function: Callable[..., Any], *given: Any) -> Any:
        return self.pool.submit(function, *given).result()


def by_size(plan: Plan, note: Callable[[str], None]) -> dict[str, Any]:
    """(a) The same number of changes in each batch, on a small and on a large table."""
    found: dict[str, Any] = {"rows": [plan.small, plan.large], "changes_a_batch": plan.changes, "batches": plan.batches, "warm": plan.warm}
    with Process(plan.work / "small.log") as small, Process(plan.work / "large.log") as large:
        both = {"small": (small, plan.small), "large": (large, plan.large)}
        for name, (process, rows) in both.items():
            root = _lake(plan, process, rows, "by-size", note)
            found[name] = process.call(worker.start, root, plan.workload(rows), _sizes(plan.warm + plan.batches, plan), plan.memory)
        taken: dict[str, list[tuple[float, dict[str, float]]]] = {name: [] for name in both}
        for place in range(plan.warm + plan.batches):
            for name, (process, _) in both.items():
                process.call(worker.draw)
                taken[name].append(process.call(worker.ours))
            if place % 20 == 19:
                note(f"(a) {place + 1} of {plan.warm + plan.batches} batches: {_last(taken['small'])} and {_last(taken['large'])} ms")
        for name, (process, _) in both.items():
            counted = taken[name][plan.warm :]
            found[name] |= spread([s for s, _ in counted])
            found[name]["stages_p50_ms"] = {
                stage: round(median(stages.get(stage, 0.0) for _, stages in counted), 1) for stage in sorted(counted[-1][1])
            }
            found[name] |= process.call(worker.memory) | process.call(worker.facts) | {"wrong": process.call(worker.wrong)["ours"]}
            process.call(worker.stop)
    names = ("total_s", "p50_ms", "p95_ms")
    found["ratio"] = {n: round(found["large"][n] / found["small"][n], 3) for n in names}
    return found


def by_merge(plan: Plan, note: Callable[[str], None]) -> dict[str, Any]:
    """(b) The fused batch and a MERGE for each batch, by turns in one Spark process, on the same changes."""
    found: dict[str, Any] = {}
    for rows, batches in ((plan.small, plan.merge_batches), (plan.large, plan.merge_large_batches)):
        if not batches:
            continue
        with Process(plan.work / f"merge-{rows}.log") as process:
            root = _lake(plan, process, rows, "by-merge", note)
            count = plan.merge_warm + batches
            process.call(worker.start, root, plan.workload(rows), _sizes(count, plan), plan.memory, Merging)
            ours, merge = list[float](), list[float]()
            for place in range(count):
                process.call(worker.draw)
                ours.append(process.call(worker.ours)[0])
                merge.append(process.call(worker.merged))
                if place % 5 == 4:
                    note(f"(b) {rows:,} rows, {place + 1} of {count} batches: {ours[-1] * 1000:.0f} ms, MERGE {merge[-1] * 1000:.0f} ms")
            counted = {"ours": spread(ours[plan.merge_warm :]), "merge": spread(merge[plan.merge_warm :])}
            ratio = round(counted["ours"]["total_s"] / counted["merge"]["total_s"], 3)
            found[str(rows)] = {"batches": batches, "warm": plan.merge_warm, "changes_a_batch": plan.changes, **counted, "ratio": ratio}
            found[str(rows)] |= process.call(worker.facts) | {"wrong": process.call(worker.wrong)}
            process.call(worker.stop)
    return found


def by_chain(plan: Plan, note: Callable[[str], None]) -> dict[str, Any]:
    """(d) The fused batch, three steps one behind the other, and three bare commits, by turns in one Spark process."""
    count = plan.chain_warm + plan.chain_batches
    taken: dict[str, list[float]] = {"ours": [], "chained": [], "bare": []}
    with Process(plan.work / "chain.log") as process:
        root = _lake(plan, process, plan.small, "by-chain", note)
        process.call(worker.start, root, plan.workload(plan.small), _sizes(count, plan), plan.memory, Chained)
        for place in range(count):
            process.call(worker.draw)
            taken["ours"].append(process.call(worker.ours)[0])
            taken["chained"].append(process.call(worker.merged))
            taken["bare"].append(process.call(worker.appended))
            if place % 5 == 4:
                note(f"(d) {place + 1} of {count} batches: {', '.join(f'{name} {s[-1] * 1000:.0f} ms' for name, s in taken.items())}")
        spreads = {name: spread(seconds[plan.chain_warm :]) for name, seconds in taken.items()}
        ratio = {f"ours / {name}": round(spreads["ours"]["p50_ms"] / spreads[name]["p50_ms"], 3) for name in ("chained", "bare")}
        sizes = {"rows": plan.small, "batches": plan.chain_batches, "changes_a_batch": plan.changes}
        found = {**sizes, **spreads, "ratio": ratio, "wrong": process.call(worker.wrong)}
        process.call(worker.stop)
    return found


def by_peer(plan: Plan, note: Callable[[str], None]) -> dict[str, Any]:
    """(c) Rows a second on one change set: ours with and without Spark, dlt's scd2, dbt's snapshot."""
    if not PEERS.exists():
        return {"skipped": f"{PEERS} is not here: run `make bench-scd2`"}
    sizes = [plan.peer_changes[0]] * plan.peer_warm + [n for n in plan.peer_changes for _ in range(plan.peer_batches)]
    folder = plan.work / "peers"
    versions = _change_set(folder, plan, sizes)
    with Process(plan.work / "peers.log") as process:
        root = _lake(plan, process, plan.peer_rows, "by-peer", note)
        again = _lake(plan, process, plan.peer_rows, "by-peer-without-spark", note)
        note("(c) ours without Spark")
        without = process.call(worker.without_spark, again, _plain(plan), sizes)
        note("(c) ours with Spark")
        process.call(worker.start, root, _plain(plan), sizes, plan.memory)
        seconds = [process.call(worker.draw) and process.call(worker.ours)[0] for _ in sizes]
        spark = {"seconds": seconds, "wrong": process.call(worker.wrong)["ours"], "versions": process.call(worker.versions)}
        process.call(worker.stop)
    note("(c) dlt and dbt")
    script = Path(__file__).with_name("scd2_peers.py")
    with (plan.work / "peers.log").open("ab") as log:
        done = subprocess.run([PEERS.absolute(), script, folder], stdout=subprocess.PIPE, stderr=log, check=False)
    if done.returncode:
        raise SystemExit(f"error: dlt or dbt failed\nhint: see the end of {plan.work / 'peers.log'}")
    ways = {"ours, Spark batch": spark, "ours, fold and delta-rs": without, **json.loads(done.stdout)}
    found: dict[str, Any] = {"rows": plan.peer_rows, "batches": plan.peer_batches, "changes_a_batch": list(plan.peer_changes), "ways": {}}
    for way, result in ways.items():
        rates = {}
        for place, size in enumerate(plan.peer_changes):
            start = plan.peer_warm + place * plan.peer_batches
            rates[str(size)] = round(size * plan.peer_batches / sum(result["seconds"][start : start + plan.peer_batches]))
        found["ways"][way] = {"rows_per_s": rates, "wrong": result["wrong"] + abs(result["versions"] - versions)}
    found["ratio"] = {str(size): _peer_ratios(found["ways"], str(size)) for size in plan.peer_changes}
    return found


def _peer_ratios(ways: dict[str, Any], size: str) -> dict[str, float]:
    """Ours over each peer's better way, and over the one that its manual has."""
    rates = {name: way["rows_per_s"][size] for name, way in ways.items()}
    theirs = {peer: max(rate for name, rate in rates.items() if name.startswith(peer)) for peer in ("dlt", "dbt")}
    theirs |= {name: rate for name, rate in rates.items() if name.endswith("whole source")}
    return {f"{name} / {peer}": round(rates[name] / rate, 2) for name in rates if name.startswith("ours") for peer, rate in theirs.items()}


def _plain(plan: Plan) -> Workload:
    return Workload(plan.peer_rows, like=plan.peer_rows, weights=PLAIN)


def _change_set(folder: Path, plan: Plan, sizes: Sequence[int]) -> int:
    """Write what the peers read; returns how many versions there must be in the end."""
    folder.mkdir(parents=True)
    workload = _plain(plan)
    _put(folder / "initial.parquet", [initial(n) for n in range(plan.peer_rows)])
    for place, size in enumerate(sizes):
        _put(folder / f"changes-{place}.parquet", [c.after for c in workload.batch(size) if c.after is not None])
        _put(folder / f"state-{place}.parquet", [s for n in range(workload.total) if (s := workload.state(n)) is not None])
    (folder / "plan.json").write_text(json.dumps({"batches": len(sizes)}))
    return plan.peer_rows + workload.kinds["tracked"] + workload.kinds["new"]


def _put(path: Path, states: Sequence[State]) -> None:
    pq.write_table(pa.table({name: [s[name] for s in states] for name in PEER_NAMES}), path)


def _lake(plan: Plan, process: Process, rows: int, purpose: str, note: Callable[[str], None]) -> Path:
    """A fresh lake of so many customers, a copy of one that is made once."""
    made, root = plan.work / f"lake-{rows}", plan.work / purpose / str(rows)
    if not made.exists():
        note(f"making tables of {rows:,} customers")
        process.call(worker.make, made, rows)
    return Path(shutil.copytree(made, root))


def _sizes(count: int, plan: Plan) -> list[int]:
    return [plan.changes] * count


def _last(taken: list[tuple[float, Any]]) -> int:
    return round(median(s for s, _ in taken[-20:]) * 1000)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    p95 = quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    return {"total_s": round(sum(seconds), 2), "p50_ms": round(median(seconds) * 1000, 1), "p95_ms": round(p95 * 1000, 1)}


def environment() -> dict[str, Any]:
    from importlib.metadata import version

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = {name: version(name) for name in ("deltalake", "delta-spark", "pyarrow", "pyspark")}
    return {"cores": os.cpu_count(), "memory_gb": round(memory), "python": sys.version.split()[0], **packages}
