"""Visits: what somebody looks at, puts into the cart, and sometimes pays."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from producers import campaigns, traits
from producers.baskets import Basket
from producers.campaigns import Campaign
from producers.traits import Persona
from producers.world import World

ANONYMOUS_SHARE = 0.35  # visits by people whom the shop does not know at all
KNOWN_AT_ONCE = 0.3  # of the customers' visits: still logged in from last time
GUEST_CHECKOUT = 0.25
MEAN_GAP_S = 2.5


@dataclass(frozen=True, slots=True)
class Click:
    """One page event, `at_s` seconds after the visit began. `fields` are the document's, without `_id` and `occurred_at`."""

    at_s: float
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    clicks: tuple[Click, ...]
    basket: Basket | None  # what was paid at the end


class _Recorder:
    """Collects the clicks of a visit; who is known can change in the middle of it."""

    def __init__(self, rng: random.Random, session_id: str, visitor_id: str, device: str, campaign_id: str | None) -> None:
        self._rng = rng
        self.visitor_id = visitor_id
        self._same = {"session_id": session_id, "visitor_id": visitor_id, "device": device, "campaign_id": campaign_id}
        self.customer_id: int | None = None
        self.clicks: list[Click] = []
        self._at_s = 0.0

    def click(self, event_type: str, page: str, product_id: int | None = None) -> None:
        varying = {"customer_id": self.customer_id, "event_type": event_type, "product_id": product_id, "page": page}
        self.clicks.append(Click(round(self._at_s, 3), {**self._same, **varying}))
        self._at_s += 0.4 + self._rng.expovariate(1 / (MEAN_GAP_S - 0.4))


def draw_visit(rng: random.Random, world: World, session_id: str) -> Visit:
    """A visit of one to about fifteen events, from the landing page to a paid basket or, mostly, to nothing."""
    customer_id = None if rng.random() < ANONYMOUS_SHARE else world.visitor(rng)
    persona = traits.PERSONAS[0] if customer_id is None else traits.persona_of(customer_id)
    campaign = campaigns.draw(rng)
    device = "mobile" if rng.random() < persona.mobile else rng.choice(("desktop", "desktop", "tablet"))
    # A customer's browser keeps its cookie, so anonymous visits can be joined to a later login by the visitor.
    visitor_id = f"v-{rng.getrandbits(48):012x}" if customer_id is None else f"v-{int(traits.unit(customer_id, 4) * 2**48):012x}"
    seen = _Recorder(rng, session_id, visitor_id, device, campaign.campaign_id if campaign else None)
    if customer_id is not None and rng.random() < KNOWN_AT_ONCE:
        seen.customer_id = customer_id
    cart = _look_around(rng, world, persona, campaign, seen)
    basket = _pay(rng, campaign, customer_id, cart, seen) if cart else None
    return Visit(tuple(seen.clicks), basket)


def _look_around(rng: random.Random, world: World, persona: Persona, campaign: Campaign | None, seen: _Recorder) -> dict[int, None]:
    if rng.random() < 0.7:
        seen.click("view", "/")
    cart: dict[int, None] = {}
    for _ in range(1 + min(9, int(rng.expovariate(1 / 2.6)))):
        product = world.product(rng)
        if rng.random() < 0.22:
            seen.click("search", f"/search?q={product.name.rsplit(' ', 1)[-1].lower()}")
        seen.click("view", f"/product/{product.product_id}", product.product_id)
        likes = persona.cart_rate * (0.5 + traits.quality_of(product.product_id)) * (campaign.conversion if campaign else 1.0)
        if rng.random() < likes:
            cart[product.product_id] = None
            seen.click("cart", "/cart", product.product_id)
    return cart


def _pay(rng: random.Random, campaign: Campaign | None, customer_id: int | None, cart: dict[int, None], seen: _Recorder) -> Basket | None:
    if customer_id is not None and seen.customer_id is None and rng.random() < 0.6:
        seen.customer_id = customer_id
        seen.click("login", "/login")
    if rng.random() > 0.5 * (campaign.conversion if campaign else 1.0):
        return None  # an abandoned cart
    seen.click("checkout", "/checkout")
    guest = seen.customer_id is None
    buys = customer_id is None or traits.persona_of(customer_id).order_weight > 0
    if not buys or (guest and rng.random() > GUEST_CHECKOUT):
        return None
    return Basket(seen.customer_id, campaign.campaign_id if campaign else None, tuple(cart), seen.visitor_id)
