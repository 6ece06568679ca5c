"""One child process: started in a session of its own, known by pid and create time, and never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# Runs before the service, in the same pid: asks the kernel to kill it when the supervisor's thread that started it is gone.
GUARD = """
import ctypes, os, signal, sys
parent = int(sys.argv[1])
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != parent:
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Identity:
    """A process as the system knows it. Pids are used again; a pid with its create time is not."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Identity:
        return cls(pid, psutil.Process(pid).create_time())

    @classmethod
    def load(cls, path: Path) -> Identity | None:
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)))
        part.replace(path)

    def process(self) -> psutil.Process | None:
        """The running process, None when it is gone (or only waits to be reaped)."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.created) < 0.5
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class Command:
    args: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    user: int | None = None  # uid and gid to run as; None: our own
    group: int | None = None


def spawn(command: Command, log: Path) -> subprocess.Popen[bytes]:
    """Start the command with its output appended to `log`."""
    args = list(command.args)
    if command.user is None:  # a change of user clears the guard, and the other account may not read our Python
        args = [sys.executable, "-I", "-S", "-c", GUARD, str(os.getpid()), *args]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            args,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=command.cwd,
            env=dict(command.env),
            start_new_session=True,
            user=command.user,
            group=command.group,
            extra_groups=[] if command.user is not None else None,
        )


def tree(identity: Identity) -> list[psutil.Process]:
    """The process and all below it, and whatever still runs in its session."""
    found = identity.process()
    members = {found.pid: found} if found else {}
    if found:
        with contextlib.suppress(psutil.NoSuchProcess):
            members.update({p.pid: p for p in found.children(recursive=True)})
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == identity.pid and process.create_time() >= identity.created - 0.5:
                members[process.pid] = process
        except (OSError, psutil.Error):
            continue
    return list(members.values())


def stop(identity: Identity, signum: int = signal.SIGTERM, grace_s: float = 15.0) -> bool:
    """Ask the process to end, then kill it and all that is left of its session. True if it went by itself."""
    found = identity.process()
    clean = True
    if found is not None:
        try:
            found.send_signal(signum)
            found.wait(grace_s)
        except psutil.TimeoutExpired:
            clean = False
        except psutil.NoSuchProcess:
            pass
    kill_tree(identity)
    return clean


def kill_tree(identity: Identity) -> None:
    """SIGKILL for everything that is left of the process's session."""
    for _ in range(20):
        left = [p for p in tree(identity) if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not left:
            return
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.05)


def memory_mb(identity: Identity) -> float:
    """Proportional set size of the process and its children; resident size where the system has no such figure."""
    total = 0
    found = identity.process()
    if found is None:
        return 0.0
    for process in [found, *found.children(recursive=True)]:
        try:
            full = process.memory_full_info()
            total += getattr(full, "pss", 0) or full.rss
        except psutil.Error:
            continue
    return total / 1048576
