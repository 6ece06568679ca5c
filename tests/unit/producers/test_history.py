from __future__ import annotations

import datetime as dt
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import mean

from commerce360.settings import Shop
from producers import history, traits
from producers.history import History
from producers.people import BY_CODE, COUNTRIES, TIERS

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)  # the moment of the `past` fixture

DIGEST = """
import datetime as dt, hashlib
from commerce360.settings import Shop
from producers import history
shop = Shop(customers=60, products=30, past_orders=80, past_clicks=100, past_reviews=40)
past = history.make(shop, dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC))
print(hashlib.sha256(repr(past).encode()).hexdigest())
"""


def digest_in_a_new_process(hash_seed: int) -> str:
    env = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run([sys.executable, "-c", DIGEST], check=True, capture_output=True, text=True, env=env).stdout.strip()


def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    shop = Shop(customers=60, products=30, past_orders=80, past_clicks=100, past_reviews=40)
    here = hashlib.sha256(repr(history.make(shop, NOW)).encode()).hexdigest()
    assert here == digest_in_a_new_process(1) == digest_in_a_new_process(2)
    assert hashlib.sha256(repr(history.make(shop.model_copy(update={"seed": 1}), NOW)).encode()).hexdigest() != here


def test_sizes_are_those_asked_for_and_ids_are_unique(past: History) -> None:
    assert (len(past.customers), len(past.products), len(past.orders), len(past.clicks), len(past.reviews)) == (1500, 150, 3000, 6000, 1500)
    for ids in ([c["_id"] for c in past.clicks], [r["_id"] for r in past.reviews], [o.order.order_id for o in past.orders]):
        assert len(set(ids)) == len(ids)


def test_every_order_belongs_to_a_customer_and_sells_what_was_launched(past: History) -> None:
    known = {c.customer_id: c for c in past.customers}
    launched = {p.product_id for p in past.products if p.active}
    for past_order in past.orders:
        assert known[past_order.order.customer_id or 0].created_at < past_order.ordered_at < NOW
        assert {line.product_id for line in past_order.order.lines} <= launched


def test_people_who_only_look_and_products_not_launched_have_no_orders(past: History) -> None:
    buyers = {o.order.customer_id for o in past.orders}
    lookers = [c.customer_id for c in past.customers if traits.persona_of(c.customer_id).order_weight == 0]
    assert lookers
    assert not buyers & set(lookers)
    assert any(not p.active for p in past.products)


def test_statuses_fit_the_age_of_an_order(past: History) -> None:
    web = [o for o in past.orders if o.order.visitor_id]
    assert {o.status for o in web if NOW - o.ordered_at < dt.timedelta(hours=8)} <= {"placed", "paid", "cancelled"}
    old = Counter(o.status for o in web if NOW - o.ordered_at > dt.timedelta(days=25))
    assert set(old) == {"shipped", "returned", "cancelled"}
    assert 0.01 < old["returned"] / old.total() < 0.15
    assert 0.01 < old["cancelled"] / old.total() < 0.08


def test_an_order_follows_a_visit_of_the_same_visitor_within_half_an_hour(past: History) -> None:
    clicks: dict[str, list[dt.datetime]] = {}
    for click in past.clicks:
        if click["event_type"] == "checkout":
            clicks.setdefault(click["visitor_id"], []).append(click["occurred_at"])
    since = min(c["occurred_at"] for c in past.clicks) + dt.timedelta(hours=1)
    followed = [o for o in past.orders if o.ordered_at > since and o.order.visitor_id]
    assert followed
    for o in followed:
        assert any(dt.timedelta() < o.ordered_at - at < dt.timedelta(minutes=30) for at in clicks[o.order.visitor_id or ""])
        assert o.order.visitor_id == traits.cookie_of(o.order.customer_id or 0)


def test_only_sales_at_the_counter_have_no_visitor(past: History) -> None:
    counter = [o for o in past.orders if o.order.visitor_id is None]
    assert 0 < len(counter) < 0.1 * len(past.orders)
    assert all(o.order.order_id.startswith("C-0-") and o.status in ("shipped", "returned") for o in counter)
    assert all(o.order.order_id.startswith("P-") for o in past.orders if o.order.visitor_id)


def test_visits_are_apart_and_their_clicks_together(past: History) -> None:
    last: dict[str, tuple[str, dt.datetime]] = {}
    for click in past.clicks:
        session_id, at = last.get(click["visitor_id"], (None, NOW))
        if session_id is not None:
            assert (click["occurred_at"] - at <= dt.timedelta(minutes=30)) == (click["session_id"] == session_id)
        last[click["visitor_id"]] = (click["session_id"], click["occurred_at"])


def test_reviews_are_by_people_who_got_the_product_before(past: History) -> None:
    bought = {(o.order.customer_id, line.product_id): o.ordered_at for o in reversed(past.orders) for line in o.order.lines}
    for review in past.reviews:
        assert bought[review["customer_id"], review["product_id"]] < review["reviewed_at"] < NOW


def test_more_clicks_than_the_orders_need_are_made_too() -> None:
    made = history.make(Shop(customers=20, products=10, past_orders=3, past_clicks=2000, past_reviews=2), NOW)
    assert (len(made.orders), len(made.clicks), len(made.reviews)) == (3, 2000, 2)


def test_evenings_are_busier_than_nights(past: History) -> None:
    hours = Counter(o.ordered_at.hour for o in past.orders)
    assert sum(hours[h] for h in (18, 19, 20)) > 5 * sum(hours[h] for h in (1, 2, 3))


def test_names_and_addresses_are_of_their_country(past: History) -> None:
    assert {c.country for c in past.customers} == {c.code for c in COUNTRIES}
    for customer in past.customers:
        assert customer.city is None or customer.city in BY_CODE[customer.country].cities
        assert customer.tier in TIERS
        assert customer.email is None or (customer.email.isascii() and "example." in customer.email)
    assert len({c.full_name for c in past.customers}) > 1000


def test_loyal_customers_have_higher_tiers(past: History) -> None:
    rank = {p.name: [TIERS.index(c.tier) for c in past.customers if traits.persona_of(c.customer_id) is p] for p in traits.PERSONAS}
    assert mean(rank["loyal"]) > mean(rank["occasional"]) > mean(rank["browser"])


def test_prices_are_positive_amounts_above_cost(past: History) -> None:
    assert all(p.price > (p.cost or 0) >= 0 for p in past.products)
    assert len({p.sku for p in past.products}) == len(past.products)
    spread = {c: mean(p.price for p in past.products if p.category == c) for c in ("Electronics", "Books")}
    assert spread["Electronics"] > 2 * spread["Books"]


def test_good_products_get_good_ratings(past: History) -> None:
    good = [r["rating"] for r in past.reviews if traits.quality_of(r["product_id"]) > 0.85]
    bad = [r["rating"] for r in past.reviews if traits.quality_of(r["product_id"]) < 0.4]
    assert mean(good) > 4 > 3 > mean(bad)


def test_clicks_have_the_fields_of_the_contract_and_lie_in_the_past(past: History) -> None:
    fields = {"_id", "session_id", "visitor_id", "customer_id", "event_type", "product_id", "page", "device", "campaign_id", "occurred_at"}
    assert all(set(c) == fields for c in past.clicks)
    assert all(c["occurred_at"] < NOW for c in past.clicks)
    assert {c["event_type"] for c in past.clicks} == {"view", "search", "cart", "checkout", "login"}
