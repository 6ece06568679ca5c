"""Orders: who buys what, at which price, and what becomes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from producers import campaigns, money, traits
from producers.catalogue import Product
from producers.truth import TRUTH, Campaign, Truth
from producers.world import Assortment, World

CURRENCY = "EUR"
_LIVE_S = {"cancelled": (1, 12), "paid": (0.5, 6), "shipped": (4, 20), "returned": (5, 25)}
_QUANTITIES = ((0.76, 1), (0.93, 2), (0.98, 3), (1.0, 5))


@dataclass(frozen=True, slots=True)
class Line:
    line_no: int
    product_id: int
    quantity: int
    unit_price: int  # cents
    discount: int  # cents, for the whole line
    unit_cost: int | None  # cents; the back office knows it, the web shop does not tell it


@dataclass(frozen=True, slots=True)
class Order:
    order_id: str
    customer_id: int | None  # None: a guest
    campaign_id: str | None
    lines: tuple[Line, ...]
    visitor_id: str | None = None  # the browser's cookie; None at the counter

    @property
    def amount(self) -> int:
        """Cents, discounts taken off."""
        return sum(line.quantity * line.unit_price - line.discount for line in self.lines)

    @property
    def rows(self) -> int:
        """How many rows PostgreSQL gets when it is booked."""
        return 1 + len(self.lines)


@dataclass(frozen=True, slots=True)
class Basket:
    """What a visit put together and paid."""

    customer_id: int | None
    campaign_id: str | None
    product_ids: tuple[int, ...]
    visitor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A status that an order takes, seconds after the one before it."""

    after_s: float
    status: str


def draw_order(rng: random.Random, world: World, order_id: str, counter: bool = False) -> Order:
    """A web order that no visit led to, or one at the counter of the shop (no guest, no campaign, no cookie)."""
    customer_id = None if not counter and rng.random() < TRUTH.identity.guest_orders else world.buyer(rng)
    campaign_id = None if counter or (campaign := campaigns.draw(rng)) is None else campaign.campaign_id
    cookie = traits.app_cookie_of(customer_id) if customer_id is not None else f"v-{rng.getrandbits(48):012x}"
    return fill(rng, world.assortment, Order(order_id, customer_id, campaign_id, (), None if counter else cookie))


def fill(rng: random.Random, shop: Assortment, order: Order, truth: Truth = TRUTH) -> Order:
    """The order with as many lines as its persona takes."""
    at = rng.random()
    count = next(n for n, end in enumerate(traits.persona_of(order.customer_id, truth).lines, 1) if at <= end)
    products = {p.product_id: p for p in (shop.product(rng) for _ in range(count))}
    return replace(order, lines=_lines(rng, list(products.values()), _discount_percent(order.campaign_id, truth)))


def order_of(rng: random.Random, shop: World | Assortment, order_id: str, basket: Basket, truth: Truth = TRUTH) -> Order | None:
    """The order that a visit led to; None when all of its products have left the assortment meanwhile."""
    products = [p for p in map(shop.find, basket.product_ids) if p]
    if not products:
        return None
    lines = _lines(rng, products, _discount_percent(basket.campaign_id, truth))
    return Order(order_id, basket.customer_id, basket.campaign_id, lines, basket.visitor_id)


def _campaign(campaign_id: str | None, truth: Truth) -> Campaign | None:
    return next((c for c in truth.campaigns if c.campaign_id == campaign_id), None)


def _discount_percent(campaign_id: str | None, truth: Truth) -> int:
    campaign = _campaign(campaign_id, truth)
    return campaign.discount_percent if campaign else 0


def _lines(rng: random.Random, products: list[Product], discount_percent: int) -> tuple[Line, ...]:
    made = []
    for line_no, product in enumerate(products, 1):
        at = rng.random()
        quantity = next(n for end, n in _QUANTITIES if at < end)
        discount = quantity * product.price * discount_percent // 100
        made.append(Line(line_no, product.product_id, quantity, product.price, discount, product.cost))
    return tuple(made)


def fate(rng: random.Random, order: Order, counter: bool = False, truth: Truth = TRUTH) -> tuple[str, ...]:
    """The statuses that follow `placed`: cancelled, or paid, shipped and sometimes returned. At the counter it is `shipped` at once."""
    if not counter and rng.random() < truth.orders.cancelled:
        return ("cancelled",)
    returned = ("returned",) if rng.random() < chance_of_return(order, truth) else ()
    return (*(("shipped",) if counter else ("paid", "shipped")), *returned)


def life(rng: random.Random, order: Order) -> tuple[Step, ...]:
    """What follows `placed` in the live shop, where the days of a real shop are seconds."""
    return tuple(Step(rng.uniform(*_LIVE_S[status]), status) for status in fate(rng, order))


def chance_of_return(order: Order, truth: Truth = TRUTH) -> float:
    """Ruled by the worst product of the order, by who bought it and by what brought them."""
    campaign = _campaign(order.campaign_id, truth)
    persona, factor = traits.persona_of(order.customer_id, truth), campaign.returns if campaign else 1.0
    return max(traits.return_rate(line.product_id, persona, factor, truth) for line in order.lines)


def event(order: Order, event_ts: int) -> dict[str, object]:
    """The order as `schemas/avro/order_placed.avsc` has it; `event_ts` in epoch microseconds."""
    return {
        "event_id": f"{order.order_id}/placed",
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "event_ts": event_ts,
        "currency": CURRENCY,
        "campaign_id": order.campaign_id,
        "visitor_id": order.visitor_id,
        "lines": [
            {
                "line_no": line.line_no,
                "product_id": line.product_id,
                "quantity": line.quantity,
                "unit_price": money.text(line.unit_price),
                "discount": money.text(line.discount),
            }
            for line in order.lines
        ],
    }
