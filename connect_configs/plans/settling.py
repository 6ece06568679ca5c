"""Waiting for connectors to settle after a change.

At first the status is that of the tasks before the change, and a task says RUNNING before it has reached its source. So a state counts
once it was seen for a while without a break.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from commerce360.errors import C360Error
from connect_configs.client import POLL_S, Connect, failure
from connect_configs.http import ConnectUnavailableError
from connect_configs.model import Status

SETTLE_S = 2.5


def settle(
    client: Connect, names: Sequence[str], timeout_s: float, settle_s: float = SETTLE_S, restarts: int = 0
) -> dict[str, Status | C360Error]:
    """Wait until each has run, or has been failing, for `settle_s`; a failure is started again up to `restarts` times.

    The status of what runs; for the others an error: the cause of the failure, or that time is up.
    """
    deadline = time.monotonic() + timeout_s
    found: dict[str, Status | C360Error] = {}
    waiting = {name: _Waiting(client, name, settle_s, restarts) for name in names}
    while waiting:
        statuses = {name: c.status for name, c in client.overview().items()}
        for name in list(waiting):
            status = statuses.get(name)
            if (end := waiting[name].see(status)) is None and time.monotonic() > deadline:
                end = _late(name, status, timeout_s)
            if end is not None:
                found[name] = end
                del waiting[name]
        if waiting:
            time.sleep(POLL_S)
    return found


class _Waiting:
    """For one connector: the state that it was last seen in, and since when."""

    def __init__(self, client: Connect, name: str, settle_s: float, restarts: int) -> None:
        self.client = client
        self.name = name
        self.settle_s = settle_s
        self.restarts = restarts
        self.state, self.since = "", time.monotonic()

    def see(self, status: Status | None) -> Status | C360Error | None:
        """How it ended, None for not yet."""
        state = "" if status is None else "failed" if status.failed else "running" if status.running else ""
        if state != self.state:
            self.state, self.since = state, time.monotonic()
        if status is None or not state or time.monotonic() - self.since < self.settle_s:
            return None
        if status.running:
            return status
        if self.restarts <= 0:
            return failure(status)
        self.restarts -= 1
        self.state = ""
        self.client.restart_failed(self.name)
        return None


def _late(name: str, status: Status | None, timeout_s: float) -> ConnectUnavailableError:
    state = status.summary if status else "there is none of that name"
    return ConnectUnavailableError(f"connector {name} does not run after {timeout_s:.0f} s: {state}", "see the worker's log")
