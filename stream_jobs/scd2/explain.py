"""Why the history of one key looks as it does: what each change sent, and what it did when it arrived.

What a change did is found by folding what had arrived before it and again with it, and comparing the versions. That is quadratic:
seconds for a thousand changes of one key, about a minute for some thousand, and nothing for more than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from stream_jobs.scd2.change import UPSERTS, Change, Seq, left_out, resolve
from stream_jobs.scd2.effects import Effect, compare, differ
from stream_jobs.scd2.fold import State, Version, fold, states
from stream_jobs.scd2.roles import Roles

Key = tuple[Any, ...]
RANKS = ("operation", "later time", "larger row", "larger links", "larger links")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A usable change as it came. `at` and `origin` say when and where; they are shown, and order nothing."""

    change: Change
    at: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rejected record as it came; `named` holds what is known of its op, key, seq, ts, after and link."""

    reason: str
    named: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A value that differs from the state before the change, in sequence order."""

    column: str
    role: str  # tracked or in_place
    before: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One arrival. `late`: a change with a larger sequence was there already. `eff` is None for what takes no part in the fold."""

    arrival: int  # from 1
    op: Any
    seq: Any
    ts: Any
    eff: int | None
    late: bool
    at: str
    origin: str
    sent: tuple[Sent, ...]
    did: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`entries` in sequence order (a repetition behind what it repeats, what has no sequence last); `versions` as all changes make them."""

    key: Key
    entries: list[Entry]
    versions: list[Version]

    def as_json(self) -> dict[str, Any]:
        """Times in microseconds."""
        versions = [{**asdict(v), "is_current": v.valid_to is None, "version_key": v.version_key} for v in self.versions]
        return {"key": list(self.key), "changes": [asdict(e) for e in self.entries], "versions": versions}


def explain(key: Key, arrivals: Sequence[Arrival | Refusal], roles: Roles) -> Explanation:
    """`arrivals`: what came of `key`, truncates included, in order of arrival."""
    run = _Pass(key, roles, arrivals)
    for number, arrival in enumerate(arrivals, 1):
        run.take(number, arrival)
    return Explanation(key, run.entries(), run.versions)


class _Pass:
    """Goes through the arrivals and keeps what is known so far."""

    def __init__(self, key: Key, roles: Roles, arrivals: Sequence[Arrival | Refusal]) -> None:
        self.key = key
        self.roles = roles
        self.arrivals = arrivals
        self.columns = roles.stored(c for a in arrivals if isinstance(a, Arrival) for c in a.change.after or {})
        self.known: list[Change] = []
        self.number_of: dict[tuple[Any, ...], int] = {}  # identity of a change -> its first arrival
        self.holder: dict[tuple[Any, ...], Change] = {}  # (key, seq) -> the change that counts
        self.newest: Seq | None = None
        self.versions: list[Version] = []
        self.did: dict[int, list[Effect]] = {}
        self.late: set[int] = set()

    def take(self, number: int, arrival: Arrival | Refusal) -> None:
        if isinstance(arrival, Refusal):
            self.did[number] = [Effect("rejected", None, f"rejected: {arrival.reason}")]
            return
        change = arrival.change
        if self.newest is not None and change.seq < self.newest:
            self.late.add(number)
        self.newest = change.seq if self.newest is None else max(self.newest, change.seq)
        self.did[number] = self._effects(number, change)

    def _effects(self, number: int, change: Change) -> list[Effect]:
        if left_out(change, self.roles):
            return [Effect("left_out", None, f"left out: the settings ignore {'deletes' if change.op == 'd' else 'truncates'}")]
        first = self.number_of.setdefault(change.identity, number)
        if first != number:
            return [Effect("repetition", None, f"repetition of arrival {first}")]
        conflict = self._conflict(number, change)
        if any(e.kind == "conflict_lost" for e in conflict):
            return conflict
        self.known = [*(c for c in self.known if (c.key, c.seq) != (change.key, change.seq)), change]
        before, self.versions = self.versions, fold(self.key, self.line(), self.roles, self.columns)
        return [*conflict, *compare(before, self.versions, self.roles)] or [Effect("no_op", None, self._why_nothing(change))]

    def _conflict(self, number: int, change: Change) -> list[Effect]:
        at = (change.key, change.seq)
        rival = self.holder.setdefault(at, change)
        if rival is change:
            return []
        other = self.number_of[rival.identity]
        if rival.rank > change.rank:
            return [Effect("conflict_lost", None, f"rejected: seq_conflict, lost to arrival {other} ({_by(rival, change)})")]
        self.holder[at] = change
        self.did[other].append(Effect("conflict_lost", None, f"rejected later: seq_conflict, lost to arrival {number}"))
        return [Effect("conflict_won", None, f"won the conflict with arrival {other} ({_by(change, rival)})")]

    def line(self) -> list[Change]:
        """What counts so far, in sequence order."""
        return sorted(resolve(self.known)[0], key=_place)

    def _why_nothing(self, change: Change) -> str:
        line = self.line()
        line_states = list(states(line, self.roles, self.columns))
        at = line.index(change)
        eff = line_states[at].eff
        if at + 1 < len(line_states) and line_states[at + 1].eff == eff:
            return "nothing: a later change of the same instant counts"
        was_there = at > 0 and line_states[at - 1].present
        if change.op not in UPSERTS:
            return "nothing shown; it is remembered" if was_there else "nothing: the key was not there; it is remembered"
        if _sent(line_states[at - 1] if at else None, line_states[at], self.roles):
            return "nothing shown: later changes decide; it is remembered"
        return "nothing: no value differs (no-op)"

    def entries(self) -> list[Entry]:
        line = self.line()
        line_states = list(states(line, self.roles, self.columns))
        place = {change.identity: n for n, change in enumerate(line)}
        made = []
        for number, arrival in enumerate(self.arrivals, 1):
            if isinstance(arrival, Refusal):
                made.append(self._refused(number, arrival))
                continue
            change = arrival.change
            at = place.get(change.identity)
            before, after = self._around(change, line) if at is None else (line_states[at - 1] if at else None, line_states[at])
            made.append(
                Entry(
                    number,
                    change.op,
                    change.seq,
                    change.ts,
                    None if at is None else after.eff,
                    number in self.late,
                    arrival.at,
                    arrival.origin,
                    _sent(before, after, self.roles),
                    tuple(self.did[number]),
                )
            )
        return sorted(made, key=lambda e: (not _is_seq(e.seq), e.seq if _is_seq(e.seq) else (), e.op != "t", e.arrival))

    def _refused(self, number: int, refusal: Refusal) -> Entry:
        named = refusal.named
        seq: Any = named.get("seq")
        seq = tuple(seq) if _is_seq(seq) else seq
        return Entry(number, named.get("op"), seq, named.get("ts"), None, False, refusal.at, refusal.origin, (), tuple(self.did[number]))

    def _around(self, change: Change, line: Sequence[Change]) -> tuple[State | None, State]:
        """The states before and after a change that does not count, as if it did."""
        older = [c for c in line if _place(c) < _place(change)]
        line_states = list(states([*older, change], self.roles, self.columns))
        return line_states[-2] if older else None, line_states[-1]


def _sent(before: State | None, after: State, roles: Roles) -> tuple[Sent, ...]:
    sent = after.change.after or {}
    found = []
    for column in (c for c in after.values if c in sent):
        old = before.values[column] if before is not None and before.present else None
        open_before = before is not None and column in before.unresolved
        if differ(old, after.values[column]) or open_before != (column in after.unresolved):
            found.append(Sent(column, roles.role(column), old, sent[column]))
    return tuple(found)


def _by(winner: Change, loser: Change) -> str:
    return next(name for name, left, right in zip(RANKS, winner.rank, loser.rank, strict=True) if left != right)


def _place(change: Change) -> tuple[Seq, bool]:
    return change.seq, change.op != "t"


def _is_seq(seq: Any) -> bool:
    return isinstance(seq, list | tuple) and len(seq) == 2 and all(type(part) is int for part in seq)
