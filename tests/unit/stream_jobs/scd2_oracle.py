"""A second reading of the SCD2 rules, to hold the engine against: written from their text, and sharing no code with it.

As naive as it gets. Nothing is carried along: each question (which value, which time, which state is in force at t) is answered from
the whole set of records by its definition. Only the roles' settings are read from the product.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from stream_jobs.scd2.roles import Roles

PLACEHOLDER = "__debezium_unavailable_value"
Row = dict[str, Any]


class Fact(NamedTuple):
    id: str
    key: tuple[Any, ...] | None
    ts: int | None


@dataclass(frozen=True)
class Expected:
    rows: list[Row]
    rejected: list[Row]
    targets: dict[str, tuple[str, int | None]]


class Good(NamedTuple):
    """A record that R5 lets pass. `image` is without key and ignored columns, None for d and t."""

    op: str
    key: tuple[Any, ...] | None
    seq: tuple[int, int]
    ts: int
    image: Row | None
    new_key: list[Any] | None
    old_key: list[Any] | None


def as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def role(column: str, roles: Roles) -> str:
    named = {**dict.fromkeys(roles.key, "key"), **dict.fromkeys(roles.tracked, "tracked"), **dict.fromkeys(roles.in_place, "in_place")}
    return {**named, **dict.fromkeys(roles.ignored, "ignored")}.get(column, roles.new_columns)


def expected(records: Sequence[Mapping[str, Any]], facts: Sequence[Fact], roles: Roles) -> Expected:
    rejected: dict[str, Row] = {}
    good: list[Good] = []
    for record in records:
        reason = rejection(record, roles)
        if reason is None:
            good.append(read(record, roles))
        else:
            rejected[as_json([reason, record])] = {"reason": reason, "op": record["op"], "key": record["key"], "seq": record["seq"]}
    if roles.delete == "ignore":
        good = [g for g in good if g.op != "d"]
    if roles.truncate == "ignore":
        good = [g for g in good if g.op != "t"]
    winners, losers = conflicts(good)
    lost = [{"reason": "seq_conflict", "op": g.op, "key": None if g.key is None else list(g.key), "seq": list(g.seq)} for g in losers]
    new = {c for g in winners for c in g.image or {}} - {*roles.tracked, *roles.in_place}
    columns = [*roles.tracked, *roles.in_place, *sorted(new)]
    keys = sorted({g.key for g in winners if g.key is not None})
    tables = {key: Life(key, winners, roles, columns).rows() for key in keys}
    unknown = sorted({f.key for f in facts if f.key is not None and not tables.get(f.key)})
    rows = [row for made in tables.values() for row in made] + [inferred(key, roles, columns) for key in unknown]
    return Expected(rows, [*rejected.values(), *lost], {f.id: target(f, tables) for f in facts})


def rejection(record: Mapping[str, Any], roles: Roles) -> str | None:
    """R5, top to bottom."""
    op, key, seq, ts, after = (record[n] for n in ("op", "key", "seq", "ts", "after"))
    row_change = op != "t"
    no_key = key is None or len(key) < len(roles.key) or None in key
    numbers = isinstance(seq, list) and [type(part) for part in seq] == [int, int] and min(seq) >= 0
    checks = {
        "unknown_op": op not in list("curdt"),
        "truncate_refused": op == "t" and roles.truncate == "refuse",
        "null_key": row_change and no_key,
        "null_seq": not numbers,
        "bad_ts": type(ts) is not int or ts < 0 or ts >= 253_402_214_400 * 10**6,
        "missing_after": op in list("cur") and after is None,
        "key_mismatch": op in list("cur") and not no_key and any((after or {}).get(c, key[n]) != key[n] for n, c in enumerate(roles.key)),
        "unknown_column": op in list("cur") and any(role(c, roles) == "refuse" for c in after or {}),
    }
    return next((reason for reason, found in checks.items() if found), None)


def read(record: Mapping[str, Any], roles: Roles) -> Good:
    image = {c: v for c, v in (record["after"] or {}).items() if role(c, roles) in ("tracked", "in_place")}
    link = record["link"] or {}
    return Good(
        record["op"],
        None if record["op"] == "t" else tuple(record["key"]),
        tuple(record["seq"]),
        record["ts"],
        image if record["op"] in "cur" else None,
        link.get("new_key"),
        link.get("old_key"),
    )


def conflicts(good: Sequence[Good]) -> tuple[list[Good], list[Good]]:
    """R7: distinct ones, and of those with one place (key, seq) the one that beats all others."""
    distinct: dict[str, Good] = {as_json(g): g for g in good}

    def strength(g: Good) -> tuple[Any, ...]:
        return "rcud".find(g.op), g.ts, as_json(g.image), as_json(g.new_key), as_json(g.old_key)

    winners, losers = [], []
    for one in distinct.values():
        rivals = [g for g in distinct.values() if g is not one and (g.key, g.seq) == (one.key, one.seq)]
        (winners if all(strength(one) > strength(g) for g in rivals) else losers).append(one)
    return winners, losers


class Life:
    """All that is said of one key. Numbers i, k, n are places in sequence order."""

    def __init__(self, key: tuple[Any, ...], winners: Sequence[Good], roles: Roles, columns: Sequence[str]) -> None:
        self.key, self.roles, self.columns = key, roles, columns
        self.line = sorted((g for g in winners if g.key in (key, None)), key=lambda g: (g.seq, g.op != "t"))
        self.instants = sorted({self.eff(i) for i in range(len(self.line))})

    def eff(self, i: int) -> int:
        """R4: no earlier than any time before it in the sequence."""
        return max(g.ts for g in self.line[: i + 1])

    def present(self, i: int) -> bool:
        return self.line[i].op in "cur"

    def life(self, i: int) -> list[int]:
        """R9: the places of the upserts of the life that i belongs to, up to i."""
        return [k for k in range(i + 1) if all(self.present(n) for n in range(k, i + 1))]

    def sent(self, k: int, column: str) -> bool:
        value = self.line[k].image.get(column, PLACEHOLDER)
        return value != PLACEHOLDER and not (value is None and column in self.roles.ignore_null)

    def value(self, i: int, column: str) -> Any:
        senders = [k for k in self.life(i) if self.sent(k, column)]
        return self.line[senders[-1]].image[column] if senders else None

    def unresolved(self, i: int) -> list[str]:
        """R9: a placeholder came in this life, and never a value."""
        held = {c for c in self.columns for k in self.life(i) if self.line[k].image.get(c) == PLACEHOLDER}
        return sorted(c for c in held if not any(self.sent(k, c) for k in self.life(i)))

    def moved_from(self, i: int) -> list[Any] | None:
        return next((self.line[k].old_key for k in reversed(self.life(i)) if self.line[k].old_key is not None), None)

    def in_force(self, t: int) -> int | None:
        """R10: the last in sequence order of what has taken effect by then."""
        return max((i for i in range(len(self.line)) if self.eff(i) <= t), default=None)

    def kind(self, t: int) -> str:
        """What a reader sees at t: a version, a deleted row (R13 `mark`) or no row."""
        i = self.in_force(t)
        if i is None:
            return "nothing"
        if self.present(i):
            return "version"
        seen = any(self.kind(s) == "version" for s in self.instants if s < t)
        return "deleted" if self.roles.delete == "mark" and seen else "nothing"

    def look(self, t: int) -> str:
        """Equal for neighbouring instants of one row (R11)."""
        if self.kind(t) != "version":
            return self.kind(t)
        i, tracked = self.in_force(t), [c for c in self.columns if role(c, self.roles) == "tracked"]
        return as_json([[c, self.value(i, c), c in self.unresolved(i)] for c in tracked])

    def rows(self) -> list[Row]:
        looks = {t: self.look(t) for t in self.instants}
        before = dict(zip(self.instants[1:], self.instants, strict=False))
        starts = [t for t in self.instants if t not in before or looks[before[t]] != looks[t]]
        ends = dict(zip(starts, [*starts[1:], None], strict=False))
        return [self.row(t, ends[t]) for t in starts if looks[t] != "nothing"]

    def row(self, start: int, end: int | None) -> Row:
        deleted = self.kind(start) == "deleted"
        if deleted:  # the last values of the life that ended
            shown = max(i for i in range(self.in_force(start)) if self.present(i))
        else:  # R12: the last state seen inside
            shown = self.in_force(max(t for t in self.instants if end is None or t < end))
        links = [g.new_key for i, g in enumerate(self.line) if self.eff(i) == end and g.op == "d" and g.new_key is not None]
        return {
            **dict(zip(self.roles.key, self.key, strict=True)),
            **{c: self.value(shown, c) for c in self.columns},
            "valid_from": start,
            "valid_to": end,
            "is_current": end is None,
            "is_deleted": deleted,
            "is_inferred": False,
            "closed_by": None if end is None else self.closer(end),
            "unresolved": [] if deleted else self.unresolved(shown),
            "moved_from": None if deleted else self.link(self.moved_from(shown)),
            "moved_to": self.link(links[-1] if links else None),
            "version_key": fingerprint(self.key, str(start)),
        }

    def closer(self, end: int) -> str:
        last = self.line[self.in_force(end)]
        return "move" if last.op == "d" and last.new_key is not None else {"d": "delete", "t": "truncate"}.get(last.op, "change")

    def link(self, key: list[Any] | None) -> Any:
        return key if key is None or len(self.roles.key) > 1 else key[0]


def fingerprint(key: Sequence[Any], stamp: str) -> str:
    """R20."""
    parts = ["".join({"\\": "\\\\", "|": "\\|"}.get(letter, letter) for letter in str(part)) for part in key]
    return hashlib.sha256(("|".join(parts) + "@" + stamp).encode("utf-8")).hexdigest()[:32]


def inferred(key: tuple[Any, ...], roles: Roles, columns: Sequence[str]) -> Row:
    """R22."""
    nothing = dict.fromkeys([*columns, "valid_from", "valid_to", "closed_by", "moved_from", "moved_to"])
    flags = {"is_current": True, "is_inferred": True, "is_deleted": False, "unresolved": []}
    return {**dict(zip(roles.key, key, strict=True)), **nothing, **flags, "version_key": fingerprint(key, "inferred")}


def target(fact: Fact, tables: Mapping[tuple[Any, ...], Sequence[Row]]) -> tuple[str, int | None]:
    """R21."""
    if fact.key is None or fact.ts is None:
        return "none", None
    rows = tables.get(fact.key, [])
    if not rows:
        return "inferred", None
    for row in rows:
        if row["valid_from"] <= fact.ts and (row["valid_to"] is None or fact.ts < row["valid_to"]):
            return "exact", row["valid_from"]
    starts = [row["valid_from"] for row in rows]
    begun = [start for start in starts if start <= fact.ts]
    return ("gap", max(begun)) if begun else ("early", min(starts))
