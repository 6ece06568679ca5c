"""Kafka Connect over its REST API: deploy connector JSON as it is, wait for tasks, restart what failed.

How the API really behaves is from Connect 4.3: a failed task leaves its connector RUNNING, a change of configuration answers 409 for a
moment, and PUT of a config creates or updates.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import stamina

from commerce360.errors import C360Error, ConfigError, UnavailableError

CONFIGS = Path(__file__).parent
RESTART_TAKES_S = 1.0  # until the status shows it


@dataclass(frozen=True)
class Status:
    name: str
    connector: str  # RUNNING, PAUSED, STOPPED, UNASSIGNED, FAILED
    tasks: tuple[str, ...]
    cause: str  # first line of the first trace, empty when nothing failed

    @property
    def running(self) -> bool:
        return self.connector == "RUNNING" and bool(self.tasks) and all(t == "RUNNING" for t in self.tasks)

    @property
    def failed(self) -> bool:
        return self.connector == "FAILED" or "FAILED" in self.tasks


class MomentaryConflictError(C360Error):
    """409 while the worker group settles; the same call works a little later."""


def configurations(folder: Path = CONFIGS) -> dict[str, dict[str, str]]:
    """`{connector name: configuration}`: one file each, named after the connector."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text())
        except ValueError as error:
            raise ConfigError(f"{path.name} is not JSON: {error}", "fix the file") from error
    return found


class Connect:
    def __init__(self, url: str, timeout_s: float = 20.0) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s

    def config(self, name: str) -> dict[str, str] | None:
        """The deployed configuration without the name that Connect adds; None when there is no such connector."""
        reply = self._call("GET", f"/connectors/{name}/config", missing_ok=True)
        return None if reply is None else {k: v for k, v in reply.items() if k != "name"}

    def deploy(self, name: str, config: dict[str, str]) -> bool:
        """Create or update the connector; False when it runs with this very configuration already."""
        if self.config(name) == config:
            return False
        self._call("PUT", f"/connectors/{name}/config", config)
        return True

    def status(self, name: str) -> Status | None:
        reply = self._call("GET", f"/connectors/{name}/status", missing_ok=True)
        if reply is None:
            return None
        traces = [part.get("trace") for part in (reply["connector"], *reply["tasks"]) if part.get("trace")]
        cause = traces[0].strip().splitlines()[0] if traces else ""
        return Status(name, reply["connector"]["state"], tuple(t["state"] for t in reply["tasks"]), cause)

    def wait_running(self, name: str, timeout_s: float = 60.0, restarts: int = 0) -> Status:
        """Wait for every task; one that failed is started again up to `restarts` times.

        Right after a start the state is still the one that the last worker left. Raises C360Error with the first line of the
        cause, UnavailableError when time is up.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            found = self.status(name)
            if found and found.running:
                return found
            if found and found.failed and restarts <= 0:
                raise C360Error(f"connector {name} failed: {found.cause}", "see `c360 logs connect`")
            if found and found.failed:
                restarts -= 1
                self.restart_failed(name)
                time.sleep(RESTART_TAKES_S)
            if time.monotonic() > deadline:
                raise UnavailableError(f"connector {name} does not run after {timeout_s:.0f} s: {found}", "see `c360 logs connect`")
            time.sleep(0.2)

    def restart_failed(self, name: str) -> None:
        self._call("POST", f"/connectors/{name}/restart?includeTasks=true&onlyFailed=true")

    def offsets(self, name: str) -> list[dict[str, Any]]:
        reply = self._call("GET", f"/connectors/{name}/offsets", missing_ok=True) or {}
        return list(reply.get("offsets", []))

    @stamina.retry(on=MomentaryConflictError, attempts=10, wait_initial=0.2, wait_max=2.0, timeout=30.0)
    def _call(self, method: str, path: str, body: Any = None, missing_ok: bool = False) -> Any:
        try:
            reply = requests.request(method, self.url + path, json=body, timeout=self.timeout_s)
        except requests.RequestException as error:
            raise UnavailableError(f"Kafka Connect at {self.url} does not answer: {type(error).__name__}", "see `c360 status`") from error
        if reply.status_code == 404 and missing_ok:
            return None
        if reply.status_code == 409:
            raise MomentaryConflictError(f"Kafka Connect is busy: {_message(reply)}", "try again")
        if not reply.ok:
            raise C360Error(f"{method} {path}: {reply.status_code} {_message(reply)}", "see `c360 logs connect`")
        return reply.json() if reply.content else {}


def _message(reply: requests.Response) -> str:
    try:
        return str(reply.json().get("message", ""))[:500]
    except ValueError:
        return reply.text[:200]
