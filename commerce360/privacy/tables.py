"""The lake's tables without the persons: which rows are theirs, and what becomes of them. Row for row, so that all counts stay."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commerce360.lake import Lake
from commerce360.privacy.records import Look, People
from schemas import tables, topics
from schemas.columns import Table
from schemas.personal import EMPTIED, ERASED, KEPT, TEXTS
from schemas.types import arrow_schema
from stream_jobs.dimensions import CUSTOMERS
from stream_jobs.entity import Contribution, RejectedError, Row, read_record
from stream_jobs.rebuild import new_table
from stream_jobs.rebuild import records as bronze_records
from stream_jobs.scd2.change import canonical, resolve

MANY = 500  # offsets or ids in one predicate
Place = tuple[str, int, int]
PERSONAL_TOPICS = tuple(KEPT)
NAMED_IN = (tables.DIM_CUSTOMER, tables.REVIEWS, tables.CLICKSTREAM, tables.FCT_SALES)  # where a number of a customer may be known


@dataclass(frozen=True)
class Theirs:
    """Records of some persons in bronze. `broken`: those that nobody can decode."""

    looks: tuple[Look, ...]
    broken: tuple[Look, ...]

    def values(self, people: People) -> dict[Place, bytes | None]:
        """By its place, what each record has to become."""
        made = {look.record[:3]: people.erased(look) for look in self.looks}
        made |= {look.record[:3]: people.blanked(look.record.value) for look in self.broken}
        was = {look.record[:3]: look.record.value for look in (*self.looks, *self.broken)}
        return {place: value for place, value in made.items() if value != was[place]}

    def keeps_its_winners(self, lake: Lake, people: People) -> bool:
        """Of two changes at one place that differ, the larger text counts (SCD2 R7): whether the same one counts afterwards."""
        dimension = CUSTOMERS.over(lake.extended(tables.DIM_CUSTOMER))

        def losers(of: Iterable[Look]) -> set[Place]:
            found: list[Contribution] = []
            for look in of:
                try:
                    found += read_record(dimension, look.record, look.key, look.value)
                except RejectedError:
                    continue
            by_key: dict[Any, list[Contribution]] = {}
            for one in found:
                by_key.setdefault(one.key, []).append(one)
            lost = {loser.identity for same in by_key.values() for loser in resolve(c.payload for c in same)[1]}
            return {c.record[:3] for c in found if c.payload.identity in lost}

        mine = [look for look in self.looks if look.record.topic == topics.CUSTOMERS.name]
        before = losers(mine)
        return not before or before == losers(people.look(k.record._replace(value=people.erased(k))) for k in mine)


def customers_of(lake: Lake, customer_ids: Iterable[int]) -> frozenset[int]:
    """These, and those that they were before or became when the shop changed a customer's number."""
    linked: dict[int, set[int]] = {}
    for row in lake.query(tables.DIM_CUSTOMER, "SELECT customer_id, moved_from, moved_to FROM dim_customer").to_pylist():
        for text in (row["moved_from"], row["moved_to"]):
            if text is not None and row["customer_id"] is not None:
                linked.setdefault(row["customer_id"], set()).update(k for k in json.loads(text) if isinstance(k, int))
    found, todo = set[int](), set(customer_ids)
    while todo:
        found |= todo
        todo = {other for one in todo for other in linked.get(one, ())} - found
    return frozenset(found)


def unknown_of(lake: Lake, customer_ids: Iterable[int]) -> list[int]:
    """Numbers that no table has."""
    left = sorted(customer_ids)
    for table in NAMED_IN:
        if left:
            ids = ", ".join(map(str, left))
            found = lake.query(table, f"SELECT DISTINCT customer_id FROM {table.entity} WHERE customer_id IN ({ids})").to_pylist()
            left = sorted({*left} - {row["customer_id"] for row in found})
    return left


def their_records(lake: Lake, people: People) -> Theirs:
    """Two looks at bronze: a deletion of a document names nobody, so the documents must be known first."""
    documents = _their_documents(lake, people)
    looks, broken = list[Look](), list[Look]()
    for record in bronze_records(lake, frozenset(PERSONAL_TOPICS)):
        look = people.look(record)
        if look.is_broken:
            broken.append(look)
        elif people.owns(look) or look.document in documents:
            looks.append(look)
            people.note_names(look)
    return Theirs(tuple(looks), tuple(look for look in broken if people.stands_in(look, documents)))


def _their_documents(lake: Lake, people: People) -> set[str]:
    found = map(people.look, bronze_records(lake, frozenset(PERSONAL_TOPICS) - {topics.CUSTOMERS.name}))
    return {look.document for look in found if look.document is not None and people.owns(look)}


def rewrite_letters(lake: Lake, people: People, values: Mapping[Place, bytes | None]) -> None:
    """Dead letters have a record again, and may say of it what is wrong with its values."""

    def change(row: Row) -> Row:
        value = None if row["value"] is None else values[row["topic"], row["partition"], row["offset"]]
        return {**row, "value": value, "detail": _detail(row["detail"], people)}

    _rewrite_places(lake, tables.DEAD_LETTERS, values, change)


def rewrite_records(lake: Lake, values: Mapping[Place, bytes | None]) -> None:
    """Bronze says whose is what, so it comes last."""
    _rewrite_places(lake, tables.RECORDS, values, lambda row: {**row, "value": values[row["topic"], row["partition"], row["offset"]]})


def _detail(text: str | None, people: People) -> str | None:
    """For the reasons of the SCD2 rules it is the change, with the row image."""
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return ERASED if text and any(word in text for word in people.tokens.made) else text
    if not isinstance(found, dict) or not isinstance(found.get("after"), dict):
        return text
    return canonical({**found, "after": people.tokens.plain_image(found["after"], KEPT[topics.CUSTOMERS.name])})


def rewrite_log(lake: Lake, table: Table, people: People) -> None:
    """Replace their values in all rows of a table's log, hidden ones too."""
    table = lake.extended(table)
    contract = tables.BY_NAME.get(table.name, tables.DIM_CUSTOMER)  # what a rebuild left is like the dimension
    known = {c.name for c in contract.columns}
    texts, emptied = TEXTS.get(contract, ()), EMPTIED.get(contract, ())
    added = [c.name for c in table.columns if c.name not in known]
    kept = KEPT[topics.CUSTOMERS.name]

    def change(row: Row) -> Row:
        after = json.loads(row["_after"]) if row.get("_after") else None
        made = {**row, **dict.fromkeys(emptied), **{c: people.tokens.of(row[c]) for c in texts if row[c] is not None}}
        if after is not None and after != (image := people.tokens.plain_image(after, kept)):
            made |= {"_after": canonical(image)}
        if made != row:
            made |= {c: people.tokens.plain_value(row[c]) for c in added if row[c] is not None}
        return made

    for part in _parts(sorted(people.customer_ids)):
        _rewrite(lake, table, f"customer_id IN ({', '.join(map(str, part))})", change)


def rebuilt_customers(lake: Lake) -> Table | None:
    """The table that a rebuild left for people to look at, if there is one."""
    table = new_table(CUSTOMERS.table)
    return table if lake.exists(table) else None


def _rewrite_places(lake: Lake, table: Table, values: Mapping[Place, Any], change: Callable[[Row], Row]) -> None:
    for part in _parts(sorted(values)):
        where = " OR ".join(f"(topic = '{t}' AND partition = {p} AND \"offset\" = {o})" for t, p, o in part)
        _rewrite(lake, table, where, change)


def _rewrite(lake: Lake, table: Table, where: str, change: Callable[[Row], Row]) -> None:
    import pyarrow as pa

    rows = lake.query(table, f"SELECT * FROM {table.entity} WHERE {where}").to_pylist()
    made = [change(row) for row in rows]
    if made != rows:
        lake.rewrite(table, pa.Table.from_pylist(made, schema=arrow_schema(table)), where)


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), MANY):
        yield items[start : start + MANY]
