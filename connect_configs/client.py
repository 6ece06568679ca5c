"""Kafka Connect's REST API, a method a call, and waiting for what a call began.

PUT of a configuration creates or updates; a failed task leaves its connector RUNNING; a stop or a restart is accepted first and done later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from commerce360.errors import C360Error
from connect_configs.http import Access, ConnectError, ConnectUnavailableError, Transport
from connect_configs.model import Config, Connector, Status

POLL_S = 0.2
UNREACHED = "The connector is trying to read change stream starting at"  # Debezium, whose slot begins later
RESTART_TAKES_S = 1.0  # until the status shows it
VALIDATION_TIMEOUT_S = 60.0  # a MongoDB that cannot be reached takes the worker 11 s
Offsets = list[dict[str, Any]]  # entries {"partition": {...}, "offset": {...} or None}


class Connect:
    """One Connect cluster, by the address of any of its workers. Lazy: nothing is opened before the first call."""

    def __init__(self, url: str, timeout_s: float = 20.0, access: Access | None = None, patience_s: float = 30.0) -> None:
        self.http = Transport(url, access, timeout_s, patience_s)

    @property
    def url(self) -> str:
        return self.http.url

    def __enter__(self) -> Connect:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()

    # --- what is there

    def version(self) -> dict[str, str]:
        """`version`, `commit`, `kafka_cluster_id`."""
        found: dict[str, str] = self.http.call("GET", "")
        return found

    def names(self) -> list[str]:
        return sorted(self.http.call("GET", "connectors"))

    def overview(self) -> dict[str, Connector]:
        """Every connector with configuration and status, in one call. One that is being deleted may be left out."""
        found = self.http.call("GET", "connectors", query=[("expand", "info"), ("expand", "status")])
        return {name: _connector(name, parts) for name, parts in sorted(found.items()) if "info" in parts and "status" in parts}

    def config(self, name: str) -> Config | None:
        """The deployed configuration without the name that Connect adds; None when there is no such connector."""
        reply = self.http.call("GET", "connectors", name, "config", missing_ok=True)
        return None if reply is None else {k: v for k, v in reply.items() if k != "name"}

    def status(self, name: str) -> Status | None:
        reply = self.http.call("GET", "connectors", name, "status", missing_ok=True)
        return None if reply is None else Status.of(reply)

    def topics(self, name: str) -> list[str]:
        """Topics that it has used since it was made (or since that list was reset)."""
        reply = self.http.call("GET", "connectors", name, "topics", missing_ok=True) or {}
        return sorted(reply.get(name, {}).get("topics", []))

    # --- deploy

    def deploy(self, name: str, config: Config) -> bool:
        """Create or update the connector; False when it runs with this very configuration already."""
        if self.config(name) == config:
            return False
        self.put_config(name, config)
        return True

    def put_config(self, name: str, config: Config) -> None:
        self.http.call("PUT", "connectors", name, "config", body=config, about=config)

    def create(self, name: str, config: Config, initial_state: str = "RUNNING") -> None:
        """`initial_state`: RUNNING, PAUSED or STOPPED. Raises ConnectError (409) when it exists."""
        body = {"name": name, "config": config, "initial_state": initial_state}
        self.http.call("POST", "connectors", body=body, about=config)

    def delete(self, name: str) -> None:
        """Offsets, slot and topics stay. Raises ConnectError (404) when there is none, unless an earlier try has deleted it."""
        self.http.call("DELETE", "connectors", name, gone_ok=True)

    def validate(self, config: Config) -> dict[str, Any]:
        """The server's validation; `error_count` says whether it is valid, the HTTP status never does."""
        plugin = config.get("connector.class", "").rpartition(".")[2]
        reply: dict[str, Any] = self.http.call(
            "PUT", "connector-plugins", plugin, "config", "validate", body=config, about=config, timeout_s=VALIDATION_TIMEOUT_S
        )
        return reply

    # --- run

    def restart(self, name: str, tasks: bool = True, only_failed: bool = True) -> None:
        query = {"includeTasks": str(tasks).lower(), "onlyFailed": str(only_failed).lower()}
        self.http.call("POST", "connectors", name, "restart", query=query)

    def restart_task(self, name: str, task: int) -> None:
        """Whatever its state. Raises ConnectError (404) where there is no such connector or task."""
        self.http.call("POST", "connectors", name, "tasks", str(task), "restart")

    def restart_failed(self, name: str) -> None:
        self.restart(name)

    def pause(self, name: str) -> None:
        self.http.call("PUT", "connectors", name, "pause")

    def resume(self, name: str) -> None:
        self.http.call("PUT", "connectors", name, "resume")

    def stop(self, name: str) -> None:
        self.http.call("PUT", "connectors", name, "stop")

    # --- offsets

    def offsets(self, name: str) -> Offsets:
        reply = self.http.call("GET", "connectors", name, "offsets", missing_ok=True) or {}
        return list(reply.get("offsets", []))

    def alter_offsets(self, name: str, offsets: Sequence[Mapping[str, Any]]) -> str:
        """Only while STOPPED. What Connect says; it takes any JSON, whether the connector can read it or not."""
        reply = self.http.call("PATCH", "connectors", name, "offsets", body={"offsets": list(offsets)})
        return str(reply.get("message", ""))

    def reset_offsets(self, name: str) -> str:
        """Only while STOPPED."""
        return str(self.http.call("DELETE", "connectors", name, "offsets").get("message", ""))

    # --- plugins and loggers

    def plugins(self, connectors_only: bool = False) -> list[dict[str, Any]]:
        """Entries `{"class", "type", "version"}`."""
        return list(self.http.call("GET", "connector-plugins", query={"connectorsOnly": str(connectors_only).lower()}))

    def plugin_config(self, plugin: str) -> list[dict[str, Any]]:
        """Definitions of a plugin's settings. Raises ConnectError (404) for an unknown one."""
        return list(self.http.call("GET", "connector-plugins", plugin, "config"))

    def loggers(self) -> dict[str, Any]:
        """`{logger: {"level", "last_modified"}}` of the worker that answers."""
        return dict(self.http.call("GET", "admin", "loggers"))

    def logger(self, name: str) -> dict[str, Any] | None:
        reply = self.http.call("GET", "admin", "loggers", name, missing_ok=True)
        return None if reply is None else dict(reply)

    def set_logger(self, name: str, level: str, cluster: bool = False) -> list[str]:
        """Names of the loggers that changed on this worker; empty with `cluster`, where nobody is told."""
        query = {"scope": "cluster"} if cluster else None
        reply = self.http.call("PUT", "admin", "loggers", name, query=query, body={"level": level})
        return list(reply) if isinstance(reply, list) else []

    # --- wait

    def settle(self, names: Sequence[str], timeout_s: float, settle_s: float = 0.0, restarts: int = 0) -> dict[str, Status | C360Error]:
        """Wait until each has run, or has been failing, for `settle_s` without a break; a failure is started again up to `restarts` times.

        After a change the status is at first that of the tasks before it, and a task says RUNNING before it has reached its source.
        The status of what runs; for the others an error: the cause of the failure, or that time is up.
        """
        deadline = time.monotonic() + timeout_s
        found: dict[str, Status | C360Error] = {}
        waiting = {name: _Settling(self, name, settle_s, restarts) for name in names}
        while waiting:
            statuses = {name: c.status for name, c in self.overview().items()}
            for name in list(waiting):
                status = statuses.get(name)
                if (end := waiting[name].see(status)) is None and time.monotonic() > deadline:
                    end = _late(name, status, timeout_s, "run")
                if end is not None:
                    found[name] = end
                    del waiting[name]
            if waiting:
                time.sleep(POLL_S)
        return found

    def wait_running(self, name: str, timeout_s: float = 60.0, restarts: int = 0, settle_s: float = 0.0) -> Status:
        """`settle` for one; raises what that returns as an error: C360Error with the cause, ConnectUnavailableError when time is up."""
        found = self.settle([name], timeout_s, settle_s, restarts)[name]
        if isinstance(found, C360Error):
            raise found
        return found

    def wait_stopped(self, name: str, timeout_s: float = 60.0) -> None:
        """Until it is STOPPED and has no tasks: only then may offsets be changed."""
        self.wait_until(name, lambda s: s is not None and s.connector == "STOPPED" and not s.tasks, timeout_s, "stop")

    def wait_gone(self, name: str, timeout_s: float = 60.0) -> None:
        self.wait_until(name, lambda s: s is None, timeout_s, "go")

    def wait_until(self, name: str, done: Callable[[Status | None], bool], timeout_s: float, verb: str) -> Status | None:
        """Raises ConnectUnavailableError when time is up; `verb` says what it did not do."""
        deadline = time.monotonic() + timeout_s
        while not done(found := self.status(name)):
            if time.monotonic() > deadline:
                raise _late(name, found, timeout_s, verb)
            time.sleep(POLL_S)
        return found


class _Settling:
    """For one connector: the state that it was last seen in, and since when."""

    def __init__(self, client: Connect, name: str, settle_s: float, restarts: int) -> None:
        self.client = client
        self.name = name
        self.settle_s = settle_s
        self.restarts = restarts
        self.state, self.since = "", time.monotonic()
        self.failure_counts_at = self.since  # a restart takes a moment to show: until then it is the old failure

    def see(self, status: Status | None) -> Status | C360Error | None:
        """How it ended, None for not yet."""
        now = time.monotonic()
        state = "" if status is None else "failed" if status.failed else "running" if status.running else ""
        if state == "failed" and now < self.failure_counts_at:
            state = ""
        if state != self.state:
            self.state, self.since = state, now
        if status is None or not state or now - self.since < self.settle_s:
            return None
        if status.running:
            return status
        if self.restarts <= 0:
            return failure(status)
        self.restarts -= 1
        self.failure_counts_at = now + RESTART_TAKES_S
        self.client.restart_failed(self.name)
        return None


def _late(name: str, status: Status | None, timeout_s: float, verb: str) -> ConnectUnavailableError:
    state = status.summary if status else "there is none of that name"
    return ConnectUnavailableError(f"connector {name} does not {verb} after {timeout_s:.0f} s: {state}", "see the worker's log")


def failure(found: Status) -> C360Error:
    hint = f"`c360 connect status {found.name} --trace` shows the whole trace"
    if UNREACHED in found.summary:
        hint = f"its stored offsets do not fit its slot: `c360 connect offsets reset {found.name}`, then `c360 connect snapshot --all`"
    return C360Error(f"connector {found.name} failed: {found.cause}", hint)


def known(client: Connect, name: str) -> Status:
    """Its status. Raises ConnectError that lists the connectors there are."""
    found = client.status(name)
    if found is None:
        names = client.names()
        hint = f"there are {', '.join(names)}" if names else "this cluster has no connector"
        raise ConnectError(f"there is no connector {name}", hint, 404)
    return found


def _connector(name: str, parts: Mapping[str, Any]) -> Connector:
    config = {k: v for k, v in parts["info"]["config"].items() if k != "name"}
    return Connector(name, config, Status.of(parts["status"]))
