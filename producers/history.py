"""The shop's past, as a pure function of seed, sizes and the moment it ends at: what `seed` writes."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import Any

from commerce360.settings import Shop
from producers import baskets, catalogue, reviews, sessions
from producers.baskets import Order
from producers.catalogue import Product
from producers.people import Customer, People
from producers.world import World

ORDERS_DAYS = 90
CLICKS_DAYS = 7
# Relative traffic by hour (UTC) and by weekday (Monday first): an evening peak, a busy Sunday.
HOURS = (2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 10, 9, 8, 8, 9, 11, 13, 15, 16, 14, 9, 4)
WEEKDAYS = (9, 8, 8, 9, 10, 11, 13)
_BUSIEST = max(HOURS) * max(WEEKDAYS)


@dataclass(frozen=True, slots=True)
class PastOrder:
    order: Order
    status: str
    ordered_at: dt.datetime


@dataclass(frozen=True, slots=True)
class History:
    customers: list[Customer]
    products: list[Product]
    orders: list[PastOrder]
    clicks: list[dict[str, Any]]  # documents
    reviews: list[dict[str, Any]]  # documents


def make(shop: Shop, now: dt.datetime) -> History:
    """`now` is aware UTC. One generator for each kind of thing, so that a size can change without changing the others."""
    people = People(shop.seed)
    products = catalogue.make(_rng(shop, "products"), shop.products, now)
    customers = _customers(_rng(shop, "customers"), people, shop.customers, now)
    world = World(customers, products)
    orders = _orders(_rng(shop, "orders"), world, shop.past_orders, now)
    return History(
        customers,
        products,
        orders,
        _clicks(_rng(shop, "clicks"), world, shop.past_clicks, now),
        _reviews(_rng(shop, "reviews"), world, orders, shop.past_reviews, now),
    )


def draw_moment(rng: random.Random, start: dt.datetime, end: dt.datetime) -> dt.datetime:
    """A moment in [start, end), more likely at busy hours. Milliseconds, as BSON keeps them."""
    span_ms = int((end - start).total_seconds() * 1000)
    while True:
        moment = start + dt.timedelta(milliseconds=rng.randrange(span_ms))
        if rng.random() * _BUSIEST < HOURS[moment.hour] * WEEKDAYS[moment.weekday()]:
            return moment


def _rng(shop: Shop, kind: str) -> random.Random:
    return random.Random(f"{shop.seed}/{kind}")


def _customers(rng: random.Random, people: People, count: int, now: dt.datetime) -> list[Customer]:
    made = []
    for customer_id in range(1, count + 1):
        created_at = now - dt.timedelta(days=ORDERS_DAYS + rng.randint(1, 900), seconds=rng.randrange(86_400))
        seen = None if rng.random() < 0.1 else draw_moment(rng, now - dt.timedelta(days=60), now)
        made.append(people.meet(rng, customer_id, created_at, seen))
    return made


def _orders(rng: random.Random, world: World, count: int, now: dt.datetime) -> list[PastOrder]:
    start = now - dt.timedelta(days=ORDERS_DAYS)
    moments = sorted(draw_moment(rng, start, now) for _ in range(count))
    made = []
    for number, ordered_at in enumerate(moments, 1):
        order = baskets.draw_order(rng, world, f"P-{number:06d}")
        if order.customer_id is None:  # the back office books nobody's orders under no name
            order = Order(order.order_id, world.buyer(rng), order.campaign_id, order.lines)
        steps = [s.status for s in baskets.life(rng, order)]
        age_days = (now - ordered_at).total_seconds() / 86_400
        known = steps if age_days > 14 else steps[:2] if age_days > 2 else steps[:1]
        made.append(PastOrder(order, known[-1], ordered_at))
    return made


def _clicks(rng: random.Random, world: World, count: int, now: dt.datetime) -> list[dict[str, Any]]:
    # Visits end before now, so that no click of the past lies in the future.
    start, end = now - dt.timedelta(days=CLICKS_DAYS), now - dt.timedelta(hours=1)
    made: list[dict[str, Any]] = []
    visits = 0
    while len(made) < count:
        visits += 1
        visit = sessions.draw_visit(rng, world, f"s-0-{visits}")
        began = draw_moment(rng, start, end)
        made += [click_document(f"c-0-{len(made) + n}", c.fields, began + dt.timedelta(seconds=c.at_s)) for n, c in enumerate(visit.clicks)]
    return made[:count]


def click_document(click_id: str, fields: dict[str, Any], occurred_at: dt.datetime) -> dict[str, Any]:
    return {"_id": click_id, **fields, "occurred_at": occurred_at}


def _reviews(rng: random.Random, world: World, orders: list[PastOrder], count: int, now: dt.datetime) -> list[dict[str, Any]]:
    if not orders:
        return []
    made = []
    for number in range(count):
        past = rng.choice(orders)
        customer_id = past.order.customer_id or 0
        product = world.products[rng.choice(past.order.lines).product_id]
        said = reviews.draw_review(rng, world.customers[customer_id], product)
        reviewed_at = draw_moment(rng, past.ordered_at, now)
        made.append(reviews.document(f"r-0-{number}", customer_id, product.product_id, said, reviewed_at))
    return made
