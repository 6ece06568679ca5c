"""The shop's traffic: `python -m producers.shop`. Web orders to Kafka, the back office in PostgreSQL, clicks and reviews in MongoDB.

Each of the three is a thread and outlasts an outage of its own server without holding up the others. The shop waits for its
stores at the start, and for the registry. A restarted shop goes on where the stores are, under ids of a new run.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from random import Random

import psycopg
import stamina

from commerce360 import log, metrics, service
from commerce360.errors import C360Error, ConfigError
from commerce360.settings import Postgres, Settings
from producers import rows, wire
from producers.back_office import BackOffice, Database
from producers.baskets import Basket, Order
from producers.closing import Closing, outlast
from producers.documents import Documents
from producers.ledger import Ledger
from producers.orders import OrderProducer
from producers.people import People
from producers.purchases import REMEMBERED, Purchases
from producers.tally import Tally
from producers.world import World

PUBLISH_S = 1.0
GRACE_S = 10.0
UNVISITED = 50  # orders without a visit that the clickstream may still give one; older ones stay without


class Crew:
    """Runs each part in a thread; the first that fails ends the day for all."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._threads: list[threading.Thread] = []
        self.failure: Exception | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._work, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            stopping = self._stop.is_set()
            log.get("shop").warning("ended_part", name=name, stopping=stopping, reason=str(error)[:300], exc_info=not stopping)
            if not stopping:
                self.failure = self.failure or error
                self._stop.set()

    def wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def main(settings: Settings, stop: threading.Event) -> None:
    """Traffic until `stop`; then up to ten seconds for what is in flight. Raises what ended a part of it."""
    stamina.instrumentation.set_on_retry_hooks([])  # `outlast` tells of an outage once, not of every try
    closing = Closing(stop, GRACE_S)
    tally = Tally(time.monotonic())
    schema = wire.order_schema()
    try:
        schema_id = outlast(lambda: wire.find_schema_id(settings.registry, schema), "registry", _is_transient, closing, grace=False)
        world = outlast(lambda: load_world(settings.postgres), "postgres", _is_transient, closing, grace=False)
    except Exception as error:
        if stop.is_set() and _is_transient(error):
            return
        raise
    purchases = Purchases(load_purchases(settings.postgres))
    with Ledger.open(settings.state / "ledger", schema) as ledger:
        crew = Crew(stop)
        _start(settings, ledger, wire.OrderCodec(schema, schema_id), world, purchases, tally, closing, crew)
        while True:
            metrics.publish(settings.state, "shop", {**tally.snapshot(time.monotonic()), "run": ledger.run})
            if stop.wait(PUBLISH_S):
                break
        crew.wait(closing.left_s() + 1)
        metrics.publish(settings.state, "shop", {**tally.snapshot(time.monotonic()), "run": ledger.run})
        if crew.failure:
            raise crew.failure


def _start(
    settings: Settings,
    ledger: Ledger,
    codec: wire.OrderCodec,
    world: World,
    purchases: Purchases,
    tally: Tally,
    closing: Closing,
    crew: Crew,
) -> None:
    shop, run = settings.shop, ledger.run
    database = Database(settings.postgres, tally, closing)
    office = BackOffice(shop, database, world, People(shop.seed), run, closing)
    visits: SimpleQueue[Basket] = SimpleQueue()
    unvisited: deque[tuple[Order, float]] = deque(maxlen=UNVISITED)

    def acked(order: Order, event_ts: int) -> None:
        office.announce(order, event_ts)
        purchases.note(order, time.monotonic())

    producer = OrderProducer(settings.kafka, codec, ledger, tally, closing, acked, unvisited=unvisited)
    documents = Documents(settings.mongo, shop, world, run, visits, tally, closing, unvisited, purchases)
    crew.start("orders", lambda: producer.run(world, Random(f"{shop.seed}/{run}/orders"), visits, shop.orders_per_s))
    crew.start("office", lambda: _closed_after(database, office.run))
    crew.start("documents", documents.run)


def _closed_after(database: Database, work: Callable[[], None]) -> None:
    with database:
        work()


def load_world(postgres: Postgres) -> World:
    """Customers and products as they are now. Raises ConfigError for a shop without a past."""
    with psycopg.connect(postgres.conninfo(), connect_timeout=5) as connection:
        world = World(rows.load_customers(connection), rows.load_products(connection))
    if not world.can_sell:
        raise ConfigError("the shop has no customers or no products", "run `c360 up`, which seeds it")
    return world


def load_purchases(postgres: Postgres) -> list[tuple[int, int]]:
    """What was sent before; nothing when PostgreSQL has just gone away again, because reviews can wait for new orders."""
    try:
        with psycopg.connect(postgres.conninfo(), connect_timeout=5) as connection:
            return rows.load_purchases(connection, REMEMBERED)
    except psycopg.OperationalError:
        return []


def _is_transient(error: Exception) -> bool:
    return isinstance(error, psycopg.OperationalError) or (isinstance(error, C360Error) and error.transient)


if __name__ == "__main__":
    service.run("shop", main)
