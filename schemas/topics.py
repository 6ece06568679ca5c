"""Every Kafka topic of the data path, who writes it and how it is laid out.

Names are `<system>.<schema>.<entity>`. Partition counts are chosen once: changing one breaks the order of a key.
"""

from __future__ import annotations

from dataclasses import dataclass

RETENTION_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True)
class Topic:
    name: str
    system: str  # 'postgres' (Debezium), 'mongo' (MongoDB source connector), 'web' (order producer), 'ai' (scorer), 'ops' (our own tools)
    entity: str  # table, collection or event name at the source
    partitions: int = 3

    def config(self) -> dict[str, str]:
        """Broker-side settings. Delete, not compact: compaction would drop versions that history needs."""
        return {"cleanup.policy": "delete", "retention.ms": str(RETENTION_MS), "compression.type": "producer"}


CUSTOMERS = Topic("oltp.sales.customers", "postgres", "customers")
PRODUCTS = Topic("oltp.sales.products", "postgres", "products")
ORDERS = Topic("oltp.sales.orders", "postgres", "orders")
ORDER_ITEMS = Topic("oltp.sales.order_items", "postgres", "order_items")
CLICKSTREAM = Topic("web.shop.clickstream", "mongo", "clickstream")
REVIEWS = Topic("web.shop.reviews", "mongo", "reviews")
ORDER_EVENTS = Topic("shop.orders.events", "web", "order_placed")
SENTIMENT = Topic("ai.shop.sentiment", "ai", "review_sentiment")
BACKFILL = Topic("ops.lake.backfill", "ops", "backfill_slice", partitions=1)
PLAIN_KEYS = ("web", "ai", "ops")  # systems whose records have plain text as their key

TOPICS = (CUSTOMERS, PRODUCTS, ORDERS, ORDER_ITEMS, CLICKSTREAM, REVIEWS, ORDER_EVENTS, SENTIMENT, BACKFILL)
BY_NAME = {topic.name: topic for topic in TOPICS}
