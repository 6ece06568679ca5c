"""Every figure of the product as a ratio, in one table: `make bench`. `--only commit,replay` runs some, `--quick` is for a try.

Each benchmark runs in a process of its own, one after the other, and measures both sides of its ratio in that run. What it found is kept
in build/bench/NAME.json, the table in build/bench/bench.json. `--show` makes the table of what is kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from operator import ge, le
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HOLDS = {"<=": le, ">=": ge}


@dataclass(frozen=True)
class Row:
    figure: str
    value: float
    wanted: str = ""  # such as `<= 0.25`; empty: told, not judged

    @property
    def verdict(self) -> str:
        if not self.wanted:
            return ""
        how, bound = self.wanted.split()[:2]
        return "held" if HOLDS[how](self.value, float(bound)) else "not held"


def commit(found: dict[str, Any]) -> Iterator[Row]:
    yield Row("commit to a Kafka consumer, p50, over Debezium's defaults", found["ratio"], "<= 0.25")
    yield Row("the same over a raw reader of the replication protocol", found["over_raw"])


def replay(found: dict[str, Any]) -> Iterator[Row]:
    yield Row("replay's events/s over Kafka's producer-perf-test", found["ratio"], ">= 1")
    for rate, idle in found["idle"].items():
        yield Row(f"idle sender's lateness at {rate}/s, p99, in ms", idle["late_us"]["p99"] / 1000, "<= 1 ms")


def loader(found: dict[str, Any]) -> Iterator[Row]:
    yield Row("loader's rows/s over the SDK on prebuilt rows", round(found["throughput"]["ratio"], 3), ">= 0.8")


def view(found: dict[str, Any]) -> Iterator[Row]:
    small, large = found["view"][0], found["view"][-1]
    bases = f"{large['base_rows']:,} rows over {small['base_rows']:,}"
    yield Row(f"batch of the 360 view, {bases}", round(large["batch_ms"] / small["batch_ms"], 3))
    yield Row("the same over one recomputation", round(large["ratio"], 3))


def scd2(found: dict[str, Any]) -> Iterator[Row]:
    if "by_size" in found:
        large, small = reversed(found["by_size"]["rows"])
        yield Row(f"fused batch on {large:,} rows over {small:,}, total", found["by_size"]["ratio"]["total_s"], "<= 1.2")
    for rows, at in found.get("by_merge", {}).items():
        yield Row(f"fused batch over a MERGE a batch, {int(rows):,} rows, total", at["ratio"], "<= 0.25")
    for size, ratios in found.get("by_peer", {}).get("ratio", {}).items():
        for name, ratio in ratios.items():
            yield Row(f"changed rows/s, {name}, {size} a batch", ratio, "" if name.endswith("whole source") else ">= 3")
    if "by_chain" in found:
        yield Row("fused batch over three chained steps, p50", found["by_chain"]["ratio"]["ours / chained"], "<= 0.2")
        yield Row("fused batch over three bare commits of one row, p50", found["by_chain"]["ratio"]["ours / bare"], "<= 1.3")


def drain(found: dict[str, Any]) -> Iterator[Row]:
    yield Row("records/s drained behind an outage, over those that come", found["ratio"])


BENCHES: dict[str, tuple[str, Callable[[dict[str, Any]], Iterator[Row]]]] = {
    "commit": ("commit_to_consumer", commit),
    "replay": ("replay", replay),
    "loader": ("loader", loader),
    "view": ("view360", view),
    "scd2": ("scd2", scd2),
    "drain": ("drain", drain),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(BENCHES), help="a list of " + ", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--show", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    given = parser.parse_args(arguments)
    names = given.only.split(",")
    if unknown := sorted(set(names) - set(BENCHES)):
        raise SystemExit(f"error: there is no benchmark {unknown[0]}\nhint: there are {', '.join(BENCHES)}")
    failed = [] if given.show else [name for name in names if not ran(name, given.out, given.quick)]
    rows = [row for name in names if (file := given.out / f"{BENCHES[name][0]}.json").exists() for row in BENCHES[name][1](read(file))]
    (given.out / "bench.json").write_text(json.dumps([{**asdict(r), "verdict": r.verdict} for r in rows], indent=2) + "\n")
    print(table(rows))
    if failed:
        raise SystemExit(f"error: {', '.join(failed)} failed: the table has no figures of it\nhint: run it alone with --only")


def ran(name: str, out: Path, quick: bool) -> bool:
    script = BENCHES[name][0]
    (out / f"{script}.json").unlink(missing_ok=True)  # or a failure would show older figures
    print(f"-- {name}", file=sys.stderr, flush=True)
    command = [sys.executable, str(HERE / f"{script}.py"), "--out", str(out / f"{script}.json"), *(["--quick"] if quick else [])]
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def table(rows: Sequence[Row]) -> str:
    width = max((len(row.figure) for row in rows), default=0)
    lines = [f"{'figure':<{width}}  {'value':>9}  {'wanted':<10}"]
    return "\n".join(lines + [f"{row.figure:<{width}}  {row.value:>9.3f}  {row.wanted:<10} {row.verdict}".rstrip() for row in rows])


if __name__ == "__main__":
    main()
