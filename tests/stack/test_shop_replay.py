"""A year's file played into real stores: each happening is there once, with its own time, however often it is played."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pymongo
import pytest
from local_ports import new_state

from commerce360.local.stack import INGEST, Stack
from commerce360.reconcile import topics
from commerce360.settings import Settings
from producers import replay, seasons, year_file
from producers.ledger import Ledger
from producers.wire import OrderCodec, order_schema
from producers.year import Plan
from schemas.topics import ORDER_EVENTS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
SHOP = {"customers": 20, "products": 5, "past_orders": 5, "past_clicks": 20, "past_reviews": 2}
PLAN = Plan(seed=3, customers=60, products=12, days=90, end_us=seasons.micros(dt.datetime(2026, 11, 1, tzinfo=dt.UTC)))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "year.jsonl.zst"
    year_file.write(PLAN, path)
    return path


@pytest.fixture(scope="module")
def happenings(file: Path) -> list[dict[str, Any]]:
    return list(year_file.read(file)[1])


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Iterator[Settings]:
    """Of a stack with a seeded shop, into which the file has been played: first a part of it, then all, then all again."""
    stack = Stack.open(new_state(tmp_path_factory.mktemp("replay") / "state"), shop=SHOP)
    try:
        stack.start(services=INGEST)
        found = stack.settings()
        assert replay.play(found, file, limit=300).total() == 300
        for _ in range(2):
            assert dict(replay.play(found, file)) == year_file.read(file)[0]["counts"]
        yield found
    finally:
        stack.stop()


def moments(happenings: list[dict[str, Any]], kind: str, key: str) -> dict[str, dt.datetime]:
    return {h[key]: seasons.moment(h["at"]) for h in happenings if h["kind"] == kind}


def test_rows_are_those_of_the_file_with_their_times_and_last_statuses(settings: Settings, happenings: list[dict[str, Any]]) -> None:
    last = {h["order_id"]: h.get("after") or h["status"] for h in happenings if h["kind"] in ("order", "status")}
    named = {h["order_id"]: h for h in happenings if h["kind"] == "order" and h["customer_id"] is not None}
    tiers = {h["customer_id"]: h.get("after") or h["tier"] for h in happenings if h["kind"] in ("customer", "tier")}
    with psycopg.connect(settings.postgres.conninfo()) as shop:
        orders = shop.execute(
            "SELECT order_id, customer_id, visitor_id, status, ordered_at FROM sales.orders WHERE order_id LIKE 'Y%'"
        ).fetchall()
        lines = shop.execute("SELECT order_id, count(*) FROM sales.order_items WHERE order_id LIKE 'Y%' GROUP BY 1").fetchall()
        people = shop.execute("SELECT customer_id, tier FROM sales.customers WHERE customer_id >= 5000000").fetchall()
        products = shop.execute("SELECT count(*) FROM sales.products WHERE product_id >= 50000").fetchone()
        seeded = shop.execute("SELECT count(*) FROM sales.customers WHERE customer_id < 5000000").fetchone()
    times = moments(happenings, "order", "order_id")
    assert {o[0]: o[1:] for o in orders} == {k: (h["customer_id"], h["visitor_id"], last[k], times[k]) for k, h in named.items()}
    assert dict(lines) == {k: len(h["lines"]) for k, h in named.items()}
    assert dict(people) == tiers
    assert products == (PLAN.products,)
    assert seeded == (SHOP["customers"],)


def test_documents_are_those_of_the_file_with_their_times(settings: Settings, happenings: list[dict[str, Any]]) -> None:
    with pymongo.MongoClient[dict[str, Any]](settings.mongo.uri, tz_aware=True) as client:
        shop = client[settings.mongo.database]
        clicks = {d["_id"]: d["occurred_at"] for d in shop.clickstream.find({"_id": {"$regex": "^c-y-"}})}
        reviews = {d["_id"]: d["reviewed_at"] for d in shop.reviews.find({"_id": {"$regex": "^r-y-"}})}
    assert clicks == moments(happenings, "click", "_id")
    assert reviews == moments(happenings, "review", "_id")
    assert len(clicks) > 500
    assert reviews


def test_each_web_order_is_in_the_topic_once_and_the_ledger_knows_it(settings: Settings, happenings: list[dict[str, Any]]) -> None:
    codec = OrderCodec(order_schema(), 0)
    events = [codec.decode(r.value) for r in topics.read_all(settings.kafka, [ORDER_EVENTS.name], timeout_s=20) if r.value is not None]
    web = {h["order_id"] for h in happenings if h["kind"] == "order" and h["visitor_id"] is not None}
    assert Counter(e["order_id"] for e in events) == Counter(web)
    times = moments(happenings, "order", "order_id")
    assert all(e["event_ts"] == times[e["order_id"]] for e in events)
    ledger = Ledger.read(settings.state / "ledger")
    assert ledger.acked.keys() == ledger.intended.keys() == {e["event_id"] for e in events}
