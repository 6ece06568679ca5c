"""`python -m infra.checks [NAME...]`: all checks, or those named. Exit 0 when nothing was found, 1 when something was, 2 for a wrong name.

A check is a module here with `check(root: Path) -> Iterable[Finding | Skipped]`; `root` is a checkout. It raises only for its own faults.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from infra.checks.finding import Finding

NAMES: tuple[str, ...] = ("bundle", "compose", "dockerfiles", "links", "monitoring", "runbook", "secrets", "terraform")
ROOT = Path(__file__).resolve().parents[2]


def run(names: list[str], root: Path = ROOT) -> int:
    if wrong := [name for name in names if name not in NAMES]:
        sys.stderr.write(f"error: {', '.join(wrong)}: no such check\nhint: one of {', '.join(NAMES)}\n")
        return 2
    failed = False
    for name in names or NAMES:
        found = list(importlib.import_module(f"infra.checks.{name}").check(root))
        bad = sum(isinstance(f, Finding) for f in found)
        failed = failed or bad > 0
        sys.stdout.write("".join(f"{f}\n" for f in found) + f"{name}: {bad or 'nothing'} found\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
