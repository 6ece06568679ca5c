"""Dimensions as keyed tables: one log row per distinct change of a source row, with the columns of the version it begins.

The raw change is kept in the row (`_ts`, `_after`, `_link`), so stored rows alone are enough to fold again; the fold is the reference.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from commerce360.errors import ConfigError
from schemas import tables, topics
from schemas.tables import Table
from schemas.topics import Topic
from stream_jobs import wire
from stream_jobs.entity import Contribution, Key, Record, RejectedError, Rejection, Row
from stream_jobs.scd2.change import Change, canonical, left_out, problem, resolve, usable
from stream_jobs.scd2.fold import Version, fold
from stream_jobs.scd2.roles import Roles

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
INT_BITS = {"int": 31, "bigint": 63}


class Dimension:
    """An `Entity` whose rows follow the SCD2 rules."""

    def __init__(self, table: Table, topic: Topic, roles: Roles) -> None:
        if roles.truncate == "close":
            raise ConfigError(
                f"{table.name}: truncate=close needs every key of the table at once", "use refuse or ignore for a streamed dimension"
            )
        self.table = table
        self.topics = frozenset({topic.name})
        self.roles = roles
        self._types = {c.name: c.type for c in table.columns}
        self._stored = tuple(c for c in roles.stored() if c in self._types)
        self._empty: Row = {c.name: None for c in table.columns if c.name != "batch_id"}

    def read(self, record: Record, key: Mapping[str, Any] | None, value: Mapping[str, Any] | None) -> list[Contribution]:
        if value is None:
            return []
        raw = wire.raw_change(record, key, value, self.roles.key)
        if reason := problem(raw, self.roles):
            raise RejectedError(reason, canonical({k: raw[k] for k in ("op", "key", "seq")}))
        self._check_types({**(raw["after"] or {}), **(key or {})})
        change = usable(raw, self.roles)
        return [] if left_out(change, self.roles) else [Contribution(change.key or (), change, record)]

    def key_of(self, row: Row) -> Key:
        return tuple(row[c] for c in self.roles.key)

    def fold(self, key: Key, stored: Sequence[Row], new: Sequence[Contribution]) -> tuple[list[Row], list[Rejection]]:
        lineage: dict[tuple[Any, ...], Row] = {}
        changes: list[Change] = []
        for row in stored:
            change = self._change(key, row)
            changes.append(change)
            lineage[change.identity] = {"kafka_ts": row["kafka_ts"], "origin": row["origin"]}
        for found in sorted(new, key=lambda c: c.record[:3]):
            changes.append(found.payload)
            lineage.setdefault(found.payload.identity, _lineage(found.record))
        winners, losers = resolve(changes)
        columns = self.roles.stored(c for change in winners for c in change.after or {})
        begun = {v.begun_by: v for v in fold(key, winners, self.roles, columns)}
        rows = [self._row(change, begun.get(change.seq), lineage[change.identity]) for change in winners]
        return rows, [_conflict(loser, lineage[loser.identity]) for loser in losers]

    def _row(self, change: Change, version: Version | None, lineage: Row) -> Row:
        link = {k: list(v) for k, v in (("new_key", change.new_key), ("old_key", change.old_key)) if v is not None}
        row = {
            **self._empty,
            **dict(zip(self.roles.key, change.key or (), strict=True)),
            "seq_pos": change.seq[0],
            "seq_ord": change.seq[1],
            "op": change.op,
            "is_current": False,
            "is_visible": version is not None,
            "is_deleted": False,
            "event_ts": timestamp(change.ts),
            **lineage,
            "_ts": change.ts,
            "_after": None if change.after is None else canonical(change.after),
            "_link": canonical(link) if link else None,
        }
        if version is not None:
            row.update({c: self._typed(c, version.values.get(c)) for c in self._stored})
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

    def _change(self, key: Key, row: Row) -> Change:
        link = json.loads(row["_link"]) if row["_link"] else {}
        after = None if row["_after"] is None else json.loads(row["_after"])
        new_key, old_key = (tuple(link[k]) if k in link else None for k in ("new_key", "old_key"))
        return Change(row["op"], key, (row["seq_pos"], row["seq_ord"]), row["_ts"], after, new_key, old_key)

    def _check_types(self, values: Mapping[str, Any]) -> None:
        """A value that its column cannot hold is a bad record, found before it is stored and not when it is written."""
        canonical(dict(values))
        for column in (*self.roles.key, *self._stored):
            if column in values:
                try:
                    self._typed(column, values[column])
                except (ValueError, TypeError, InvalidOperation) as error:
                    raise RejectedError("bad_value", f"{column} does not fit {self._types[column]}") from error

    def _typed(self, column: str, value: Any) -> Any:
        return None if value == wire.PLACEHOLDER else fitted(self._types[column], value)


def timestamp(micros: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=micros)


def fitted(kind: str, value: Any) -> Any:
    """The value as a column of that type holds it. Raises ValueError, TypeError or InvalidOperation when it cannot."""
    if value is None:
        return None
    if kind == "timestamp":
        return moment(value)
    if kind.startswith("decimal"):
        return money(value)
    wanted = {"bigint": int, "int": int, "boolean": bool, "string": str}[kind]
    if type(value) is not wanted:
        raise TypeError(f"{value!r} is not {kind}")
    if wanted is int and not -(limit := 2 ** INT_BITS[kind]) <= value < limit:
        raise ValueError(f"{value!r} does not fit {kind}")
    return value


def moment(text: Any) -> dt.datetime:
    """A time as Connect writes one with a zone. Raises ValueError or TypeError for anything else: without a zone it is no instant."""
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found


def money(text: Any) -> Decimal:
    """An exact amount of at most 12 digits, two of them behind the point. Raises ValueError for anything else."""
    amount = Decimal(str(text))
    if not amount.is_finite() or amount != round(amount, 2) or abs(amount) >= 10**10:
        raise ValueError(f"{text!r} is not an amount")
    return round(amount, 2)


def _lineage(record: Record) -> Row:
    return {"kafka_ts": timestamp(record.timestamp_us), "origin": record.origin}


def _conflict(loser: Change, lineage: Row) -> Rejection:
    """The loser may be one that was stored before the winner came: only its place in Kafka is known then."""
    topic, partition, offset = lineage["origin"].rsplit("/", 2)
    micros = (lineage["kafka_ts"] - EPOCH) // dt.timedelta(microseconds=1)
    return Rejection(Record(topic, int(partition), int(offset), micros, None, None), "seq_conflict", canonical(list(loser.seq)))


CUSTOMERS = Dimension(
    tables.DIM_CUSTOMER,
    topics.CUSTOMERS,
    Roles(
        key=("customer_id",),
        tracked=("email", "full_name", "city", "country", "tier", "marketing_consent"),
        in_place=("points", "last_login_at"),
        ignored=("created_at",),
    ),
)
PRODUCTS = Dimension(
    tables.DIM_PRODUCT,
    topics.PRODUCTS,
    Roles(
        key=("product_id",),
        tracked=("category", "price"),
        in_place=("sku", "name", "description", "cost", "active"),
        ignored=("created_at",),
    ),
)
