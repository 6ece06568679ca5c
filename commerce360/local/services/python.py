"""Our own processes: each a module that runs as a service and tells by its metrics or its port that it works."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import requests

from commerce360 import metrics
from commerce360.local.bootstrap.paths import ROOT
from commerce360.local.process import Command


class PythonService:
    """`python -m <module>` with the stack's settings in its environment."""

    stop_signal = signal.SIGTERM
    ready_timeout_s = 90.0

    def __init__(
        self, name: str, module: str, env: Mapping[str, str], home: Path, ready: Callable[[], bool], port: int | None = None
    ) -> None:
        self.name = name
        self.module = module
        self.variables = env
        self.home = home
        self.port = port
        self._ready = ready

    @property
    def temp(self) -> Path:
        return self.home / "tmp"

    def prepare(self) -> None:
        """What a killed process left in its temporary folder is of no use to the next one."""
        shutil.rmtree(self.temp, ignore_errors=True)
        self.temp.mkdir(parents=True)

    def command(self) -> Command:
        path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
        from commerce360.local.environment import names

        settings = names()  # those that the stack leaves open: what is meant for another cluster may contradict its own
        others = {k: v for k, v in os.environ.items() if k not in settings}
        env = {**others, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "TMPDIR": str(self.temp), **self.variables}
        return Command([sys.executable, "-m", self.module], env, self.home)

    def ready(self) -> bool:
        return self._ready()


def answers(url: str) -> Callable[[], bool]:
    """Ready when a GET of `url` is answered with 200."""

    def check() -> bool:
        try:
            return requests.get(url, timeout=3).status_code == 200
        except requests.RequestException:
            return False

    return check


def publishes(state: Path, service: str, pid_file: Path) -> Callable[[], bool]:
    """Ready when the process that runs now (not the one before it) has published metrics."""
    from commerce360.local.process import Identity

    def check() -> bool:
        identity = Identity.load(pid_file)
        return identity is not None and metrics.read(state, service).get("pid") == identity.pid

    return check
