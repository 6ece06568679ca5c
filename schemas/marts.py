"""Marts: what analysts read first. Each row follows from silver and gold by the rules of docs/model.md, and is kept by the stream."""

from __future__ import annotations

from schemas.behaviour import BATCH, DELETED
from schemas.columns import Column, Table

DIRECT = "direct"  # a session or order that no campaign brought
UNKNOWN_DEVICE = "unknown"
NO_CURRENCY = "XXX"  # ISO 4217: no currency

MART_CUSTOMER_360 = Table(
    "gold.mart_customer_360",
    "One row a customer: who it is, what it bought, how it behaves, and whether it is about to leave. No name, no address.",
    (
        Column("customer_id", "bigint", "the customer", nullable=False),
        DELETED,
        Column("is_known", "boolean", "has a current row in dim_customer", nullable=False),
        Column("country", "string", "ISO 3166-1 alpha-2, of the current version"),
        Column("tier", "string", "level of the loyalty programme, of the current version"),
        Column("email_masked", "string", "first letter and domain; behind the columns of which the lake keeps statistics"),
        Column("marketing_consent", "boolean", "agreed to be written to, in the current version"),
        Column("first_order_at", "timestamp", "of the orders in orders"),
        Column("last_order_at", "timestamp", "of the orders in orders"),
        Column("orders", "int", "not cancelled; returned ones count", nullable=False),
        Column("cancelled_orders", "int", "orders with status cancelled", nullable=False),
        Column("returned_orders", "int", "orders with status returned", nullable=False),
        Column("return_rate", "decimal(6,4)", "returned_orders / orders"),
        Column("units", "bigint", "of orders that are not cancelled", nullable=False),
        Column("lifetime_value", "decimal(18,2)", "in the shop's currency; cancelled and returned orders left out", nullable=False),
        Column("average_order_value", "decimal(18,2)", "of the orders in lifetime_value"),
        Column("other_currency_orders", "int", "not cancelled, and in another currency: their money is in no sum", nullable=False),
        Column("favourite_category", "string", "most units; as the products were filed when they were ordered"),
        Column("sessions", "int", "visits of the customer", nullable=False),
        Column("sessions_7d", "int", "of the last 7 days", nullable=False),
        Column("sessions_30d", "int", "of the last 30 days", nullable=False),
        Column("last_session_at", "timestamp", "start of the last visit"),
        Column("abandoned_carts", "int", "sessions with a cart and no order", nullable=False),
        Column("reviews", "int", "reviews by the customer", nullable=False),
        Column("average_rating", "decimal(6,4)", "1 to 5, of the reviews with a rating"),
        Column("average_sentiment", "decimal(6,4)", "-1 to 1, of the reviews that are scored"),
        Column("last_contact_at", "timestamp", "last order, session or review"),
        Column("recency_score", "int", "0 to 5", nullable=False),
        Column("frequency_score", "int", "0 to 5", nullable=False),
        Column("monetary_score", "int", "0 to 5", nullable=False),
        Column("rfm_cell", "string", "the three scores as digits", nullable=False),
        Column("churn_score", "int", "0 to 100", nullable=False),
        Column("churn_risk", "string", "none (never ordered), low, medium or high", nullable=False),
        Column("churn_reasons", "string", "JSON list, weightiest first", nullable=False),
        BATCH,
    ),
    key=("customer_id",),
    newest=("batch_id",),
    visible="NOT is_deleted",
    feed=True,
)

MART_FUNNEL = Table(
    "gold.mart_funnel",
    "Sessions by how far they came, for each day, campaign and device.",
    (
        Column("day", "date", "of the start of the sessions, in the shop's zone", nullable=False),
        Column("campaign_id", "string", "direct for none", nullable=False),
        Column("device", "string", "unknown for none", nullable=False),
        Column("sessions", "bigint", "all sessions", nullable=False),
        Column("viewed", "bigint", "sessions with a view", nullable=False),
        Column("carted", "bigint", "sessions with something put into the cart", nullable=False),
        Column("checked_out", "bigint", "sessions with a checkout", nullable=False),
        Column("paid", "bigint", "sessions with an order that is not cancelled", nullable=False),
        BATCH,
    ),
    key=("day", "campaign_id", "device"),
    newest=("batch_id",),
    visible="sessions > 0",
    feed=True,
)

MART_ATTRIBUTION = Table(
    "gold.mart_attribution",
    "The campaign visits of the 30 days before an order and the one it was placed in; its amount is shared out among them in three ways.",
    (
        Column("order_id", "string", "the order", nullable=False),
        Column("touch_no", "int", "1 is the first; 0 for an order without a campaign visit", nullable=False),
        DELETED,
        Column("campaign_id", "string", "of the visit; without one the order's own, direct for none"),
        Column("session_id", "string", "the visit; NULL for an order without a campaign visit"),
        Column("touched_at", "timestamp", "start of the session"),
        Column("touches", "int", "of the order"),
        Column("customer_id", "bigint", "who ordered; NULL for a guest"),
        Column("ordered_at", "timestamp", "when the order was placed"),
        Column("day", "date", "of ordered_at, in the shop's zone"),
        Column("status", "string", "of the order"),
        Column("currency", "string", "ISO 4217, of the order"),
        Column("amount", "decimal(18,2)", "of the order"),
        Column("first_touch", "decimal(18,2)", "all of the amount on the first touch"),
        Column("last_touch", "decimal(18,2)", "all of the amount on the last touch"),
        Column("linear", "decimal(18,2)", "equal shares; together the amount, to the cent"),
        BATCH,
    ),
    key=("order_id", "touch_no"),
    newest=("batch_id",),
    visible="NOT is_deleted",
    feed=True,
)

MART_PRODUCT_PULSE = Table(
    "gold.mart_product_pulse",
    "What happened to a product on a day: looked at, bought, returned, reviewed. Sums only: rates follow from them at any grain.",
    (
        Column("product_id", "bigint", "the product", nullable=False),
        Column("day", "date", "of the session, the order or the review, in the shop's zone", nullable=False),
        Column("views", "bigint", "page events of type view", nullable=False),
        Column("sessions", "bigint", "sessions that viewed it", nullable=False),
        Column("carts", "bigint", "page events that put it into the cart", nullable=False),
        Column("orders", "bigint", "with this product, not cancelled", nullable=False),
        Column("units", "bigint", "of orders that are not cancelled", nullable=False),
        Column("returned_units", "bigint", "units of returned orders", nullable=False),
        Column("revenue", "decimal(18,2)", "in the shop's currency; cancelled and returned orders left out", nullable=False),
        Column("other_currency_orders", "bigint", "not cancelled, and in another currency", nullable=False),
        Column("reviews", "bigint", "reviews of the product", nullable=False),
        Column("rated_reviews", "bigint", "reviews with a rating", nullable=False),
        Column("rating_sum", "bigint", "of the rated reviews", nullable=False),
        Column("scored_reviews", "bigint", "reviews with a sentiment", nullable=False),
        Column("sentiment_sum", "decimal(18,4)", "of the scored reviews", nullable=False),
        BATCH,
    ),
    key=("product_id", "day"),
    newest=("batch_id",),
    visible="views + carts + orders + reviews + returned_units > 0",
    feed=True,
)

MART_REVENUE_MINUTE = Table(
    "gold.mart_revenue_minute",
    "Orders and their worth for each minute and currency.",
    (
        Column("minute", "timestamp", "start of the minute in which the orders were placed, UTC", nullable=False),
        Column("currency", "string", "XXX for none", nullable=False),
        Column("orders", "bigint", "all orders placed", nullable=False),
        Column("web_orders", "bigint", "announced by the web shop", nullable=False),
        Column("cancelled_orders", "bigint", "of them with status cancelled", nullable=False),
        Column("returned_orders", "bigint", "of them with status returned", nullable=False),
        Column("units", "bigint", "units of all orders", nullable=False),
        Column("gross_revenue", "decimal(18,2)", "of all orders", nullable=False),
        Column("net_revenue", "decimal(18,2)", "cancelled and returned orders left out", nullable=False),
        BATCH,
    ),
    key=("minute", "currency"),
    newest=("batch_id",),
    visible="orders > 0",
    feed=True,
)

MARTS = (MART_CUSTOMER_360, MART_FUNNEL, MART_ATTRIBUTION, MART_PRODUCT_PULSE, MART_REVENUE_MINUTE)
