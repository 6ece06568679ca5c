"""Who may run a state folder, and what becomes of the processes of one who was killed while running it."""

from __future__ import annotations

import fcntl
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from commerce360.errors import ConfigError
from commerce360.local import EVERY, process
from commerce360.local.process import Identity

GRACE_S = 5.0
OURS = {"airflow", "data", "logs", "run", "secrets", "tls", "ledger", "reports", "stack.json"}  # and hidden marks


def ensure_ours(root: Path) -> None:
    """Raises ConfigError for a path that is no folder, or a folder of somebody else's things."""
    if root.exists() and not root.is_dir():
        raise ConfigError(f"{root} is not a folder", "choose another one with --state")
    strange = [p.name for p in root.iterdir() if p.name not in OURS and not p.name.startswith(".")] if root.exists() else []
    if strange and not (root / "stack.json").exists():
        raise ConfigError(f"{root} is not the folder of a stack: it holds {strange[0]}", "choose another one with --state")


def claim(root: Path) -> IO[str]:
    """The lock of a state folder, held until it is closed. It is the kernel's, so it cannot outlive its process.

    Raises ConfigError while another supervisor runs the folder, and for a folder that is not a stack's.
    """
    ensure_ours(root)
    return lock(root / "run", ConfigError(f"a stack is running already in {root}", f"stop it with `c360 down --state {root}`"))


def lock(run: Path, refusal: ConfigError) -> IO[str]:
    """The lock of a folder of pid files. Raises `refusal` while another process holds it."""
    run.mkdir(parents=True, exist_ok=True)
    held = (run / "supervisor.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise refusal from error
    return held


def end_leftovers(root: Path) -> int:
    """End what a killed supervisor left running; how many services. Call with the claim held."""
    run = root / "run"
    ended = end_services(run, EVERY)
    for stale in (*run.glob("*.hold.*"), run / "supervisor.pid"):
        stale.unlink(missing_ok=True)
    return ended


def end_services(run: Path, names: Sequence[str]) -> int:
    """End those of them whose pid file is in `run`, and remove these files; how many ran. Call with the lock held."""
    files = [file for name in names if (file := run / f"{name}.pid").exists()]
    ended = process.end_all([identity for file in files if (identity := Identity.load(file))], GRACE_S)
    for file in files:
        file.unlink(missing_ok=True)
    return ended


def supervisor(root: Path) -> Identity | None:
    """The living supervisor of a state folder."""
    identity = Identity.load(root / "run" / "supervisor.pid")
    return identity if identity and identity.process() else None
