"""Orders: who buys what, at which price, and what becomes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from producers import campaigns, money, traits
from producers.catalogue import Product
from producers.world import World

CURRENCY = "EUR"
GUEST_SHARE = 0.07
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
    """A web order, or one at the counter of the shop (no guest, no campaign)."""
    customer_id = None if not counter and rng.random() < GUEST_SHARE else world.buyer(rng)
    persona = traits.PERSONAS[0] if customer_id is None else traits.persona_of(customer_id)
    campaign = None if counter else campaigns.draw(rng)
    at = rng.random()
    count = next(n for n, end in enumerate(persona.lines, 1) if at <= end)
    products = {p.product_id: p for p in (world.product(rng) for _ in range(count))}
    discount = campaign.discount_percent if campaign else 0
    return Order(order_id, customer_id, campaign.campaign_id if campaign else None, _lines(rng, list(products.values()), discount))


def order_of(rng: random.Random, world: World, order_id: str, basket: Basket) -> Order | None:
    """The order that a visit led to; None when all of its products have left the assortment meanwhile."""
    products = [p for p in map(world.find, basket.product_ids) if p]
    if not products:
        return None
    discount = campaigns.BY_ID[basket.campaign_id].discount_percent if basket.campaign_id else 0
    return Order(order_id, basket.customer_id, basket.campaign_id, _lines(rng, products, discount), basket.visitor_id)


def _lines(rng: random.Random, products: list[Product], discount_percent: int) -> tuple[Line, ...]:
    made = []
    for line_no, product in enumerate(products, 1):
        at = rng.random()
        quantity = next(n for end, n in _QUANTITIES if at < end)
        discount = quantity * product.price * discount_percent // 100
        made.append(Line(line_no, product.product_id, quantity, product.price, discount, product.cost))
    return tuple(made)


def life(rng: random.Random, order: Order) -> tuple[Step, ...]:
    """What follows `placed`: cancelled, or paid, shipped and sometimes returned. Days of a real shop are seconds here."""
    if rng.random() < 0.04:
        return (Step(rng.uniform(1, 12), "cancelled"),)
    steps = [Step(rng.uniform(0.5, 6), "paid"), Step(rng.uniform(4, 20), "shipped")]
    if rng.random() < chance_of_return(order):
        steps.append(Step(rng.uniform(5, 25), "returned"))
    return tuple(steps)


def chance_of_return(order: Order) -> float:
    """Ruled by the worst product of the order, by who bought it and by what brought them."""
    persona = traits.PERSONAS[0] if order.customer_id is None else traits.persona_of(order.customer_id)
    factor = campaigns.BY_ID[order.campaign_id].returns if order.campaign_id else 1.0
    return max(traits.return_rate(line.product_id, persona, factor) for line in order.lines)


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
