"""Slices of a backfill: keys of one table that the lake job is asked to look at again, and where bronze has the records about them.

A slice holds no data. It says where to look, so the lake job stays the only writer and the only one that decides: what it finds is decoded,
folded and compared as ever, and a slice that asks for nothing new changes nothing. How a key is written depends on the table:

- dimensions, sales: JSON list of the entity's key, such as `[17]` or `["web-8"]`
- documents: the document's key
- tables of the 360 view: the unit in which they are computed (`view360.units`)
- the calendar: the day, ISO 8601
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from commerce360.lake import Lake
from schemas.columns import Column
from schemas.marts import MART_CUSTOMER_360
from schemas.tables import BY_NAME, RECORDS, Table, quoted
from stream_jobs.calendar import TABLES as CALENDAR
from stream_jobs.entity import Entity, Key, Record, RejectedError, Rejection, Row
from stream_jobs.folds import ENTITIES, stored
from stream_jobs.scd2.change import canonical
from stream_jobs.silver import DOCUMENTS
from stream_jobs.values import literal
from stream_jobs.view360.units import SUMMED, bigint, summed_key, unit_of
from stream_jobs.view360.view import TABLES as VIEWED

KEYED: Mapping[str, Entity] = {e.table.name: e for e in ENTITIES}
DOCUMENT = {d.table.name: d for d in DOCUMENTS}
AT_ONCE = 2_000  # keys, or places, in one question to a table
AGAIN = (*(e.table for e in ENTITIES), *(d.table for d in DOCUMENTS), *VIEWED, *CALENDAR)  # what can be looked at again


Decode = Callable[[Record], tuple[dict[str, Any] | None, dict[str, Any] | None]]


class Place(NamedTuple):
    """Of a record in Kafka and in bronze."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Slice:
    run_id: str
    number: int
    day: str
    table: Table
    keys: tuple[str, ...]
    places: tuple[Place, ...]

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Slice:
        """From the decoded value of a record, whatever schema it was written with. Raises RejectedError for what no table can be asked."""
        try:
            places = tuple(Place(_text(p["topic"]), _number(p["partition"], 32), _number(p["offset"])) for p in value["places"])
            keys = tuple(map(_text, value["keys"]))
            found = cls(
                _text(value["run_id"]), _number(value["number"], 32), _text(value["day"]), BY_NAME[_text(value["table"])], keys, places
            )
            if found.table not in AGAIN or not keys:
                raise ValueError("no table that can be looked at, or no keys")
            found.parsed_keys()
        except Exception as error:  # whatever bytes of somebody else make it stumble over
            raise RejectedError("bad_value", f"no slice of a backfill: {type(error).__name__}: {str(error)[:200]}") from error
        return found

    def parsed_keys(self) -> list[Any]:
        """Keys of entities as tuples, days as dates, others as they are. Raises ValueError."""
        if self.table.name in KEYED:
            return [_entity_key(KEYED[self.table.name], text) for text in self.keys]
        if self.table.name in SUMMED:
            return [unit for unit in self.keys if summed_key(self.table, unit)]
        if self.table is MART_CUSTOMER_360:
            return [str(bigint(int(unit))) for unit in self.keys]
        if self.table in CALENDAR:
            return [dt.date.fromisoformat(text) for text in self.keys]
        return list(self.keys)

    def as_value(self) -> dict[str, Any]:
        """As its Avro schema has it."""
        places = [p._asdict() for p in self.places]
        named = {"run_id": self.run_id, "number": self.number, "day": self.day, "table": self.table.name}
        return {**named, "keys": list(self.keys), "places": places}


def key_text(table: Table, row: Row) -> str:
    """Which key of a slice a row of the table belongs to."""
    if table.name in KEYED:
        return canonical(list(KEYED[table.name].key_of(row)))
    if table.name in DOCUMENT:
        return str(row[table.key[0]])
    return row["date"].isoformat() if table in CALENDAR else unit_of(table, row)[0]


def _text(value: Any) -> str:
    """Raises ValueError or TypeError for what is no text that can be written."""
    if type(value) is not str:
        raise TypeError(f"{value!r} is no text")
    value.encode()
    return value


def _number(value: Any, bits: int = 64) -> int:
    if type(value) is not int or not 0 <= value < 2 ** (bits - 1):
        raise ValueError(f"{value!r} is no place")
    return value


def _entity_key(entity: Entity, text: str) -> Key:
    parts = json.loads(text)
    if not isinstance(parts, list) or len(parts) != len(key_columns(entity)):
        raise ValueError(f"{text} is no key")
    for column, part in zip(key_columns(entity), parts, strict=True):
        if isinstance(part, str) != (column.type == "string") or type(part) not in (str, int):
            raise ValueError(f"{text} does not fit {column.name}")
        if isinstance(part, int):
            bigint(part)
        else:
            _text(part)
    return tuple(parts)


def key_columns(entity: Entity) -> tuple[Column, ...]:
    """Those of the entity's own key, without what tells the rows of a key apart."""
    table = entity.table
    names = table.history_key or {"gold.fct_sales": ("order_id",), "silver.sentiments": ("text_hash", "language")}[table.name]
    return tuple(c for c in table.columns if c.name in names)


def among(columns: Sequence[str], keys: Sequence[Key]) -> str:
    """SQL of a row having one of the keys; with several columns perhaps others too, because a long chain of ORs overflows the engine."""
    parts = zip(*keys, strict=True)
    return " AND ".join(f"{quoted(c)} IN ({', '.join(sorted(set(map(literal, found))))})" for c, found in zip(columns, parts, strict=True))


def stored_rows(lake: Lake, entity: Entity, keys: Sequence[Key], max_batch: int | None = None) -> dict[Key, list[Row]]:
    """The newest log rows that the table itself has of each key, and of what is said of all keys, among batches up to `max_batch`."""
    shared = {key for key in map(entity.shared, keys) if key is not None}
    found: dict[Key, list[Row]] = {key: [] for key in (*keys, *shared)}
    names = [c.name for c in key_columns(entity)]
    for start in range(0, len(keys), AT_ONCE):
        where = f"({among(names, keys[start : start + AT_ONCE])})"
        _store(found, stored(lake, entity, where if max_batch is None else f"{where} AND batch_id <= {max_batch}"))
    if shared:
        where = f"{quoted(names[0])} IS NULL"
        _store(found, stored(lake, entity, where if max_batch is None else f"{where} AND batch_id <= {max_batch}"))
    return found


def _store(found: dict[Key, list[Row]], rows: Iterable[tuple[Key, Row]]) -> None:
    for key, row in rows:
        if key in found:
            found[key].append(row)


def received(lake: Lake, places: Collection[Place]) -> list[Row]:
    """Rows of bronze at the places, each once."""
    wanted, found = sorted(places), dict[Place, Row]()
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        for row in lake.query(RECORDS, f"SELECT * FROM records WHERE {among(RECORDS.key, part)}").to_pylist():
            place = Place(row["topic"], row["partition"], row["offset"])
            if place in places:
                found[place] = row
    return list(found.values())


def read_all(
    records: Iterable[Record], decode: Callable[[Record], tuple[Any, dict[str, Any] | None]]
) -> tuple[list[Slice], list[Rejection]]:
    """The slices that records of the backfill topic hold, and the records that hold none."""
    slices, rejections = list[Slice](), list[Rejection]()
    for record in records:
        try:
            value = decode(record)[1]
            slices += [] if value is None else [Slice.read(value)]
        except RejectedError as error:
            rejections.append(Rejection(record, error.reason, error.detail))
    return slices, rejections
