"""What somebody or something is like, derived from its id alone, so that a restarted shop knows it without storing it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

_WORD = (1 << 64) - 1


def unit(number: int, salt: int) -> float:
    """A fixed number in [0, 1) for an id: the finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    z = (number * 0x9E3779B97F4A7C15 + (salt + 1) * 0xD1B54A32D192ED03) & _WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


@dataclass(frozen=True, slots=True)
class Persona:
    name: str
    share: float  # of all customers
    order_weight: float  # how often it orders, relative to the others; 0 = looks, never buys
    lines: tuple[float, float, float, float]  # cumulative chance of 1, 2, 3, 4 lines
    cart_rate: float  # chance that a viewed product goes into the cart
    returns: float  # factor on the chance of a return
    mobile: float  # chance of a visit by phone


PERSONAS = (
    Persona("occasional", 0.38, 1.0, (0.58, 0.86, 0.96, 1.0), 0.16, 1.0, 0.60),
    Persona("bargain_hunter", 0.24, 1.4, (0.35, 0.65, 0.87, 1.0), 0.24, 1.2, 0.70),
    Persona("loyal", 0.16, 3.2, (0.42, 0.74, 0.92, 1.0), 0.30, 0.6, 0.45),
    Persona("gifter", 0.08, 0.8, (0.30, 0.62, 0.86, 1.0), 0.20, 1.5, 0.50),
    Persona("browser", 0.14, 0.0, (1.0, 1.0, 1.0, 1.0), 0.05, 1.0, 0.75),
)
_PERSONA_ENDS = tuple(accumulate(p.share for p in PERSONAS))


def persona_of(customer_id: int) -> Persona:
    at = unit(customer_id, 1)
    return next((p for p, end in zip(PERSONAS, _PERSONA_ENDS, strict=True) if at < end), PERSONAS[-1])


def quality_of(product_id: int) -> float:
    """0 (falls apart) to 1 (loved). Most products are decent; it shows in ratings and returns."""
    return float(1.0 - unit(product_id, 2) ** 2.2)


def popularity_of(product_id: int) -> float:
    """Weight in sales: a few products sell most (Pareto, alpha 1.3), none more than 60 times the least."""
    return float(min(60.0, (1.0 - unit(product_id, 3)) ** (-1 / 1.3)))


def return_rate(product_id: int, persona: Persona, campaign_factor: float = 1.0) -> float:
    """Chance that an order led by this product comes back."""
    return float(min(0.6, (0.02 + 0.16 * (1 - quality_of(product_id)) ** 1.5) * persona.returns * campaign_factor))
