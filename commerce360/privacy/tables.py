"""The lake's tables without the persons: which rows are theirs, and what becomes of them. Row for row, so that all counts stay."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from commerce360.lake import Lake
from commerce360.privacy.records import People
from schemas import tables, topics
from schemas.columns import Table
from schemas.personal import EMPTIED, KEPT, TEXTS
from schemas.types import arrow_schema
from stream_jobs.dimensions import CUSTOMERS
from stream_jobs.entity import RejectedError, Row
from stream_jobs.rebuild import new_table
from stream_jobs.rebuild import records as bronze_records
from stream_jobs.scd2.change import canonical

MANY = 500  # offsets or ids in one predicate
Place = tuple[str, int, int]
PERSONAL_TOPICS = (topics.CUSTOMERS.name, topics.REVIEWS.name, topics.CLICKSTREAM.name)


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


def their_records(lake: Lake, people: People) -> dict[Place, bytes | None]:
    """By its place, the new value of each record of theirs in bronze. Makes the tokens of all their words on the way."""
    documents = _their_documents(lake, people)
    made: dict[Place, bytes | None] = {}
    for record in bronze_records(lake, frozenset(PERSONAL_TOPICS)):
        is_theirs = people.owns(record) or (record.topic != topics.CUSTOMERS.name and people.key_of(record) in documents)
        if not is_theirs:
            continue
        try:
            erased = people.erased(record)
        except RejectedError:
            continue  # with the dead letters
        if erased != record.value:
            made[record.topic, record.partition, record.offset] = erased
    return made


def undecodable(lake: Lake, people: People, records: Mapping[Place, bytes | None]) -> dict[Place, bytes | None]:
    """Dead letters that nobody could decode and that have their words all the same, by place: the bytes that may stay."""
    found = dict[Place, bytes | None]()
    for row in lake.query(tables.DEAD_LETTERS, "SELECT * FROM dead_letters").to_pylist():
        place = (row["topic"], row["partition"], row["offset"])
        if place not in records and (left := people.blanked(row["value"])) != row["value"]:
            found[place] = left
    return found


def rewrite_records(lake: Lake, people: People, values: Mapping[Place, bytes | None]) -> None:
    """Put the new values into bronze and into the dead letters, whose detail may have the row image too."""
    for table in (tables.RECORDS, tables.DEAD_LETTERS):
        for part in _parts(sorted(values)):
            where = " OR ".join(f"(topic = '{t}' AND partition = {p} AND \"offset\" = {o})" for t, p, o in part)
            _rewrite(lake, table, where, lambda row: _replaced(row, people, values))


def _replaced(row: Row, people: People, values: Mapping[Place, bytes | None]) -> Row:
    made = {**row, "value": values[row["topic"], row["partition"], row["offset"]]}
    return {**made, "detail": _detail(row["detail"], people)} if "detail" in row else made


def _detail(text: str | None, people: People) -> str | None:
    """For the reasons of the SCD2 rules it is the change, with the row image."""
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return text
    if not isinstance(found, dict) or not isinstance(found.get("after"), dict):
        return text
    return canonical({**found, "after": people.tokens.row(found["after"], KEPT[topics.CUSTOMERS.name])})


def _their_documents(lake: Lake, people: People) -> set[str | None]:
    found = bronze_records(lake, frozenset(PERSONAL_TOPICS) - {topics.CUSTOMERS.name})
    return {key for record in found if people.owns(record) and (key := people.key_of(record)) is not None}


def rewrite_log(lake: Lake, table: Table, customer_ids: frozenset[int], people: People) -> None:
    """Replace their words in all rows of a table's log, hidden ones too."""
    table = lake.extended(table)
    known = {c.name for c in tables.BY_NAME.get(table.name, tables.DIM_CUSTOMER).columns}
    added = [c.name for c in table.columns if c.name not in known and c.type == "string"]
    contract = tables.BY_NAME.get(table.name, tables.DIM_CUSTOMER)
    texts, emptied = (*TEXTS.get(contract, ()), *added), EMPTIED.get(contract, ())

    def change(row: Row) -> Row:
        made = {**row, **dict.fromkeys(emptied), **{c: people.tokens.of(row[c]) for c in texts if row[c] is not None}}
        if made.get("_after"):
            made["_after"] = canonical(people.tokens.row(json.loads(made["_after"]), KEPT[topics.CUSTOMERS.name]))
        return made

    for part in _parts(sorted(customer_ids)):
        _rewrite(lake, table, f"customer_id IN ({', '.join(map(str, part))})", change)


def rebuilt_customers(lake: Lake) -> Table | None:
    """The table that a rebuild left for people to look at, if there is one."""
    table = new_table(CUSTOMERS.table)
    return table if lake.exists(table) else None


def _rewrite(lake: Lake, table: Table, where: str, change: Callable[[Row], Row]) -> None:
    import pyarrow as pa

    rows = lake.query(table, f"SELECT * FROM {table.entity} WHERE {where}").to_pylist()
    made = [change(row) for row in rows]
    if made != rows:
        lake.rewrite(table, pa.Table.from_pylist(made, schema=arrow_schema(table)), where)


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), MANY):
        yield items[start : start + MANY]
