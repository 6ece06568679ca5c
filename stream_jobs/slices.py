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
from collections.abc import Callable, Iterable, Mapping, Sequence
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
        """From the decoded value of a record. Raises RejectedError for what no table can be asked."""
        table = BY_NAME.get(value["table"])
        if table is None or table not in AGAIN:
            raise RejectedError("bad_value", f"{value['table']} is no table that can be looked at again")
        places = tuple(Place(p["topic"], p["partition"], p["offset"]) for p in value["places"])
        found = cls(value["run_id"], value["number"], value["day"], table, tuple(value["keys"]), places)
        try:
            found.parsed_keys()
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise RejectedError("bad_value", f"a key of {table.name}: {error}") from error
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


def _entity_key(entity: Entity, text: str) -> Key:
    parts = json.loads(text)
    if not isinstance(parts, list) or len(parts) != len(key_columns(entity)):
        raise ValueError(f"{text} is no key")
    for column, part in zip(key_columns(entity), parts, strict=True):
        if isinstance(part, str) != (column.type == "string") or type(part) not in (str, int):
            raise ValueError(f"{text} does not fit {column.name}")
        if isinstance(part, int):
            bigint(part)
    return tuple(parts)


def key_columns(entity: Entity) -> tuple[Column, ...]:
    """Those of the entity's own key, without what tells the rows of a key apart."""
    table = entity.table
    names = table.history_key or {"gold.fct_sales": ("order_id",), "silver.sentiments": ("text_hash", "language")}[table.name]
    return tuple(c for c in table.columns if c.name in names)


def among(columns: Sequence[str], keys: Iterable[Key]) -> str:
    """SQL of a row having one of the keys."""
    names = [quoted(c) for c in columns]
    if len(names) == 1:
        return f"{names[0]} IN ({', '.join(literal(key[0]) for key in keys)})"
    one = (" AND ".join(f"{n} = {literal(part)}" for n, part in zip(names, key, strict=True)) for key in keys)
    return " OR ".join(f"({text})" for text in one)


def stored_rows(lake: Lake, entity: Entity, keys: Sequence[Key], max_batch: int | None = None) -> dict[Key, list[Row]]:
    """The newest log rows that the table itself has of each key, and of what is said of all keys, among batches up to `max_batch`."""
    shared = {key for key in map(entity.shared, keys) if key is not None}
    found: dict[Key, list[Row]] = {key: [] for key in (*keys, *shared)}
    if keys:
        names = [c.name for c in key_columns(entity)]
        where = f"({among(names, keys)}" + (f" OR {quoted(names[0])} IS NULL)" if shared else ")")
        for key, row in stored(lake, entity, where if max_batch is None else f"{where} AND batch_id <= {max_batch}"):
            found.setdefault(key, []).append(row)
    return found


def received(lake: Lake, places: Iterable[Place]) -> list[Row]:
    """Rows of bronze at the places, each once."""
    offsets: dict[tuple[str, int], list[int]] = {}
    for place in places:
        offsets.setdefault((place.topic, place.partition), []).append(place.offset)
    if not offsets:
        return []
    parts = (
        f'(topic = {literal(topic)} AND "partition" = {partition} AND "offset" IN ({", ".join(map(str, found))}))'
        for (topic, partition), found in offsets.items()
    )
    rows = lake.query(RECORDS, f"SELECT * FROM records WHERE {' OR '.join(parts)}").to_pylist()
    return list({(r["topic"], r["partition"], r["offset"]): r for r in rows}.values())


def read_all(
    records: Iterable[Record], decode: Callable[[Record], tuple[Any, dict[str, Any] | None]]
) -> tuple[list[Slice], list[Rejection]]:
    """The slices that records of the backfill topic hold, and the records that hold none."""
    slices, rejections = list[Slice](), list[Rejection]()
    for record in records:
        try:
            value = decode(record)[1]
            slices += [] if value is None else [read_slice(value)]
        except RejectedError as error:
            rejections.append(Rejection(record, error.reason, error.detail))
    return slices, rejections


def read_slice(value: dict[str, Any]) -> Slice:
    try:
        return Slice.read(value)
    except (KeyError, TypeError) as error:
        raise RejectedError("undecodable", f"the value is no slice of a backfill: {error}") from error
