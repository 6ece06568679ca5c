"""The ground truth: every parameter of how the shop behaves, with its unit. docs/shop-model.md shows them as tables.

One model makes the seeded past, the live shop and a generated year; all of them read `TRUTH`. `c360 shop check` measures a generated
year against these numbers. A chance is a number in [0, 1]; a factor multiplies a chance or a rate; days and hours are UTC.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Persona:
    name: str
    share: float  # of all customers
    order_weight: float  # how often it comes to buy, relative to the others; 0 = looks, never buys
    lines: tuple[float, float, float, float]  # cumulative chance of 1, 2, 3, 4 lines of an order that no visit led to
    cart_rate: float  # chance that a viewed product goes into the cart, at list price, for a product of quality 0.5
    returns: float  # factor on the chance of a return
    mobile: float  # chance of a visit by phone


@dataclass(frozen=True, slots=True)
class Tier:
    name: str
    spending: int  # cents spent from which a customer belongs to it
    frequency: float  # factor on how often they visit, and so on how often they order


@dataclass(frozen=True, slots=True)
class Campaign:
    campaign_id: str
    share: float  # of visits, on the days on which it runs; the rest comes without a campaign
    conversion: float  # factor on the chance that a cart goes to the checkout
    returns: float  # factor on the chance of a return
    discount_percent: int
    runs_days: int  # it runs this many days ...
    of_days: int  # ... of each so many; the live shop, whose time is compressed, runs all of them always
    from_day: int = 0  # how many days its cycle is ahead of the calendar's


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    elasticity: float  # of the chance to go into the cart: (price / list price) ** elasticity
    cost_share: float  # cost as a part of the list price


@dataclass(frozen=True, slots=True)
class Seasons:
    """Relative traffic; only ratios count."""

    hours: tuple[float, ...]  # by hour of the day, UTC: an evening peak
    weekdays: tuple[float, ...]  # Monday first: a busy Sunday
    months: tuple[float, ...]  # January first: quiet summers, a strong November and December


@dataclass(frozen=True, slots=True)
class Funnel:
    visits_a_year: float  # of an average customer of the lowest tier, in a generated year
    landing: float  # chance that a visit begins on the front page
    more_products: float  # mean of the exponential number of products viewed beyond the first, at most nine
    search: float  # chance of a search before a product
    checkout: float  # chance that a cart goes to the checkout, without a campaign; other carts are abandoned
    gap_s: float  # mean seconds between two clicks in the live shop
    gap_factor: float  # the same in the past and in a generated year, where time is not compressed
    counter: float  # chance that a customer comes to the counter instead, between 8 and 18 o'clock


@dataclass(frozen=True, slots=True)
class Identity:
    anonymous: float  # share of visits by people whom the shop does not know at all
    known_at_once: float  # of the customers' visits: still logged in from last time
    login_with_cart: float  # chance that a customer who is not known logs in with a cart; the same visitor from then on
    guest_checkout: float  # chance that somebody unknown pays as a guest
    guest_orders: float  # share of guests among live orders that no visit led to
    joining: float  # share of a year's customers who open their account in it
    prospect_visits: int  # at most so many anonymous visits, under the later cookie, in the fortnight before that


@dataclass(frozen=True, slots=True)
class Quality:
    """0 falls apart, 1 is loved; fixed for each product: 1 - u ** exponent for a uniform u."""

    exponent: float  # larger: fewer good products
    appeal: float  # a product of quality q is carted (appeal + q) times the persona's rate
    return_base: float  # chance of a return: base + slope * (1 - q) ** 1.5, times persona and campaign, for the worst product of the order
    return_slope: float  # see return_base
    return_most: float  # after all factors
    rating_noise: float  # standard deviation of stars around 1 + 4 * q
    undecided: float  # chance that a three becomes a two or a four


@dataclass(frozen=True, slots=True)
class Reviews:
    rate: float  # chance that a customer reviews a delivered line
    sarcasm: float  # of ratings 1 and 2: the words praise
    foreign: float  # written in English, whatever the country's language


@dataclass(frozen=True, slots=True)
class Orders:
    cancelled: float  # share of web orders
    paid_h: float  # mean hours until paid, exponential, at most a day
    shipped_h: tuple[float, float]  # hours from paid to shipped
    delivered_h: tuple[float, float]  # hours from shipped to delivered
    returned_d: tuple[float, float]  # days from delivered to returned
    reviewed_d: tuple[float, float]  # days from delivered to the review


@dataclass(frozen=True, slots=True)
class Churn:
    """After each order of a customer is decided once whether they ever come back."""

    after_good: float  # chance to leave for good, decided `settles_d` after shipping
    after_bad: float  # the same after a bad experience (a return, a rating of 1 or 2), decided at its moment
    settles_d: float  # days
    live_away_s: float  # seconds that somebody with a bad experience stays away in the live shop, whose time is compressed


@dataclass(frozen=True, slots=True)
class Prices:
    every_d: float  # mean days between two price changes of a product
    steps: tuple[float, ...]  # a new price is the list price times one of these


@dataclass(frozen=True, slots=True)
class Truth:
    personas: tuple[Persona, ...]
    tiers: tuple[Tier, ...]
    campaigns: tuple[Campaign, ...]
    categories: tuple[Category, ...]
    countries: tuple[tuple[str, str, float], ...]  # code, language of its reviews, share of customers
    seasons: Seasons
    funnel: Funnel
    identity: Identity
    quality: Quality
    reviews: Reviews
    orders: Orders
    churn: Churn
    prices: Prices

    def digest(self) -> str:
        """Names exactly these parameters: 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def hazard_ratio(self) -> float:
        return self.churn.after_bad / self.churn.after_good


TRUTH = Truth(
    personas=(
        Persona("occasional", 0.38, 1.0, (0.58, 0.86, 0.96, 1.0), 0.16, 1.0, 0.60),
        Persona("bargain_hunter", 0.24, 1.4, (0.35, 0.65, 0.87, 1.0), 0.24, 1.2, 0.70),
        Persona("loyal", 0.16, 3.2, (0.42, 0.74, 0.92, 1.0), 0.30, 0.6, 0.45),
        Persona("gifter", 0.08, 0.8, (0.30, 0.62, 0.86, 1.0), 0.20, 1.5, 0.50),
        Persona("browser", 0.14, 0.0, (1.0, 1.0, 1.0, 1.0), 0.05, 1.0, 0.75),
    ),
    tiers=(Tier("bronze", 0, 1.0), Tier("silver", 20_000, 1.2), Tier("gold", 60_000, 1.45), Tier("platinum", 150_000, 1.75)),
    campaigns=(
        Campaign("newsletter-autumn", 0.12, 1.5, 0.8, 5, runs_days=14, of_days=28),
        Campaign("search-brand", 0.14, 1.3, 0.9, 0, runs_days=1, of_days=1),
        Campaign("social-video", 0.16, 0.6, 1.5, 0, runs_days=60, of_days=90, from_day=15),
        Campaign("flash-sale", 0.09, 1.9, 1.9, 20, runs_days=10, of_days=30, from_day=5),
        Campaign("partner-blogs", 0.06, 0.9, 1.0, 0, runs_days=1, of_days=1),
        Campaign("win-back", 0.04, 1.1, 1.1, 15, runs_days=21, of_days=42, from_day=10),
    ),
    categories=(
        Category("Kitchen", -1.2, 0.52),
        Category("Garden", -1.4, 0.48),
        Category("Clothing", -1.8, 0.40),
        Category("Electronics", -2.2, 0.68),
        Category("Books", -0.6, 0.60),
        Category("Toys", -1.5, 0.50),
        Category("Sports", -1.6, 0.50),
        Category("Beauty", -0.9, 0.35),
    ),
    countries=(
        ("DE", "de", 0.26), ("FR", "fr", 0.18), ("GB", "en", 0.17), ("IT", "it", 0.12), ("ES", "es", 0.11), ("NL", "nl", 0.08),
        ("AT", "de", 0.04), ("IE", "en", 0.04),
    ),
    seasons=Seasons(
        hours=(2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 10, 9, 8, 8, 9, 11, 13, 15, 16, 14, 9, 4),
        weekdays=(9, 8, 8, 9, 10, 11, 13),
        months=(9, 8, 9, 9, 9, 8, 7, 7, 9, 10, 14, 15),
    ),
    funnel=Funnel(
        visits_a_year=8.0, landing=0.7, more_products=2.6, search=0.22, checkout=0.5, gap_s=2.5, gap_factor=12.0, counter=0.02,
    ),
    identity=Identity(
        anonymous=0.35, known_at_once=0.3, login_with_cart=0.6, guest_checkout=0.25, guest_orders=0.07, joining=0.2, prospect_visits=3,
    ),
    quality=Quality(
        exponent=2.2, appeal=0.5, return_base=0.02, return_slope=0.16, return_most=0.6, rating_noise=0.8, undecided=0.4,
    ),
    reviews=Reviews(rate=0.25, sarcasm=0.06, foreign=0.08),
    orders=Orders(
        cancelled=0.04, paid_h=2.0, shipped_h=(8, 60), delivered_h=(24, 96), returned_d=(2, 18), reviewed_d=(1, 14),
    ),
    churn=Churn(after_good=0.05, after_bad=0.25, settles_d=25.0, live_away_s=120.0),
    prices=Prices(every_d=45.0, steps=(0.8, 0.85, 0.9, 0.95, 1.0, 1.0, 1.05, 1.1, 1.2)),
)  # fmt: skip
