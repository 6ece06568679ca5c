"""What a customer does over a span of time: visits lead to carts, carts to orders, orders to experiences, and those to staying or leaving.

The one model behind the seeded past and a generated year. A customer's visits are a Poisson process in season time; its rate is that of
the persona times that of the tier. Everything is drawn from the customer's own generator: a life does not depend on who else is there.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from producers import baskets, campaigns, reviews, seasons, sessions, traits
from producers.baskets import Order
from producers.people import Customer
from producers.reviews import Review
from producers.seasons import DAY_US, HOUR_US, Calendar
from producers.sessions import Shopper, Visit
from producers.truth import Campaign, Truth
from producers.world import Assortment

APART_US = HOUR_US // 2  # visits of one visitor are further apart than this; clicks of one visit are closer together
SECOND_US = 1_000_000
BAD_RATING = 2
OPEN_H = range(8, 18)  # at the counter, UTC


class Market(Protocol):
    """The shop as it stands at a moment in epoch microseconds."""

    def shop(self, at_us: int) -> Assortment: ...

    def running(self, at_us: int) -> tuple[Campaign, ...]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    at_us: int
    visit: Visit


@dataclass(frozen=True, slots=True)
class Placed:
    """An order with its statuses as far as the span goes, the first one at `at_us`."""

    at_us: int
    order: Order
    statuses: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Reviewed:
    at_us: int
    customer_id: int
    product_id: int
    review: Review


@dataclass(frozen=True, slots=True)
class Rose:
    """Another tier."""

    at_us: int
    before: str
    after: str


@dataclass(slots=True)
class Life:
    """All of it, each list in no particular order."""

    seen: list[Seen] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    reviewed: list[Reviewed] = field(default_factory=list)
    rose: list[Rose] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Names:
    """How the ids of this world begin; behind them come the customer's id and a number."""

    session: str
    order: str
    counter: str


def visits_a_day(customer_id: int, tier: str, truth: Truth) -> float:
    """Expected visits in a day of season time: half of all visits by how often the persona buys, half by everybody alike."""
    mean = sum(p.share * p.order_weight for p in truth.personas)
    weight = 0.5 + 0.5 * traits.persona_of(customer_id, truth).order_weight / mean
    return truth.funnel.visits_a_year / 365 * weight * next(t.frequency for t in truth.tiers if t.name == tier)


def live(rng: random.Random, customer: Customer, market: Market, calendar: Calendar, truth: Truth, names: Names) -> Life:
    """The customer's life within the calendar's span, from the day they opened their account, and the strangers' visits that come along."""
    return _Person(rng, customer, market, calendar, truth, names).live()


class _Person:
    def __init__(self, rng: random.Random, customer: Customer, market: Market, calendar: Calendar, truth: Truth, names: Names) -> None:
        self._rng = rng
        self._customer = customer
        self._market = market
        self._calendar = calendar
        self._truth = truth
        self._names = names
        self._shopper = Shopper.customer(customer.customer_id, truth)
        self._life = Life()
        self._tiers = [t.name for t in truth.tiers]
        self._tier = self._tiers.index(customer.tier)
        self._spent = truth.tiers[self._tier].spending
        self._rate = visits_a_day(customer.customer_id, customer.tier, truth)
        self._gone = False
        self._free_us = 0
        self._turns: list[tuple[int, int, Callable[[int], None]]] = []
        self._turn_numbers = itertools.count()
        self._visit_numbers = itertools.count(1)
        self._order_numbers = itertools.count(1)
        self._last_us = calendar.end_us - HOUR_US  # visits end within the span

    def live(self) -> Life:
        begin_us = self._calendar.start_us
        created_us = seasons.micros(self._customer.created_at)
        if created_us > begin_us:
            self._look_before(created_us)
            begin_us = created_us
        self._free_us = begin_us + SECOND_US
        now_us = begin_us
        while True:
            at_us = max(self._next_visit(now_us), self._free_us)
            if self._turns and self._turns[0][0] <= at_us:
                now_us, _, turn = heapq.heappop(self._turns)
                turn(now_us)
            elif at_us < self._last_us:
                now_us = at_us
                self._come(at_us)
            else:
                return self._life

    def _next_visit(self, now_us: int) -> int:
        if self._gone:
            return self._calendar.end_us
        passed = self._calendar.passed(now_us) + self._rng.expovariate(self._rate)
        return self._calendar.moment(passed) if passed < self._calendar.length else self._calendar.end_us

    def _look_before(self, created_us: int) -> None:
        """Anonymous visits in the fortnight before the account, under the cookie that the customer keeps."""
        prospect = Shopper(None, self._shopper.visitor_id, self._shopper.persona, buys=False)
        count = self._rng.randint(0, self._truth.identity.prospect_visits)
        free_us = self._calendar.start_us
        for at_us in sorted(created_us - self._rng.randrange(14 * DAY_US // 1000) * 1000 for _ in range(count)):
            if free_us <= at_us < created_us - 2 * HOUR_US:
                free_us = self._walk(prospect, at_us)

    def _come(self, at_us: int) -> None:
        buys, chance = self._shopper.buys, self._truth.funnel.counter
        if buys and at_us // HOUR_US % 24 in OPEN_H and self._rng.random() < chance:
            self._buy_at_counter(at_us)
            self._free_us = at_us + APART_US
        else:
            self._free_us = self._walk(self._shopper, at_us)
        nobody = self._truth.identity.anonymous
        if self._rng.random() < nobody / (1 - nobody):
            self._walk(Shopper.stranger(self._rng, self._truth), self._moment_of_day(at_us))

    def _moment_of_day(self, at_us: int) -> int:
        day_us = at_us // DAY_US * DAY_US
        first, last = (self._calendar.passed(t) for t in (max(day_us, self._calendar.start_us), min(day_us + DAY_US, self._last_us)))
        return self._calendar.moment(self._rng.uniform(first, last))

    def _walk(self, shopper: Shopper, at_us: int) -> int:
        """A visit and what comes of it. Returns when the next one may begin."""
        truth, rng = self._truth, self._rng
        shop = self._market.shop(at_us)
        campaign = campaigns.draw(rng, self._market.running(at_us))
        session_id = f"{self._names.session}{self._customer.customer_id}-{next(self._visit_numbers)}"
        visit = sessions.walk(rng, shop, shopper, campaign, session_id, truth, truth.funnel.gap_factor)
        left_us = at_us + int(visit.clicks[-1].at_s * 1000) * 1000
        if left_us >= self._calendar.end_us:
            return left_us
        self._life.seen.append(Seen(at_us, visit))
        if visit.basket:
            order = baskets.order_of(
                rng, shop, f"{self._names.order}{self._customer.customer_id}-{next(self._order_numbers)}", visit.basket, truth
            )
            if order:
                self._place(order, left_us + rng.randint(2_000, 240_000) * 1000)
        return left_us + APART_US + 300 * SECOND_US

    def _buy_at_counter(self, at_us: int) -> None:
        order_id = f"{self._names.counter}{self._customer.customer_id}-{next(self._order_numbers)}"
        order = Order(order_id, self._customer.customer_id, None, ())
        self._place(baskets.fill(self._rng, self._market.shop(at_us), order, self._truth), at_us, counter=True)

    def _place(self, order: Order, at_us: int, counter: bool = False) -> None:
        if at_us >= self._calendar.end_us:
            return
        times = self._times(baskets.fate(self._rng, order, counter, self._truth), at_us, counter)
        first = () if counter else ((at_us, "placed"),)
        known = tuple((t, status) for status, t in times.items() if t < self._calendar.end_us and status != "delivered")
        self._life.placed.append(Placed(at_us, order, (*first, *known)))
        if order.customer_id is None or "shipped" not in times:
            return
        paid_us = times.get("paid", at_us)
        self._later(paid_us, lambda at: self._spend(at, order.amount))
        if "returned" in times:
            self._later(times["returned"], lambda at: self._spend(at, -order.amount))
        self._experience(order, self._market.shop(at_us), times)

    def _times(self, statuses: tuple[str, ...], at_us: int, counter: bool) -> dict[str, int]:
        """When each status is reached, and when the parcel is `delivered`."""
        rng, rule = self._rng, self._truth.orders
        times: dict[str, int] = {}
        now_us = at_us
        for status in statuses:
            if status == "cancelled":
                now_us += int(rng.uniform(600, 12 * 3600)) * SECOND_US
            elif status == "paid":
                now_us += 30 * SECOND_US + int(min(24.0, rng.expovariate(1 / rule.paid_h)) * 3600) * SECOND_US
            elif status == "shipped" and not counter:
                now_us += int(rng.uniform(*rule.shipped_h) * 3600) * SECOND_US
            elif status == "returned":
                now_us += int(rng.uniform(*rule.returned_d) * 86_400) * SECOND_US
            times[status] = now_us
            if status == "shipped":
                now_us += 0 if counter else int(rng.uniform(*rule.delivered_h) * 3600) * SECOND_US
                times["delivered"] = now_us
        return times

    def _experience(self, order: Order, shop: Assortment, times: dict[str, int]) -> None:
        """Reviews, and whether the customer comes back: decided at the first bad moment, or when nothing bad has come in time."""
        rng, truth = self._rng, self._truth
        bad = [times["returned"]] if "returned" in times else []
        for line in order.lines:
            product = shop.find(line.product_id)
            if product is None or rng.random() >= truth.reviews.rate:
                continue
            at_us = times["delivered"] + int(rng.uniform(*truth.orders.reviewed_d) * 86_400) * SECOND_US
            said = reviews.draw_review(rng, self._customer, product, truth)
            if said.rating <= BAD_RATING:
                bad.append(at_us)
            if at_us < self._calendar.end_us:
                self._life.reviewed.append(Reviewed(at_us, self._customer.customer_id, product.product_id, said))
        settled_us = times["shipped"] + int(truth.churn.settles_d * DAY_US)
        if rng.random() < (truth.churn.after_bad if bad else truth.churn.after_good):
            self._later(min(bad) if bad else settled_us, self._leave)

    def _later(self, at_us: int, turn: Callable[[int], None]) -> None:
        if at_us < self._calendar.end_us:
            heapq.heappush(self._turns, (at_us, next(self._turn_numbers), turn))

    def _leave(self, _: int) -> None:
        self._gone = True

    def _spend(self, at_us: int, amount: int) -> None:
        """A tier that was reached stays."""
        self._spent += amount
        reached = max(n for n, tier in enumerate(self._truth.tiers) if n == 0 or self._spent >= tier.spending)
        if reached > self._tier:
            self._life.rose.append(Rose(at_us, self._tiers[self._tier], self._tiers[reached]))
            self._tier = reached
            self._rate = visits_a_day(self._customer.customer_id, self._tiers[reached], self._truth)
