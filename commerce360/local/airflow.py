"""Airflow beside a local stack: its parts from an environment of their own, supervised, with their state in the stack's folder.

Not `airflow standalone`: that leaves its parts behind when it is ended by SIGTERM, starts none of them again, and listens with its log
servers on every address.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from commerce360.errors import C360Error, ConfigError
from commerce360.local import addresses, claim
from commerce360.local.bootstrap.paths import BUILD, ROOT
from commerce360.local.process import Command
from commerce360.local.state import is_free, port_shift, write_private
from commerce360.local.supervisor import Supervisor, last_line

PORT = 19070
USER = "admin"
VENV = BUILD / "venv-airflow"
DAGS = ROOT / "airflow" / "dags"
LOOK_EVERY_S = 1.0
PARTS = {
    "api-server": ("api-server", "--workers", "1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}


def default_port() -> int:
    return PORT + port_shift()


class Airflow:
    """Of one stack's folder, on loopback. Its pages are for whoever can read the password in that folder."""

    def __init__(self, state: Path, port: int, notify: Callable[[str], None] = lambda _: None, venv: Path = VENV) -> None:
        """`notify` is told what becomes of the parts. Raises ConfigError when Airflow is not installed, or without DAGs."""
        self.program = venv / "bin" / "airflow"
        if not self.program.exists():
            raise ConfigError(f"there is no Airflow at {self.program}", "`make airflow` installs it and starts it")
        if not DAGS.is_dir():
            raise ConfigError(f"there are no DAGs at {DAGS}", "run it from a checkout of commerce360")
        claim.ensure_ours(state)
        self.state = state.resolve()
        self.home = self.state / "airflow"
        self.passwords = self.home / "passwords.json"  # of who may log in
        self.port = port
        self.health = _Health(f"http://127.0.0.1:{port}/api/v2/monitor/health")
        parts = [_Part(self, name) for name in PARTS]
        self.supervisor = Supervisor(self.home / "run", self.home / "logs", parts, notify)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def environment(self) -> dict[str, str]:
        """Of every process of this Airflow. What the environment says of Airflow and of the commands is kept, but for where it is."""
        addresses.isolate()
        ours = {
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__DEFAULT_POOL_TASK_SLOT_COUNT": "2",  # of all DAGs together: more would take the lake job's time
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "C360_COMMAND": shlex.join([sys.executable, "-m", "commerce360.cli.main"]),
        }
        fixed = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "C360_AIRFLOW_STATE": str(self.state),
            "PATH": os.pathsep.join((str(self.program.parent), os.environ.get("PATH", os.defpath))),
        }
        return {**ours, **os.environ, **fixed}

    def start(self) -> None:
        """All parts, until they work. Raises C360Error for what cannot start; `stop` is to be called then, too."""
        refusal = ConfigError(f"an Airflow is running already for {self.state}", "stop it with Ctrl-C where it was started")
        self._lock = claim.lock(self.home / "run", refusal)
        claim.end_services(self.home / "run", list(PARTS))
        if not is_free(self.port):
            raise ConfigError(f"port {self.port} is taken", "choose another one with --port")
        self.prepare()
        for name in PARTS:
            self.supervisor.start(name)
        for name in PARTS:
            self.supervisor.wait_ready(name)

    def stop(self) -> None:
        self.supervisor.stop_all()

    def prepare(self) -> None:
        """Its password and its database, as this version of Airflow wants it; quick when they are there. Raises C360Error."""
        if not self.passwords.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            part = self.passwords.with_suffix(".part")  # half a file would make Airflow choose a password, and print it
            write_private(part, json.dumps({USER: secrets.token_urlsafe(24)}) + "\n")
            part.replace(self.passwords)
        version = next(self.program.parents[1].glob("lib/*/site-packages/apache_airflow_core-*.dist-info")).name
        mark = self.home / "migrated"
        if mark.exists() and mark.read_text() == version:
            return
        log = self.home / "logs" / "migrate.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            done = subprocess.run([self.program, "db", "migrate"], env=self.environment(), cwd=ROOT, stdout=out, stderr=out, check=False)
        if done.returncode:
            raise C360Error(f"Airflow's database cannot be made: {last_line(log)}", f"read {log}")
        mark.write_text(version)

    def run(self, args: list[str]) -> None:
        """Become the command `airflow ARGS` with this environment. Never returns."""
        self.prepare()
        sys.stdout.flush()
        os.execve(self.program, [str(self.program), *args], self.environment())


class _Part:
    """A process of Airflow, as the supervisor keeps it."""

    stop_signal = signal.SIGTERM
    ready_timeout_s = 240.0

    def __init__(self, airflow: Airflow, name: str) -> None:
        self.airflow = airflow
        self.name = name
        self.began = dt.datetime.now(dt.UTC)
        self.port = airflow.port if name == "api-server" else None

    def prepare(self) -> None:
        """Nothing: the database is made before any part starts."""

    def command(self) -> Command:
        self.began = dt.datetime.now(dt.UTC)
        return Command([str(self.airflow.program), *PARTS[self.name]], self.airflow.environment(), ROOT)

    def ready(self) -> bool:
        """The API answers; another part has told the database since its start that it lives."""
        found = self.airflow.health.look()
        if self.name == "api-server":
            return bool(found)
        name = self.name.replace("-", "_")
        beat = found.get(name, {}).get(f"latest_{name}_heartbeat")
        return bool(beat) and dt.datetime.fromisoformat(beat) > self.began


class _Health:
    """What Airflow says of its parts, asked once a second however often it is looked at."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.found: Mapping[str, Any] = {}
        self.at = 0.0
        self._lock = threading.Lock()

    def look(self) -> Mapping[str, Any]:
        with self._lock:
            if time.monotonic() - self.at >= LOOK_EVERY_S:
                self.found, self.at = self._ask(), time.monotonic()
            return self.found

    def _ask(self) -> Mapping[str, Any]:
        try:
            reply = requests.get(self.url, timeout=5)
            found: Mapping[str, Any] = reply.json() if reply.ok else {}
        except (requests.RequestException, ValueError):
            return {}
        return found
