"""What Connect says of a connector and its tasks, and what a trace means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CAUSE_LENGTH = 300
EXCEPTION = re.compile(r"^(?:Caused by: )?((?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)[\w$]*)(?::\s*(.*))?$")
Config = dict[str, str]


def cause(trace: str) -> str:
    """The first cause that a Java trace names, as `ShortName: its first line`; a trace of any length gives one line.

    The innermost exception with a message: the outer ones say that something failed.
    """
    found = [m for m in map(EXCEPTION.match, trace.splitlines()) if m]
    told = [m for m in found if m[2]]
    if not told:
        first = next((line.strip() for line in trace.splitlines() if line.strip()), "")
        return first[:CAUSE_LENGTH]
    return f"{told[-1][1].rpartition('.')[2]}: {told[-1][2].strip()}"[:CAUSE_LENGTH]


@dataclass(frozen=True)
class Task:
    id: int
    state: str  # RUNNING, FAILED, PAUSED, UNASSIGNED, RESTARTING
    worker: str
    trace: str = ""

    @property
    def cause(self) -> str:
        return cause(self.trace)


@dataclass(frozen=True)
class Status:
    """One connector as Connect sees it. A failed task leaves the connector RUNNING: look at the tasks."""

    name: str
    connector: str  # RUNNING, PAUSED, STOPPED, UNASSIGNED, FAILED, RESTARTING
    tasks: tuple[Task, ...]
    worker: str = ""
    trace: str = ""
    kind: str = ""  # source or sink

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Status:
        """From the answer of GET /connectors/{name}/status."""
        about = reply["connector"]
        tasks = tuple(Task(int(t["id"]), t["state"], t.get("worker_id", ""), t.get("trace", "")) for t in reply["tasks"])
        return cls(reply["name"], about["state"], tasks, about.get("worker_id", ""), about.get("trace", ""), reply.get("type", ""))

    @property
    def running(self) -> bool:
        return self.connector == "RUNNING" and bool(self.tasks) and all(t.state == "RUNNING" for t in self.tasks)

    @property
    def failed(self) -> bool:
        return self.connector == "FAILED" or any(t.state == "FAILED" for t in self.tasks)

    @property
    def cause(self) -> str:
        """Of the connector's failure or of the first failed task; empty when nothing failed."""
        traces = [self.trace, *(t.trace for t in self.tasks)]
        return next((cause(t) for t in traces if t), "")

    @property
    def summary(self) -> str:
        """Such as `RUNNING, task 0 FAILED: PSQLException: ...`."""
        odd = [f"task {t.id} {t.state}" for t in self.tasks if t.state != "RUNNING"]
        said = ", ".join([self.connector, *(odd or ([] if self.tasks else ["no tasks"]))])
        return f"{said}: {self.cause}" if self.cause else said


@dataclass(frozen=True)
class Connector:
    """A deployed connector: its configuration without the name that Connect adds, and its status."""

    name: str
    config: Config
    status: Status
