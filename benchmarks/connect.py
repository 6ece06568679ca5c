"""`c360 connect status` and `plan` against curl of the same REST calls, on one running stack: medians and ratios of one run.

    build/venv/bin/python benchmarks/connect.py --state build/state/default

Start-up is the command against a port where nothing listens: everything is imported and nothing is asked. The ratio is
(ours - start-up) / curl. `status --rest-only` asks what curl asks; `status` also looks at Kafka and the databases.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from commerce360.cli.connect.session import Choice

NOWHERE = ["--url", "http://127.0.0.1:1", "--patience", "0"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=Path("build/state/default"))
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    if not (curl := shutil.which("curl")):
        sys.exit("curl is not here")
    url = Choice(state=given.state).cluster().client.url
    names = Choice(state=given.state).cluster().client.names()
    overview = [f"{url}/connectors?expand=info&expand=status"]
    looked = overview + [f"{url}/connectors/{name}/{part}" for name in names for part in ("offsets", "topics")]
    c360 = [sys.executable, "-m", "commerce360.cli.main", "connect"]
    at = ["--state", str(given.state)]
    commands = {
        "start-up, status": [*c360, *NOWHERE, "status"],
        "start-up, plan": [*c360, *NOWHERE, "plan"],
        "curl, overview": [curl, "-sf", *overview],
        "curl, overview, offsets, topics": [curl, "-sf", *looked],
        "status --rest-only": [*c360, *at, "status", "--rest-only"],
        "status": [*c360, *at, "status"],
        "plan": [*c360, *at, "plan"],
    }
    times = measure(commands, given.runs)
    found = {name: statistics.median(taken) for name, taken in times.items()}
    print(f"{len(names)} connectors, {given.runs} runs, medians in ms")
    for name, taken in times.items():
        print(f"  {name:33} {found[name] * 1000:7.0f}   ({min(taken) * 1000:.0f} .. {max(taken) * 1000:.0f})")
    ratios = {
        "status --rest-only": (found["status --rest-only"] - found["start-up, status"]) / found["curl, overview"],
        "status": (found["status"] - found["start-up, status"]) / found["curl, overview, offsets, topics"],
        "plan": (found["plan"] - found["start-up, plan"]) / found["curl, overview"],
    }
    print("(ours - start-up) / curl: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    print(json.dumps({"seconds": found, "ratios": ratios}))


def measure(commands: dict[str, list[str]], runs: int) -> dict[str, list[float]]:
    """Seconds of each, one after the other and round after round, so that the machine's moods meet all of them."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            began = time.monotonic()
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            if number:  # the first round fills caches
                times[name].append(time.monotonic() - began)
    return times


if __name__ == "__main__":
    main()
