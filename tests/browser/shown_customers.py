"""What the warehouse knows of the customers of shown_orders: visits, reviews, and the marts' rows."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

from shown_orders import CUSTOMERS, FIRST_BATCH, PRESENT, Row

from schemas.behaviour import FCT_REVIEWS, FCT_SESSIONS
from schemas.marts import MART_CUSTOMER_360, MART_FUNNEL, MART_PRODUCT_PULSE, MART_REVENUE_MINUTE
from schemas.shop import ZONE
from schemas.tables import Table

# customer: lifetime value, points, risk, reasons
RISKS = {
    501: ("1840.50", 85, "high", ["no_order_for_long", "last_order_returned", "bad_review"]),
    502: ("410.00", 60, "high", ["no_order_for_long", "bad_review"]),
    503: ("2210.75", 25, "medium", ["last_order_returned"]),
    504: ("3120.00", 0, "low", []),
    505: ("96.20", 0, "low", []),
    506: ("733.10", 15, "low", ["visits_fell"]),
}
REVIEWS = (
    (3, 5, "Great", "Warm and light <b>as air</b>.", "positive", "0.8210"),
    (2, 1, "Wonderful", "It fell apart on day one, just what I needed.", "negative", "-0.6400"),
    (1, 3, None, "Arrived today.", None, None),
)


def logs() -> dict[Table, list[Row]]:
    now = dt.datetime.fromtimestamp(PRESENT, dt.UTC)
    return {
        FCT_SESSIONS: [_visit(n, now) for n in range(3)],
        FCT_REVIEWS: [_review(n, now) for n in range(len(REVIEWS))],
        MART_CUSTOMER_360: [_customer(customer_id, now) for customer_id in RISKS],
        MART_FUNNEL: [
            _row(MART_FUNNEL, day=day, campaign_id=campaign, device="mobile", sessions=n, viewed=n,
            carted=n // 2, checked_out=n // 4, paid=n // 5)
            for day in (_today(now), _today(now) - dt.timedelta(days=9))
            for campaign, n in (("direct", 400), ("social-video", 200), ("flash-sale", 40))
        ],
        MART_REVENUE_MINUTE: [
            _row(
                MART_REVENUE_MINUTE, minute=now.replace(second=0, microsecond=0) - dt.timedelta(minutes=n),
                currency="EUR", orders=9, web_orders=7,
                cancelled_orders=0, returned_orders=1, units=14, gross_revenue=Decimal(900 + 7 * n), net_revenue=Decimal(800 + 9 * n),
            )
            for n in range(50)
        ],
        MART_PRODUCT_PULSE: [
            _row(
                MART_PRODUCT_PULSE, product_id=11, day=_today(now) - dt.timedelta(days=n), views=9, sessions=8, carts=4, orders=2, units=3,
                returned_units=0, revenue=Decimal("89.00"), other_currency_orders=0, reviews=4, rated_reviews=4, rating_sum=16 - n % 5,
                scored_reviews=4, sentiment_sum=Decimal(12 - 3 * (n % 6)) / 10,
            )
            for n in range(20)
        ],
    }  # fmt: skip


def _row(table: Table, **values: Any) -> Row:
    none = {c.name: False if c.name == "is_deleted" else None for c in table.columns}
    return {**none, "batch_id": FIRST_BATCH, **values}


def _today(now: dt.datetime) -> dt.date:
    from zoneinfo import ZoneInfo

    return now.astimezone(ZoneInfo(ZONE)).date()


def _visit(number: int, now: dt.datetime) -> Row:
    start = now - dt.timedelta(hours=1 + 30 * number)
    return _row(
        FCT_SESSIONS, session_id=f"s{number}", visitor_id="v-501", customer_id=501, identity=("own", "later",
        "earlier")[number], started_at=start,
        ended_at=start + dt.timedelta(seconds=95), day=_today(start), duration_s=95, events=6, views=4, searches=1, carts=(1, 1, 0)[number],
        checkouts=(1, 0, 0)[number], logins=0, products=3, device="mobile", campaign_id=(None, "social-video", "flash-sale")[number],
        orders=(1, 0, 0)[number],
    )  # fmt: skip


def _review(number: int, now: dt.datetime) -> Row:
    days, rating, title, body, label, score = REVIEWS[number]
    at = now - dt.timedelta(days=days)
    return _row(
        FCT_REVIEWS, review_id=f"r{number}", product_id=11 + number, customer_id=501, rating=rating, title=title, body=body, language="en",
        reviewed_at=at, day=_today(at), sentiment=score and Decimal(score), sentiment_label=label,
    )  # fmt: skip


def _customer(customer_id: int, now: dt.datetime) -> Row:
    value, points, risk, reasons = RISKS[customer_id]
    *_, country, tier = CUSTOMERS[customer_id][-1]
    numbers = {c.name: 0 for c in MART_CUSTOMER_360.columns if c.type in ("int", "bigint") and not c.nullable}
    return _row(
        MART_CUSTOMER_360, **{
            **numbers, "customer_id": customer_id, "batch_id": FIRST_BATCH, "is_known": True,
            "email_masked": "i***@example.org", "country": country,
            "tier": tier, "marketing_consent": True, "last_order_at": now, "orders": 8, "returned_orders": 2,
            "return_rate": Decimal("0.2500"),
            "units": 17, "lifetime_value": Decimal(value), "average_order_value": Decimal("306.75"),
            "favourite_category": "Clothing", "sessions": 3,
            "sessions_7d": 3, "sessions_30d": 3, "abandoned_carts": 1, "reviews": 3, "average_rating": Decimal("3.0000"),
            "average_sentiment": Decimal("0.0905"), "last_contact_at": now, "recency_score": 5, "frequency_score": 4, "monetary_score": 5,
            "rfm_cell": "545", "churn_score": points, "churn_risk": risk, "churn_reasons": json.dumps(reasons),
        },
    )  # fmt: skip
