"""Who may run a state folder, and what becomes of the processes of one who was killed while running it."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from commerce360.errors import ConfigError
from commerce360.local import process
from commerce360.local.process import Identity

GRACE_S = 5.0


def claim(root: Path) -> IO[str]:
    """The lock of a state folder, held until it is closed. It is the kernel's, so it cannot outlive its process.

    Raises ConfigError while another supervisor runs the folder.
    """
    (root / "run").mkdir(parents=True, exist_ok=True)
    lock = (root / "run" / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise ConfigError(f"a stack is running already in {root}", f"stop it with `c360 down --state {root}`") from error
    return lock


def end_leftovers(root: Path) -> int:
    """End what a killed supervisor left running; how many services. Call with the claim held."""
    run = root / "run"
    files = [file for file in run.glob("*.pid") if file.stem != "supervisor"]
    ended = process.end_all([identity for file in files if (identity := Identity.load(file))], GRACE_S)
    for stale in (*files, *run.glob("*.hold"), run / "supervisor.pid"):
        stale.unlink(missing_ok=True)
    return ended


def supervisor(root: Path) -> Identity | None:
    """The living supervisor of a state folder."""
    identity = Identity.load(root / "run" / "supervisor.pid")
    return identity if identity and identity.process() else None
