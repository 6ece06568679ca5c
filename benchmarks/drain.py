"""How fast what came meanwhile is worked off, over what comes: `python benchmarks/drain.py`. `--report` takes a run that there is already.

Scenario catch-up: the lake job stands still for two minutes under load. Behind that, its lag falls at the rate at which it drains less
the rate at which records go on to come; the ratio is (input + fall) / input. Both rates are of the topics' records, all sources together.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCENARIO = "catch-up"
OVER = 0.1  # of the lag at its height: what is left below it is a batch or two, and falls no further


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, help="JSON of `c360 load run catch-up`")
    parser.add_argument("--quick", action="store_true", help="has no effect: the scenario is what it is")
    parser.add_argument("--out", type=Path, default=Path("build/bench/drain.json"))
    given = parser.parse_args(arguments)
    found = drained(json.loads((given.report or run(given.out.parent / SCENARIO)).read_text()))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))


def table(found: dict[str, Any]) -> str:
    rates = f"input {found['input_per_s']:.0f} records/s, drained {found['drained_per_s']:.0f} records/s"
    return f"lag {found['lag']:,} records, {found['left']:,} after {found['took_s']:.0f} s: {rates}, ratio {found['ratio']:.2f}"


def run(folder: Path) -> Path:
    """The report of a run of its own. A threshold that does not hold is told by it, and is no error here."""
    command = [sys.executable, "-m", "commerce360.cli.main", "load", "run", SCENARIO, "--out", str(folder)]
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    reports = sorted(folder.glob(f"{SCENARIO}-*.json"), key=lambda path: path.stat().st_mtime)
    if done.returncode not in (0, 1) or not reports:
        raise SystemExit(f"error: the scenario ended with {done.returncode}\nhint: see `c360 load run {SCENARIO}`")
    return reports[-1]


def drained(report: dict[str, Any]) -> dict[str, Any]:
    lag = next(s for s in report["series"] if (s["group"], s["name"]) == ("lag", "lake"))
    fault = report["faults"][0]
    points = list(zip(lag["t"], lag["values"], strict=True))
    rising = [(t, v) for t, v in points if fault["from_s"] + 5 <= t <= fault["until_s"]]
    begun, height = max((p for p in points if p[0] >= fault["from_s"]), key=lambda p: p[1])
    ended, left = next((p for p in points if p[0] > begun and p[1] <= OVER * height), points[-1])  # or as far as it came
    coming = (rising[-1][1] - rising[0][1]) / (rising[-1][0] - rising[0][0])  # nothing is taken meanwhile
    worked = coming + (height - left) / (ended - begun)
    rates = {"input_per_s": round(coming, 1), "drained_per_s": round(worked, 1), "ratio": round(worked / coming, 3)}
    return {"lag": round(height), "left": round(left), "took_s": round(ended - begun, 1), **rates}


if __name__ == "__main__":
    main()
