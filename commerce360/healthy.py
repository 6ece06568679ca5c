"""`python -m commerce360.healthy SERVICE | URL [PART]`: does it work? Exit code 0 or 1, for health checks of containers. Imports little.

A service works while it publishes its metrics: since its container's first process began, and not long ago. An address works when it
answers a GET with 200; with PART, its JSON must say that this part of it has the status healthy, as Airflow's does.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from pathlib import Path

from commerce360 import metrics

FRESH_S = 30.0
TIMEOUT_S = 5.0


def publishes(state: Path, service: str, now: float, began: float) -> str:
    """Why it does not work; empty if it does. `began`: when the container's first process did."""
    at = float(metrics.read(state, service).get("at", 0))
    if at < began:
        return f"{service} has not published since it was started"
    return "" if now - at <= FRESH_S else f"{service} has not published for {now - at:.0f} s"


def answers(url: str, part: str = "") -> str:
    """Why it does not work; empty if it does."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:  # noqa: S310 - an address of ours
            if reply.status != 200:
                return f"{url} answers {reply.status}"
            status = json.load(reply)[part]["status"] if part else "healthy"
    except (OSError, ValueError, KeyError) as error:
        return f"{url}: {error}"
    return "" if status == "healthy" else f"{part} is {status}"


def main(what: str, part: str = "") -> str:
    if what.startswith("http"):
        return answers(what, part)
    import psutil

    return publishes(Path(os.environ["C360_STATE"]), what, time.time(), psutil.Process(1).create_time())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) or 0)
