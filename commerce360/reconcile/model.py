"""Which columns of which table are compared, and how a source writes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from schemas import tables, topics
from schemas.tables import Table
from schemas.topics import Topic
from stream_jobs import wire


@dataclass(frozen=True)
class Source:
    """A table or collection at its source: key, compared columns, and the types that its Kafka records carry as text."""

    topic: Topic
    key: tuple[str, ...]
    columns: tuple[str, ...]
    timestamps: frozenset[str] = frozenset()
    decimals: frozenset[str] = frozenset()

    def typed(self, image: Mapping[str, Any]) -> dict[str, Any]:
        """A row image as Debezium or the MongoDB connector wrote it, with times and decimals as values."""
        row = dict(image)
        for names, read in ((self.timestamps, dt.datetime.fromisoformat), (self.decimals, Decimal)):
            for name in names & row.keys():
                if isinstance(row[name], str) and row[name] != wire.PLACEHOLDER:
                    row[name] = read(row[name])
        return row


CUSTOMERS = Source(
    topics.CUSTOMERS,
    ("customer_id",),
    ("customer_id", "email", "full_name", "city", "country", "tier", "marketing_consent", "points", "last_login_at"),
    timestamps=frozenset({"last_login_at"}),
)
PRODUCTS = Source(
    topics.PRODUCTS,
    ("product_id",),
    ("product_id", "sku", "name", "description", "category", "price", "cost", "active"),
    decimals=frozenset({"price", "cost"}),
)
ORDERS = Source(
    topics.ORDERS,
    ("order_id",),
    ("order_id", "customer_id", "status", "currency", "campaign_id", "visitor_id", "ordered_at"),
    timestamps=frozenset({"ordered_at"}),
)
ORDER_ITEMS = Source(
    topics.ORDER_ITEMS,
    ("order_id", "line_no"),
    ("order_id", "line_no", "product_id", "quantity", "unit_price", "discount", "unit_cost"),
    decimals=frozenset({"unit_price", "discount", "unit_cost"}),
)
OLTP = (CUSTOMERS, PRODUCTS, ORDERS, ORDER_ITEMS)


def _document(topic: Topic, table: Table, timestamp: str) -> Source:
    ours = {"seq", "source_offset", "is_deleted", *tables.LINEAGE_NAMES}
    return Source(topic, table.key, tuple(c.name for c in table.columns if c.name not in ours), timestamps=frozenset({timestamp}))


CLICKSTREAM = _document(topics.CLICKSTREAM, tables.CLICKSTREAM, "occurred_at")
REVIEWS = _document(topics.REVIEWS, tables.REVIEWS, "reviewed_at")
DOCUMENTS = {CLICKSTREAM: tables.CLICKSTREAM, REVIEWS: tables.REVIEWS}
# Where a document's columns are in gold, and under which names.
GOLD = {
    CLICKSTREAM: (tables.FCT_PAGE_EVENTS, {"session_id": "source_session_id", "customer_id": "source_customer_id"}),
    REVIEWS: (tables.FCT_REVIEWS, dict[str, str]()),
}


# Tables whose first stage is a source; where all of them are empty, nothing was compared.
SOURCED = (*(s.topic.entity for s in (*OLTP, *DOCUMENTS)), "order_events")


def content_columns(table: Table) -> tuple[str, ...]:
    """What two stages must agree on: all that is fed, without the lineage of one particular run."""
    return tuple(c.name for c in table.fed_columns if c.name not in tables.LINEAGE_NAMES)


def log_columns(table: Table) -> tuple[str, ...]:
    """All that a fold of the stream determines of a log row: its lineage and the writer's own columns too, but not which batch made it."""
    return tuple(c.name for c in table.columns if c.name != "batch_id")


EVENT_COLUMNS = ("event_id", "order_id", "customer_id", "event_ts", "currency", "campaign_id", "visitor_id", "lines")
