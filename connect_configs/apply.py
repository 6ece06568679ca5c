"""Carry out a plan: deploy, do what the change needs beside that, wait until it works. Interrupted anywhere, the next apply goes on.

A new connector's rows, and those of one that moves to another slot, are read by an incremental snapshot (`first_load`): that they are
wanted stands in the source before Connect is told anything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from commerce360.errors import C360Error
from connect_configs import first_load, offset_changes, snapshot, sources
from connect_configs.changes import Change, Plan, check_losses
from connect_configs.cluster import Cluster
from connect_configs.source_facts import captured
from connect_configs.sources import Table

State = Literal["RUNNING", "PAUSED", "STOPPED"]
Note = Callable[[str, str], None]  # connector, what is being done or was done


@dataclass
class Applied:
    """What was done with one connector; `load` is the log position behind the request for its rows."""

    name: str
    action: str
    state: str = ""
    load: int | None = None
    tables: list[Table] = field(default_factory=list)
    backup: str = ""

    def as_json(self) -> dict[str, Any]:
        loading = [".".join(t) for t in self.tables] if self.load is not None else []
        return {"name": self.name, "action": self.action, "state": self.state, "loading": loading, "backup": self.backup}


class Apply:
    """`note` hears of every step. Connectors come one after the other; one that fails does not keep the others from being tried."""

    def __init__(
        self,
        cluster: Cluster,
        note: Note,
        backups: Path,
        create_state: State = "RUNNING",
        timeout_s: float = 120.0,
        restarts: int = 0,
    ) -> None:
        self.cluster = cluster
        self.client = cluster.client
        self.note = note
        self.backups = backups  # folder for offsets that are reset
        self.create_state = create_state
        self.timeout_s = timeout_s
        self.restarts = restarts

    def run(self, plan: Plan, allowed: Collection[str] = ()) -> list[Applied]:
        """Raises LossNotAllowedError before anything is changed; after all were tried, C360Error that names those that failed."""
        check_losses(plan, allowed)
        done, failed = [], dict[str, C360Error]()
        for change in _in_order(plan):
            try:
                done.append(self._one(change))
            except C360Error as error:
                failed[change.name] = error
                self.note(change.name, f"failed: {error.message}")
        if failed:
            first = next(iter(failed.values()))
            message = (
                first.message if len(failed) == 1 else f"{len(failed)} connectors failed: {', '.join(failed)}; the first: {first.message}"
            )
            raise _again(first, message)
        return done

    def _one(self, change: Change) -> Applied:
        applied = Applied(change.name, change.action)
        if change.action == "delete":
            self.note(change.name, "deleting")
            self.client.delete(change.name)
            self.client.wait_gone(change.name, self.timeout_s)
            applied.state = "gone"
            return applied
        if change.has("load"):
            self._remember_load(change)
        if change.has("reset-offsets"):
            applied.backup = self._reset_offsets(change)
        self._deploy(change)
        return self._follow_up(change, applied)

    def _remember_load(self, change: Change) -> None:
        """A source that cannot be reached from here must not keep the connector from being deployed: then it is said."""
        try:
            first_load.begin(self.cluster, change.config, change.name)
        except C360Error as error:
            self.note(change.name, f"cannot note that its rows are wanted ({error.message}); ask with `c360 connect snapshot --all`")

    def _reset_offsets(self, change: Change) -> str:
        """Stopped, with the offsets of before in a file. The new configuration is put while it is stopped."""
        self.note(change.name, "stopping, to reset its offsets")
        self.client.stop(change.name)
        self.client.wait_stopped(change.name, self.timeout_s)
        before = offset_changes.read(self.cluster, change.name)
        backup = offset_changes.write_backup(self.cluster, before, self.backups, dt.datetime.now(dt.UTC))
        self.note(change.name, f"offsets of before: {backup}")
        self.client.reset_offsets(change.name)
        return str(backup)

    def _deploy(self, change: Change) -> None:
        if change.action == "create" and self.create_state != "RUNNING":
            self.note(change.name, f"creating, {self.create_state}")
            self.client.create(change.name, change.config, self.create_state)
        elif change.action in ("create", "update"):
            self.note(change.name, "creating" if change.action == "create" else "updating")
            self.client.put_config(change.name, change.config)
        if change.has("reset-offsets"):
            self.client.resume(change.name)

    def _follow_up(self, change: Change, applied: Applied) -> Applied:
        if (wanted := self._wanted_state(change)) != "RUNNING":
            self.client.wait_until(change.name, lambda s: s is not None and s.connector == wanted, self.timeout_s, f"get {wanted}")
            applied.state = wanted
            if change.has("load"):
                self.note(change.name, "its rows are asked for by the next apply, once it runs")
            return applied
        self.note(change.name, "waiting for its tasks")
        applied.state = self.client.wait_settled(change.name, self.timeout_s, restarts=self.restarts).summary
        if change.has("load"):
            applied.tables = self._tables(change)
            applied.load = self._ask_for_rows(change, applied.tables)
        return applied

    def _wanted_state(self, change: Change) -> str:
        """An update leaves a connector paused or stopped that was so."""
        if change.action == "create":
            return self.create_state
        state = change.state.partition(",")[0]
        return state if state in ("PAUSED", "STOPPED") and not change.has("reset-offsets") else "RUNNING"

    def _tables(self, change: Change) -> list[Table]:
        with sources.postgres(self.cluster, change.config) as connection, sources.answering(change.config):
            return captured(connection, change.config)

    def _ask_for_rows(self, change: Change, tables: list[Table]) -> int:
        position = snapshot.request(self.cluster, change.config, tables, first_load.load_id(change.name))
        first_load.end(self.cluster, change.config, change.name)
        self.note(change.name, f"asked for the rows of {', '.join(map('.'.join, tables))}")
        return position


def _in_order(plan: Plan) -> list[Change]:
    """What is deleted because it was renamed goes first: its slot must be free. Everything else that is deleted goes last."""
    renamed = {c.renamed_from for c in plan.changes if c.renamed_from}
    rank = {"delete": 2}
    return sorted(plan.work, key=lambda c: 0 if c.name in renamed else rank.get(c.action, 1))


def _again(error: C360Error, message: str) -> C360Error:
    """The same kind of error, and so the same exit code, with another message."""
    made = C360Error(message, error.hint)
    made.exit_code = error.exit_code
    return made
