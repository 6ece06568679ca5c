"""The shop on its real servers: PostgreSQL, the MongoDB stand-in, Kafka, the registry."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymongo
import pytest

from commerce360 import metrics
from commerce360.local.bootstrap.jars import group_dir
from commerce360.local.bootstrap.paths import BUILD
from commerce360.local.stack import Stack
from commerce360.local.state import PORTS
from commerce360.provision import database, registry
from commerce360.provision import topics as wanted_topics
from commerce360.reconcile import topics
from producers import baskets, rows, seed
from producers.baskets import Line, Order
from producers.history import ORDERS_DAYS
from producers.ledger import Ledger
from producers.wire import OrderCodec, order_schema
from schemas.topics import ORDER_EVENTS

pytestmark = pytest.mark.stack
SERVERS = ("postgres", "mongo", "kafka", "registry")


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not list(Path(group_dir("kafka")).glob("*.jar")) or not (BUILD / "venv-mongo").exists():
        pytest.skip("the local servers are not installed: run `make setup`")
    root = tmp_path_factory.mktemp("shop") / "state"
    root.mkdir()
    with contextlib.ExitStack() as held:  # the default ports may be those of a stack that somebody uses
        ports = {name: held.enter_context(_listener()).getsockname()[1] for name in PORTS}
    (root / "stack.json").write_text(json.dumps({"ports": ports}))
    stack = Stack.open(root, shop={"orders_per_s": 200.0, "past_orders": 300, "past_clicks": 500})
    try:
        for name in SERVERS:
            stack.supervisor.start(name)
        for name in SERVERS:
            stack.supervisor.wait_ready(name)
        for step in (database, wanted_topics, registry):
            step.prepare(stack.settings())
        yield stack
    finally:
        stack.stop()


def test_seeding_fills_both_stores_once(stack: Stack) -> None:
    settings = stack.settings()
    first = seed.run(settings)
    assert (first.customers, first.orders, first.clicks, first.reviews) == (2000, 300, 500, 500)
    assert seed.run(settings) == seed.SeedSummary()
    with psycopg.connect(settings.postgres.conninfo()) as shop:
        count, oldest = shop.execute("SELECT count(*), min(now() - ordered_at) FROM sales.orders").fetchone() or (0, None)
        orphans = shop.execute(
            "SELECT count(*) FROM sales.orders WHERE customer_id NOT IN (SELECT customer_id FROM sales.customers)"
        ).fetchone()
    assert count == 300
    assert oldest.days < ORDERS_DAYS
    assert orphans == (0,)
    with pymongo.MongoClient[dict[str, object]](settings.mongo.uri) as client:
        assert client[settings.mongo.database].clickstream.count_documents({}) == 500


def test_a_booking_that_is_made_again_changes_nothing(stack: Stack) -> None:
    order = Order("W-900-1", 1, None, (Line(1, 1, 1, 999, 0, 500), Line(2, 2, 2, 100, 5, None)))
    now = dt.datetime.now(dt.UTC)
    with psycopg.connect(stack.settings().postgres.conninfo()) as shop:
        assert [rows.book(shop, order, "placed", now) for _ in range(2)] == [3, 0]
        assert [rows.advance(shop, order.order_id, "placed", "paid") for _ in range(2)] == [1, 0]
        assert [rows.save_customer(shop, 1, {"city": "Ulm", "email": None}) for _ in range(2)] == [1, 0]
        shop.rollback()


def test_a_killed_and_restarted_shop_loses_no_order_and_books_each_once(stack: Stack) -> None:
    settings = stack.settings()
    stack.start_service("shop")
    for _ in range(2):
        time.sleep(3)
        before = stack.restart_count("shop")
        stack.kill("shop", signal.SIGKILL)
        while stack.restart_count("shop") == before:
            time.sleep(0.05)
        stack.wait_ready("shop")
    time.sleep(3)
    stack.stop_service("shop")
    told = metrics.read(settings.state, "shop")
    assert told["run"] == 3
    assert told["orders_acked"] >= told["orders_sent"] > 0

    ledger = Ledger.read(settings.state / "ledger")
    codec = OrderCodec(order_schema(), 0)
    found: dict[str, bytes] = {}
    for record in topics.read_all(settings.kafka, [ORDER_EVENTS.name], timeout_s=5):
        assert record.value is not None
        event_id = codec.decode(record.value)["event_id"]
        assert found.setdefault(event_id, record.value) == record.value  # a repeat has the same bytes
    assert found.keys() == ledger.acked.keys() == ledger.intended.keys()
    assert len(found) > 1000

    orders = {e["order_id"]: e for e in ledger.acked.values()}
    with psycopg.connect(settings.postgres.conninfo()) as shop:
        booked = shop.execute("SELECT order_id, customer_id, ordered_at, currency FROM sales.orders WHERE order_id LIKE 'W-%'").fetchall()
        counter = shop.execute("SELECT count(*) FROM sales.orders WHERE order_id LIKE 'C-%'").fetchone()
        headless = shop.execute(
            "SELECT count(*) FROM sales.order_items i WHERE NOT EXISTS (SELECT FROM sales.orders o WHERE o.order_id = i.order_id)"
        )
        assert headless.fetchone() == (0,)
    assert booked
    assert counter
    assert counter[0] > 0
    for order_id, customer_id, ordered_at, currency in booked:
        event = orders[order_id]
        assert (event["customer_id"], event["event_ts"]) == (customer_id, ordered_at)
        assert event["currency"] == currency == baskets.CURRENCY
