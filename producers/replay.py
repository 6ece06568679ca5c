"""A year's file played into the shop's stores: rows to PostgreSQL, documents to MongoDB, order events to Kafka, with their own times.

It may be repeated: ids are the file's, rows and documents that are there stay, an order event that the ledger has is not sent again, and
a status, a tier or a price changes only from what it was before. The caller sees to it that no live shop runs beside it: both write the
ledger.

| not the same as in the file | why |
|---|---|
| the statuses of a guest's order are left out | sales.orders knows no guests; their orders are events only |
| a price that comes back to an earlier one moves again in a second replay | only the price before is compared; it ends where it was |
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from pymongo.errors import PyMongoError

from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Settings
from producers import documents, money, rows, seasons, wire, year_file
from producers.baskets import Line, Order
from producers.catalogue import Product
from producers.closing import Closing
from producers.ledger import Ledger
from producers.orders import OrderProducer
from producers.people import Customer
from producers.tally import Tally
from producers.year import NAMES

BATCH = 500
BACKLOG = 20_000  # order events that may wait for their acknowledgement
FINISH_S = 60.0
STATE_OF_THE_SHOP = frozenset({"customer", "product", "price", "tier"})
Happening = dict[str, Any]


def play(
    settings: Settings,
    path: Path,
    speed: float = 0.0,
    limit: int | None = None,
    since: dt.datetime | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Counter[str]:
    """How many happenings of each kind were played.

    `speed`: seconds of the year in a second; 0 as fast as it goes. `limit`: only the first so many. `since`: leaves out visits, orders and
    reviews before it; people, products, tiers and prices are brought to that day. Raises UnavailableError when a store does not answer.
    """
    header, happenings = year_file.read(path)
    since_us = max(header["start_us"], seasons.micros(since) if since else 0)
    schema = wire.order_schema()
    codec = wire.OrderCodec(schema, wire.find_schema_id(settings.registry, schema))
    folder = settings.state / "ledger"
    known = {event_id for event_id in Ledger.read(folder).intended if event_id.startswith(NAMES.order)}
    try:
        with (
            psycopg.connect(settings.postgres.conninfo(), connect_timeout=10) as connection,
            documents.connect(settings.mongo) as client,
            Ledger.open(folder, schema) as ledger,
        ):
            closing = Closing(threading.Event())
            producer = OrderProducer(settings.kafka, codec, ledger, Tally(time.monotonic()), closing, settles=False)
            producer.resend([left for left in ledger.unacknowledged() if left[1].startswith(NAMES.order)])
            stores = _Stores(connection, client[settings.mongo.database], producer, known)
            counts: Counter[str] = Counter()
            for batch in _paced(_chosen(happenings, since_us, limit), since_us, speed):
                stores.write(batch)
                counts.update(h["kind"] for h in batch)
                note(f"{counts.total():,} happenings, {seasons.moment(batch[-1]['at']):%Y-%m-%d}")
            stores.finish()
    except psycopg.OperationalError as error:
        raise UnavailableError(
            f"PostgreSQL does not answer: {str(error).splitlines()[0]}", "see `c360 status`, then replay again"
        ) from error
    except PyMongoError as error:
        raise UnavailableError(f"MongoDB does not answer: {str(error)[:200]}", "see `c360 status`, then replay again") from error
    return counts


def _chosen(happenings: Iterable[Happening], since_us: int, limit: int | None) -> Iterator[Happening]:
    left = -1 if limit is None else limit
    for happening in happenings:
        if left == 0:
            return
        if happening["at"] >= since_us or happening["kind"] in STATE_OF_THE_SHOP:
            left -= 1
            yield happening


def _paced(happenings: Iterable[Happening], since_us: int, speed: float) -> Iterator[list[Happening]]:
    """Batches, each when the last of it is due."""
    began_s = time.monotonic()
    batch: list[Happening] = []
    for happening in happenings:
        due_s = began_s + max(0, happening["at"] - since_us) / 1e6 / speed if speed else 0.0
        if batch and (len(batch) == BATCH or due_s > time.monotonic()):
            yield batch
            batch = []
        if (wait_s := due_s - time.monotonic()) > 0:
            time.sleep(wait_s)
        batch.append(happening)
    if batch:
        yield batch


class _Stores:
    def __init__(self, connection: rows.Connection, shop: Any, producer: OrderProducer, known: set[str]) -> None:
        self._connection = connection
        self._shop = shop
        self._producer = producer
        self._known = known
        self._guests: set[str] = set()  # orders without a row
        shop.clickstream.create_index("session_id")
        shop.reviews.create_index("product_id")

    def write(self, batch: list[Happening]) -> None:
        with self._connection.transaction():
            for happening in batch:
                if change := _ROWS.get(happening["kind"]):
                    self._change(change, happening)
        for collection, kind, time_name in (
            (self._shop.clickstream, "click", "occurred_at"),
            (self._shop.reviews, "review", "reviewed_at"),
        ):
            made = [_document(h, time_name) for h in batch if h["kind"] == kind]
            if made:
                documents.insert(collection, made)
        self._send([h for h in batch if h["kind"] == "order" and h["visitor_id"] is not None])

    def _change(self, change: Callable[[rows.Connection, Happening], int], happening: Happening) -> None:
        if happening["kind"] == "order" and happening["customer_id"] is None:
            self._guests.add(happening["order_id"])
        elif happening["kind"] != "status" or happening["order_id"] not in self._guests:
            change(self._connection, happening)

    def _send(self, told: list[Happening]) -> None:
        new = [h for h in told if f"{h['order_id']}/placed" not in self._known]
        self._producer.send([_order(h) for h in new], [], [h["at"] for h in new])
        while self._producer.poll(0) > BACKLOG:
            time.sleep(0.01)

    def finish(self) -> None:
        self._producer.finish(FINISH_S)
        if left := self._producer.poll(0):
            raise C360Error(
                f"Kafka did not acknowledge {left:,} orders", "they are in the ledger: replay again, or start the shop, which sends them"
            )


def _order(told: Happening) -> Order:
    lines = tuple(Line(*line) for line in told["lines"])
    return Order(told["order_id"], told["customer_id"], told["campaign_id"], lines, told["visitor_id"])


def _document(told: Happening, time_name: str) -> Happening:
    return {**{k: v for k, v in told.items() if k not in ("at", "kind")}, time_name: seasons.moment(told["at"])}


def _facts(told: Happening) -> Happening:
    return {**{k: v for k, v in told.items() if k not in ("at", "kind")}, "created_at": seasons.moment(told["at"])}


def _step_price(c: rows.Connection, told: Happening) -> int:
    return rows.step(c, "products", told["product_id"], "price", money.decimal(told["before"]), money.decimal(told["after"]))


_ROWS: dict[str, Callable[[rows.Connection, Happening], int]] = {
    "customer": lambda c, told: rows.add_customer(c, Customer(**_facts(told))),
    "product": lambda c, told: rows.add_product(c, Product(**_facts(told))),
    "price": _step_price,
    "tier": lambda c, told: rows.step(c, "customers", told["customer_id"], "tier", told["before"], told["after"]),
    "order": lambda c, told: rows.book(c, _order(told), told["status"], seasons.moment(told["at"])),
    "status": lambda c, told: rows.advance(c, told["order_id"], told["before"], told["after"]),
}
