"""The fold: all changes of one key to its versions. The readable reference, and the code that the lake runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream_jobs.scd2.change import UPSERTS, Change, Seq
from stream_jobs.scd2.roles import Roles

PLACEHOLDER = "__debezium_unavailable_value"
Values = dict[str, Any]


@dataclass(slots=True)
class Version:
    """One row of the history (R19). `begun_by` is the sequence of the change that begins it, which may be a truncate."""

    key: tuple[Any, ...]
    values: Values
    valid_from: int
    begun_by: Seq
    by_truncate: bool = False
    is_deleted: bool = False
    unresolved: tuple[str, ...] = ()
    moved_from: tuple[Any, ...] | None = None
    moved_to: tuple[Any, ...] | None = None
    valid_to: int | None = None
    closed_by: str | None = None

    @property
    def version_key(self) -> str:
        return version_key(self.key, self.valid_from)


@dataclass(slots=True)
class State:
    """What holds after one change (R8). `values` of an absent state are the last ones of the life that ended."""

    change: Change
    eff: int
    present: bool
    values: Values
    unresolved: tuple[str, ...]
    moved_from: tuple[Any, ...] | None


@dataclass(slots=True)
class Instant:
    """The state that counts at one effective time (R10), and the last linked delete at it (R15)."""

    state: State
    moved_to: tuple[Any, ...] | None = None


@dataclass(slots=True)
class Life:
    """From an insert to the next delete or truncate: the values sent last, and what was never sent (R9)."""

    sent: Values = field(default_factory=dict)
    held_back: set[str] = field(default_factory=set)
    moved_from: tuple[Any, ...] | None = None
    begun: bool = False


def fold(key: tuple[Any, ...], changes: Sequence[Change], roles: Roles, columns: Sequence[str]) -> list[Version]:
    """Versions of `key`, oldest first. `changes`: its winners and all truncates, in `seq` order (a truncate first at a tie)."""
    versions: list[Version] = []
    was_present = False
    for instant in _instants(states(changes, roles, columns)):
        state = instant.state
        shown = state.present or (roles.delete == "mark" and was_present)
        was_present = was_present or state.present
        last = versions[-1] if versions and versions[-1].valid_to is None else None
        if last is not None:
            if shown and _same(last, state, roles):
                _extend(last, state)
                continue
            last.valid_to, last.closed_by, last.moved_to = state.eff, _closer(state.change), instant.moved_to
        if shown:
            versions.append(_begin(key, state))
    return versions


def states(changes: Sequence[Change], roles: Roles, columns: Sequence[str]) -> Iterator[State]:
    eff, life = 0, Life()
    ended: Values = dict.fromkeys(columns)
    for change in changes:
        eff = max(eff, change.ts)  # R4: a clock that steps back cannot make versions overlap
        if change.op not in UPSERTS:
            if life.begun:
                ended = {c: life.sent.get(c) for c in columns}
            life = Life()
            yield State(change, eff, False, ended, (), None)
            continue
        life.begun = True
        _send(life, change.after or {}, roles)
        life.moved_from = change.old_key or life.moved_from
        unresolved = tuple(sorted(c for c in life.held_back if c in columns))
        yield State(change, eff, True, {c: life.sent.get(c) for c in columns}, unresolved, life.moved_from)


def _send(life: Life, after: Values, roles: Roles) -> None:
    for column, value in after.items():
        if value == PLACEHOLDER:
            if column not in life.sent:
                life.held_back.add(column)
        elif not (value is None and column in roles.ignore_null):
            life.sent[column] = value
            life.held_back.discard(column)


def _instants(states: Iterable[State]) -> Iterator[Instant]:
    current: Instant | None = None
    for state in states:
        if current is None or state.eff != current.state.eff:
            if current is not None:
                yield current
            current = Instant(state)
        current.state = state
        if state.change.op == "d" and state.change.new_key is not None:
            current.moved_to = state.change.new_key
    if current is not None:
        yield current


def _same(version: Version, state: State, roles: Roles) -> bool:
    """Is the state a continuation of the version (R11)? Unresolved equals only unresolved."""
    if version.is_deleted or not state.present:
        return version.is_deleted and not state.present
    return all(
        _exact(version.values[c], state.values[c]) and (c in version.unresolved) == (c in state.unresolved)
        for c in state.values
        if roles.role(c) == "tracked"
    )


def _exact(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _extend(version: Version, state: State) -> None:
    """In-place values are those of the last state inside the version (R12)."""
    if state.present:
        version.values, version.unresolved, version.moved_from = state.values, state.unresolved, state.moved_from


def _begin(key: tuple[Any, ...], state: State) -> Version:
    by_truncate = state.change.op == "t"
    return Version(key, state.values, state.eff, state.change.seq, by_truncate, not state.present, state.unresolved, state.moved_from)


def _closer(change: Change) -> str:
    if change.op == "t":
        return "truncate"
    if change.op == "d":
        return "move" if change.new_key is not None else "delete"
    return "change"


def key_text(key: Iterable[Any]) -> str:
    """Key parts as one text, `\\` and `|` escaped (R20)."""
    return "|".join(str(part).replace("\\", "\\\\").replace("|", "\\|") for part in key)


def version_key(key: Iterable[Any], valid_from: int | None) -> str:
    """Stable key of a version (R20); `valid_from` None for an inferred row."""
    stamp = "inferred" if valid_from is None else valid_from
    return hashlib.sha256(f"{key_text(key)}@{stamp}".encode()).hexdigest()[:32]
