"""One child process: started in a session of its own, known by pid and the moment it began, and never left behind."""

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

# Runs before the service, in the same pid: changes the account, then asks the kernel to kill it when the supervisor's thread that
# started it is gone. In this order, because a change of account withdraws that wish. `warnings` is what execvp imports by itself,
# too late: the other account may not be able to read our Python.
GUARD = """
import ctypes, os, signal, sys, warnings
libc, parent, user, group = ctypes.CDLL(None), *map(int, sys.argv[1:4])
if user >= 0:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
if sys.platform == "linux":
    libc.prctl(1, signal.SIGKILL)
if os.getppid() != parent:
    sys.exit(1)
os.execvp(sys.argv[4], sys.argv[4:])
"""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Identity:
    """A process as the system knows it. Pids are used again; a pid with the moment it began is not.

    On Linux that moment is the kernel's own count since a named boot: setting the clock does not change it.
    """

    pid: int
    boot: str
    tick: int

    @classmethod
    def of(cls, pid: int) -> Identity:
        """Raises psutil.NoSuchProcess."""
        if not BOOT_ID.exists():
            return cls(pid, "", round(psutil.Process(pid).create_time() * 100))
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError) as error:
            raise psutil.NoSuchProcess(pid) from error
        return cls(pid, BOOT_ID.read_text().strip(), int(after_name[19]))  # field 22 of proc(5), the name being field 2

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
            return found if Identity.of(self.pid) == self and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def holds_session(self) -> bool:
        """Can a session with this number still be ours? A number is not given away while a process of its session lives."""
        try:
            return Identity.of(self.pid) == self
        except psutil.NoSuchProcess:
            return not BOOT_ID.exists() or self.boot == BOOT_ID.read_text().strip()


@dataclass(frozen=True)
class Command:
    args: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    user: int | None = None  # uid and gid to run as; None: our own
    group: int | None = None
    prefix: Sequence[str] = ()  # a program that becomes `args` in place, such as unshare


def spawn(command: Command, log: Path) -> subprocess.Popen[bytes]:
    """Start the command with its output appended to `log`. It dies with the thread that calls this (Linux)."""
    account = [str(-1 if value is None else value) for value in (command.user, command.group)]
    guard = [sys.executable, "-I", "-S", "-c", GUARD, str(os.getpid()), *account]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [*command.prefix, *guard, *command.args],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=command.cwd,
            env=dict(command.env),
            start_new_session=True,
        )


def tree(identity: Identity) -> list[psutil.Process]:
    """The process and all below it, and whatever still runs in its session."""
    found = identity.process()
    members = {found.pid: found} if found else {}
    if found:
        with contextlib.suppress(psutil.NoSuchProcess):
            members.update({p.pid: p for p in found.children(recursive=True)})
    if identity.holds_session():
        members.update({p.pid: p for p in psutil.process_iter() if _session(p.pid) == identity.pid})
    return list(members.values())


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def stop(identity: Identity, signum: int = signal.SIGTERM, grace_s: float = 15.0) -> bool:
    """Ask the process to end, then kill it and all that is left of its session. True if it went by itself."""
    found = identity.process()
    clean = True
    if found is not None:
        try:
            found.send_signal(signum)
            found.send_signal(signal.SIGCONT)  # one that is halted would hear it only then
            found.wait(grace_s)
        except psutil.TimeoutExpired:
            clean = False
        except psutil.NoSuchProcess:
            pass
    kill_tree(identity)
    return clean


def end_all(identities: Sequence[Identity], grace_s: float) -> int:
    """Ask all of them to end at once, then kill what is left of each; how many of them or of their sessions still ran."""
    left = {identity: tree(identity) for identity in identities}
    running = [found for identity in identities if (found := identity.process())]
    for process in running:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(running, grace_s)
    for identity in identities:
        kill_tree(identity)
    return sum(bool(members) for members in left.values())


def kill_tree(identity: Identity) -> None:
    """SIGKILL for everything that is left of the process's session."""
    for _ in range(20):
        left = [p for p in tree(identity) if _lives(p)]
        if not left:
            return
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def listens(identity: Identity, port: int) -> bool:
    """Does the process, or one of its session, listen on the port? What answers there may be somebody else's server."""
    for member in tree(identity):
        with contextlib.suppress(psutil.Error):
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in member.net_connections("tcp")):
                return True
    return False


def memory_mb(identity: Identity) -> float:
    """Proportional set size of the process and its children; resident size where the system has no such figure."""
    total = 0
    found = identity.process()
    members = [found] if found else []
    with contextlib.suppress(psutil.Error):
        members += found.children(recursive=True) if found else []
    for process in members:
        with contextlib.suppress(psutil.Error):
            full = process.memory_full_info()
            total += getattr(full, "pss", 0) or full.rss
    return total / 1048576
