"""`c360 connect status` and `plan` against curl of the same REST calls, on one running stack: medians and ratios of one run.

    build/venv/bin/python benchmarks/connect.py --state build/state/default

Ours is the whole command in a process that has its imports, curl a process of its own; the start-up is what a process of its own takes
more. With `--rest-only` the commands ask what curl asks; without it they also look at Kafka and the databases.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from typer.main import get_command

from commerce360.cli.connect.session import Choice
from commerce360.cli.main import app
from commerce360.local.stack import settings_of_running

AIM = 1.5
COMMAND = get_command(app)
VERBS = {"status --rest-only": "overview", "plan --rest-only": "overview", "status": "overview, offsets, topics", "plan": "overview"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=Path("build/state/default"))
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    if not (program := shutil.which("curl")):
        sys.exit("error: curl is not here\nhint: install it")
    with Choice(state=given.state).cluster().client as client:
        url, names = client.url, client.names()
    access = settings_of_running(given.state).connect
    curl = [program, "-sf", "-u", f"{access.user}:{access.password()}"]
    overview = [f"{url}/connectors?expand=info&expand=status"]
    looked = overview + [f"{url}/connectors/{name}/{part}" for name in names for part in ("offsets", "topics")]
    at = ["connect", "--state", str(given.state)]
    own = [sys.executable, "-m", "commerce360.cli.main"]
    calls: dict[str, Callable[[], object]] = {"curl, overview": partial(process, [*curl, *overview])}
    calls["curl, overview, offsets, topics"] = partial(process, [*curl, *looked])
    for verb in VERBS:
        calls[verb] = partial(inside, [*at, *verb.split()])
        calls[f"{verb}, with start-up"] = partial(process, [*own, *at, *verb.split()])
    times = measure(calls, given.runs)
    found = {name: statistics.median(taken) for name, taken in times.items()}
    print(f"{len(names)} connectors, {given.runs} runs, ms: median (least .. most)")
    for name, taken in times.items():
        print(f"  {name:34} {found[name] * 1000:7.0f}   ({min(taken) * 1000:.0f} .. {max(taken) * 1000:.0f})")
    ratios = {verb: found[verb] / found[f"curl, {asked}"] for verb, asked in VERBS.items()}
    print(f"ours / curl of the same calls (aim {AIM}): " + ", ".join(f"{verb} {ratio:.2f}" for verb, ratio in ratios.items()))
    print(json.dumps({"seconds": found, "ratios": ratios}))


def process(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def inside(arguments: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        COMMAND.main(arguments, standalone_mode=False)


def measure(calls: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each, one after the other and round after round, so that the machine's moods meet all of them."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(runs + 1):
        for name, call in calls.items():
            began = time.monotonic()
            call()
            if number:  # the first round fills caches and imports
                times[name].append(time.monotonic() - began)
    return times


if __name__ == "__main__":
    main()
