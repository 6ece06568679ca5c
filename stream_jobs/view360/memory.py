"""What the view knows between two batches: base rows and derived units, found by whom they are about.

A private database beside the driver, as the `RowStore`: filled from the tables at the start, gone with the process. Rows are pickled
objects of this process; the columns beside them are what they are looked up by. Times are microseconds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import marshal
import pickle
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from schemas.columns import LINEAGE_NAMES, Table
from stream_jobs.entity import Row
from stream_jobs.rowstore import private_database
from stream_jobs.values import EPOCH
from stream_jobs.view360.orders import Line, Order
from stream_jobs.view360.sums import Measures
from stream_jobs.view360.touches import Touch
from stream_jobs.view360.visits import Visit

MICROSECOND = dt.timedelta(microseconds=1)
TABLES = """
CREATE TABLE clicks (id TEXT PRIMARY KEY, seq INT, pos INT, visitor TEXT, row BLOB) WITHOUT ROWID;
CREATE INDEX clicks_visitor ON clicks (visitor) WHERE visitor IS NOT NULL;
CREATE TABLE orders (id TEXT PRIMARY KEY, customer INT, visitor TEXT, at INT, row BLOB) WITHOUT ROWID;
CREATE INDEX orders_customer ON orders (customer) WHERE customer IS NOT NULL;
CREATE INDEX orders_visitor ON orders (visitor) WHERE visitor IS NOT NULL;
CREATE TABLE lines (product INT, id TEXT, PRIMARY KEY (product, id)) WITHOUT ROWID;
CREATE TABLE visits (id TEXT PRIMARY KEY, visitor TEXT, customer INT, start INT, campaign TEXT, row BLOB) WITHOUT ROWID;
CREATE INDEX visits_visitor ON visits (visitor, start);
CREATE INDEX visits_customer ON visits (customer) WHERE customer IS NOT NULL;
CREATE TABLE reviews (id TEXT PRIMARY KEY, seq INT, pos INT, customer INT, hash TEXT, language TEXT, silver BLOB, row BLOB) WITHOUT ROWID;
CREATE INDEX reviews_customer ON reviews (customer) WHERE customer IS NOT NULL;
CREATE INDEX reviews_text ON reviews (hash, language);
CREATE TABLE turns (customer INT PRIMARY KEY, day INT);
CREATE INDEX turns_day ON turns (day);
CREATE TABLE people (id INT PRIMARY KEY, current BLOB);
CREATE TABLE sums (tab TEXT, unit TEXT, row BLOB, PRIMARY KEY (tab, unit)) WITHOUT ROWID;
CREATE TABLE said (tab TEXT, unit TEXT, sub TEXT, digest BLOB, gone INT, PRIMARY KEY (tab, unit, sub)) WITHOUT ROWID;
"""


class Memory:
    """For one thread at a time."""

    def __init__(self) -> None:
        self._db = private_database()
        self._db.executescript(TABLES)

    def begin(self) -> None:
        self._db.execute("BEGIN")

    def end(self) -> None:
        self._db.execute("COMMIT")

    # Clicks: rows of silver.clickstream.

    def click(self, event_id: str) -> Row | None:
        found: Row | None = self._one("SELECT row FROM clicks WHERE id = ?", event_id)
        return found

    def keep_click(self, row: Row) -> None:
        visitor = None if row["is_deleted"] or row["occurred_at"] is None else row["visitor_id"] or None
        values = (row["event_id"], row["seq"], row["source_offset"], visitor, _packed(row))
        self._db.execute("INSERT OR REPLACE INTO clicks VALUES (?, ?, ?, ?, ?)", values)

    def is_newer_click(self, row: Row) -> bool:
        return self._is_newer("clicks", row["event_id"], row)

    def clicks_of(self, visitor_id: str) -> list[Row]:
        return self._all("SELECT row FROM clicks WHERE visitor = ?", visitor_id)

    # Orders.

    def order(self, order_id: str) -> Order | None:
        found = self._db.execute("SELECT row FROM orders WHERE id = ?", (order_id,)).fetchone()
        return unpacked_order(found[0]) if found else None

    def keep_order(self, order_id: str, order: Order | None) -> None:
        """None: there is no such order any more."""
        before = self.order(order_id)
        for line in before.lines if before else ():
            self._db.execute("DELETE FROM lines WHERE product = ? AND id = ?", (line.product_id, order_id))
        if order is None:
            self._db.execute("DELETE FROM orders WHERE id = ?", (order_id,))
            return
        at = None if order.ordered_at is None else micros(order.ordered_at)
        values = (order_id, order.customer_id, order.visitor_id, at, packed_order(order))
        self._db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)", values)
        products = {line.product_id for line in order.lines if line.product_id is not None}
        self._db.executemany("INSERT OR REPLACE INTO lines VALUES (?, ?)", ((product, order_id) for product in products))

    def orders_of_visitor(self, visitor_id: str) -> list[Order]:
        return self._orders("visitor", visitor_id)

    def orders_of_customer(self, customer_id: int) -> list[Order]:
        return self._orders("customer", customer_id)

    def _orders(self, column: str, value: int | str) -> list[Order]:
        return [unpacked_order(blob) for (blob,) in self._db.execute(f"SELECT row FROM orders WHERE {column} = ?", (value,))]

    def order_ids_of(self, customer_id: int | None, visitor_id: str | None, start: dt.datetime, end: dt.datetime) -> list[str]:
        """Orders of the customer, or of the visitor and nobody, placed from `start` to `end`, both included."""
        sql, whose = ("customer = ?", customer_id) if customer_id is not None else ("visitor = ? AND customer IS NULL", visitor_id)
        found = self._db.execute(f"SELECT id FROM orders WHERE {sql} AND at BETWEEN ? AND ?", (whose, micros(start), micros(end)))
        return [i for (i,) in found]

    def order_ids_of_browser(self, visitor_id: str, start: dt.datetime, end: dt.datetime) -> list[str]:
        """Orders of the visitor, whoever it is, placed from `start` to `end`, both included."""
        sql = "SELECT id FROM orders WHERE visitor = ? AND at BETWEEN ? AND ?"
        return [i for (i,) in self._db.execute(sql, (visitor_id, micros(start), micros(end)))]

    def customers_of_product(self, product_id: int) -> set[int]:
        """Who ordered it."""
        sql = "SELECT DISTINCT o.customer FROM lines l JOIN orders o ON o.id = l.id WHERE l.product = ? AND o.customer IS NOT NULL"
        return {c for (c,) in self._db.execute(sql, (product_id,))}

    # Visits.

    def visits_of_visitor(self, visitor_id: str) -> dict[str, Visit]:
        found = self._all("SELECT row FROM visits WHERE visitor = ?", visitor_id)
        return {visit.row["session_id"]: visit for visit in found}

    def visits_of_customer(self, customer_id: int) -> list[Visit]:
        return self._all("SELECT row FROM visits WHERE customer = ?", customer_id)

    def last_visits(self, visitor_id: str, upto: dt.datetime) -> list[Visit]:
        """The last visits of the visitor begun at or before a time, oldest first: several where they began at the same time."""
        last = "SELECT MAX(start) FROM visits WHERE visitor = ? AND start <= ?"
        found = self._all(f"SELECT row FROM visits WHERE visitor = ? AND start = ({last})", visitor_id, visitor_id, micros(upto))
        return sorted(found, key=lambda visit: str(visit.event_ids[0]))

    def touches(self, order: Order, start: dt.datetime, end: dt.datetime) -> list[Touch]:
        """Campaign visits of the person who ordered that began from `start` to `end`."""
        sql, whose = ("customer = ?", order.customer_id) if order.customer_id is not None else ("visitor = ?", order.visitor_id)
        query = f"SELECT start, id, campaign FROM visits WHERE {sql} AND campaign IS NOT NULL AND start BETWEEN ? AND ?"
        found = self._db.execute(query, (whose, micros(start), micros(end)))
        return [Touch(EPOCH + at * MICROSECOND, i, campaign) for at, i, campaign in found]

    def keep_visit(self, visit: Visit) -> None:
        row = visit.row
        values = (row["session_id"], row["visitor_id"], row["customer_id"], micros(row["started_at"]), row["campaign_id"], _packed(visit))
        self._db.execute("INSERT OR REPLACE INTO visits VALUES (?, ?, ?, ?, ?, ?)", values)

    def drop_visit(self, session_id: str) -> None:
        self._db.execute("DELETE FROM visits WHERE id = ?", (session_id,))

    # Reviews: rows of silver.reviews, and of gold.fct_reviews.

    def is_newer_review(self, row: Row) -> bool:
        return self._is_newer("reviews", row["review_id"], row)

    def review(self, review_id: str) -> tuple[Row, Row] | None:
        """(silver, gold)."""
        found = self._db.execute("SELECT silver, row FROM reviews WHERE id = ?", (review_id,)).fetchone()
        return (_unpacked(found[0]), _unpacked(found[1])) if found else None

    def keep_review(self, silver: Row, gold: Row) -> None:
        customer = None if gold["is_deleted"] or gold["reviewed_at"] is None else gold["customer_id"]
        about = (customer, gold["text_hash"], silver["language"] or "")
        values = (silver["review_id"], silver["seq"], silver["source_offset"], *about, _packed(silver), _packed(gold))
        self._db.execute("INSERT OR REPLACE INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def reviews_of_customer(self, customer_id: int) -> list[Row]:
        return self._all("SELECT row FROM reviews WHERE customer = ?", customer_id)

    def review_ids_of_text(self, text_hash: str, language: str) -> list[str]:
        return [i for (i,) in self._db.execute("SELECT id FROM reviews WHERE hash = ? AND language = ?", (text_hash, language))]

    # Customers: the row of the version in force, for everybody who has or had a version.

    def keep_person(self, customer_id: int, has_version: bool, current: Row | None) -> None:
        if has_version:
            self._db.execute("INSERT OR REPLACE INTO people VALUES (?, ?)", (customer_id, _packed(current)))
        else:
            self._db.execute("DELETE FROM people WHERE id = ?", (customer_id,))

    def person(self, customer_id: int) -> tuple[bool, Row | None]:
        """(has a version, current row)."""
        found = self._db.execute("SELECT current FROM people WHERE id = ?", (customer_id,)).fetchone()
        return (True, _unpacked(found[0])) if found else (False, None)

    # Customers whose row changes by itself.

    def turn(self, customer_id: int, day: dt.date | None) -> None:
        if day is None:
            self._db.execute("DELETE FROM turns WHERE customer = ?", (customer_id,))
        else:
            self._db.execute("INSERT OR REPLACE INTO turns VALUES (?, ?)", (customer_id, day.toordinal()))

    def turned(self, as_of: dt.date) -> set[int]:
        return {c for (c,) in self._db.execute("SELECT customer FROM turns WHERE day <= ?", (as_of.toordinal(),))}

    # Sums.

    def add(self, table: Table, key: Sequence[Any], measures: Measures) -> Measures:
        """Add to what is there; returns the sums."""
        unit = unit_text(key)
        found = self._db.execute("SELECT row FROM sums WHERE tab = ? AND unit = ?", (table.name, unit)).fetchone()
        total: Measures = marshal.loads(found[0]) if found else {}  # noqa: S302 - as `_unpacked`
        for name, amount in measures.items():
            total[name] = total.get(name, 0) + amount
        self._db.execute("INSERT OR REPLACE INTO sums VALUES (?, ?, ?)", (table.name, unit, marshal.dumps(total)))
        return total

    def has_sum(self, table: Table, unit: str) -> bool:
        return self._db.execute("SELECT 1 FROM sums WHERE tab = ? AND unit = ?", (table.name, unit)).fetchone() is not None

    # What the tables say.

    def said(self, table: Table, unit: str) -> dict[str, tuple[bytes, bool]]:
        """sub -> (digest, whether it is gone) of the rows of one unit of work."""
        found = self._db.execute("SELECT sub, digest, gone FROM said WHERE tab = ? AND unit = ?", (table.name, unit))
        return {sub: (digest, bool(gone)) for sub, digest, gone in found}

    def say(self, table: Table, unit: str, rows: Mapping[str, tuple[bytes, bool]]) -> None:
        values = ((table.name, unit, sub, digest, gone) for sub, (digest, gone) in rows.items())
        self._db.executemany("INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?, ?)", values)

    def forget(self, table: Table, unit: str) -> None:
        self._db.execute("DELETE FROM said WHERE tab = ? AND unit = ?", (table.name, unit))

    def _is_newer(self, table: str, key: str, row: Row) -> bool:
        found = self._db.execute(f"SELECT seq, pos FROM {table} WHERE id = ?", (key,)).fetchone()
        return found is None or tuple(found) < (row["seq"], row["source_offset"])

    def _one(self, sql: str, *values: Any) -> Any:
        found = self._db.execute(sql, values).fetchone()
        return _unpacked(found[0]) if found else None

    def _all(self, sql: str, *values: Any) -> list[Any]:
        return [_unpacked(blob) for (blob,) in self._db.execute(sql, values)]


def micros(at: dt.datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def unit_text(key: Sequence[Any]) -> str:
    """A key as text: equal values, equal text."""
    return json.dumps([_plain(part) for part in key], ensure_ascii=False)


def digest(table: Table, row: Row) -> bytes:
    """16 bytes for what a row says, without where it came from. Equal for a row as computed and as read back."""
    values = [read(row.get(name)) if read else row.get(name) for name, read in _columns(table)]
    return hashlib.blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=16).digest()


@cache
def _columns(table: Table) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    """Columns that count, and how to read what has several forms of one value: times have zones, decimals trailing zeros."""
    return tuple((c.name, _reader(c.type)) for c in table.columns if c.name not in LINEAGE_NAMES)


def _reader(kind: str) -> Callable[[Any], Any] | None:
    return _plain if kind == "timestamp" or kind.startswith("decimal") else None


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return micros(value)
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    return value.isoformat() if isinstance(value, dt.date) else value


def packed_order(order: Order) -> bytes:
    """Plain values: a batch reads every order of each customer that it touches, and objects take twice as long to read."""
    at = None if order.ordered_at is None else micros(order.ordered_at)
    return marshal.dumps((*order[:3], at, *order[4:-1], tuple(map(tuple, order.lines))))


def unpacked_order(blob: bytes) -> Order:
    order_id, customer_id, visitor_id, at, status, currency, campaign_id, source, lines = marshal.loads(blob)  # noqa: S302 - as `_unpacked`
    ordered_at = None if at is None else EPOCH + dt.timedelta(0, 0, at)
    return Order(order_id, customer_id, visitor_id, ordered_at, status, currency, campaign_id, source, tuple(map(Line._make, lines)))


def _packed(value: Any) -> bytes:
    return pickle.dumps(value, protocol=5)


def _unpacked(blob: bytes) -> Any:
    return pickle.loads(blob)  # noqa: S301 - written by this process, in a file without a name
