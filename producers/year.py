"""A year of the shop, as a pure function of a plan: products and their prices, and the life of each customer, as lines of a file.

Ids do not meet those of a seeded shop (from 1) or of its live runs (from `run * 10_000_000 + 1`), so that a year can be played into a shop
that has both. Two years do meet: one year a stack.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from commerce360.errors import ConfigError
from producers import campaigns, catalogue, lives, money, seasons
from producers.catalogue import Product
from producers.lives import Life, Names
from producers.people import Customer, People
from producers.seasons import DAY_US, HOUR_US, Calendar
from producers.truth import TRUTH, Campaign, Truth
from producers.world import Assortment

FIRST_CUSTOMER, MOST_CUSTOMERS = 5_000_000, 4_000_000
FIRST_PRODUCT, MOST_PRODUCTS = 50_000, 40_000
LAUNCHED_LATER = 0.15  # share of the products that come in the course of the year
NAMES = Names(session="s-y-", order="Y-", counter="YC-")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Line(NamedTuple):
    """One happening: epoch microseconds (sixteen digits, so that lines sort by time), and its JSON."""

    at_us: int
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    customers: int
    products: int
    days: int
    end_us: int  # a midnight, UTC

    def __post_init__(self) -> None:
        if not (1 <= self.customers <= MOST_CUSTOMERS and 1 <= self.products <= MOST_PRODUCTS):
            raise ConfigError(
                f"{self.customers:,} customers and {self.products:,} products", f"at most {MOST_CUSTOMERS:,} and {MOST_PRODUCTS:,}"
            )
        if self.days < 30 or self.start_us < 10**15 + 1200 * DAY_US or self.end_us % DAY_US:
            raise ConfigError("the span does not fit", "at least 30 days, not before 2005, and an end that is a day")

    @property
    def start_us(self) -> int:
        return self.end_us - self.days * DAY_US


class Year:
    """The market of the span, and the lines of what happens in it."""

    def __init__(self, plan: Plan, truth: Truth = TRUTH) -> None:
        self.plan, self.truth = plan, truth
        self.calendar = Calendar(plan.start_us, plan.end_us, truth.seasons)
        self._people = People(plan.seed)
        self._products = [self._product(n) for n in range(plan.products)]
        self._prices = [self._price_changes(p) for p in self._products]
        self._days = self._assortments()
        first_day = plan.start_us // DAY_US
        self._running = [campaigns.running(truth, first_day + n) for n in range(plan.days + 1)]

    def shop(self, at_us: int) -> Assortment:
        return self._days[(at_us - self.plan.start_us) // DAY_US]

    def running(self, at_us: int) -> tuple[Campaign, ...]:
        return self._running[(at_us - self.plan.start_us) // DAY_US]

    def lines_of_products(self) -> Iterator[Line]:
        for product, changes in zip(self._products, self._prices, strict=True):
            created_us = seasons.micros(product.created_at)
            yield _line(created_us, "product", {**asdict(product), "created_at": created_us})
            before = product.price
            for at_us, price in changes:
                yield _line(at_us, "price", {"product_id": product.product_id, "before": before, "after": price})
                before = price

    def lines_of_customer(self, number: int) -> Iterator[Line]:
        """Everything about the customer of this number (from 0), and the strangers that come along."""
        rng = random.Random(f"{self.plan.seed}/year/{number}")
        customer = self._customer(rng, FIRST_CUSTOMER + number)
        created_us = seasons.micros(customer.created_at)
        yield _line(created_us, "customer", {**asdict(customer), "created_at": created_us})
        yield from _lines(customer, lives.live(rng, customer, self, self.calendar, self.truth, NAMES))

    def _customer(self, rng: random.Random, customer_id: int) -> Customer:
        if rng.random() < self.truth.identity.joining:
            at_us = self.calendar.moment(rng.uniform(0, self.calendar.passed(self.plan.end_us - HOUR_US)))
            return replace(self._people.meet(rng, customer_id, seasons.moment(at_us)), tier=self.truth.tiers[0].name, points=0)
        before = dt.timedelta(days=rng.randint(1, 900), seconds=rng.randrange(86_400))
        return self._people.meet(rng, customer_id, seasons.moment(self.plan.start_us) - before)

    def _product(self, number: int) -> Product:
        rng = random.Random(f"{self.plan.seed}/product/{number}")
        start = seasons.moment(self.plan.start_us)
        later = number > 0 and rng.random() < LAUNCHED_LATER  # there is always something to sell
        days = rng.randrange(self.plan.days) if later else -rng.randint(120, 900)
        return catalogue.invent(rng, FIRST_PRODUCT + number, start + dt.timedelta(days=days, seconds=rng.randrange(1, 86_399)), active=True)

    def _price_changes(self, product: Product) -> list[tuple[int, int]]:
        """(midnight, new price) in order; the first price is the list price."""
        rng = random.Random(f"{self.plan.seed}/prices/{product.product_id}")
        rule = self.truth.prices
        day = max(self.plan.start_us, seasons.micros(product.created_at)) // DAY_US + 1
        changes: list[tuple[int, int]] = []
        price = product.price
        while (day := day + 1 + int(rng.expovariate(1 / rule.every_d))) * DAY_US < self.plan.end_us:
            new = money.price_point(max(int(product.price * rng.choice(rule.steps)), product.cost or 0))
            if new != price:
                changes.append((day * DAY_US, new))
                price = new
        return changes

    def _assortments(self) -> list[Assortment]:
        """What can be bought on each day, and on the one behind the end; the same object while nothing changes."""
        list_prices = {p.product_id: p.price for p in self._products}
        changes: dict[int, list[Product]] = {}
        for product, prices in zip(self._products, self._prices, strict=True):
            shown_us = max(self.plan.start_us, -(-seasons.micros(product.created_at) // DAY_US) * DAY_US)
            for at_us, price in ((shown_us, product.price), *prices):
                changes.setdefault((at_us - self.plan.start_us) // DAY_US, []).append(replace(product, price=price))
        shown: dict[int, Product] = {}
        made: list[Assortment] = []
        for day in range(self.plan.days + 1):
            if day in changes:
                shown |= {p.product_id: p for p in changes[day]}
                made.append(Assortment.of((shown[k] for k in sorted(shown)), list_prices, self.truth))
            else:
                made.append(made[-1])
        return made


def _line(at_us: int, kind: str, facts: dict[str, Any]) -> Line:
    return Line(at_us, _encode({"at": at_us, "kind": kind, **facts}))


def _lines(customer: Customer, life: Life) -> Iterator[Line]:
    customer_id = customer.customer_id
    clicks = 0
    for seen in life.seen:
        for click in seen.visit.clicks:
            clicks += 1
            yield _line(seen.at_us + int(click.at_s * 1000) * 1000, "click", {"_id": f"c-y-{customer_id}-{clicks}", **click.fields})
    for placed in life.placed:
        order = placed.order
        (at_us, status), *later = placed.statuses
        lines = [[x.line_no, x.product_id, x.quantity, x.unit_price, x.discount, x.unit_cost] for x in order.lines]
        told = {"order_id": order.order_id, "customer_id": order.customer_id, "campaign_id": order.campaign_id}
        yield _line(at_us, "order", {**told, "visitor_id": order.visitor_id, "status": status, "lines": lines})
        for at_us, after in later:
            yield _line(at_us, "status", {"order_id": order.order_id, "before": status, "after": after})
            status = after
    for rose in life.rose:
        yield _line(rose.at_us, "tier", {"customer_id": customer_id, "before": rose.before, "after": rose.after})
    for number, said in enumerate(life.reviewed, 1):
        told = {"_id": f"r-y-{customer_id}-{number}", "product_id": said.product_id, "customer_id": customer_id}
        yield _line(said.at_us, "review", {**told, **asdict(said.review)})
