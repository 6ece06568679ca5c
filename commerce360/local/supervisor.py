"""Keeps services running: start, wait until ready, restart with back-off, stop in reverse order."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from commerce360.errors import C360Error, UnavailableError
from commerce360.local import process
from commerce360.local.process import Command, Identity

BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
STEADY_S = 30.0  # a service that ran this long starts again without delay
POLL_S = 0.1
STOP_GRACE_S = 30.0
START_GRACE_S = 2.0
HOPELESS = 6  # deaths in a row before it was ever ready: whoever waits for it is told, not kept waiting


class Service(Protocol):
    """What the supervisor needs to know of a service."""

    @property
    def name(self) -> str: ...

    @property
    def stop_signal(self) -> int: ...

    @property
    def ready_timeout_s(self) -> float: ...

    @property
    def port(self) -> int | None:
        """Where it listens, None if it does not or if nobody may look."""

    def prepare(self) -> None:
        """Make what must exist before the first start. Called before every start; must be cheap when done."""

    def command(self) -> Command: ...

    def ready(self) -> bool:
        """One quick attempt at real use. Must not raise for a server that is not up yet."""


@dataclass
class Running:
    service: Service
    thread: threading.Thread | None = None
    wanted: threading.Event = field(default_factory=threading.Event)
    is_ready: threading.Event = field(default_factory=threading.Event)
    identity: Identity | None = None
    starts: int = 0
    restarts: int = 0  # after a death; a stop and a start that were asked for are none
    early_deaths: int = 0  # in a row, before it was ready
    state: str = "stopped"
    failure: str = ""
    peak_mb: float = 0.0
    memory_mb: float = 0.0

    def as_json(self) -> dict[str, Any]:
        identity = self.identity  # another thread may take it away
        return {
            "state": self.state,
            "ready": self.is_ready.is_set(),
            "pid": identity.pid if identity else None,
            "restarts": self.restarts,
            "memory_mb": round(self.memory_mb, 1),
            "failure": self.failure,
        }


class Supervisor:
    """Owns the processes of one state folder. Safe to call from several threads."""

    def __init__(self, run_dir: Path, log_dir: Path, services: Sequence[Service], notify: Callable[[str], None] = lambda _: None) -> None:
        self.run_dir = run_dir
        self.log_dir = log_dir
        self.running = {s.name: Running(s) for s in services}
        self.order = [s.name for s in services]
        self.notify = notify
        self.peak_mb = 0.0  # of all together
        self._closing = False
        self._lock = threading.Lock()  # between a start and the stop of everything

    def start(self, name: str) -> None:
        """Begin to keep the service running; returns at once. Raises C360Error once `stop_all` was called."""
        entry = self.running[name]
        with self._lock:
            if self._closing:
                raise C360Error(f"{name} is not started: everything is being stopped")
            if entry.thread is not None and entry.thread.is_alive():
                return
            entry.wanted.set()
            entry.failure, entry.early_deaths = "", 0
            entry.thread = threading.Thread(target=self._keep, args=(entry,), name=f"keep-{name}", daemon=True)
            entry.thread.start()

    def wait_ready(self, name: str, timeout_s: float | None = None) -> None:
        """Raises UnavailableError when the service is not ready in time, C360Error when it cannot start at all."""
        entry = self.running[name]
        limit = timeout_s or entry.service.ready_timeout_s
        deadline = time.monotonic() + limit
        while not entry.is_ready.wait(POLL_S):
            if entry.failure:
                raise C360Error(f"{name} cannot start: {entry.failure}", f"read {self.log(name)}")
            if not entry.wanted.is_set():
                raise C360Error(f"{name} was stopped before it was ready")
            if entry.early_deaths >= HOPELESS:
                raise C360Error(f"{name} ends as often as it is started: {last_line(self.log(name))}", f"read {self.log(name)}")
            if time.monotonic() > deadline:
                raise UnavailableError(f"{name} is not ready after {limit:.0f} s ({entry.starts} starts)", f"read {self.log(name)}")

    def stop(self, name: str) -> None:
        entry = self.running[name]
        entry.wanted.clear()
        if entry.thread is not None:
            entry.thread.join()
        entry.state = "stopped"

    def stop_all(self) -> None:
        """In reverse order of the start; what depends on a server goes before it. Nothing is started any more."""
        with self._lock:
            self._closing = True
        for name in reversed(self.order):
            self.stop(name)

    def kill(self, name: str, signum: int = signal.SIGKILL) -> int:
        """Signal the service's own process; the pid it had. It is started again."""
        identity = self.running[name].identity
        found = identity.process() if identity else None
        if found is None:
            raise C360Error(f"{name} is not running")
        self.running[name].is_ready.clear()
        found.send_signal(signum)
        return found.pid

    def log(self, name: str) -> Path:
        return self.log_dir / f"{name}.log"

    def sample_memory(self) -> None:
        for entry in self.running.values():
            identity = entry.identity
            entry.memory_mb = process.memory_mb(identity) if identity else 0.0
            entry.peak_mb = max(entry.peak_mb, entry.memory_mb)
        self.peak_mb = max(self.peak_mb, sum(entry.memory_mb for entry in self.running.values()))

    def _keep(self, entry: Running) -> None:
        """One thread a service, for as long as it is wanted: the guard of the child watches this very thread."""
        attempt = 0
        while entry.wanted.is_set():
            began = time.monotonic()
            try:
                self._run_once(entry)
            except C360Error as error:
                entry.failure = error.message + (f" ({error.hint})" if error.hint else "")
                entry.state = "failed"
                return
            except Exception as error:  # a full disk, no more processes: may pass, and this thread must live
                self.notify(f"{entry.service.name}: {type(error).__name__}: {error}")
            if not entry.wanted.is_set():
                return
            attempt = 0 if time.monotonic() - began > STEADY_S else attempt + 1
            delay = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
            self.notify(f"{entry.service.name} ended, starting again in {delay:g} s")
            entry.state = "restarting"
            self._sleep(entry, delay)
            entry.restarts += 1

    def _run_once(self, entry: Running) -> None:
        service, pid_file = entry.service, self.run_dir / f"{entry.service.name}.pid"
        service.prepare()
        entry.state = "starting"
        child = process.spawn(service.command(), self.log(service.name))
        entry.identity = Identity.of(child.pid)
        entry.identity.save(pid_file)
        entry.starts += 1
        began = time.monotonic()
        try:
            while entry.wanted.is_set() and child.poll() is None:
                if not entry.is_ready.is_set() and service.ready() and self._is_his(entry):
                    entry.is_ready.set()
                    entry.state, entry.early_deaths = "ready", -1
                    self.notify(f"{service.name} is ready after {time.monotonic() - began:.1f} s")
                time.sleep(POLL_S)
            if child.poll() is None:
                entry.state = "stopping"
                self._end(entry)
        finally:
            entry.early_deaths += 1
            entry.is_ready.clear()
            process.kill_tree(entry.identity)
            child.wait()
            pid_file.unlink(missing_ok=True)
            entry.identity = None

    def _is_his(self, entry: Running) -> bool:
        """A server of another stack on the same port answers as well, while ours has failed to bind it."""
        port, identity = entry.service.port, entry.identity
        return port is None or (identity is not None and process.listens(identity, port))

    def _end(self, entry: Running) -> None:
        """A service that was never ready has nothing to finish, and may be deaf while it starts."""
        grace_s = STOP_GRACE_S if entry.is_ready.is_set() else START_GRACE_S
        if entry.identity is not None and not process.stop(entry.identity, entry.service.stop_signal, grace_s) and entry.is_ready.is_set():
            self.notify(f"{entry.service.name} (pid {entry.identity.pid}) had to be killed")

    def _sleep(self, entry: Running, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while entry.wanted.is_set() and time.monotonic() < deadline:
            time.sleep(POLL_S)


def last_line(log: Path) -> str:
    """The last line that says something; empty when the log is."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line), "")[:300]
