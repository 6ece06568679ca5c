"""The source `database`: what PostgreSQL and MongoDB hold now, for history that the stream never brought.

Rows come by an incremental snapshot of Debezium, so they take their place in the order of the source's log like all others. Documents have
no such thing: they are sent as the connector sends one, with the time of MongoDB's clock before they were read, so that every change that
was not yet in them is newer.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from commerce360.backfill.collections import Collection
from commerce360.backfill.days import bounds
from commerce360.backfill.found import Days, Found
from commerce360.backfill.received import TIMES, canonical_key, day_text, parts
from commerce360.backfill.sending import unsettled, wait_passed
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.reconcile import sources
from commerce360.reconcile.model import CUSTOMERS, PRODUCTS
from commerce360.settings import Settings
from connect_configs import snapshot
from connect_configs.cluster import Cluster
from schemas.columns import Table
from schemas.tables import DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES
from schemas.topics import ORDER_EVENTS
from stream_jobs.entity import Key, Row
from stream_jobs.sales import HEADER_COLUMNS, LINE_COLUMNS, OLTP, rank_of
from stream_jobs.slices import DOCUMENT, KEYED, among

DIMENSION = {DIM_CUSTOMER: CUSTOMERS, DIM_PRODUCT: PRODUCTS}
OF_SALES = (("sales", "orders"), ("sales", "order_items"))


class Database:
    name = "database"
    span = 1

    def __init__(self, settings: Settings, lake: Lake, cluster: Callable[[], Cluster], say: Callable[[str], None]) -> None:
        self.settings = settings
        self.lake = lake
        self.cluster = cluster
        self.say = say
        self._collection: Collection | None = None
        self._rows: dict[Key, list[Row]] = {}  # as the source has them, by key
        self._query = self._key = ""

    def find(self, table: Table, days: list[dt.date]) -> Days:
        if table.name in DOCUMENT:
            return self._documents(table, days)
        if table in DIMENSION:
            name, at = DIMENSION[table].topic.entity, "created_at"
            query, column = f"SELECT * FROM sales.{name}", table.history_key[0]
        elif table is FCT_SALES:
            at, column = "ordered_at", "order_id"
            query = "SELECT * FROM sales.orders LEFT JOIN sales.order_items USING (order_id)"
        else:
            raise ConfigError(f"{table.entity} has no database that it comes from", "use --source bronze")
        self._query, self._key = query, column
        first, end = bounds(days)
        by_key = self._rows = self._by_key(f"{at} >= %s AND {at} < %s", (first, end))
        found = {d.isoformat(): Found() for d in days}
        differing = set(self._differing(table, by_key))
        for key, mine in by_key.items():
            of_day = found[day_text(mine[0][at])]
            of_day.read += len(mine)
            of_day.keys.add(canonical_key(key))
            if key in differing:
                of_day.differing[canonical_key(key)] = []
        return found

    def feed(self, table: Table, found: Found) -> int:
        if self._collection is not None and table.name in DOCUMENT:
            return self._collection.feed(found)
        keys = [key for key in self._rows if canonical_key(key) in found.differing]
        before, names = self._count(table, keys), sorted(KEYED[table.name].topics - {ORDER_EVENTS.name})
        for part in parts(self._differing(table, self._again(table, keys))):
            self._snapshot(table, part)
        wait_passed(self.settings, self.lake, names, self.say)
        left = self._differing(table, self._again(table, keys))  # rows may have changed or gone since they were first read
        found.rejected += unsettled(table.entity, [canonical_key(key) for key in left], self.say)
        return self._count(table, keys) - before

    def _by_key(self, where: str, values: Sequence[Any]) -> dict[Key, list[Row]]:
        found: dict[Key, list[Row]] = {}
        for row in sources.postgres_where(self.settings.postgres, self._query, where, values):
            found.setdefault((row[self._key],), []).append(row)
        return found

    def _again(self, table: Table, keys: Sequence[Key]) -> dict[Key, list[Row]]:
        """The rows of the keys as the source has them now."""
        found: dict[Key, list[Row]] = {}
        for part in parts(keys):
            found |= self._by_key(f"{self._key} = ANY(%s)", ([key[0] for key in part],))
        return found

    def _documents(self, table: Table, days: list[dt.date]) -> Days:
        part = DOCUMENT[table.name]
        second = sources.mongo_second(self.settings.mongo)
        first, end = bounds(days)
        there = sources.mongo_documents(self.settings.mongo, part.topic.entity, {TIMES[table.name]: {"$gte": first, "$lt": end}})
        self._collection = Collection(self.settings, self.lake, part, second, self.say)
        return self._collection.find(there, days, lambda text: self.say(f"{table.entity}: cannot be used: {text}"))

    def _snapshot(self, table: Table, keys: Sequence[Key]) -> None:
        cluster = self.cluster()
        named = OF_SALES if table is FCT_SALES else (("sales", DIMENSION[table].topic.entity),)
        where = among([table.history_key[0] if table.history_key else "order_id"], keys)
        name, config = snapshot.connector_of(cluster, named)
        estimates = snapshot.check(cluster, name, config, named, where)
        snapshot.clean(cluster, name, config)
        position = snapshot.request(cluster, config, named, f"{snapshot.OWN}{secrets.token_hex(6)}", where)
        snapshot.wait(cluster, name, config, position, lambda p: self.say(f"{name}: {p.summary}"), estimates=estimates)
        snapshot.clean(cluster, name, config)

    def _differing(self, table: Table, by_key: Mapping[Key, list[Row]]) -> list[Key]:
        made = list[Key]()
        for keys in parts(list(by_key)):
            if table is FCT_SALES:
                made += differing_orders(self._newest(table, among(["order_id"], keys)), {k: by_key[k] for k in keys})
            else:
                source, (key,) = DIMENSION[table], table.history_key
                there = {(row[key],): row for row in self._newest(table, among([key], keys)) if in_force(row)}
                names = source.columns
                made += [k for k in keys if k not in there or any(there[k][n] != by_key[k][0][n] for n in names)]
        return made

    def _newest(self, table: Table, where: str) -> list[Row]:
        rows: list[Row] = self.lake.query(table, table.newest_sql(table.entity, f"({where})")).to_pylist()
        return rows

    def _count(self, table: Table, keys: Sequence[Key]) -> int:
        column, count = table.history_key[0] if table.history_key else "order_id", 0
        for part in parts(list(keys)):
            sql = f"SELECT COUNT(*) AS n FROM {table.entity} WHERE {among([column], part)}"
            count += int(self.lake.query(table, sql).to_pylist()[0]["n"])
        return count


def in_force(row: Row) -> bool:
    return bool(row["is_visible"] and row["is_current"] and not row["is_deleted"])


def differing_orders(stored: Iterable[Row], by_key: Mapping[Key, list[Row]]) -> list[Key]:
    """Orders whose header or lines the lake lacks, or has not from the back office, or otherwise. `by_key`: orders with their items."""
    there = {(row["order_id"], row["line_no"]): row for row in stored}
    return [key for key, rows in by_key.items() if not all(_is_there(there, row) for row in rows)]


def _is_there(there: Mapping[tuple[str, int], Row], row: Mapping[str, Any]) -> bool:
    header = there.get((row["order_id"], 0))
    if header is None or rank_of(header) != OLTP or any(header[c] != row[c] for c in HEADER_COLUMNS):
        return False
    if row["line_no"] is None:  # an order without lines
        return True
    line = there.get((row["order_id"], row["line_no"]))
    return line is not None and rank_of(line) == OLTP and all(line[c] == row[c] for c in (*HEADER_COLUMNS, *LINE_COLUMNS))
