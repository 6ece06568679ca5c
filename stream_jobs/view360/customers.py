"""One row a customer (docs/model.md, M5), and the day on which it changes by itself because time goes by."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from stream_jobs.entity import Row
from stream_jobs.view360.days import day_of, days_between
from stream_jobs.view360.orders import Order, money

IDLE_DAYS = ((7, 5), (30, 4), (90, 3), (180, 2))  # at most so many days since the last order: recency score
ORDERS = ((0, 0), (1, 1), (2, 2), (4, 3), (8, 4))  # at most so many orders: frequency score
VALUE_CENTS = ((0, 0), (4_999, 1), (14_999, 2), (39_999, 3), (99_999, 4))  # at most so much lifetime value: monetary score
REASONS = {"no_order_for_long": 40, "last_order_returned": 25, "bad_review": 20, "visits_fell": 15}
RISKS = ((50, "high"), (25, "medium"), (0, "low"))
SINGLE_ORDER_LIMIT, SHORTEST_LIMIT = 60, 30  # days
BAD_RATING = 2
REGULAR_SESSIONS = 3
WEEK, MONTH = 7, 30
Category = Callable[[int, dt.datetime], str | None]


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a customer. `current`: the row of the version in force; `has_version`: there is or was one."""

    customer_id: int
    current: Row | None
    has_version: bool
    orders: Sequence[Order]
    sessions: Sequence[Row]
    reviews: Sequence[Row]


def customer_of(known: Known, category: Category, as_of: dt.date) -> tuple[Row | None, dt.date | None]:
    """(row of gold.mart_customer_360 without `batch_id`, the next day on which it would be another one). None: nothing is known."""
    if not (known.has_version or known.orders or known.sessions or known.reviews):
        return None, None
    timed = sorted((o for o in known.orders if o.ordered_at is not None), key=lambda o: (o.ordered_at, o.order_id))
    counted = [o for o in timed if not o.is_cancelled]
    row: Row = {"customer_id": known.customer_id, "is_deleted": False}
    row |= _person(known.current)
    row |= _bought(timed, counted, category)
    row |= _visited(known.sessions, as_of)
    row |= _said(known.reviews)
    contacts = (row["last_order_at"], row["last_session_at"], *(r["reviewed_at"] for r in known.reviews))
    row["last_contact_at"] = max((c for c in contacts if c is not None), default=None)
    idle = days_between(row["last_order_at"], as_of) if counted else None
    row |= _scores(row, idle)
    row |= _churn(row, counted, known.reviews, idle)
    return row, min((d for d in _turns(row, counted, known.sessions) if d > as_of), default=None)


def _person(current: Row | None) -> Row:
    names = ("country", "tier", "marketing_consent")
    if current is None:
        return {"is_known": False, "email_masked": None, **dict.fromkeys(names)}
    return {"is_known": True, "email_masked": masked(current["email"]), **{n: current[n] for n in names}}


def masked(email: str | None) -> str | None:
    """`jane.doe@example.com` -> `j***@example.com`; what is no address says nothing."""
    if email is None or email.find("@") < 1:
        return None
    return f"{email[0]}***{email[email.index('@') :]}"


def _bought(timed: Sequence[Order], counted: Sequence[Order], category: Category) -> Row:
    returned = sum(o.is_returned for o in counted)
    kept = [o for o in counted if o.is_ours and not o.is_returned]
    value = sum(o.cents for o in kept)
    units: Counter[str] = Counter()
    for order in counted:
        for line in order.lines:
            if line.product_id is not None and order.ordered_at is not None and (name := category(line.product_id, order.ordered_at)):
                units[name] += line.quantity
    return {
        "first_order_at": counted[0].ordered_at if counted else None,
        "last_order_at": counted[-1].ordered_at if counted else None,
        "orders": len(counted),
        "cancelled_orders": len(timed) - len(counted),
        "returned_orders": returned,
        "return_rate": ratio(returned, len(counted)),
        "units": sum(o.units for o in counted),
        "lifetime_value": money(value),
        "average_order_value": ratio(value, len(kept) * 100, 2),
        "other_currency_orders": sum(not o.is_ours for o in counted),
        "favourite_category": min(units, key=lambda name: (-units[name], name), default=None),
    }


def _visited(sessions: Sequence[Row], as_of: dt.date) -> Row:
    ages = [(as_of - s["day"]).days for s in sessions]
    return {
        "sessions": len(sessions),
        "sessions_7d": sum(0 <= age < WEEK for age in ages),
        "sessions_30d": sum(0 <= age < MONTH for age in ages),
        "last_session_at": max((s["ended_at"] for s in sessions), default=None),
        "abandoned_carts": sum(s["carts"] > 0 and s["orders"] == 0 for s in sessions),
    }


def _said(reviews: Sequence[Row]) -> Row:
    ratings = [r["rating"] for r in reviews if r["rating"] is not None]
    scores = [int(r["sentiment"].scaleb(4)) for r in reviews if r["sentiment"] is not None]
    return {
        "reviews": len(reviews),
        "average_rating": ratio(sum(ratings), len(ratings)),
        "average_sentiment": ratio(sum(scores), len(scores) * 10_000),
    }


def ratio(part: int, whole: int, digits: int = 4) -> Decimal | None:
    """Exact, rounded half up (away from zero); None for a whole of nothing."""
    return (Decimal(part) / whole).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) if whole else None


def _scores(row: Row, idle: int | None) -> Row:
    recency = 0 if idle is None else next((score for days, score in IDLE_DAYS if idle <= days), 1)
    frequency = next((score for most, score in ORDERS if row["orders"] <= most), 5)
    value = int(row["lifetime_value"].scaleb(2))
    monetary = next((score for most, score in VALUE_CENTS if value <= most), 5)
    cell = f"{recency}{frequency}{monetary}"
    return {"recency_score": recency, "frequency_score": frequency, "monetary_score": monetary, "rfm_cell": cell}


def _churn(row: Row, counted: Sequence[Order], reviews: Sequence[Row], idle: int | None) -> Row:
    last = max(reviews, key=lambda r: (r["reviewed_at"], r["review_id"]), default=None)
    holds = {
        "no_order_for_long": idle is not None and idle > limit_days(counted),
        "last_order_returned": bool(counted) and counted[-1].is_returned,
        "bad_review": last is not None and last["rating"] is not None and last["rating"] <= BAD_RATING,
        "visits_fell": row["sessions"] >= REGULAR_SESSIONS and row["sessions_30d"] == 0,
    }
    reasons = [name for name in REASONS if holds[name]]
    score = sum(REASONS[name] for name in reasons)
    risk = next(risk for least, risk in RISKS if score >= least) if counted else "none"
    return {"churn_score": score, "churn_risk": risk, "churn_reasons": json.dumps(reasons)}


def limit_days(counted: Sequence[Order]) -> int:
    """After how many days without an order somebody who ordered like that is overdue."""
    if len(counted) < 2:
        return SINGLE_ORDER_LIMIT
    first, last = (_day(counted[at]) for at in (0, -1))
    return max(SHORTEST_LIMIT, 2 * (last - first).days // (len(counted) - 1))


def _day(order: Order) -> dt.date:
    assert order.ordered_at is not None
    return day_of(order.ordered_at)


def _turns(row: Row, counted: Sequence[Order], sessions: Iterable[Row]) -> Iterator[dt.date]:
    """Days on which a count of recent sessions, a score or a reason may turn."""
    if counted:
        last = day_of(row["last_order_at"])
        for days in (*(days for days, _ in IDLE_DAYS), limit_days(counted)):
            yield last + dt.timedelta(days=days + 1)
    for session in sessions:
        for days in (0, WEEK, MONTH):
            yield session["day"] + dt.timedelta(days=days)
