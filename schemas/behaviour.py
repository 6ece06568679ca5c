"""Facts of behaviour: page events, sessions, reviews with their sentiment, and campaigns. docs/model.md has the rules."""

from __future__ import annotations

import datetime as dt

from schemas.columns import LINEAGE, Column, Table

# What a page event, a review or an order can say: a browser's clock and a programmer's unit of time can be wrong by any amount, and
# calculating with days and averages has an end.
FIRST_TIME, END_OF_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(2200, 1, 1, tzinfo=dt.UTC)  # the end is not in it
RATINGS = (1, 5)  # both are in it

DELETED = Column("is_deleted", "boolean", "the row is gone", nullable=False)
BATCH = Column("batch_id", "bigint", "lake batch that appended this row", nullable=False)
IDENTITY = (
    Column("customer_id", "bigint", "who the visitor turned out to be; NULL while nobody knows"),
    Column("identity", "string", "own (named in this session), later or earlier (in another session of the visitor), none"),
)

SENTIMENTS = Table(
    "silver.sentiments",
    "What a model said of a review's text, once for each text, language and model.",
    (
        Column("text_hash", "string", "first 32 hexadecimal characters of SHA-256 of title, line end and body", nullable=False),
        Column("language", "string", "as the review says; empty when it does not", nullable=False),
        Column("model", "string", nullable=False),
        Column("model_version", "string", nullable=False),
        Column("label", "string", "positive, neutral, negative or mixed"),
        Column("score", "decimal(6,4)", "-1 to 1"),
        Column("error", "string", "code of what the model refused"),
        Column("truncated", "boolean", "only the beginning of the text was looked at"),
        Column("scored_at", "timestamp"),
        *LINEAGE,
    ),
    key=("text_hash", "language", "model", "model_version"),
    newest=("batch_id",),
)

FCT_PAGE_EVENTS = Table(
    "gold.fct_page_events",
    "Page events with the session they belong to and the customer that the visitor turned out to be.",
    (
        Column("event_id", "string", "document _id", nullable=False),
        DELETED,
        Column("session_id", "string", "of gold.fct_sessions; NULL for an event without visitor or time"),
        Column("visitor_id", "string", "cookie of the browser"),
        *IDENTITY,
        Column("source_session_id", "string", "as the browser sent it"),
        Column("source_customer_id", "bigint", "as the browser sent it: NULL until the visitor logs in"),
        Column("event_type", "string", "view, search, cart, checkout, login"),
        Column("product_id", "bigint", "the product on the page; NULL on other pages"),
        Column("page", "string", "path of the page"),
        Column("device", "string", "desktop, mobile or tablet"),
        Column("campaign_id", "string", "campaign that brought the visit"),
        Column("occurred_at", "timestamp", "time at the browser"),
        Column("day", "date", "of occurred_at, in the shop's zone"),
        *LINEAGE,
    ),
    key=("event_id",),
    newest=("batch_id",),
    visible="NOT is_deleted",
    feed=True,
)

FCT_SESSIONS = Table(
    "gold.fct_sessions",
    "Visits: page events of one visitor with at most 30 minutes between two of them, and of one customer at most.",
    (
        Column("session_id", "string", "made of the visitor and the first event", nullable=False),
        DELETED,
        Column("visitor_id", "string", "cookie of the browser"),
        *IDENTITY,
        Column("started_at", "timestamp", "time of the first event"),
        Column("ended_at", "timestamp", "time of the last event"),
        Column("day", "date", "of started_at, in the shop's zone"),
        Column("duration_s", "bigint", "whole seconds between first and last event"),
        Column("events", "int", "page events of the session"),
        Column("views", "int", "events of type view"),
        Column("searches", "int", "events of type search"),
        Column("carts", "int", "products put into the cart"),
        Column("checkouts", "int", "events of type checkout"),
        Column("logins", "int", "events of type login"),
        Column("products", "int", "distinct products that were viewed"),
        Column("landing_page", "string", "page of the first event"),
        Column("exit_page", "string", "page of the last event"),
        Column("device", "string", "of the first event that names one"),
        Column("campaign_id", "string", "of the first event that names one"),
        Column("orders", "int", "orders placed in the session or up to 30 minutes behind it, cancelled ones left out"),
        BATCH,
    ),
    key=("session_id",),
    newest=("batch_id",),
    visible="NOT is_deleted",
    feed=True,
)

FCT_REVIEWS = Table(
    "gold.fct_reviews",
    "Product reviews with the sentiment of their words; it follows the review.",
    (
        Column("review_id", "string", "document _id", nullable=False),
        DELETED,
        Column("product_id", "bigint", "what is reviewed"),
        Column("customer_id", "bigint", "who wrote it"),
        Column("rating", "int", "1 to 5"),
        Column("title", "string", "the customer's words; personal"),
        Column("body", "string", "the customer's words; personal"),
        Column("language", "string", "ISO 639-1, as the review says"),
        Column("reviewed_at", "timestamp", "when the review was written"),
        Column("day", "date", "of reviewed_at, in the shop's zone"),
        Column("text_hash", "string", "of title and body: the key of the sentiment"),
        Column("sentiment", "decimal(6,4)", "-1 to 1; NULL until the text is scored"),
        Column("sentiment_label", "string", "positive, neutral, negative or mixed"),
        Column("sentiment_model", "string", "model and version"),
        Column("sentiment_error", "string", "code of what the model refused"),
        Column("scored_at", "timestamp", "when the sentiment was found"),
        *LINEAGE,
    ),
    key=("review_id",),
    newest=("batch_id",),
    visible="NOT is_deleted",
    feed=True,
)

DIM_CAMPAIGN = Table(
    "gold.dim_campaign",
    "Campaigns: those of schemas/campaigns.yaml, and one row for each other that a session or an order names.",
    (
        Column("campaign_id", "string", "as sessions and orders name it", nullable=False),
        Column("name", "string", "for people; NULL for an inferred one"),
        Column("channel", "string", "email, search, social, onsite, partner"),
        Column("discount_percent", "int", "off the list price of its orders"),
        Column("is_inferred", "boolean", "only facts know it", nullable=False),
        BATCH,
    ),
    key=("campaign_id",),
    newest=("batch_id",),
    feed=True,
)
