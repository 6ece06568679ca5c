"""Looking at processes that are not our children, and that nobody may ever reap."""

from __future__ import annotations

import time

import psutil


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Has it ended by then? One that only waits to be reaped has."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def await_name(pid: int, name: str, within_s: float = 10.0) -> None:
    """Until the process has become the program `name` and lives."""
    deadline = time.monotonic() + within_s
    while (found := psutil.Process(pid)).name() != name or found.status() == psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"{pid} is {found}"
        time.sleep(0.02)
