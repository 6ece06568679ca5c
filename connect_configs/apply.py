"""Carry out a plan: deploy, do what the change needs beside that, wait until it works. Interrupted anywhere, the next apply goes on.

A new connector's rows, and those of one that moves to another slot, are read by an incremental snapshot (`first_load`): that they are
wanted stands in the source before Connect is told anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from commerce360.errors import C360Error
from connect_configs import first_load, offset_changes, snapshot, sources
from connect_configs.changes import Change, Plan, check_losses
from connect_configs.cluster import Cluster
from connect_configs.settling import SETTLE_S, settle
from connect_configs.source_facts import captured
from connect_configs.sources import Table

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
        self._failed: dict[str, C360Error] = {}

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
        done = [*self._each(early, self._delete), *(deployed := self._each(changes, self._start))]
        self._settle([a for a in deployed if a.wanted == "RUNNING"])
        started = [c for c in changes if c.has("load") and c.name not in self._failed]
        self._each(started, lambda c: self._ask_for_rows(c, next(a for a in deployed if a.name == c.name)))
        done += self._each(late, self._delete)
        if self._failed:
            raise _combined(self._failed)
        return done

    def _each(self, changes: Sequence[Change], act: Callable[[Change], Applied]) -> list[Applied]:
        done = []
        for change in changes:
            try:
                done.append(act(change))
            except C360Error as error:
                self._fail(change.name, error)
        return done

    def _fail(self, name: str, error: C360Error) -> None:
        self._failed[name] = error
        self.note(name, f"failed: {error.message}")

    def _delete(self, change: Change) -> Applied:
        self.note(change.name, "deleting")
        self.client.delete(change.name)
        self.client.wait_gone(change.name, self.timeout_s)
        return Applied(change.name, change.action, "gone", "gone")

    def _start(self, change: Change) -> Applied:
        applied = Applied(change.name, change.action, self._wanted_state(change))
        if change.has("load"):
            self._remember_load(change)
        if change.has("reset-offsets"):
            applied.backup = self._reset_offsets(change)
        if change.action == "create" and applied.wanted != "RUNNING":
            self.note(change.name, f"creating, {applied.wanted}")
            self.client.create(change.name, change.config, applied.wanted)
        elif change.action in ("create", "update"):
            self.note(change.name, "creating" if change.action == "create" else "updating")
            self.client.put_config(change.name, change.config)
        if change.has("reset-offsets"):
            self.client.resume(change.name)
        if (wanted := applied.wanted) != "RUNNING":
            self.client.wait_until(change.name, lambda s: s is not None and s.connector == wanted, self.timeout_s, f"get {wanted}")
            applied.state = wanted
        return applied

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
        backup = offset_changes.back_up(self.cluster, change.name, self.backups)
        self.note(change.name, f"offsets of before: {backup}")
        self.client.reset_offsets(change.name)
        return str(backup)

    def _settle(self, deployed: Sequence[Applied]) -> None:
        if not deployed:
            return
        waiting = {a.name: a for a in deployed}
        self.note(", ".join(waiting), "waiting for the tasks")
        for name, found in settle(self.client, list(waiting), self.timeout_s, self.settle_s, self.restarts).items():
            if isinstance(found, C360Error):
                self._fail(name, found)
            else:
                waiting[name].state = found.summary

    def _wanted_state(self, change: Change) -> str:
        """An update leaves a connector paused or stopped that was so."""
        if change.action == "create":
            return self.create_state
        state = change.state.partition(",")[0]
        return state if state in ("PAUSED", "STOPPED") and not change.has("reset-offsets") else "RUNNING"

    def _ask_for_rows(self, change: Change, applied: Applied) -> Applied:
        if applied.wanted != "RUNNING":
            self.note(change.name, "its rows are asked for by the next apply, once it runs")
            return applied
        with sources.postgres(self.cluster, change.config) as connection, sources.answering(change.config):
            applied.tables = captured(connection, change.config)
        applied.load = snapshot.request(self.cluster, change.config, applied.tables, first_load.load_id(change.name))
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
