"""What arrives in the lake: complete batches, the orders in them, and who ordered."""

from __future__ import annotations

import json
import statistics
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from bi.dashboard.board import Batch, Board, Ends, LakeNews, Order
from bi.dashboard.tail import Tail
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_CUSTOMER, FCT_SALES
from schemas.topics import ORDER_EVENTS

Row = dict[str, Any]
KEPT_BATCHES = 400
KEPT_ORDERS = 12
REMEMBERED_ORDERS = 20_000
REMEMBERED_CUSTOMERS = 100_000
PER_POLL = 2  # more new rows a second than this and nobody can read, or hit, a row

BATCH_COLUMNS = ("batch_id", "committed_at", "records", "rows_out", "versions", "offsets")
SALE_COLUMNS = (
    *("order_id", "line_no", "source", "customer_id", "ordered_at", "currency", "sale_amount"),
    *("is_complete", "is_deleted", "event_ts", "kafka_ts", "origin", "batch_id"),
)
CUSTOMER_COLUMNS = ("customer_id", "seq_pos", "seq_ord", "batch_id", "full_name", "city", "is_deleted")


class Arrivals:
    """Rows are taken up to the table versions of the last complete batch: like every reader, it never sees half a batch."""

    def __init__(self, settings: LakeSettings, board: Board) -> None:
        self.lake = Lake(settings)
        self.board = board
        self.customers = Customers(self.lake)
        self._batches = Tail(self.lake, BATCHES, BATCH_COLUMNS, backlog=40)
        self._sales = Tail(self.lake, FCT_SALES, SALE_COLUMNS, backlog=20)
        self._kept: deque[Batch] = deque(maxlen=KEPT_BATCHES)
        self._shown: deque[Order] = deque(maxlen=KEPT_ORDERS)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._offsets: Ends = {}

    def poll(self) -> None:
        if self._batches.version is None and not self.lake.exists(BATCHES):
            return
        if found := self._batches.read():
            versions = json.loads(found[-1]["versions"])
            self._offsets = _offsets(found[-1]["offsets"])
            self.customers.follow(versions.get(DIM_CUSTOMER.name, -1))
            self._take(found, self._sales.read(versions.get(FCT_SALES.name, -1)))
            self.board.lake = LakeNews(tuple(self._kept), self._offsets, tuple(self._shown))

    def _take(self, batches: list[Row], sales: list[Row]) -> None:
        new = self._new_orders(sales)
        announced: dict[int, list[Row]] = {}
        for rows in new.values():
            if rows[0]["origin"].startswith(ORDER_EVENTS.name):
                announced.setdefault(rows[0]["batch_id"], []).append(rows[0])
        self._kept += [read_batch(row, announced.get(row["batch_id"], [])) for row in batches]
        known = {o.order_id for o in self._shown}
        arrived = [o for rows in new.values() if (o := read_order(rows, self.customers)) and o.order_id not in known]
        self._shown.extendleft(pick(arrived, PER_POLL if self._shown else KEPT_ORDERS))

    def _new_orders(self, sales: list[Row]) -> dict[str, list[Row]]:
        """Rows of orders that no earlier batch had: a paid order is not a new one."""
        new: dict[str, list[Row]] = {}
        for row in sales:
            if row["order_id"] not in self._seen and row["origin"]:
                new.setdefault(row["order_id"], []).append(row)
        self._seen.update(dict.fromkeys(new))
        while len(self._seen) > REMEMBERED_ORDERS:
            self._seen.popitem(last=False)
        return new


class Customers:
    """Name and city of customers as their newest row says. A deleted customer has neither."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._tail = Tail(lake, DIM_CUSTOMER, CUSTOMER_COLUMNS, backlog=0)
        self._known: OrderedDict[int, tuple[tuple[int, int, int], str, str]] = OrderedDict()

    def follow(self, version: int) -> None:
        if self._tail.version is None:
            names = ", ".join(CUSTOMER_COLUMNS)
            ranked = "ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY seq_pos DESC, seq_ord DESC, batch_id DESC) AS place"
            newest = f"SELECT {names} FROM (SELECT {names}, {ranked} FROM dim_customer) AS r WHERE place = 1 LIMIT {REMEMBERED_CUSTOMERS}"
            self.take(self.lake.query(DIM_CUSTOMER, newest).to_pylist())
        self.take(self._tail.read(version))

    def take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            key, at = row["customer_id"], (row["seq_pos"], row["seq_ord"], row["batch_id"])
            if key not in self._known or at >= self._known[key][0]:
                gone = row["is_deleted"]
                self._known[key] = (at, "" if gone else row["full_name"] or "", "" if gone else row["city"] or "")
        while len(self._known) > REMEMBERED_CUSTOMERS:
            self._known.popitem(last=False)

    def current(self, customer_id: int | None) -> tuple[str, str]:
        found = self._known.get(customer_id) if customer_id is not None else None
        return (found[1], found[2]) if found else ("", "")


def read_batch(row: Row, announced: Sequence[Row]) -> Batch:
    """`announced`: one row for each web order that came with the batch."""
    placed = [r["event_ts"].timestamp() for r in announced]
    to_kafka = [max(0.0, (r["kafka_ts"] - r["event_ts"]).total_seconds()) for r in announced]  # Kafka keeps milliseconds only
    return Batch(
        row["batch_id"],
        row["committed_at"].timestamp(),
        row["records"] or 0,
        row["rows_out"] or 0,
        len(announced),
        statistics.median(placed) if placed else None,
        statistics.median(to_kafka) if to_kafka else None,
    )


def read_order(rows: Sequence[Row], customers: Customers) -> Order | None:
    """The order of these rows, None while it has no complete line."""
    lines = {r["line_no"]: r for r in rows if r["line_no"] > 0 and r["is_complete"] and not r["is_deleted"]}
    first = next(iter(lines.values()), None)
    if first is None or first["ordered_at"] is None:
        return None
    customer, city = customers.current(first["customer_id"])
    return Order(
        first["order_id"],
        first["source"],
        first["ordered_at"].timestamp(),
        str(sum((r["sale_amount"] for r in lines.values() if r["sale_amount"] is not None), Decimal("0.00"))),
        first["currency"] or "",
        len(lines),
        first["batch_id"],
        first["customer_id"],
        customer,
        city,
    )


def pick(orders: Sequence[Order], count: int) -> list[Order]:
    """The newest of each source first, then the newest of all; oldest first, ready to be put before older ones."""
    newest = sorted(orders, key=lambda o: o.placed_at, reverse=True)
    leaders = {o.source: o for o in reversed(newest)}
    chosen = sorted(newest, key=lambda o: leaders[o.source] is not o)[:count]
    return sorted(chosen, key=lambda o: o.placed_at)


def _offsets(text: str) -> Ends:
    return {topic: {int(p): int(end) for p, end in parts.items()} for topic, parts in json.loads(text).items()}
