"""Visits: what somebody looks at, puts into the cart, and sometimes pays."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import log
from typing import Any, NamedTuple

from producers import campaigns, traits
from producers.baskets import Basket, Order
from producers.truth import TRUTH, Campaign, Persona, Truth
from producers.world import Assortment, World

LEAST_GAP_S = 0.4  # in the live shop


class Click(NamedTuple):
    """One page event, `at_s` seconds after the visit began. `fields` are the document's, without `_id` and `occurred_at`."""

    at_s: float
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    clicks: tuple[Click, ...]
    basket: Basket | None  # what was paid at the end


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who comes. `customer_id` None: somebody who has no account."""

    customer_id: int | None
    visitor_id: str
    persona: Persona
    buys: bool = True

    @classmethod
    def customer(cls, customer_id: int, truth: Truth = TRUTH) -> Shopper:
        persona = traits.persona_of(customer_id, truth)
        return cls(customer_id, traits.cookie_of(customer_id), persona, persona.order_weight > 0)

    @classmethod
    def stranger(cls, rng: random.Random, truth: Truth = TRUTH) -> Shopper:
        return cls(None, f"v-{rng.getrandbits(48):012x}", traits.persona_of(None, truth))


class _Recorder:
    """Collects the clicks of a visit; who is known can change in the middle of it."""

    def __init__(self, rng: random.Random, same: dict[str, Any], gap_s: float, least_s: float) -> None:
        self._random = rng.random
        self._same = same
        self._least_s, self._more_s = least_s, gap_s - least_s
        self.customer_id: int | None = None
        self.clicks: list[Click] = []
        self._at_s = 0.0

    def click(self, event_type: str, page: str, product_id: int | None = None) -> None:
        fields = {**self._same, "customer_id": self.customer_id, "event_type": event_type, "product_id": product_id, "page": page}
        self.clicks.append(Click(self._at_s, fields))
        self._at_s += self._least_s - self._more_s * log(1.0 - self._random())  # exponential


def draw_visit(rng: random.Random, world: World, session_id: str) -> Visit:
    """A visit in the live shop, of one to about fifteen events, from the landing page to a paid basket or, mostly, to nothing."""
    known = rng.random() >= TRUTH.identity.anonymous
    shopper = Shopper.customer(world.visitor(rng)) if known else Shopper.stranger(rng)
    return walk(rng, world.assortment, shopper, campaigns.draw(rng), session_id)


def walk(
    rng: random.Random,
    shop: Assortment,
    shopper: Shopper,
    campaign: Campaign | None,
    session_id: str,
    truth: Truth = TRUTH,
    slowness: float = 1.0,
) -> Visit:
    """One visit through the funnel. `slowness` is a factor on the time between clicks."""
    seen = _recorder(rng, shopper, campaign, session_id, truth, slowness)
    if shopper.customer_id is not None and rng.random() < truth.identity.known_at_once:
        seen.customer_id = shopper.customer_id
    cart = _look_around(rng, shop, shopper.persona, seen, truth)
    basket = _pay(rng, shopper, campaign, cart, seen, truth) if cart else None
    return Visit(tuple(seen.clicks), basket)


def _recorder(
    rng: random.Random, shopper: Shopper, campaign: Campaign | None, session_id: str, truth: Truth, slowness: float = 1.0
) -> _Recorder:
    same = {
        "session_id": session_id,
        "visitor_id": shopper.visitor_id,
        "device": "mobile" if rng.random() < shopper.persona.mobile else rng.choice(("desktop", "desktop", "tablet")),
        "campaign_id": campaign.campaign_id if campaign else None,
    }
    return _Recorder(rng, same, truth.funnel.gap_s * slowness, LEAST_GAP_S * slowness)


def _look_around(rng: random.Random, shop: Assortment, persona: Persona, seen: _Recorder, truth: Truth) -> dict[int, None]:
    funnel = truth.funnel
    if rng.random() < funnel.landing:
        seen.click("view", "/")
    cart: dict[int, None] = {}
    for _ in range(1 + min(9, int(rng.expovariate(1 / funnel.more_products)))):
        product, appeal = shop.draw(rng)
        if rng.random() < funnel.search:
            seen.click("search", f"/search?q={product.name.rsplit(' ', 1)[-1].lower()}")
        seen.click("view", f"/product/{product.product_id}", product.product_id)
        if rng.random() < persona.cart_rate * appeal:
            cart[product.product_id] = None
            seen.click("cart", "/cart", product.product_id)
    return cart


def _pay(
    rng: random.Random, shopper: Shopper, campaign: Campaign | None, cart: dict[int, None], seen: _Recorder, truth: Truth
) -> Basket | None:
    if shopper.customer_id is not None and seen.customer_id is None and rng.random() < truth.identity.login_with_cart:
        seen.customer_id = shopper.customer_id
        seen.click("login", "/login")
    if rng.random() >= truth.funnel.checkout * (campaign.conversion if campaign else 1.0):
        return None  # an abandoned cart
    seen.click("checkout", "/checkout")
    guest = seen.customer_id is None
    if not shopper.buys or (guest and rng.random() >= truth.identity.guest_checkout):
        return None
    return Basket(seen.customer_id, campaign.campaign_id if campaign else None, tuple(cart), shopper.visitor_id)


def visit_of(rng: random.Random, order: Order, session_id: str) -> Visit:
    """The short visit behind a live order that was drawn without one: straight to its products, the cart and the checkout."""
    persona = traits.persona_of(order.customer_id)
    campaign = campaigns.BY_ID.get(order.campaign_id or "")
    seen = _recorder(rng, Shopper(order.customer_id, order.visitor_id or "", persona), campaign, session_id, TRUTH)
    seen.customer_id = order.customer_id
    for line in order.lines:
        seen.click("view", f"/product/{line.product_id}", line.product_id)
        seen.click("cart", "/cart", line.product_id)
    seen.click("checkout", "/checkout")
    return Visit(tuple(seen.clicks), None)
