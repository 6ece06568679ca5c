"""A change (R2), what makes it unusable (R5), and which of two with the same key and sequence counts (R7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stream_jobs.jsontext import writer
from stream_jobs.scd2.roles import Roles

UPSERTS = ("c", "u", "r")
OPERATIONS = (*UPSERTS, "d", "t")
LAST_TS = 253_402_214_400_000_000  # 9999-12-31 in microseconds
PRECEDENCE = {"r": 0, "c": 1, "u": 2, "d": 3, "t": 4}
Seq = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """A usable change. `after` has no key and no ignored columns; links are lists of key parts or None."""

    op: str
    key: tuple[Any, ...] | None
    seq: Seq
    ts: int
    after: dict[str, Any] | None = None
    new_key: tuple[Any, ...] | None = None
    old_key: tuple[Any, ...] | None = None
    text: str = ""  # canonical(after): asked for again and again

    def __post_init__(self) -> None:
        if not self.text:
            object.__setattr__(self, "text", canonical(self.after))

    @property
    def identity(self) -> tuple[Any, ...]:
        return (self.op, self.key, self.seq, self.ts, self.text, self.new_key, self.old_key)

    @property
    def rank(self) -> tuple[Any, ...]:
        """The greater one wins a conflict: d, u, c, r; later ts; larger text of `after`; larger links, new_key first."""
        return (PRECEDENCE[self.op], self.ts, self.text, _link(self.new_key), _link(self.old_key))


_write = writer(sort_keys=True)


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces, no escapes. Python compares texts by code point, as R7 wants."""
    return "null" if value is None else _write(value)


def _link(key: tuple[Any, ...] | None) -> str:
    return canonical(None if key is None else list(key))


def problem(raw: Mapping[str, Any], roles: Roles) -> str:
    """The first reason of R5 for which the raw change cannot be used; empty if it can."""
    op = raw.get("op")
    if op not in OPERATIONS:
        return "unknown_op"
    if op == "t":
        if roles.truncate == "refuse":
            return "truncate_refused"
        return _time_problem(raw)
    key = raw.get("key")
    if key is None or len(key) != len(roles.key) or any(part is None for part in key):
        return "null_key"
    return _time_problem(raw) or (_image_problem(raw, key, roles) if op in UPSERTS else "")


def _time_problem(raw: Mapping[str, Any]) -> str:
    seq, ts = raw.get("seq"), raw.get("ts")
    if not (isinstance(seq, list | tuple) and len(seq) == 2 and all(_is_count(part) for part in seq)):
        return "null_seq"
    return "" if _is_count(ts) and ts is not None and ts < LAST_TS else "bad_ts"


def _image_problem(raw: Mapping[str, Any], key: Iterable[Any], roles: Roles) -> str:
    after = raw.get("after")
    if after is None:
        return "missing_after"
    if any(column in after and after[column] != part for column, part in zip(roles.key, key, strict=True)):
        return "key_mismatch"
    return "unknown_column" if any(roles.role(column) == "refuse" for column in after) else ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def usable(raw: Mapping[str, Any], roles: Roles) -> Change:
    """The change behind a raw one that has no problem."""
    link = raw.get("link") or {}
    kept = {k: v for k, v in (raw.get("after") or {}).items() if roles.role(k) in ("tracked", "in_place")}
    return Change(
        raw["op"],
        None if raw["op"] == "t" else tuple(raw["key"]),
        (raw["seq"][0], raw["seq"][1]),
        raw["ts"],
        kept if raw["op"] in UPSERTS else None,
        _tuple(link.get("new_key")),
        _tuple(link.get("old_key")),
    )


def _tuple(parts: Any) -> tuple[Any, ...] | None:
    return None if parts is None else tuple(parts) if isinstance(parts, list | tuple) else (parts,)


def left_out(change: Change, roles: Roles) -> bool:
    """Valid, but the settings say to leave it out before everything else (R13, R17)."""
    return (change.op == "d" and roles.delete == "ignore") or (change.op == "t" and roles.truncate == "ignore")


def resolve(changes: Iterable[Change]) -> tuple[list[Change], list[Change]]:
    """One winner for each (key, seq) in sequence order, and the losers (R7). A truncate and a row change never conflict."""
    best: dict[tuple[Any, ...], Change] = {}
    losers: dict[tuple[Any, ...], Change] = {}
    for change in changes:
        at = (change.key, change.seq)
        known = best.get(at)
        if known is None or known.identity == change.identity:
            best[at] = change
        else:
            winner, loser = (change, known) if change.rank > known.rank else (known, change)
            best[at] = winner
            losers[loser.identity] = loser
    return sorted(best.values(), key=lambda c: c.seq), list(losers.values())
