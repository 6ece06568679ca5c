"""Everything that a start of the stack needs, looked at one by one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from commerce360.errors import C360Error
from commerce360.local import claim
from commerce360.local.bootstrap import converter, jars, java
from commerce360.local.bootstrap.paths import BUILD
from commerce360.local.process import Identity
from commerce360.local.services import postgres
from commerce360.local.state import PORTS, State, is_free

DISK_GB = 3.0
MEMORY_GB = 4.0


@dataclass(frozen=True)
class Finding:
    what: str
    found: str
    good: bool = True
    hint: str = ""


def examine(state: Path) -> Iterator[Finding]:
    """Findings in the order in which a start would stumble over them. Changes nothing."""
    python = sys.version_info
    yield Finding("Python", sys.version.split()[0], (3, 11) <= python < (3, 14), "use Python 3.11 to 3.13")
    yield _try("Java", lambda: f"{java.version(home := java.find_java())} at {home}")
    yield _jars()
    yield Finding("converter", str(converter.target().name), converter.target().exists(), "run `make setup`")
    stand_in = BUILD / "venv-mongo" / "bin" / "secantusd-py"
    yield Finding("MongoDB stand-in", "installed" if stand_in.exists() else "missing", stand_in.exists(), "run `make setup`")
    yield _try("PostgreSQL", lambda: f"{postgres.version(home := postgres.find_binaries())} at {home}")
    yield _try("PostgreSQL account", lambda: postgres.account_for(state.resolve()))
    yield from _machine(state)
    yield from _running(state)


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look())
    except C360Error as error:
        return Finding(what, error.message, False, error.hint)


def _jars() -> Finding:
    items = jars.read_lock()
    missing = [i for i in items if not (jars.group_dir(i.group) / ".locked").exists()]
    return Finding("jars", f"{len(items) - len(missing)} of {len(items)} laid out", not missing, "run `make setup`")


def _machine(state: Path) -> Iterator[Finding]:
    import psutil

    folder = next(p for p in (state.resolve(), *state.resolve().parents) if p.exists())
    free = shutil.disk_usage(folder).free / 1e9
    yield Finding("disk", f"{free:.0f} GB free", free >= DISK_GB, f"the stack needs about {DISK_GB:.0f} GB")
    memory = psutil.virtual_memory().available / 2**30
    yield Finding("memory", f"{memory:.1f} GiB available", memory >= MEMORY_GB, f"the stack needs about {MEMORY_GB:.0f} GiB")


def _running(state: Path) -> Iterator[Finding]:
    run = state / "run"
    if supervisor := claim.supervisor(state):
        yield Finding("stack", f"runs, supervisor pid {supervisor.pid}")
        return
    left = [p.stem for p in run.glob("*.pid") if (i := Identity.load(p)) and i.process()] if run.exists() else []
    yield Finding("left-over processes", ", ".join(left) or "none", not left, f"run `c360 down --state {state}`")
    known = State.open(state, running=True).ports if (state / "stack.json").exists() else PORTS
    busy = [f"{name} {port}" for name, port in known.items() if not is_free(port)]
    yield Finding("ports", f"busy: {', '.join(busy)}; the next free ones will be taken" if busy else "all free")
