"""What can be seen in a year's file, read once in order: the counts that its statistics are made of.

Only what an analyst of the shop's data could know is used, and the traits that an id stands for (persona, quality).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from producers import campaigns, reviews, seasons, traits
from producers.lives import APART_US, BAD_RATING, OPEN_H
from producers.people import BY_CODE
from producers.seasons import DAY_US, HOUR_US, Calendar
from producers.truth import Truth

Happening = dict[str, Any]
NEXT = {"placed": ("paid", "cancelled"), "paid": ("shipped",), "shipped": ("returned",), "cancelled": (), "returned": ()}
SWEEP = 20_000  # visits that may be open before those that are over are closed


@dataclass(slots=True)
class Visit:
    session_id: str
    began_us: int
    last_us: int
    campaign_id: str | None
    device: str
    named_at_once: bool
    carted: bool = False
    named: bool = False
    checked_out: bool = False
    ordered: bool = False


@dataclass(slots=True)
class Order:
    customer_id: int | None
    at_us: int
    campaign_id: str | None
    counter: bool
    products: tuple[int, ...]
    status: str
    shipped_us: int = 0
    returned_us: int = 0
    bad_review_us: int = 0
    reviewed: int = 0  # lines


@dataclass(slots=True)
class Customer:
    persona: str
    country: str
    begin_us: int  # since when they are watched
    joined: bool
    tiers: list[tuple[int, str]]
    last_us: int = 0  # beginning of the last visit, or the last order at the counter
    visits: int = 0  # until the first order under their name, that one included
    orders: list[Order] = field(default_factory=list)

    def tier_at(self, at_us: int) -> str:
        return self.tiers[bisect_right(self.tiers, (at_us, "~")) - 1][1]


@dataclass(slots=True)
class Product:
    quality: float
    category: str
    list_price: int
    price: int
    period: list[float]  # of the running price: expected carts at list price, carts


@dataclass(slots=True)
class Review:
    rating: int
    quality: float
    language: str
    country: str
    tone: str | None


@dataclass
class Observed:
    """`read` fills it. Counters are by (name of the count, what it is of)."""

    truth: Truth
    calendar: Calendar
    customers: dict[int, Customer] = field(default_factory=dict)
    products: dict[int, Product] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    reviews: list[Review] = field(default_factory=list)
    counts: Counter[tuple[str, Any]] = field(default_factory=Counter)
    sums: defaultdict[tuple[str, Any], float] = field(default_factory=lambda: defaultdict(float))
    periods: dict[str, list[tuple[float, float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )  # price / list price, expected, carts
    broken: Counter[str] = field(default_factory=Counter)
    _cookies: dict[str, int] = field(default_factory=dict)
    _open: dict[str, Visit] = field(default_factory=dict)
    _unknown: dict[str, list[tuple[bool, bool]]] = field(default_factory=dict)  # visitor -> (checked out, ordered) of each visit
    _bought: dict[tuple[int, int], list[Order]] = field(default_factory=dict)

    def read(self, happenings: Iterable[Happening]) -> Observed:
        by_kind: dict[str, Callable[[Happening], None]] = {
            "click": self._click, "order": self._order, "status": self._status, "review": self._review,
            "customer": self._customer, "product": self._product, "price": self._price, "tier": self._tier,
        }  # fmt: skip
        before_us = 0
        for happening in happenings:
            if happening["at"] < before_us:
                self.broken["order of time"] += 1
            before_us = happening["at"]
            by_kind[happening["kind"]](happening)
        for visitor_id, visit in self._open.items():
            self._close(visitor_id, visit)
        for product in self.products.values():
            self._end_period(product)
        self._count_strangers()
        return self

    def _customer(self, told: Happening) -> None:
        customer_id, at_us = told["customer_id"], told["at"]
        joined = at_us >= self.calendar.start_us
        persona = traits.persona_of(customer_id, self.truth).name
        cookie = traits.cookie_of(customer_id)
        begin_us = max(at_us, self.calendar.start_us)
        self.customers[customer_id] = Customer(persona, told["country"], begin_us, joined, [(0, told["tier"])])
        if cookie in self._open:  # a visit before the account is none of the customer's
            self._close(cookie, self._open.pop(cookie))
        self._cookies[cookie] = customer_id
        self._unknown.pop(cookie, None)  # a prospect, not a stranger

    def _product(self, told: Happening) -> None:
        quality = traits.quality_of(told["product_id"], self.truth)
        self.products[told["product_id"]] = Product(quality, told["category"], told["price"], told["price"], [0.0, 0.0])

    def _price(self, told: Happening) -> None:
        product = self.products[told["product_id"]]
        if product.price != told["before"]:
            self.broken["price before"] += 1
        self._end_period(product)
        product.price, product.period = told["after"], [0.0, 0.0]

    def _end_period(self, product: Product) -> None:
        if product.period[0] > 0:
            self.periods[product.category].append((product.price / product.list_price, *product.period))  # type: ignore[arg-type]

    def _tier(self, told: Happening) -> None:
        customer = self.customers[told["customer_id"]]
        if customer.tiers[-1][1] != told["before"]:
            self.broken["tier before"] += 1
        customer.tiers.append((told["at"], told["after"]))

    def _click(self, told: Happening) -> None:
        visitor_id, at_us = told["visitor_id"], told["at"]
        visit = self._open.get(visitor_id)
        if visit is None or visit.session_id != told["session_id"]:
            if visit is not None:
                if at_us - visit.last_us <= APART_US:
                    self.broken["visits apart"] += 1
                self._close(visitor_id, visit)
            named = told["customer_id"] is not None
            visit = Visit(told["session_id"], at_us, at_us, told["campaign_id"], told["device"], named, named=named)
            self._open[visitor_id] = visit
            self._arrive(visitor_id, at_us, told["page"])
            if len(self._open) > SWEEP:
                self._sweep(at_us)
        elif at_us - visit.last_us > APART_US:
            self.broken["clicks together"] += 1
        visit.last_us = at_us
        if told["customer_id"] is not None:
            visit.named = True
            if told["customer_id"] not in self.customers:
                self.broken["customer of a click"] += 1
        self._page(told, visitor_id, visit)

    def _arrive(self, visitor_id: str, at_us: int, page: str) -> None:
        self.counts["landing", page == "/"] += 1
        customer = self.customers.get(self._cookies.get(visitor_id, 0))
        if customer:
            self._come(customer, at_us)

    def _come(self, customer: Customer, at_us: int) -> None:
        customer.last_us = at_us
        customer.visits += not customer.orders
        at = seasons.moment(at_us)
        self.counts["hour", at.hour] += 1
        self.counts["weekday", at.weekday()] += 1
        if customer.persona == "browser" and not customer.joined:  # they never leave, so that only the season changes how many come
            self.counts["month", (at.year, at.month)] += 1

    def _page(self, told: Happening, visitor_id: str, visit: Visit) -> None:
        kind, product = told["event_type"], self.products.get(told["product_id"])
        if product is None:
            if told["product_id"] is not None:
                self.broken["product of a click"] += 1
            self.counts["search", kind] += 1
            visit.checked_out |= kind == "checkout"
            return
        customer = self.customers.get(self._cookies.get(visitor_id, 0))
        persona = traits.persona_of(self._cookies.get(visitor_id), self.truth)
        if kind == "view":
            self.counts["search", "product"] += 1
            tempting = self.truth.quality.appeal + product.quality
            product.period[0] += persona.cart_rate * tempting
            if customer:
                elasticity = next(c.elasticity for c in self.truth.categories if c.name == product.category)
                self.sums["cart", persona.name] += tempting * (product.price / product.list_price) ** elasticity
        elif kind == "cart":
            visit.carted = True
            product.period[1] += 1
            if customer:
                self.counts["cart", persona.name] += 1

    def _sweep(self, now_us: int) -> None:
        for visitor_id, visit in list(self._open.items()):
            if now_us - visit.last_us > 4 * APART_US:
                self._close(visitor_id, self._open.pop(visitor_id))

    def _close(self, visitor_id: str, visit: Visit) -> None:
        counts, campaign_id = self.counts, visit.campaign_id
        for campaign in campaigns.running(self.truth, visit.began_us // DAY_US):
            counts["campaign could", campaign.campaign_id] += 1
        for name, happened in (("visits", True), ("carts", visit.carted), ("checkouts", visit.checked_out), ("paid", visit.ordered)):
            counts[name, campaign_id] += happened
        customer_id = self._cookies.get(visitor_id)
        if customer_id is None:
            self._unknown.setdefault(visitor_id, []).append((visit.checked_out, visit.ordered))
            return
        persona = traits.persona_of(customer_id, self.truth)
        counts["mobile", (persona.name, visit.device == "mobile")] += 1
        counts["customers' visits", None] += 1
        counts["named at once", visit.named_at_once] += 1
        if persona.order_weight > 0:
            counts["open hours", visit.began_us // HOUR_US % 24 in OPEN_H] += 1
        if visit.carted and not visit.named_at_once:
            counts["named with cart", visit.named] += 1

    def _count_strangers(self) -> None:
        for visits in self._unknown.values():
            for checked_out, ordered in visits:
                self.counts["strangers' visits", None] += 1
                if checked_out:
                    self.counts["stranger paid", ordered] += 1

    def _order(self, told: Happening) -> None:
        customer_id, at_us, visitor_id = told["customer_id"], told["at"], told["visitor_id"]
        products = tuple(line[1] for line in told["lines"])
        counter = visitor_id is None
        order = Order(customer_id, at_us, told["campaign_id"], counter, products, told["status"], at_us if counter else 0)
        if told["order_id"] in self.orders or told["status"] != ("shipped" if counter else "placed"):
            self.broken["a new order"] += 1
        self.orders[told["order_id"]] = order
        self._check_lines(told)
        if not counter:
            visit = self._open.get(visitor_id)
            if visit is None or not visit.checked_out or visit.ordered or at_us - visit.last_us > APART_US:
                self.broken["visit of an order"] += 1
            else:
                visit.ordered = True
        customer = self.customers.get(customer_id)
        if customer:
            if counter:
                self._come(customer, at_us)
                self.counts["counter", None] += 1
            customer.orders.append(order)
            for product_id in products:
                self._bought.setdefault((customer_id, product_id), []).append(order)
        elif customer_id is not None:
            self.broken["customer of an order"] += 1

    def _check_lines(self, told: Happening) -> None:
        percent = next((c.discount_percent for c in self.truth.campaigns if c.campaign_id == told["campaign_id"]), 0)
        for _, product_id, quantity, unit_price, discount, _ in told["lines"]:
            product = self.products.get(product_id)
            if product is None:
                self.broken["product of an order"] += 1
            elif told["at"] % DAY_US > HOUR_US and unit_price != product.price:  # a visit over midnight keeps its prices
                self.broken["price of an order"] += 1
            if discount != quantity * unit_price * percent // 100:
                self.broken["discount of an order"] += 1

    def _status(self, told: Happening) -> None:
        order = self.orders.get(told["order_id"])
        if order is None or order.status != told["before"] or told["after"] not in NEXT[order.status]:
            self.broken["status of an order"] += 1
            return
        order.status = told["after"]
        if order.status == "shipped":
            order.shipped_us = told["at"]
        elif order.status == "returned":
            order.returned_us = told["at"]

    def _review(self, told: Happening) -> None:
        rule, key = self.truth.orders, (told["customer_id"], told["product_id"])
        last_us = int((rule.delivered_h[1] / 24 + rule.reviewed_d[1]) * DAY_US)
        found = [o for o in self._bought.get(key, []) if o.shipped_us and o.shipped_us < told["at"] <= o.shipped_us + last_us + DAY_US]
        if not found:
            self.broken["purchase of a review"] += 1
            return
        found[-1].reviewed += 1
        if told["rating"] <= BAD_RATING and not found[-1].bad_review_us:
            found[-1].bad_review_us = told["at"]
        country = self.customers[key[0]].country
        tone = reviews.tones().get((told["language"], told["title"]))
        self.reviews.append(Review(told["rating"], self.products[key[1]].quality, told["language"], BY_CODE[country].language, tone))
