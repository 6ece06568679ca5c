"""The shop's past, as a pure function of seed, sizes and the moment it ends at: what `seed` writes.

It is made of the lives of its customers (`lives`), so every web order follows from a visit of the same visitor. As many visits are made
as the orders need, which are more clicks than most shops want to keep: only the newest `past_clicks` are in the past, whole visits but
for the oldest. An order that is older than those has its visitor, and no visit any more.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, replace
from typing import Any

from commerce360.settings import Shop
from producers import catalogue, lives, reviews, seasons, sessions
from producers.baskets import Order
from producers.catalogue import Product
from producers.lives import Names, Placed, Reviewed, Seen
from producers.people import Customer, People
from producers.seasons import DAY_US, HOUR_US, Calendar
from producers.sessions import Shopper
from producers.truth import TRUTH, Campaign, Truth
from producers.world import Assortment

ORDERS_DAYS = 90
VISITS_AN_ORDER = 16.5  # a year, of a customer who is to order once in the 90 days; a little more than needed
TRIES = 6  # to find how many visits make the orders that are asked for
NAMES = Names(session="s-0-", order="P-", counter="C-0-")


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


@dataclass(frozen=True, slots=True)
class _Past:
    """A shop whose prices and campaigns stay as they are."""

    assortment: Assortment
    campaigns: tuple[Campaign, ...]

    def shop(self, _: int) -> Assortment:
        return self.assortment

    def running(self, _: int) -> tuple[Campaign, ...]:
        return self.campaigns


@dataclass(slots=True)
class _Happened:
    seen: list[Seen]
    placed: list[Placed]
    reviewed: list[Reviewed]
    customers: list[Customer]


def make(shop: Shop, now: dt.datetime) -> History:
    """`now` is aware UTC. One generator for each kind of thing, so that a size can change without changing the others."""
    products = catalogue.make(_rng(shop, "products"), shop.products, now)
    customers = _customers(_rng(shop, "customers"), People(shop.seed), shop.customers, now)
    calendar = Calendar(seasons.micros(now) - ORDERS_DAYS * DAY_US, seasons.micros(now))
    past = _Past(Assortment.of(products, {}), TRUTH.campaigns)
    happened = _happen(shop, customers, past, calendar)
    happened.placed = happened.placed[max(0, len(happened.placed) - shop.past_orders) :]
    return History(
        _since_seen(happened),
        products,
        [_past_order(number, placed) for number, placed in enumerate(happened.placed, 1)],
        _clicks(_rng(shop, "clicks"), happened.seen, past, calendar, shop.past_clicks),
        _reviews(_rng(shop, "reviews"), happened, products, calendar, shop.past_reviews),
    )


def _rng(shop: Shop, kind: str) -> random.Random:
    return random.Random(f"{shop.seed}/{kind}")


def _customers(rng: random.Random, people: People, count: int, now: dt.datetime) -> list[Customer]:
    made = []
    for customer_id in range(1, count + 1):
        created_at = now - dt.timedelta(days=ORDERS_DAYS + rng.randint(1, 900), seconds=rng.randrange(86_400))
        made.append(people.meet(rng, customer_id, created_at))
    return made


def _happen(shop: Shop, customers: list[Customer], past: _Past, calendar: Calendar) -> _Happened:
    """The lives of all customers; they visit as often as makes at least the orders asked for, if there is anybody who buys."""
    rate = min(1.0, shop.past_reviews / max(1.0, 1.3 * shop.past_orders))
    visits = VISITS_AN_ORDER * shop.past_orders / max(1, shop.customers)
    for _ in range(TRIES):
        truth = replace(TRUTH, funnel=replace(TRUTH.funnel, visits_a_year=max(visits, 0.1)), reviews=replace(TRUTH.reviews, rate=rate))
        happened = _live(shop, customers, past, calendar, truth)
        if len(happened.placed) >= shop.past_orders:
            break
        visits *= min(4.0, 1.1 * shop.past_orders / max(1, len(happened.placed)))
    return happened


def _live(shop: Shop, customers: list[Customer], past: _Past, calendar: Calendar, truth: Truth) -> _Happened:
    happened = _Happened([], [], [], [])
    for customer in customers:
        life = lives.live(_rng(shop, f"life/{customer.customer_id}"), customer, past, calendar, truth, NAMES)
        happened.seen += life.seen
        happened.placed += life.placed
        happened.reviewed += life.reviewed
        happened.customers.append(replace(customer, tier=life.rose[-1].after) if life.rose else customer)
    happened.seen.sort(key=lambda s: (s.at_us, s.visit.clicks[0].fields["session_id"]))
    happened.placed = sorted((p for p in happened.placed if p.order.customer_id is not None), key=lambda p: (p.at_us, p.order.order_id))
    happened.reviewed.sort(key=lambda r: (r.at_us, r.customer_id, r.product_id))
    return happened


def _since_seen(happened: _Happened) -> list[Customer]:
    """Customers with the time at which the shop last knew them."""
    last: dict[int, int] = {}
    for seen in happened.seen:
        click = seen.visit.clicks[-1]
        if (known := click.fields["customer_id"]) is not None:
            last[known] = seen.at_us + int(click.at_s * 1000) * 1000
    return [replace(c, last_login_at=seasons.moment(last[c.customer_id]) if c.customer_id in last else None) for c in happened.customers]


def _past_order(number: int, placed: Placed) -> PastOrder:
    prefix = "C-0" if placed.order.visitor_id is None else "P"
    return PastOrder(replace(placed.order, order_id=f"{prefix}-{number:06d}"), placed.statuses[-1][1], seasons.moment(placed.at_us))


def _clicks(rng: random.Random, seen: list[Seen], past: _Past, calendar: Calendar, count: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for newest in reversed(seen):
        if len(made) >= count:
            break
        made += _documents(newest)
    number = 0
    while len(made) < count:  # a shop with more clicks than its orders need: people who only look
        number += 1
        looker = replace(Shopper.stranger(rng), buys=False)
        visit = sessions.walk(rng, past.assortment, looker, None, f"s-0-0-{number}", slowness=TRUTH.funnel.gap_factor)
        began = calendar.moment(rng.uniform(0, calendar.passed(calendar.end_us - HOUR_US)))
        made += _documents(Seen(began, visit))
    made.sort(key=lambda c: (c["occurred_at"], c["session_id"]))
    kept = made[len(made) - count :]
    return [{"_id": f"c-0-{n}", **c} for n, c in enumerate(kept)]


def _documents(seen: Seen) -> list[dict[str, Any]]:
    return [{**c.fields, "occurred_at": seasons.moment(seen.at_us + int(c.at_s * 1000) * 1000)} for c in seen.visit.clicks]


def click_document(click_id: str, fields: dict[str, Any], occurred_at: dt.datetime) -> dict[str, Any]:
    return {"_id": click_id, **fields, "occurred_at": occurred_at}


def _when(placed: Placed, status: str) -> int:
    return next(at_us for at_us, reached in placed.statuses if reached == status)


def _reviews(rng: random.Random, happened: _Happened, products: list[Product], calendar: Calendar, count: int) -> list[dict[str, Any]]:
    """Exactly `count` if anything was ever sent: some left out, or more written by people who bought."""
    sent = [p for p in happened.placed if p.statuses[-1][1] in ("shipped", "returned")]
    bought = {(p.order.customer_id or 0, line.product_id): _when(p, "shipped") for p in reversed(sent) for line in p.order.lines}
    said = [r for r in happened.reviewed if r.at_us > bought.get((r.customer_id, r.product_id), r.at_us)]
    rng.shuffle(said)
    said = said[:count]
    silent = sorted(bought.keys() - {(r.customer_id, r.product_id) for r in said})
    rng.shuffle(silent)
    customers = {c.customer_id: c for c in happened.customers}
    by_id = {p.product_id: p for p in products}
    while len(said) < count and bought:
        customer_id, product_id = silent.pop() if silent else rng.choice(sorted(bought))
        sent_us = bought[customer_id, product_id]
        at_us = rng.randrange(sent_us // 1000, min(sent_us + 14 * DAY_US, calendar.end_us) // 1000) * 1000
        review = reviews.draw_review(rng, customers[customer_id], by_id[product_id])
        said.append(Reviewed(at_us, customer_id, product_id, review))
    said.sort(key=lambda r: (r.at_us, r.customer_id, r.product_id))
    return [reviews.document(f"r-0-{n}", r.customer_id, r.product_id, r.review, seasons.moment(r.at_us)) for n, r in enumerate(said)]
