"""Carry out a plan: deploy, do what the change needs beside that, wait until it works. Interrupted anywhere, the next apply goes on.

A new connector's rows, and those of one that moves to another slot, are read by an incremental snapshot (`first_load`): that they are
wanted stands in the source before Connect is told anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from commerce360.errors import C360Error
from connect_configs import snapshot, sources
from connect_configs.cluster import Cluster
from connect_configs.http import ConnectError
from connect_configs.offsets import offset_changes
from connect_configs.plans import first_load
from connect_configs.plans.changes import Change, Pending, Plan, check_losses
from connect_configs.sources import Table

SETTLE_S = 2.5
State = Literal["RUNNING", "PAUSED", "STOPPED"]
Note = Callable[[str, str], None]  # connector, what is being done or was done


@dataclass
class Applied:
    """What was done with one connector; `load` is the log position behind the request for its rows."""

    name: str
    action: str
    wanted: str  # state: RUNNING, PAUSED, STOPPED or gone
    state: str = ""
    load: int | None = None
    tables: list[Table] = field(default_factory=list)
    backup: str = ""

    def as_json(self) -> dict[str, Any]:
        loading = [".".join(t) for t in self.tables] if self.load is not None else []
        return {"name": self.name, "action": self.action, "state": self.state, "loading": loading, "backup": self.backup}


class Apply:
    """`note` hears of every step. One connector that fails does not keep the others from being deployed."""

    def __init__(
        self,
        cluster: Cluster,
        note: Note,
        backups: Path,
        create_state: State = "RUNNING",
        timeout_s: float = 120.0,
        settle_s: float = SETTLE_S,
        restarts: int = 0,
    ) -> None:
        """`backups`: folder for offsets that are reset. `restarts`: how often a task that fails at first is started again."""
        self.cluster = cluster
        self.client = cluster.client
        self.note = note
        self.backups = backups
        self.create_state = create_state
        self.timeout_s = timeout_s
        self.settle_s = settle_s
        self.restarts = restarts
        self.way_back: list[str] = []  # commands that undo what is half done, for whoever interrupts
        self.done: list[Applied] = []
        self.failed: dict[str, C360Error] = {}

    def run(self, plan: Plan, allowed: Collection[str] = ()) -> list[Applied]:
        """Raises LossNotAllowedError before anything is changed; after all were tried, C360Error that names those that failed.

        First what is deleted because it was renamed, as its slot must be free; then what is created or updated, and all of that is waited
        for at once; last what else is deleted.
        """
        check_losses(plan, allowed)
        renamed = {c.renamed_from for c in plan.changes if c.renamed_from}
        early = [c for c in plan.work if c.action == "delete" and c.name in renamed]
        late = [c for c in plan.work if c.action == "delete" and c.name not in renamed]
        changes = [c for c in plan.work if c.action != "delete"]
        self._each(early, self._delete)
        deployed = self._each(changes, self._start)
        self._settle([a for a in deployed if a.wanted == "RUNNING"])
        loading = {c.name: c for c in changes if c.has("load")}
        for applied in deployed:
            if applied.name in loading and applied.name not in self.failed:
                self._try(loading[applied.name], partial(self._ask_for_rows, applied=applied))
        self._each(late, self._delete)
        if self.failed:
            raise _combined(self.failed)
        return self.done

    def _each(self, changes: Sequence[Change], act: Callable[[Change], Applied]) -> list[Applied]:
        found = [applied for change in changes if (applied := self._try(change, act))]
        self.done += found
        return found

    def _try(self, change: Change, act: Callable[[Change], Applied]) -> Applied | None:
        try:
            return act(change)
        except C360Error as error:
            self._fail(change.name, error)
            return None

    def _fail(self, name: str, error: C360Error) -> None:
        self.failed[name] = error
        self.note(name, f"failed: {error.message}")

    def _delete(self, change: Change) -> Applied:
        self.note(change.name, "deleting")
        self.client.delete(change.name)
        self.client.wait_gone(change.name, self.timeout_s)
        return Applied(change.name, change.action, "gone", "gone")

    def _start(self, change: Change) -> Applied:
        applied = Applied(change.name, change.action, self._wanted_state(change))
        if change.has("reset-offsets"):
            self._move(change, applied)
        else:
            if change.has("load"):
                self._remember(change, Pending(applied.wanted))
            self._put(change, applied.wanted)
            if change.action == "unchanged" and applied.wanted == "RUNNING":
                self.client.resume(change.name)
            if change.has("start"):
                first_load.end(self.cluster, change.config, change.name)
        if (wanted := applied.wanted) != "RUNNING":
            self.client.wait_until(change.name, lambda s: s is not None and s.connector == wanted, self.timeout_s, f"get {wanted}")
            applied.state = wanted
        return applied

    def _put(self, change: Change, wanted: str) -> None:
        if change.action == "create" and wanted != "RUNNING":
            self.note(change.name, f"creating, {wanted}")
            self.client.create(change.name, change.config, wanted)
        elif change.action in ("create", "update"):
            self.note(change.name, "creating" if change.action == "create" else "updating")
            self.client.put_config(change.name, change.config)

    def _remember(self, change: Change, pending: Pending) -> None:
        """A source that cannot be reached from here must not keep the connector from being deployed: then it is said."""
        try:
            first_load.begin(self.cluster, change.config, change.name, pending)
        except C360Error as error:
            self.note(change.name, f"cannot note that its rows are wanted ({error.message}); ask with `c360 connect snapshot --all`")

    def _move(self, change: Change, applied: Applied) -> None:
        """To another slot: stopped, the new configuration put, then the offsets reset, with those of before in a file.

        The mark in the source says at each step what is left, so the next apply goes on wherever this one ends. A configuration that is
        refused changes nothing: the connector goes on as it was.
        """
        name, was, load = change.name, change.state.partition(",")[0], change.has("load")
        self._remember(change, Pending(applied.wanted, reset=True, load=load))
        self.note(name, "stopping, to reset its offsets")
        self.way_back = [f"c360 connect resume {name}"] if was == "RUNNING" else []
        self.client.stop(name)
        self.client.wait_stopped(name, self.timeout_s)
        try:
            self._put(change, applied.wanted)
        except ConnectError:
            if was == "RUNNING":
                self.client.resume(name)
            with contextlib.suppress(C360Error):  # what was noted above may not have been, either
                first_load.end(self.cluster, change.config, name)
            raise
        backup = offset_changes.back_up(self.cluster, name, self.backups)
        self.way_back = [f"c360 connect offsets restore {backup}", *self.way_back]
        self.note(name, f"offsets of before: {backup}")
        applied.backup = str(backup)
        self.client.reset_offsets(name)
        self._remember(change, Pending(applied.wanted, load=load))
        if applied.wanted == "RUNNING":
            self.client.resume(name)
        elif applied.wanted == "PAUSED":
            self.client.pause(name)
        self.way_back = []
        if not load:
            with contextlib.suppress(C360Error):  # as above
                first_load.end(self.cluster, change.config, name)

    def _settle(self, deployed: Sequence[Applied]) -> None:
        if not deployed:
            return
        waiting = {a.name: a for a in deployed}
        self.note(", ".join(waiting), "waiting for the tasks")
        for name, found in self.client.settle(list(waiting), self.timeout_s, self.settle_s, self.restarts).items():
            if isinstance(found, C360Error):
                self._fail(name, found)
            else:
                waiting[name].state = found.summary

    def _wanted_state(self, change: Change) -> str:
        """A connector that was paused or stopped stays so, unless an interrupted apply of ours had stopped it."""
        if change.action == "create":
            return self.create_state
        state = change.state.partition(",")[0]
        if state not in ("PAUSED", "STOPPED"):
            return "RUNNING"
        return change.pending.state if change.pending else state

    def _ask_for_rows(self, change: Change, applied: Applied) -> Applied:
        if applied.wanted != "RUNNING":
            self.note(change.name, "its rows are asked for by the next apply, once it runs")
            return applied
        with sources.postgres(self.cluster, change.config) as connection, sources.answering(change.config):
            applied.tables = sources.data_tables(connection, change.config)
        applied.load = snapshot.request(self.cluster, change.config, applied.tables, first_load.load_id(change.name, change.config))
        first_load.end(self.cluster, change.config, change.name)
        self.note(change.name, f"asked for the rows of {', '.join(map('.'.join, applied.tables))}")
        return applied


def _combined(failed: Mapping[str, C360Error]) -> C360Error:
    """One error for all of them, with the exit code and the hint of the first."""
    first = next(iter(failed.values()))
    many = f"{len(failed)} connectors failed: {', '.join(failed)}; the first: "
    made = C360Error(first.message if len(failed) == 1 else many + first.message, first.hint)
    made.exit_code = first.exit_code
    return made
