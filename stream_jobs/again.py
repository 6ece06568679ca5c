"""What a batch has to look at again, because slices of backfills ask for it: received records, and what the tables themselves say."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from commerce360.lake import Lake
from commerce360.settings import Calendar
from schemas.tables import DEAD_LETTERS, RECORDS, Table
from schemas.types import arrow_schema
from stream_jobs import calendar_log
from stream_jobs.bronze import RAW, record_of
from stream_jobs.calendar import TABLES as CALENDAR
from stream_jobs.calendar import corrections, expected
from stream_jobs.entity import Key, Record, Rejection, Row
from stream_jobs.silver import Sorted
from stream_jobs.slices import DOCUMENT, KEYED, Decode, Place, among, key_text, read_all, received, stored_rows
from stream_jobs.view360.view import TABLES as VIEWED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from stream_jobs.folds import Folds


class Again:
    """The `slices` that the batch's records of the backfill topic hold, and `rejections` of those that hold none."""

    def __init__(self, lake: Lake, asked_by: Sequence[Record] = (), decode: Decode = lambda _: (None, None)) -> None:
        self.lake = lake
        self.asked_by = asked_by
        self.slices, self.rejections = read_all(asked_by, decode)

    @cached_property
    def places(self) -> frozenset[Place]:
        return frozenset(place for s in self.slices for place in s.places)

    @cached_property
    def topics(self) -> frozenset[str]:
        return frozenset(place.topic for place in self.places)

    @cached_property
    def _rows(self) -> list[Row]:
        return received(self.lake, self.places)

    def records(self, topics: Collection[str]) -> list[Record]:
        return [record_of(row) for row in self._rows if row["topic"] in topics]

    def frame(self, session: SparkSession, topic: str) -> DataFrame:
        """The records of a topic with the columns of the Kafka source."""
        import pyarrow as pa

        rows = pa.Table.from_pylist([row for row in self._rows if row["topic"] == topic], schema=arrow_schema(RECORDS))
        named = rows.rename_columns(["timestamp" if n == "kafka_ts" else n for n in rows.schema.names])
        return session.createDataFrame(named.select(RAW))

    def keys(self, tables: Iterable[Table]) -> dict[Table, list[Any]]:
        """What is to be looked at in each of the tables."""
        found: dict[Table, list[Any]] = defaultdict(list)
        wanted = set(tables)
        for each in self.slices:
            if each.table in wanted:
                found[each.table] += each.parsed_keys()
        return {table: list(dict.fromkeys(keys)) for table, keys in found.items()}

    def look(self, folds: Folds) -> dict[str, list[Key]]:
        """Let the folds know what the tables say of the keys; returns the keys, by table."""
        asked = {table.name: keys for table, keys in self.keys([e.table for e in KEYED.values()]).items() if table.name in folds.logs}
        for name, keys in asked.items():
            folds.logs[name].look(stored_rows(self.lake, folds.logs[name].entity, keys))
        return asked

    def calendar(self, settings: Calendar) -> dict[Table, list[Row]]:
        """What the calendar's tables lack of the days, without `batch_id`."""
        asked = self.keys(CALENDAR)
        return {t: corrections(t, calendar_log.stored(self.lake, t, days), expected(t, days, settings)) for t, days in asked.items()}

    def units(self) -> dict[Table, list[str]]:
        """Of the 360 view."""
        return self.keys(VIEWED)

    def unknown(self, table: Table, found: Sorted) -> Sorted:
        """The documents without those that the table has already; only what came from bronze can be there. Counted as live records are."""
        import pyarrow as pa

        names = (*table.key, *table.newest)
        mine = {(p.topic, p.partition, p.offset) for p in self.places if p.topic == DOCUMENT[table.name].topic.name}
        if not mine:
            return found
        there = set[tuple[Any, ...]]()
        keys = [(k,) for k in found.rows[table.key[0]].to_pylist()]
        if keys:
            rows = self.lake.query(table, f"SELECT {', '.join(names)} FROM {table.entity} WHERE {among(table.key, keys)}").to_pylist()
            there = {tuple(row[n] for n in names) for row in rows}
        identities = zip(*(found.rows[n].to_pylist() for n in names), strict=True)
        kept = found.rows.filter(pa.array([identity not in there for identity in identities], pa.bool_()))
        read = len(self.records([DOCUMENT[table.name].topic.name]))
        return Sorted(kept, found.rejections, found.unknown_ids, found.records - read, found.newest)

    def news(self, rejections: Sequence[Rejection]) -> list[Rejection]:
        """Those that are no dead letters yet: a record that was read again is rejected again."""
        asked = [(p.topic, p.partition, p.offset) for p in (Place(*r.record[:3]) for r in rejections) if p in self.places]
        if not asked:
            return list(rejections)
        where = among(DEAD_LETTERS.key[:3], asked)
        rows = self.lake.query(DEAD_LETTERS, f'SELECT topic, "partition", "offset", reason FROM dead_letters WHERE {where}').to_pylist()
        there = {tuple(row.values()) for row in rows}
        return [r for r in rejections if (*r.record[:3], r.reason) not in there]

    def served(self, rows: Mapping[Table, Sequence[Row]], rejections: Sequence[Rejection]) -> list[Row]:
        """Rows of ops.backfills, without `batch_id`; `rows` were appended in this batch."""
        changed = {table: Counter(key_text(table, row) for row in rows.get(table, ())) for table in {s.table for s in self.slices}}
        bad = {Place(*r.record[:3]) for r in rejections}
        return [
            {
                "run_id": s.run_id,
                "number": s.number,
                "day": s.day,
                "table": s.table.name,
                "keys": len(s.keys),
                "records": len(s.places),
                "changed": sum(changed[s.table][key] for key in s.keys),
                "rejected": len(bad.intersection(s.places)),
                "served_at": dt.datetime.now(dt.UTC),
            }
            for s in self.slices
        ]
