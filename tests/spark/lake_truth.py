"""Compares the tables of a lake with what the shop remembers and with the topics themselves."""

from __future__ import annotations

from collections import Counter
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition
from lake_records import Shop

from commerce360.lake import Lake
from commerce360.settings import Kafka
from schemas.tables import BATCHES, CLICKSTREAM, DEAD_LETTERS, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, RECORDS, REVIEWS
from schemas.topics import TOPICS


def topic_positions(kafka: Kafka) -> Counter[tuple[str, int, int]]:
    """Every committed record of every topic."""
    consumer = Consumer(kafka.client(**{"group.id": "truth", "enable.partition.eof": True, "auto.offset.reset": "earliest"}))
    waiting = {(t.name, p) for t in TOPICS for p in range(t.partitions)}
    consumer.assign([TopicPartition(t, p, 0) for t, p in waiting])
    found: Counter[tuple[str, int, int]] = Counter()
    while waiting:
        message = consumer.poll(10)
        assert message is not None
        if message.error() is None:
            found[message.topic(), message.partition(), message.offset()] += 1
        else:
            assert message.error().code() == KafkaError._PARTITION_EOF
            waiting.discard((message.topic(), message.partition()))
    consumer.close()
    return found


def bronze_positions(lake: Lake) -> Counter[tuple[str, int, int]]:
    rows = lake.query(RECORDS, 'SELECT topic, "partition", "offset" FROM records').to_pylist()
    return Counter((r["topic"], r["partition"], r["offset"]) for r in rows)


def differences(lake: Lake, kafka: Kafka, shop: Shop) -> list[str]:
    """Empty when the lake holds every record once and says what the shop says."""
    found = []
    if (bronze := bronze_positions(lake)) != (topics := topic_positions(kafka)):
        found.append(f"bronze: {len(topics - bronze)} missing, {len(bronze - topics)} extra of {topics.total()}")
    sales = lake.newest(FCT_SALES, where="line_no > 0").to_pylist()
    lines = {(r["order_id"], r["line_no"]): (r["quantity"], r["sale_amount"], r["status"], r["source"]) for r in sales}
    found += _unequal("fct_sales", lines, shop.lines)
    if not all(r["is_complete"] for r in sales):
        found.append("fct_sales: incomplete lines")
    history = lake.newest(DIM_CUSTOMER, where="is_visible").to_pylist()
    current = {r["customer_id"]: (r["city"], r["points"]) for r in history if r["is_current"] and not r["is_deleted"]}
    found += _unequal("dim_customer", current, {k: (v["city"], v["points"]) for k, v in shop.customers.items() if v is not None})
    found += _unequal("versions", dict(Counter(r["customer_id"] for r in history)), shop.versions)
    clicks = lake.newest(CLICKSTREAM).to_pylist()
    found += _unequal("clickstream", {r["event_id"]: r["event_type"] for r in clicks}, shop.clicks)
    products = lake.newest(DIM_PRODUCT, where="is_current").to_pylist()
    found += _unequal("dim_product", {r["product_id"]: r["price"] for r in products}, shop.products)
    reviews = lake.newest(REVIEWS, where="NOT is_deleted").to_pylist()
    found += _unequal("reviews", {r["review_id"]: r["rating"] for r in reviews}, shop.reviews)
    letters = lake.query(DEAD_LETTERS, "SELECT topic, reason FROM dead_letters").to_pylist()
    found += _unequal("dead_letters", dict(Counter((r["topic"], r["reason"]) for r in letters)), dict(shop.bad))
    rows = lake.query(BATCHES, "SELECT batch_id, records FROM batches ORDER BY batch_id").to_pylist()
    if [r["batch_id"] for r in rows] != list(range(len(rows))):
        found.append(f"batches: {[r['batch_id'] for r in rows]}")
    if sum(r["records"] for r in rows) != topics.total():
        found.append(f"batches count {sum(r['records'] for r in rows)} records of {topics.total()}")
    return found


def doubled(lake: Lake) -> list[str]:
    """Log rows that were appended twice: same table, same content, whatever the batch."""
    found = []
    for table in (DEAD_LETTERS, CLICKSTREAM, REVIEWS, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES):
        rows = lake.query(table, f"SELECT * FROM {table.entity}").to_pylist()
        seen = Counter(tuple(repr(v) for k, v in r.items() if k != "batch_id") for r in rows)
        found += [f"{table.name}: {row[:4]} {count} times" for row, count in seen.items() if count > 1]
    return found


def _unequal(name: str, got: dict[Any, Any], want: dict[Any, Any]) -> list[str]:
    keys = [k for k in sorted(got.keys() | want.keys()) if got.get(k) != want.get(k)]
    return [f"{name}: {len(keys)} of {len(want)} differ, first {keys[0]}: {got.get(keys[0])} != {want.get(keys[0])}"] if keys else []
