"""Changes of connectors as data: fields, consequences, and what is known of a source when they are judged.

A change that loses data for good has a kind of loss; `apply` carries it out only where that kind is allowed:

| kind | what is lost |
|---|---|
| `gap` | changes between the position of now and the start of another slot, oplog or database |
| `table` | changes of tables or collections that are no longer captured |
| `offsets` | the position of a connector that starts without it and does not read everything again |
| `records` | single records that will be skipped or filtered out from now on |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from commerce360.errors import C360Error
from connect_configs.model import Config
from connect_configs.sources import Table

Action = Literal["create", "update", "unchanged", "unmanaged", "delete"]
Loss = Literal["", "gap", "table", "offsets", "records"]
Step = Literal["", "reset-offsets", "start", "load"]
LOSSES = ("gap", "table", "offsets", "records")
SIGNS: dict[Action, str] = {"create": "+", "update": "~", "unchanged": "=", "unmanaged": "?", "delete": "-"}


class LossNotAllowedError(C360Error):
    """A change of the plan loses data for good, and that kind of loss was not allowed."""

    exit_code = 6


@dataclass(frozen=True)
class Slot:
    active: bool
    held_bytes: int  # WAL that it keeps


@dataclass(frozen=True)
class Pending:
    """What an interrupted apply left to do, as it stands in the source: perhaps reset the offsets, start it, perhaps ask for the rows."""

    state: str = "RUNNING"  # in which the connector is to be in the end
    reset: bool = False
    load: bool = True


@dataclass(frozen=True)
class Facts:
    """What is known of a connector's source. `unseen` says why nothing is; then every other field is empty."""

    unseen: str = ""
    rows: Mapping[Table, int] = field(default_factory=dict)  # estimated rows of the tables that the new configuration captures
    was: tuple[Table, ...] = ()  # tables that the deployed one captures
    published: frozenset[Table] | None = None  # None: there is no such publication
    slots: Mapping[str, Slot] = field(default_factory=dict)
    is_loaded: bool = False  # the signal table says that the rows of all these tables were asked for, for topics of this prefix
    pending: Pending | None = None
    is_same_place: bool | None = None  # do both configurations mean the same database, references resolved? None: not known
    topics: tuple[str, ...] = ()  # topics that the deployed connector used
    documents: int | None = None  # of a MongoDB collection


@dataclass(frozen=True)
class Field:
    """One setting that differs, as it may be shown; None: not set."""

    key: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Consequence:
    """`kind` is a stable name; `step` is what `apply` does about it by itself."""

    kind: str
    message: str
    loss: Loss = ""
    step: Step = ""


@dataclass(frozen=True)
class Change:
    name: str
    action: Action
    config: Config = field(default_factory=dict)  # as desired; as deployed for what is unmanaged
    fields: tuple[Field, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    state: str = ""  # of what is deployed, such as RUNNING
    renamed_from: str = ""  # the deployed connector, without a file, that reads the same thing
    pending: Pending | None = None

    @property
    def losses(self) -> set[Loss]:
        return {c.loss for c in self.consequences if c.loss}

    def has(self, step: Step) -> bool:
        return any(c.step == step for c in self.consequences)

    @property
    def is_work(self) -> bool:
        return self.action in ("create", "update", "delete") or any(c.step for c in self.consequences)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "action": self.action,
            "state": self.state,
            "fields": [{"key": f.key, "old": f.old, "new": f.new} for f in self.fields],
            "consequences": [{"kind": c.kind, "message": c.message, "loss": c.loss, "step": c.step} for c in self.consequences],
        }


@dataclass(frozen=True)
class Plan:
    changes: tuple[Change, ...]

    @property
    def work(self) -> list[Change]:
        return [c for c in self.changes if c.is_work]

    @property
    def losses(self) -> dict[str, list[str]]:
        """Kind of loss -> connectors."""
        found: dict[str, list[str]] = {}
        for change in self.changes:
            for loss in sorted(change.losses):
                found.setdefault(loss, []).append(change.name)
        return found

    def count(self, action: Action) -> int:
        return sum(c.action == action for c in self.changes)

    def as_json(self) -> dict[str, Any]:
        return {
            "changes": [c.as_json() for c in self.changes],
            "work": len(self.work),
            "losses": self.losses,
            **{action: self.count(action) for action in SIGNS},
        }


def check_losses(plan: Plan, allowed: Collection[str]) -> None:
    """Raises LossNotAllowedError that names each kind, its connectors and the option."""
    missing = {kind: names for kind, names in plan.losses.items() if kind not in allowed}
    if missing:
        what = "; ".join(f"{kind} ({', '.join(names)})" for kind, names in missing.items())
        options = " ".join(f"--allow-data-loss {kind}" for kind in missing)
        raise LossNotAllowedError(f"this plan loses data: {what}", f"if that is meant: {options}")
