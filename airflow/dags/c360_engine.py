"""The one seam between the DAGs and the platform: a `c360` command runs here, or as a Databricks job. Knows nothing of Airflow.

Settings, from the environment:

| variable | meaning | default |
|---|---|---|
| `C360_AIRFLOW_ENGINE` | `local`: the command of this machine; `databricks`: a job of the bundle | `local` |
| `C360_COMMAND` | the command, with its first arguments where it needs some | `c360` |
| `C360_AIRFLOW_STATE` | folder of the stack that the command works on | the command's own |
| `C360_AIRFLOW_JOB_PREFIX` | what names of Databricks jobs begin with, such as `[dev ada] commerce360-` | `commerce360-` |
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

REFUSED = 2  # an argument or a day: the same again cannot work
TRANSIENT = 75  # EX_TEMPFAIL of sysexits.h: the same again may work
STOP_GRACE_S = 20.0
# Becomes the command in the same pid, after it asked the kernel to be killed with the thread that started it: a task that is killed
# leaves nothing behind that would work on beside its second try.
GUARD = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""

Row = dict[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """One call of a command for some days, both included."""

    command: tuple[str, ...]
    first: str
    last: str
    tables: tuple[str, ...] = ()
    source: str = ""
    files: str = ""
    dry_run: bool = False
    flags: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """What stands behind `c360`."""
        found = [*self.command, *(part for name in self.tables for part in ("--table", name)), "--from", self.first, "--to", self.last]
        found += ["--source", self.source] if self.source else []
        found += ["--files", self.files] if self.files else []
        return [*found, *(["--dry-run"] if self.dry_run else []), *self.flags, "--json"]

    def parameters(self) -> dict[str, str]:
        """The same as parameters of a Databricks job, which are texts."""
        return {
            "table": ",".join(self.tables),
            "from": self.first,
            "to": self.last,
            "source": self.source,
            "files": self.files,
            "dry_run": str(self.dry_run).lower(),
        }


@dataclass
class Outcome:
    """How a command ended: its exit code (negative: the signal that killed it), its rows, and the error and hint it left with."""

    exit_code: int = 0
    rows: list[Row] = field(default_factory=list)
    error: str = ""
    hint: str = ""

    @property
    def transient(self) -> bool:
        """Whether the same may work when it is tried again; also for what was killed from outside, such as for want of memory."""
        return self.exit_code == TRANSIENT or self.exit_code < 0

    def take(self, line: str) -> str:
        """Keep what a line of output says; the line as a person reads it."""
        line = line.rstrip()
        if (row := as_row(line)) is not None:
            self.rows.append(row)
            return readable(row)
        for kind in ("error", "hint"):
            if line.startswith(f"{kind}: "):
                setattr(self, kind, line.removeprefix(f"{kind}: "))
        return line


class Engine(Protocol):
    def run(self, request: Request, tell: Tell) -> Outcome:
        """Run until it ended, telling each line of it meanwhile."""

    def stop(self) -> None:
        """End what `run` waits for; called by a signal handler in the middle of it."""


class LocalEngine:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.command = shlex.split(environment.get("C360_COMMAND") or "c360")
        self.state = environment.get("C360_AIRFLOW_STATE", "")
        self.environment = {name: value for name, value in environment.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
        self.child: subprocess.Popen[str] | None = None

    def run(self, request: Request, tell: Tell) -> Outcome:
        line = [*self.command, *request.arguments(), *(["--state", self.state] if self.state else [])]
        tell(f"$ {shlex.join(line)}")
        if shutil.which(line[0]) is None:
            return Outcome(REFUSED, error=f"there is no command {line[0]}", hint="set C360_COMMAND where Airflow runs its tasks")
        outcome = Outcome()
        self.child = child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", GUARD, str(os.getpid()), *line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        assert child.stdout is not None
        assert child.stderr is not None
        progress = threading.Thread(target=_tell_all, args=(child.stderr, outcome, tell), daemon=True)
        progress.start()
        _tell_all(child.stdout, outcome, tell)
        outcome.exit_code = child.wait()
        progress.join()
        return outcome

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """SIGTERM for the command and all that it started, SIGKILL for what is left of it after `grace_s`."""
        if self.child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGTERM)
            deadline = time.monotonic() + grace_s
            while self.child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            os.killpg(self.child.pid, signal.SIGKILL)


def _tell_all(lines: Iterable[str], outcome: Outcome, tell: Tell) -> None:
    for line in lines:
        tell(outcome.take(line))


def as_row(line: str) -> Row | None:
    """The object of a line of JSON, None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "table" in found else None


def readable(row: Row) -> str:
    """`2026-11-03 fct_sales: 120 read, 3 changed, 117 unchanged`."""
    head = " ".join(str(row[name]) for name in ("day", "table") if name in row)
    source = f" from {row['source']}" if row.get("source") else ""
    counts = [f"{value} {name}" for name, value in row.items() if name not in ("day", "table", "source")]
    return f"{head}{source}: {', '.join(counts)}"


def engine(environment: Mapping[str, str] = os.environ) -> Engine:
    """The one that `C360_AIRFLOW_ENGINE` names. Raises ValueError for any other name."""
    name = environment.get("C360_AIRFLOW_ENGINE") or "local"
    if name == "local":
        return LocalEngine(environment)
    if name == "databricks":
        from c360_databricks import DatabricksEngine

        return DatabricksEngine(environment)
    raise ValueError(f"C360_AIRFLOW_ENGINE is {name!r}: it is local or databricks")
