"""The statistics of a year against the parameters it should have been made with: what `c360 shop check` shows.

Each row has the true value, the measured one, the size of the sample and a tolerance of four standard errors (binomial, Poisson or
normal, as fits). With some seventy rows that is about one false alarm in two hundred years of the shop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from producers import lives, reviews, seasons, traits
from producers.observed import Observed, Order
from producers.seasons import DAY_US, HOUR_US
from producers.truth import Truth

SIGMAS = 4.0
ALONE_US = 75 * DAY_US  # an experience is looked at if no other order was placed so long before it, which might have decided too


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    true: float
    measured: float
    sample: int
    tolerance: float

    @property
    def ok(self) -> bool:
        return abs(self.measured - self.true) <= self.tolerance  # never for NaN


def table(rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| parameter | true | measured | sample | tolerance | |", "|---|---:|---:|---:|---:|---|"]
    shown = (f"{r.name} | {r.true:.4g} | {r.measured:.4g} | {r.sample:,} | {r.tolerance:.3g} | {'ok' if r.ok else '**off**'}" for r in rows)
    return "\n".join([*lines, *(f"| {row} |" for row in shown)])


def measure(seen: Observed) -> list[Row]:
    """All rows. Those for which nothing was seen at all are left out."""
    parts = (_people, _traffic, _identity, _funnel, _campaigns, _elasticities, _orders, _returns, _reviews, _churn, _tiers, _rules)
    return [row for part in parts for row in part(seen) if row.sample]


def _share(name: str, true: float, hits: float, sample: int) -> Row:
    n = max(1, sample)
    return Row(name, true, hits / n, sample, SIGMAS * math.sqrt(true * (1 - true) / n) + 1 / n)


def _rate(name: str, true: float, hits: float, exposure: float) -> Row:
    """A Poisson count (or a binomial one: then the tolerance is a little wide) over what it would be at a rate of 1."""
    expected = max(1e-9, true * exposure)
    return Row(name, true, hits / exposure if exposure else math.nan, int(hits), true * (SIGMAS / math.sqrt(expected) + 1 / expected))


def _ratio(name: str, true: float, measured: float, sample: int, relative_error: float) -> Row:
    return Row(name, true, measured, sample, SIGMAS * true * relative_error)


def _chi_square(name: str, found: list[int], expected: list[float]) -> Row:
    """Against expected shares of any scale; the true value is the degrees of freedom."""
    total, whole = sum(found), sum(expected)
    chi = sum((f - total * e / whole) ** 2 / (total * e / whole) for f, e in zip(found, expected, strict=True)) if total else math.nan
    freedom = len(found) - 1
    return Row(f"{name} (chi-square)", freedom, chi, total, SIGMAS * math.sqrt(2 * freedom) + SIGMAS)


def _people(seen: Observed) -> Iterator[Row]:
    truth, people = seen.truth, list(seen.customers.values())
    yield _chi_square(
        "share of personas", [sum(c.persona == p.name for c in people) for p in truth.personas], [p.share for p in truth.personas]
    )
    countries = truth.countries
    yield _chi_square(
        "share of countries", [sum(c.country == code for c in people) for code, _, _ in countries], [s for *_, s in countries]
    )
    yield _share("customers who joined", truth.identity.joining, sum(c.joined for c in people), len(people))


def _traffic(seen: Observed) -> Iterator[Row]:
    counts, calendar = seen.counts, seen.calendar
    hours, weekdays, months = [0.0] * 24, [0.0] * 7, dict[tuple[int, int], float]()
    for n, weight in enumerate(calendar.weights[: (calendar.end_us - calendar.start_us) // HOUR_US - 1]):
        at = seasons.moment(calendar.start_us + n * HOUR_US)
        hours[at.hour] += weight
        weekdays[at.weekday()] += weight
        months[at.year, at.month] = months.get((at.year, at.month), 0.0) + weight
    yield _chi_square("visits by hour", [counts["hour", h] for h in range(24)], hours)
    yield _chi_square("visits by weekday", [counts["weekday", d] for d in range(7)], weekdays)
    yield _chi_square("visits by month, of browsers", [counts["month", m] for m in months], list(months.values()))
    visits, exposure = 0, 0.0
    for customer_id, customer in seen.customers.items():
        visits += customer.visits
        end_us = customer.orders[0].at_us if customer.orders else calendar.end_us - HOUR_US
        rate = lives.visits_a_day(customer_id, customer.tiers[0][1], seen.truth) / seen.truth.funnel.visits_a_year
        exposure += rate * _passed(seen, customer.begin_us, end_us)
    yield _rate("visits a year", seen.truth.funnel.visits_a_year, visits, exposure)


def _passed(seen: Observed, begin_us: int, end_us: int) -> float:
    return max(0.0, seen.calendar.passed(end_us) - seen.calendar.passed(begin_us))


def _identity(seen: Observed) -> Iterator[Row]:
    counts, rule = seen.counts, seen.truth.identity
    strangers, known = counts["strangers' visits", None], counts["customers' visits", None] + counts["counter", None]
    yield _share("visits of strangers", rule.anonymous, strangers, strangers + known)
    yield _yes("visits known at once", rule.known_at_once, seen, "named at once")
    yield _yes("login with a cart", rule.login_with_cart, seen, "named with cart")
    yield _yes("guest checkout", rule.guest_checkout, seen, "stranger paid")


def _yes(name: str, true: float, seen: Observed, count: str) -> Row:
    return _share(name, true, seen.counts[count, True], seen.counts[count, True] + seen.counts[count, False])


def _funnel(seen: Observed) -> Iterator[Row]:
    counts, funnel = seen.counts, seen.truth.funnel
    yield _yes("visits that land on the front page", funnel.landing, seen, "landing")
    yield _share("search before a product", funnel.search, counts["search", "search"], counts["search", "product"])
    for persona in seen.truth.personas:
        yield _rate(f"cart rate: {persona.name}", persona.cart_rate, counts["cart", persona.name], seen.sums["cart", persona.name])
        mobile, other = (counts["mobile", (persona.name, is_mobile)] for is_mobile in (True, False))
        yield _share(f"visits by phone: {persona.name}", persona.mobile, mobile, mobile + other)
    yield _share("carts that go to the checkout, no campaign", funnel.checkout, counts["checkouts", None], counts["carts", None])
    yield _share(
        "buyers who come to the counter", funnel.counter, counts["counter", None], counts["counter", None] + counts["open hours", True]
    )


def _campaigns(seen: Observed) -> Iterator[Row]:
    counts = seen.counts
    without = counts["checkouts", None] / max(1, counts["carts", None])
    for campaign in seen.truth.campaigns:
        key = campaign.campaign_id
        yield _share(f"share of visits: {key}", campaign.share, counts["visits", key], counts["campaign could", key])
        carts, checkouts = counts["carts", key], counts["checkouts", key]
        if checkouts and without:
            p = checkouts / carts
            error = math.sqrt((1 - p) / checkouts + (1 - without) / counts["checkouts", None])
            yield _ratio(f"conversion of carts: {key}", campaign.conversion, p / without, carts, error)


def _elasticities(seen: Observed) -> Iterator[Row]:
    """Poisson regression of carts on the logarithm of price / list price, weighted by what the views would bring at list price."""
    import numpy as np

    for category in seen.truth.categories:
        periods = np.array(seen.periods.get(category.name, []), dtype=float).reshape(-1, 3)
        x, expected, carts = np.log(periods[:, 0]), periods[:, 1], periods[:, 2]
        if carts.sum() < 30 or np.ptp(x) == 0:
            continue
        design = np.column_stack([np.ones_like(x), x])
        found = np.zeros(2)
        for _ in range(25):
            mean = expected * np.exp(design @ found)
            information = design.T @ (design * mean[:, None])
            found = found + np.linalg.solve(information, design.T @ (carts - mean))
        error = math.sqrt(np.linalg.inv(information)[1, 1])
        yield Row(f"price elasticity: {category.name}", category.elasticity, float(found[1]), int(carts.sum()), SIGMAS * error)


def _orders(seen: Observed) -> Iterator[Row]:
    rule, end_us = seen.truth.orders, seen.calendar.end_us
    old = [o for o in seen.orders.values() if not o.counter and o.at_us < end_us - 7 * DAY_US]
    yield _share("orders cancelled", rule.cancelled, sum(o.status == "cancelled" for o in old), len(old))


def _returns(seen: Observed) -> Iterator[Row]:
    rule, truth = seen.truth.orders, seen.truth
    settled_us = seen.calendar.end_us - int((rule.delivered_h[1] / 24 + rule.returned_d[1]) * DAY_US)
    old = [(o, _chance(o, truth)) for o in seen.orders.values() if o.shipped_us and o.shipped_us < settled_us]
    factors = {c.campaign_id: c.returns for c in truth.campaigns}
    for persona in truth.personas:
        mine = [(o, p * factors.get(o.campaign_id or "", 1.0)) for o, p in old if traits.persona_of(o.customer_id, truth) is persona]
        yield _rate(f"returns factor: {persona.name}", persona.returns, sum(o.returned_us > 0 for o, _ in mine), sum(p for _, p in mine))
    for campaign in truth.campaigns:
        came = [(o, p * traits.persona_of(o.customer_id, truth).returns) for o, p in old if o.campaign_id == campaign.campaign_id]
        yield _rate(
            f"returns factor: {campaign.campaign_id}", campaign.returns, sum(o.returned_us > 0 for o, _ in came), sum(p for _, p in came)
        )


def _chance(order: Order, truth: Truth) -> float:
    """Of a return, of the products alone."""
    rule = truth.quality
    worst = min(traits.quality_of(p, truth) for p in order.products)
    return float(rule.return_base + rule.return_slope * (1 - worst) ** 1.5)


def _reviews(seen: Observed) -> Iterator[Row]:
    rule, truth, said = seen.truth.orders, seen.truth, seen.reviews
    settled_us = seen.calendar.end_us - int((rule.delivered_h[1] / 24 + rule.reviewed_d[1]) * DAY_US) - DAY_US
    old = [o for o in seen.orders.values() if o.shipped_us and o.shipped_us < settled_us and o.customer_id is not None]
    yield _share("lines reviewed", truth.reviews.rate, sum(o.reviewed for o in old), sum(len(o.products) for o in old))
    if len(said) > 2:
        yield from _ratings(seen)
    bad = [r for r in said if reviews.tone_of(r.rating) == "bad"]
    yield _share("bad reviews that praise (sarcasm)", truth.reviews.sarcasm, sum(r.tone == "sarcastic" for r in bad), len(bad))
    agree = 1 - truth.reviews.sarcasm * len(bad) / max(1, len(said))
    yield _share("texts whose tone agrees with the rating", agree, sum(r.tone == reviews.tone_of(r.rating) for r in said), len(said))
    abroad = [r for r in said if r.country != "en"]
    yield _share("reviews in English from elsewhere", truth.reviews.foreign, sum(r.language == "en" for r in abroad), len(abroad))


def _ratings(seen: Observed) -> Iterator[Row]:
    """Mean rating and correlation with quality, against what the model says for exactly these products."""
    said, n = seen.reviews, len(seen.reviews)
    cache: dict[float, tuple[float, float]] = {}
    for review in said:
        if review.quality not in cache:
            cache[review.quality] = _expected_rating(review.quality, seen.truth)
    means = [cache[r.quality][0] for r in said]
    inner = sum(cache[r.quality][1] for r in said) / n
    mean = sum(means) / n
    yield Row("mean rating", mean, sum(r.rating for r in said) / n, n, SIGMAS * math.sqrt(inner / n))
    center = sum(r.quality for r in said) / n
    spread = sum((r.quality - center) ** 2 for r in said) / n
    outer = sum((m - mean) ** 2 for m in means) / n
    together = sum((r.quality - center) * (m - mean) for r, m in zip(said, means, strict=True)) / n
    if spread and outer + inner:
        true = together / math.sqrt(spread * (outer + inner))
        rating = sum(r.rating for r in said) / n
        found = sum((r.quality - center) * (r.rating - rating) for r in said) / n
        deviation = math.sqrt(sum((r.rating - rating) ** 2 for r in said) / n)
        # Ratings end at 5, so the normal formula (1 - r^2) / sqrt(n) is too narrow.
        yield Row(
            "correlation of rating and quality",
            true,
            found / (math.sqrt(spread) * deviation),
            n,
            SIGMAS * 1.5 * (1 - true**2) / math.sqrt(n),
        )


def _expected_rating(quality: float, truth: Truth) -> tuple[float, float]:
    """Mean and variance of `reviews.draw_rating`."""
    middle, noise, undecided = 1 + 4 * quality, truth.quality.rating_noise, truth.quality.undecided

    def below(x: float) -> float:
        return 0.5 * (1 + math.erf((x - middle) / (noise * math.sqrt(2))))

    chance = [below(1.5), below(2.5) - below(1.5), below(3.5) - below(2.5), below(4.5) - below(3.5), 1 - below(4.5)]
    moved = chance[2] * undecided / 2
    chance = [chance[0], chance[1] + moved, chance[2] - 2 * moved, chance[3] + moved, chance[4]]
    mean = sum(p * r for r, p in enumerate(chance, 1))
    return mean, sum(p * (r - mean) ** 2 for r, p in enumerate(chance, 1))


def _churn(seen: Observed) -> Iterator[Row]:
    """From silence alone: who is silent to the end has left, or would have been silent anyway, as likely as their rate of visits says."""
    rule = seen.truth.churn
    good, bad = _left(seen, bad=False), _left(seen, bad=True)
    for name, true, (left, error, sample) in (("good", rule.after_good, good), ("bad", rule.after_bad, bad)):
        yield Row(f"leaves after a {name} experience", true, left, sample, SIGMAS * error)
    if good[0] > 0 and bad[0] > 0:
        error = math.hypot(good[1] / good[0], bad[1] / bad[0])
        yield _ratio("hazard after a bad experience / after a good one", seen.truth.hazard_ratio, bad[0] / good[0], bad[2], error)


def _left(seen: Observed, bad: bool) -> tuple[float, float, int]:
    """Estimated chance of having left, its standard error, experiences."""
    last_us = seen.calendar.end_us - HOUR_US
    true = seen.truth.churn.after_bad if bad else seen.truth.churn.after_good
    excess = weight = variance = 0.0
    sample = 0
    for customer_id, customer in seen.customers.items():
        for order in customer.orders:
            at_us = _decided(order, bad, seen.truth)
            if at_us is None or at_us >= last_us or any(o is not order and at_us - ALONE_US < o.at_us < at_us for o in customer.orders):
                continue
            rate = lives.visits_a_day(customer_id, customer.tier_at(at_us), seen.truth)
            quiet = math.exp(-rate * _passed(seen, at_us, last_us))
            if quiet > 0.5:
                continue  # too late in the year to tell
            silent = true + (1 - true) * quiet
            excess += (customer.last_us <= at_us) - quiet
            weight += 1 - quiet
            variance += silent * (1 - silent)
            sample += 1
    return (excess / weight, math.sqrt(variance) / weight, sample) if weight else (math.nan, math.nan, 0)


def _decided(order: Order, bad: bool, truth: Truth) -> int | None:
    """When the experience was made; None when it was of the other kind, or none yet."""
    moments = [t for t in (order.returned_us, order.bad_review_us) if t]
    if bad:
        return min(moments, default=None)
    return None if moments or not order.shipped_us else order.shipped_us + int(truth.churn.settles_d * DAY_US)


def _tiers(seen: Observed) -> Iterator[Row]:
    """First orders by time watched until then: nobody has left or risen before that. Held against the lowest tier, persona by persona."""
    last_us = seen.calendar.end_us - HOUR_US
    firsts: dict[tuple[str, str], float] = {}
    watched: dict[tuple[str, str], float] = {}
    for customer in seen.customers.values():
        key = (customer.tiers[0][1], customer.persona)
        end_us = min(last_us, customer.orders[0].at_us) if customer.orders else last_us
        firsts[key] = firsts.get(key, 0) + bool(customer.orders)
        watched[key] = watched.get(key, 0.0) + _passed(seen, customer.begin_us, end_us)
    lowest = seen.truth.tiers[0].name
    personas = [p.name for p in seen.truth.personas if watched.get((lowest, p.name)) and p.order_weight > 0]
    rates = {p: firsts[lowest, p] / watched[lowest, p] for p in personas}
    for tier in seen.truth.tiers[1:]:
        found = sum(firsts.get((tier.name, p), 0) for p in personas)
        expected = [(watched.get((tier.name, p), 0.0) * rates[p], max(1.0, firsts[lowest, p])) for p in personas]
        total = sum(e for e, _ in expected)
        if found and total:
            error = math.sqrt(1 / found + sum((e / total) ** 2 / n for e, n in expected))
            yield _ratio(f"frequency of orders: {tier.name}", tier.frequency, found / total, int(found), error)


def _rules(seen: Observed) -> Iterator[Row]:
    """Causality: nothing happens to what is not there yet, orders follow visits, reviews follow purchases, statuses follow each other."""
    yield Row("rules broken", 0, sum(seen.broken.values()), len(seen.orders), 0)
