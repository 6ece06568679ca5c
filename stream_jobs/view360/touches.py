"""Which campaign visits an order is owed to, and its amount shared out among them (docs/model.md, M3)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

from schemas.marts import DIRECT
from stream_jobs.entity import Row
from stream_jobs.view360.days import day_of
from stream_jobs.view360.orders import Order, money

WINDOW = dt.timedelta(days=30)


class Touch(NamedTuple):
    """A session of the person who ordered; sorts by time."""

    started_at: dt.datetime
    session_id: str
    campaign_id: str


def attribution(order: Order, sessions: Iterable[Touch], own: Touch | None = None) -> dict[int, Row]:
    """Rows of gold.mart_attribution by touch number. `sessions`: campaign visits of the person, of any time; `own`: the order's."""
    at = order.ordered_at
    if at is None:
        return {}
    touches = sorted({t for t in sessions if at - WINDOW < t.started_at <= at} | ({own} if own else set()))
    amount, count = order.cents, len(touches)
    same: Row = {
        "order_id": order.order_id,
        "is_deleted": False,
        "touches": count,
        "customer_id": order.customer_id,
        "ordered_at": at,
        "day": day_of(at),
        "status": order.status,
        "currency": order.currency,
        "amount": money(amount),
    }
    if not touches:
        whole = dict.fromkeys(("first_touch", "last_touch", "linear"), money(amount))
        return {0: {**same, "touch_no": 0, "campaign_id": order.campaign_id or DIRECT, "session_id": None, "touched_at": None, **whole}}
    return {
        number: {
            **same,
            "touch_no": number,
            "campaign_id": touch.campaign_id,
            "session_id": touch.session_id,
            "touched_at": touch.started_at,
            "first_touch": money(amount if number == 1 else 0),
            "last_touch": money(amount if number == count else 0),
            "linear": money(amount * number // count - amount * (number - 1) // count),
        }
        for number, touch in enumerate(touches, 1)
    }
