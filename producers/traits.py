"""What somebody or something is like, derived from its id alone, so that a restarted shop knows it without storing it."""

from __future__ import annotations

from itertools import accumulate

from producers.truth import TRUTH, Persona, Truth

_WORD = (1 << 64) - 1
PERSONAS = TRUTH.personas
CATEGORIES = {c.name: c for c in TRUTH.categories}


def unit(number: int, salt: int) -> float:
    """A fixed number in [0, 1) for an id: the finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    z = (number * 0x9E3779B97F4A7C15 + (salt + 1) * 0xD1B54A32D192ED03) & _WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


def persona_of(customer_id: int | None, truth: Truth = TRUTH) -> Persona:
    """None: a guest."""
    if customer_id is None:
        return truth.personas[0]
    at = unit(customer_id, 1)
    ends = accumulate(p.share for p in truth.personas)
    return next((p for p, end in zip(truth.personas, ends, strict=True) if at < end), truth.personas[-1])


def cookie_of(customer_id: int) -> str:
    """A customer's browser keeps its cookie, so anonymous visits can be joined to a later login by the visitor."""
    return f"v-{int(unit(customer_id, 4) * 2**48):012x}"


def app_cookie_of(customer_id: int) -> str:
    """Of the customer's app. Live orders that no visit led to are placed there, so they do not pay for what a browser left in its cart."""
    return f"v-{int(unit(customer_id, 5) * 2**48):012x}"


def quality_of(product_id: int, truth: Truth = TRUTH) -> float:
    """0 (falls apart) to 1 (loved). Most products are decent; it shows in ratings and returns."""
    return float(1.0 - unit(product_id, 2) ** truth.quality.exponent)


def popularity_of(product_id: int) -> float:
    """Weight in sales: a few products sell most (Pareto, alpha 1.3), none more than 60 times the least."""
    return float(min(60.0, (1.0 - unit(product_id, 3)) ** (-1 / 1.3)))


def return_rate(product_id: int, persona: Persona, campaign_factor: float = 1.0, truth: Truth = TRUTH) -> float:
    """Chance that an order led by this product comes back."""
    rule = truth.quality
    base = rule.return_base + rule.return_slope * (1 - quality_of(product_id, truth)) ** 1.5
    return float(min(rule.return_most, base * persona.returns * campaign_factor))


def appeal_of(product_id: int, category: str, price: int, list_price: int, truth: Truth = TRUTH) -> float:
    """Factor on a persona's cart rate: better products and lower prices go into the cart more often."""
    elasticity = next((c.elasticity for c in truth.categories if c.name == category), -1.0)
    return float((truth.quality.appeal + quality_of(product_id, truth)) * (price / list_price) ** elasticity)
