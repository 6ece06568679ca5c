"""Dimensions as keyed tables: one log row per distinct change of a source row, with the columns of the version it begins.

The raw change is kept in the row (`_ts`, `_after`, `_link`), so stored rows alone are enough to fold again; the fold is the reference.
A column that the source gets later becomes a column of the table when the first value of it comes.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import InvalidOperation
from typing import Any

from commerce360.errors import ConfigError
from schemas import tables, topics
from schemas.roles import settings
from schemas.tables import RAW_CHANGE, Column, Table, Type
from stream_jobs import wire
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, Rejection, Row
from stream_jobs.scd2.change import Change, canonical, left_out, problem, resolve, usable
from stream_jobs.scd2.fold import Version, fold
from stream_jobs.scd2.roles import ConfigInvalidError, Roles
from stream_jobs.values import EPOCH, FITTING, column_name, fitter, kind_of, plain, timestamp

WITHDRAWN = "x"  # op of a log row whose change does not count any more, since the roles changed
RawChange = Callable[[Record, Mapping[str, Any] | None, Mapping[str, Any], tuple[str, ...]], dict[str, Any]]


class Dimension:
    """An `Entity` whose rows follow the SCD2 rules."""

    def __init__(self, table: Table, sources: Iterable[str], roles: Roles, raw_change: RawChange = wire.raw_change) -> None:
        """`sources`: names of topics; where the table has a scope column, each of them is a history of its own.

        Raises ConfigInvalidError when roles and table do not fit each other.
        """
        self.table = table
        self.topics = frozenset(sources)
        self.roles = roles
        self.raw_change = raw_change
        self.scope = table.scope
        if problem := _misfit(table, roles):
            raise ConfigInvalidError(f"roles of {table.name} are invalid: {problem}", f"see schemas/roles/{table.entity}.yaml")
        self._take_columns()

    @classmethod
    def of(cls, table: Table, topic: str) -> Dimension:
        """With the roles that `schemas/roles` has for the table."""
        return cls(table, (topic,), Roles.of(settings(table.entity)))

    def over(self, table: Table) -> Entity:
        return self.extended(table)

    def extended(self, table: Table) -> Dimension:
        """The same over a table that has more columns by now."""
        made = Dimension(self.table, self.topics, self.roles, self.raw_change)
        made.table = table
        made._take_columns()
        return made

    def read(self, record: Record, key: Mapping[str, Any] | None, value: Mapping[str, Any] | None) -> list[Contribution]:
        if value is None:
            return []
        raw = self.raw_change(record, key, value, self.roles.key)
        if reason := problem(raw, self.roles) or _beyond(raw):
            raise RejectedError(reason, rejected_text(raw))
        if raw["after"] is not None:
            raw["after"] = {c: plain(v) for c, v in raw["after"].items()}
        change = usable(raw, self.roles)
        if problem_of_value := self._unfit(change):
            raise RejectedError("bad_value", rejected_text(raw, problem_of_value))
        if left_out(change, self.roles):
            return []
        return [Contribution((*self._scope_of(record), *(change.key or ())), change, record)]

    def key_of(self, row: Row) -> Key:
        scope = tuple(row[c] for c in self.scope)
        return scope if self._is_truncate(row) else (*scope, *(row[c] for c in self.roles.key))

    def shared(self, key: Key) -> Key | None:
        return key[: len(self.scope)] if self.roles.truncate == "close" else None

    def fold(self, key: Key, stored: Sequence[Row], new: Sequence[Contribution]) -> tuple[list[Row], list[Rejection]]:
        lineage: dict[tuple[Any, ...], Row] = {}
        changes: list[Change] = []
        absences = {(row["seq_pos"], -1 - row["seq_ord"]) for row in stored if row["op"] == "t" and row["seq_ord"] < 0}
        for row in stored:
            if self.remembers(row):
                change = self.change_of(row)
                changes.append(change)
                lineage[change.identity] = {"kafka_ts": row["kafka_ts"], "origin": row["origin"]}
        for found in sorted(new, key=lambda c: c.record[:3]):
            changes.append(found.payload)
            lineage.setdefault(found.payload.identity, _lineage(found.record))
        winners, losers = resolve(changes)
        rejections = [_conflict(loser, lineage[loser.identity]) for loser in losers]
        scope, own = key[: len(self.scope)], key[len(self.scope) :]
        if not own:
            return [self._row(scope, change, None, lineage[change.identity]) for change in winners], rejections
        winners.sort(key=lambda c: (c.seq, c.op != "t"))
        columns = self.roles.stored(c for change in winners for c in change.after or {})
        begun = {(v.begun_by, v.by_truncate): v for v in fold(own, winners, self.roles, columns)}
        rows = [self._row(scope, c, begun.get((c.seq, False)), lineage[c.identity]) for c in winners if c.op != "t"]
        for change in winners:
            version = begun.get((change.seq, True)) if change.op == "t" else None
            if version is not None or (change.op == "t" and change.seq in absences):
                rows.append(self._absence(scope, own, change, version, lineage[change.identity]))
        return rows, rejections

    def _absence(self, scope: Key, own: Key, truncate: Change, version: Version | None, lineage: Row) -> Row:
        """A deleted version begins with a truncate (R13, R17), which has one row for all keys: this one is the key's own.

        It stands before a change of the same sequence, hence the negative ordinal; it is derived, and never read as a change.
        """
        row = self._row(scope, replace(truncate, key=own), version, lineage)
        return {**row, "seq_ord": -1 - truncate.seq[1]}

    def remembers(self, row: Row) -> bool:
        """Whether a log row stands for a change: not withdrawn, and not derived from a truncate."""
        return bool(row["op"] != WITHDRAWN and row["seq_ord"] >= 0)

    def change_of(self, row: Row) -> Change:
        """The change that a log row remembers."""
        link = json.loads(row["_link"]) if row["_link"] else {}
        after = None if row["_after"] is None else json.loads(row["_after"])
        key = None if self._is_truncate(row) else tuple(row[c] for c in self.roles.key)
        new_key, old_key = (tuple(link[k]) if k in link else None for k in ("new_key", "old_key"))
        return Change(row["op"], key, (row["seq_pos"], row["seq_ord"]), row["_ts"], after, new_key, old_key, row["_after"] or "")

    def withdrawn(self, row: Row) -> Row:
        """The log row that takes one out of the history."""
        kept = (*self.table.key, "event_ts", "kafka_ts", "origin")
        return {**self._empty, **{c: row[c] for c in kept}, "op": WITHDRAWN, "is_current": False, "is_visible": False, "is_deleted": False}

    def _is_truncate(self, row: Row) -> bool:
        return bool(row["op"] == "t" and row["seq_ord"] >= 0)

    def _take_columns(self) -> None:
        self._types = {c.name: c.type for c in self.table.columns}
        self._fit = {c.name: fitter(c.type) for c in self.table.columns}
        self._stored = tuple(c for c in self.roles.stored() if c in self._types)
        self._empty: Row = {c.name: None for c in self.table.columns if c.name != "batch_id"}
        self._names: dict[tuple[str, str], str | None] = {}  # of a new column and the type of its value
        self._owners: dict[str, str] = {}

    def _scope_of(self, record: Record) -> Key:
        return (record.topic,) * len(self.scope)

    def _row(self, scope: Key, change: Change, version: Version | None, lineage: Row) -> Row:
        link = {k: list(v) for k, v in (("new_key", change.new_key), ("old_key", change.old_key)) if v is not None}
        row = {
            **self._empty,
            **dict(zip(self.scope, scope, strict=True)),
            **dict(zip(self.roles.key, change.key or (None,) * len(self.roles.key), strict=True)),
            "seq_pos": change.seq[0],
            "seq_ord": change.seq[1],
            "op": change.op,
            "is_current": False,
            "is_visible": version is not None,
            "is_deleted": False,
            "event_ts": timestamp(change.ts),
            **lineage,
            "_ts": change.ts,
            "_after": None if change.after is None else change.text,
            "_link": canonical(link) if link else None,
        }
        if version is not None:
            row.update(self._values(version))
            row.update(
                version_key=version.version_key,
                valid_from=timestamp(version.valid_from),
                valid_to=None if version.valid_to is None else timestamp(version.valid_to),
                is_current=version.valid_to is None,
                is_deleted=version.is_deleted,
                closed_by=version.closed_by,
                unresolved=canonical(list(version.unresolved)),
                moved_from=None if version.moved_from is None else canonical(list(version.moved_from)),
                moved_to=None if version.moved_to is None else canonical(list(version.moved_to)),
            )
        return row

    def _values(self, version: Version) -> Row:
        """Contract columns under their names, others under the names that a table can hold."""
        values = {c: self._typed(c, version.values.get(c)) for c in self._stored}
        for column, value in version.values.items():
            if column not in values and value is not None and (name := self._column(column, value)):
                values[name] = self._typed(name, value)
        return values

    def _column(self, column: str, value: Any) -> str | None:
        """The table's column for a value whose column no contract names; None: it is kept in `_after` only.

        The first value decides on the type. One of another type, or of a column whose name differs in case only, gets a column beside it,
        so that no record is refused for it.
        """
        kind = kind_of(value)
        if (column, kind) not in self._names:
            base = column_name(column, _ours(self.table))
            name = next((n for n in (base, f"{base}_{kind}") if self._is_free(n, column, kind)), None)
            if name is not None:
                name = {n.lower(): n for n in self._types}.get(name.lower(), name)
                self._owners[name.lower()] = column
                self._add(name, kind, column)
            self._names[column, kind] = name
        return self._names[column, kind]

    def _is_free(self, name: str, column: str, kind: Type) -> bool:
        """Engines do not tell names apart by case."""
        there = {n.lower(): t for n, t in self._types.items()}.get(name.lower(), kind)
        taken = name.lower() in {n.lower() for n in (*self._stored, *self.roles.key)}
        return not taken and self._owners.get(name.lower(), column) == column and (there, kind) in FITTING

    def _add(self, name: str, kind: Type, column: str) -> None:
        if name not in self._types:
            self.table = self.table.with_columns(Column(name, kind, f"{column}, new in the source"))
            self._types[name], self._fit[name], self._empty[name] = kind, fitter(kind), None

    def _unfit(self, change: Change) -> str:
        """A value that its column cannot hold makes a bad record, found before it is stored and not when it is written."""
        values = {**(change.after or {}), **dict(zip(self.roles.key, change.key or (), strict=False))}
        for column, value in values.items():
            if value is None or value == wire.PLACEHOLDER:
                continue
            name = column if column in self._stored or column in self.roles.key else self._column(column, value)
            try:
                if name is not None:
                    self._typed(name, value)
            except (ValueError, TypeError, InvalidOperation):
                return f"{column} does not fit {self._types[name or column]}"
        return ""

    def _typed(self, column: str, value: Any) -> Any:
        return None if value == wire.PLACEHOLDER else self._fit[column](value)


def rejected_text(raw: Mapping[str, Any], problem: str = "") -> str:
    """What makes a rejected change the same as another (R5), and what is wrong where the reason alone does not say it."""
    named = {k: raw.get(k) for k in ("op", "key", "seq", "ts", "after", "link")} | ({"problem": problem} if problem else {})
    return json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=plain)


def _beyond(raw: Mapping[str, Any]) -> str:
    """No table can hold a place that large."""
    return "null_seq" if max(raw["seq"]) >= 2**63 else ""


def _ours(table: Table) -> set[str]:
    """Columns that are no columns of the source."""
    return {*table.scope, *(c.name for c in (*tables.CHANGE, *tables.VERSION, *tables.LINEAGE, *RAW_CHANGE))}


def _misfit(table: Table, roles: Roles) -> str:
    """Why the table cannot hold what the roles say; empty when it can."""
    ours = _ours(table)
    held, kept = {c.name for c in table.columns} - ours, {*roles.key, *roles.tracked, *roles.in_place}
    if roles.key != table.history_key:
        return f"the key must be {', '.join(table.history_key)}"
    if clash := kept & ours:
        return f"{', '.join(sorted(clash))} is a column of the history itself"
    if missing := kept - held:
        return f"the table has no column {', '.join(sorted(missing))}"
    if idle := {c for c in held - kept if roles.role(c) not in ("tracked", "in_place")}:
        return f"no role for {', '.join(sorted(idle))}"
    return ""


def _lineage(record: Record) -> Row:
    return {"kafka_ts": timestamp(record.timestamp_us), "origin": record.origin}


def _conflict(loser: Change, lineage: Row) -> Rejection:
    """The loser may be one that was stored before the winner came: only its place in Kafka is known then."""
    topic, partition, offset = lineage["origin"].rsplit("/", 2)
    micros = (lineage["kafka_ts"] - EPOCH) // dt.timedelta(microseconds=1)
    link = {k: list(v) for k, v in (("new_key", loser.new_key), ("old_key", loser.old_key)) if v is not None}
    key = None if loser.key is None else list(loser.key)
    raw = {"op": loser.op, "key": key, "seq": list(loser.seq), "ts": loser.ts, "after": loser.after, "link": link or None}
    return Rejection(Record(topic, int(partition), int(offset), micros, None, None), "seq_conflict", rejected_text(raw))


CUSTOMERS = Dimension.of(tables.DIM_CUSTOMER, topics.CUSTOMERS.name)
PRODUCTS = Dimension.of(tables.DIM_PRODUCT, topics.PRODUCTS.name)
DIMENSIONS = (CUSTOMERS, PRODUCTS)


def named(table: str) -> Dimension:
    """The dimension of `dim_customer` and the like. Raises ConfigError for another name."""
    known = {d.table.entity: d for d in DIMENSIONS}
    found = known.get(table.removeprefix("gold."))
    if found is None:
        raise ConfigError(f"there is no dimension {table!r}", f"use {', '.join(known)}")
    return found
