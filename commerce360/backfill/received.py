"""The source `bronze`: everything that was received, folded again by the lake job's own fold, against what the tables say."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from commerce360.backfill.days import ZONE_INFO, bounds
from commerce360.backfill.found import KEYS, Days, Found
from commerce360.lake import Lake
from commerce360.reconcile import documents
from schemas.columns import Table
from schemas.tables import RECORDS
from stream_jobs.bronze import record_of
from stream_jobs.dimensions import Dimension
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, read_record
from stream_jobs.keyed import KeyedLog
from stream_jobs.sales import HEADER
from stream_jobs.scd2.change import canonical
from stream_jobs.silver import Documents
from stream_jobs.slices import DOCUMENT, KEYED, Place, among, stored_rows
from stream_jobs.values import literal, moment, timestamp
from stream_jobs.wire import Decoder

CLOCKS = dt.timedelta(days=1)  # a record is received after what it tells; this far the clocks of source and Kafka may be apart
TIMES = {"silver.clickstream": "occurred_at", "silver.reviews": "reviewed_at", "silver.sentiments": "scored_at"}


Order = tuple[int, int]  # of the states of a document


class Read(NamedTuple):
    """What was read of the days: contributions by key, the keys by day, and records that cannot be used by the day of their reception."""

    contributions: dict[Key, list[Contribution]]
    keys: dict[str, set[Key]]
    rejected: dict[str, int]


class Bronze:
    """For keyed tables and documents. `upto`: the last complete batch; what came behind it is the stream's own."""

    name = "bronze"
    span = 31

    def __init__(self, lake: Lake, decoder: Decoder, upto: int) -> None:
        self.lake = lake
        self.decoder = decoder
        self.upto = upto

    def find(self, table: Table, days: list[dt.date]) -> Days:
        if table.name in DOCUMENT:
            return self._documents(DOCUMENT[table.name], days)
        entity = KEYED[table.name].over(self.lake.extended(table))
        return differences(self.lake, entity, self._read(entity, days), days, self.upto)

    def feed(self, table: Table, found: Found) -> int:
        """Bronze has it all."""
        return 0

    def _read(self, entity: Entity, days: list[dt.date]) -> Read:
        """Two passes: which keys the days have, then what is said of those. So memory holds the keys of the days, not all of bronze."""
        names, rejected = {d.isoformat() for d in days}, dict[str, int]()
        keys: dict[str, set[Key]] = {name: set() for name in names}
        for _, found in self._contributions(entity, days, rejected):
            for each in found:
                for day in names.intersection(days_of(entity, each)):
                    if entity.shared(each.key) != each.key:  # what is said of all keys is no key
                        keys[day].add(each.key)
        wanted, contributions = set[Key]().union(*keys.values()), dict[Key, list[Contribution]]()
        for record, found in self._contributions(entity, days, {}):
            for each in found:
                if each.key in wanted or entity.shared(each.key) == each.key:
                    bare = record._replace(key=None, value=None, headers=())
                    contributions.setdefault(each.key, []).append(Contribution(each.key, each.payload, bare))
        return Read(contributions, keys, rejected)

    def _contributions(self, entity: Entity, days: list[dt.date], rejected: dict[str, int]) -> Iterator[tuple[Record, list[Contribution]]]:
        for record in self._records(entity.topics, days):
            try:
                yield record, read_record(entity, record, *self.decoder.decode(record))
            except RejectedError:
                _count(rejected, record)

    def _records(self, topics: frozenset[str], days: list[dt.date]) -> Iterator[Record]:
        names, since = ", ".join(map(literal, sorted(topics))), literal(bounds(days)[0] - CLOCKS)
        sql = f"SELECT * FROM records WHERE topic IN ({names}) AND kafka_ts >= {since} AND batch_id <= {self.upto}"
        for batch in self.lake.batches_of(RECORDS, sql):
            yield from map(record_of, batch.to_pylist())

    def _documents(self, part: Documents, days: list[dt.date]) -> Days:
        """The newest state of each document of the days. A deletion names no time: it belongs to the day of the newest state before it."""
        names, rejected = {d.isoformat() for d in days}, dict[str, int]()
        newest, dated, reads = dict[str, tuple[Order, Place]](), dict[str, tuple[Order, str]](), Counter[str]()
        for record in self._records(frozenset({part.topic.name}), days):
            try:
                _, event = self.decoder.decode(record._replace(key=None))
                change = None if event is None else documents.read(part, record, event)
            except RejectedError:
                _count(rejected, record)
                continue
            if change is None:
                continue
            reads[change.id] += 1
            if change.id not in newest or newest[change.id][0] < change.order:
                newest[change.id] = (change.order, Place(*record[:3]))
            at = change.row.get(TIMES[part.table.name])
            if at is not None and (change.id not in dated or dated[change.id][0] < change.order):
                dated[change.id] = (change.order, day_text(at))
        found = {name: Found(rejected=rejected.get(name, 0)) for name in sorted(names)}
        mine = [key for key, (_, day) in dated.items() if day in names]
        there = _stored_orders(self.lake, part.table, mine, self.upto)
        for key in mine:
            of_day, (order, place) = found[dated[key][1]], newest[key]
            of_day.read += reads[key]
            of_day.keys.add(key)
            if there.get(key, (-1, -1)) < order:
                of_day.differing[key] = [place]
        return found


def differences(lake: Lake, entity: Entity, read: Read, days: list[dt.date], upto: int) -> Days:
    """Which keys would get other rows than the table has, if the records were folded with them."""
    found, places = dict[str, Found](), dict[Key, list[Place]]()
    common = [c for key, said in read.contributions.items() if entity.shared(key) == key for c in said]
    for key in sorted({k for keys in read.keys.values() for k in keys}, key=canonical_key):
        places[key] = [Place(*c.record[:3]) for c in read.contributions.get(key, ())]
    differing = set[Key]()
    for part in parts(list(places)):
        stored = stored_rows(lake, entity, part, upto)
        log = KeyedLog(entity, lambda stored=stored: ((key, row) for key, rows in stored.items() for row in rows))  # type: ignore[misc]
        outcome = log.apply([*common, *(c for key in part for c in read.contributions.get(key, ()))], part)
        differing.update(outcome.after)
    for day in sorted(d.isoformat() for d in days):
        mine = found[day] = Found(rejected=read.rejected.get(day, 0))
        for key in sorted(read.keys.get(day, ()), key=canonical_key):
            mine.read += len(places[key])
            mine.keys.add(canonical_key(key))
            if key in differing:
                mine.differing[canonical_key(key)] = [*places[key], *(Place(*c.record[:3]) for c in common)]
    return found


def days_of(entity: Entity, found: Contribution) -> set[str]:
    """To which days a contribution belongs: a change to that of its commit, an order to that on which it was placed."""
    if isinstance(entity, Dimension):
        return {day_text(timestamp(found.payload.ts))}
    if entity.table.name in TIMES:
        return {day_text(found.payload[TIMES[entity.table.name]])}
    header = found.payload.get(HEADER)
    at = json.loads(header.text)["ordered_at"] if header is not None and header.text else None
    return set() if at is None else {day_text(moment(at))}


def day_text(at: dt.datetime) -> str:
    return at.astimezone(ZONE_INFO).date().isoformat()


def canonical_key(key: Key) -> str:
    return canonical(list(key))


def parts(keys: Iterable[Any], size: int = KEYS) -> Iterator[list[Any]]:
    source = iter(keys)
    return iter(lambda: list(islice(source, size)), [])


def _stored_orders(lake: Lake, table: Table, keys: Sequence[str], upto: int) -> dict[str, tuple[int, int]]:
    """Where the newest row of each document stands."""
    key, (seq, place) = table.key[0], table.newest
    found = dict[str, tuple[int, int]]()
    for part in parts(keys):
        where = f"{among(table.key, [(k,) for k in part])} AND batch_id <= {upto}"
        for row in lake.query(table, f"SELECT {key}, {seq}, {place} FROM {table.entity} WHERE {where}").to_pylist():
            found[row[key]] = max(found.get(row[key], (-1, -1)), (row[seq], row[place]))
    return found


def _count(rejected: dict[str, int], record: Record) -> None:
    day = day_text(timestamp(record.timestamp_us))
    rejected[day] = rejected.get(day, 0) + 1
