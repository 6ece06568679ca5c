"""SCD2 speed, as ratios inside one run: `python benchmarks/scd2.py`, best by `make bench-scd2`. `--quick` is for a try.

(a) What a batch costs on a large customer dimension, over what it costs on a small one. A batch is the job's own: bronze, fold, gold,
    ops.batches, with Delta checkpoints and compaction, by Spark's foreachBatch function on a frame of Kafka records.
(b) That batch, over a batch that merges into a type 2 table as is usual, with the same changes in the same Spark process.
(c) Changed rows a second over those of dlt (scd2) and dbt (snapshot), both on DuckDB. dlt and dbt cannot tell a late change, update
    a version in place, or close a deleted row when handed only what changed, so this change set has none of these: tracked changes,
    repetitions and new customers. Counted is the run of each batch inside a warm process, from the rows that were sent (or the whole
    source, where that is the peer's way) to their history on disk. Not counted, for all: starting, the first load, the first batches.
(d) The fused batch over three steps one behind the other (bronze, silver, a MERGE into gold), and over three commits of one row each.

Each contender's open versions are compared with the source's state; a benchmark with wrong rows fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import scd2_parts
from scd2_parts import Plan

TARGET_BY_SIZE, TARGET_BY_MERGE, TARGET_BY_PEER = 1.2, 0.25, 3.0
TARGETS_BY_CHAIN = {"ours / chained": 0.2, "ours / bare": 1.3}
QUICK = {"small": 1_000, "large": 20_000, "batches": 15, "warm": 5, "merge_batches": 4, "merge_large_batches": 0, "merge_warm": 2}
QUICK |= {"chain_batches": 5, "chain_warm": 3, "peer_rows": 5_000, "peer_batches": 3, "peer_changes": (200,), "peer_warm": 1}


def main(arguments: Sequence[str] | None = None) -> None:
    given = parse(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    plan = planned(given, Path(tempfile.mkdtemp(prefix="scd2-", dir=given.work)))
    began = time.monotonic()

    def note(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    found: dict[str, Any] = {"plan": {**asdict(plan), "work": str(plan.work)}, "machine": scd2_parts.environment()}
    parts = {"a": ("by_size", scd2_parts.by_size), "b": ("by_merge", scd2_parts.by_merge), "c": ("by_peer", scd2_parts.by_peer)}
    parts["d"] = ("by_chain", scd2_parts.by_chain)
    for letter, (name, measure) in parts.items():
        if letter in given.parts:
            found[name] = measure(plan, note)
    lines, wrong = table(found)
    found["wrong"] = wrong
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    print("\n".join(lines))
    if given.keep:
        note(f"tables and logs are in {plan.work}")
    else:
        shutil.rmtree(plan.work)
    if wrong:
        raise SystemExit(f"error: {wrong} wrong rows: these figures count nothing\nhint: see {given.out}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="abcd", help="which of a, b, c and d")
    parser.add_argument("--quick", action="store_true", help="small tables and few batches: a try, no measurement")
    parser.add_argument("--out", type=Path, default=Path("build/bench/scd2.json"))
    parser.add_argument("--work", type=Path, default=Path("build/bench"), help="where the folder for tables and logs is made")
    parser.add_argument("--keep", action="store_true", help="leave the tables and logs")
    for name, value in asdict(Plan(Path())).items():
        if name not in ("work", "peer_changes"):
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(value))
    parser.add_argument("--peer-changes", type=lambda text: tuple(int(n) for n in text.split(",")), help="a list, such as 200,2000")
    return parser.parse_args(arguments)


def planned(given: argparse.Namespace, work: Path) -> Plan:
    plan = replace(Plan(work), **(QUICK if given.quick else {}))
    named = {name: value for name in asdict(plan) if name != "work" and (value := getattr(given, name)) is not None}
    return replace(plan, **named)


def table(found: dict[str, Any]) -> tuple[list[str], int]:
    """The figures as text, and the number of wrong rows."""
    machine = found["machine"]
    lines = [
        f"SCD2 on {machine['cores']} cores, Spark {machine['pyspark']}, Delta {machine['delta-spark']}, delta-rs {machine['deltalake']}"
    ]
    wrong = 0
    for name, show in (("by_size", _by_size), ("by_merge", _by_merge), ("by_peer", _by_peer), ("by_chain", _by_chain)):
        if name in found:
            more, bad = show(found[name])
            lines += ["", *more]
            wrong += bad
    return lines, wrong


def _by_size(found: dict[str, Any]) -> tuple[list[str], int]:
    small, large, ratio = found["small"], found["large"], found["ratio"]
    lines = [f"(a) {found['batches']} batches of {found['changes_a_batch']} changes; rows in the table:"]
    lines.append(_line("", *(f"{n:,}" for n in found["rows"]), "ratio", "target"))
    for name, label in (("total_s", "batches, total s"), ("p50_ms", "batch, p50 ms"), ("p95_ms", "batch, p95 ms")):
        lines.append(_line(label, small[name], large[name], ratio[name], _verdict(ratio[name] <= TARGET_BY_SIZE, f"<= {TARGET_BY_SIZE}")))
    for name, label in (
        ("fill_s", "start: filling caches, s"),
        ("fill_rss_mb", "  memory it takes, MB"),
        ("rss_mb", "at the end: Python, MB"),
        ("jvm_rss_mb", "at the end: JVM, MB"),
        ("mean_history_met", "changes known of a key, mean"),
        ("compactions", "compactions of a table"),
    ):
        lines.append(_line(label, round(small[name], 1), round(large[name], 1)))
    return lines, small["wrong"] + large["wrong"]


def _by_merge(found: dict[str, Any]) -> tuple[list[str], int]:
    lines = ["(b) the fused batch against one MERGE a batch:", _line("rows in the table", "ours p50 ms", "MERGE p50 ms", "ratio", "target")]
    wrong = 0
    for rows, at in found.items():
        verdict = _verdict(at["ratio"] <= TARGET_BY_MERGE, f"<= {TARGET_BY_MERGE}")
        lines.append(_line(f"{int(rows):,} ({at['batches']} batches)", at["ours"]["p50_ms"], at["merge"]["p50_ms"], at["ratio"], verdict))
        wrong += sum(at["wrong"].values())
    return [*lines, "    ratio: of the total seconds"], wrong


def _by_peer(found: dict[str, Any]) -> tuple[list[str], int]:
    if "skipped" in found:
        return [f"(c) skipped: {found['skipped']}"], 0
    sizes = [str(n) for n in found["changes_a_batch"]]
    lines = [f"(c) changed rows a second, {found['batches']} batches on {found['rows']:,} rows; changes in a batch:"]
    lines.append(_line("", *(f"{int(n):,}" for n in sizes)))
    lines += [_line(way, *(f"{at['rows_per_s'][n]:,}" for n in sizes)) for way, at in found["ways"].items()]
    for name in found["ratio"][sizes[0]]:
        ratios = [found["ratio"][n][name] for n in sizes]
        verdict = [] if name.endswith("whole source") else [_verdict(min(ratios) >= TARGET_BY_PEER, f">= {TARGET_BY_PEER:g}")]
        lines.append(_line(name, *ratios, *verdict))
    return [*lines, "    a ratio with a target is over the better way of the peer"], sum(at["wrong"] for at in found["ways"].values())


def _by_chain(found: dict[str, Any]) -> tuple[list[str], int]:
    lines = [
        f"(d) {found['batches']} batches of {found['changes_a_batch']} changes on {found['rows']:,} rows:",
        _line("", "p50 ms", "p95 ms"),
    ]
    names = {"ours": "fused", "chained": "three steps, one behind the other", "bare": "three commits of one row each"}
    lines += [_line(text, found[name]["p50_ms"], found[name]["p95_ms"]) for name, text in names.items()]
    for name, ratio in found["ratio"].items():
        lines.append(_line(f"{name}, of p50", ratio, _verdict(ratio <= TARGETS_BY_CHAIN[name], f"<= {TARGETS_BY_CHAIN[name]}")))
    return lines, sum(found["wrong"].values())


def _verdict(reached: bool, target: str) -> str:
    return f"{target} {'reached' if reached else 'not reached'}"


def _line(label: str, *cells: object) -> str:
    return "    " + label.ljust(44) + "".join(str(c).rjust(14) if len(str(c)) < 14 else f"  {c}" for c in cells)


if __name__ == "__main__":
    main()
