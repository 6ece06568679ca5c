"""The order producer against the brokers that librdkafka brings for tests: real protocol, no Java."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from random import Random

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from commerce360.settings import Kafka
from producers import baskets
from producers.baskets import Basket, Order
from producers.closing import Closing
from producers.ledger import Ledger
from producers.orders import OrderProducer
from producers.tally import Tally
from producers.wire import OrderCodec, order_schema
from producers.world import World
from schemas.topics import ORDER_EVENTS

CODEC = OrderCodec(order_schema(), 3)


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    host = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    broker = next(iter(host.list_topics(timeout=5).brokers.values()))
    yield Kafka(bootstrap=f"{broker.host}:{broker.port}")
    host.flush(0)


def records(kafka: Kafka, count: int) -> list[Message]:
    consumer = Consumer({**kafka.client(), "group.id": "test"})
    try:
        partitions = consumer.list_topics(ORDER_EVENTS.name, timeout=5).topics[ORDER_EVENTS.name].partitions
        consumer.assign([TopicPartition(ORDER_EVENTS.name, p, 0) for p in partitions])
        found: list[Message] = []
        deadline = time.monotonic() + 20
        while len(found) < count and time.monotonic() < deadline:
            found += [m for m in consumer.consume(count - len(found), timeout=0.2) if not m.error()]
        found += consumer.consume(10, timeout=0.3)  # anything more would be a surprise
        return found
    finally:
        consumer.close()


def run_shop(kafka: Kafka, ledger: Ledger, world: World, seconds: float, per_s: float = 200) -> tuple[list[Order], Tally]:
    stop, acked = threading.Event(), list[Order]()
    tally = Tally(time.monotonic())
    visits: SimpleQueue[Basket] = SimpleQueue()
    visits.put(Basket(77, "win-back", (next(p.product_id for p in world.products.values() if p.active),)))
    producer = OrderProducer(kafka, CODEC, ledger, tally, Closing(stop), lambda order, _: acked.append(order))
    threading.Timer(seconds, stop.set).start()
    producer.run(world, Random(1), visits, per_s)
    return acked, tally


def test_the_ledger_and_the_topic_agree_record_by_record(kafka: Kafka, world: World, tmp_path: Path) -> None:
    with Ledger.open(tmp_path, order_schema()) as ledger:
        acked, tally = run_shop(kafka, ledger, world, 0.5)
    view = Ledger.read(tmp_path)
    found = records(kafka, len(acked))
    assert len(acked) == len(found) == len(view.acked) == len(view.intended) > 20
    assert tally.snapshot(time.monotonic())["orders_acked"] == len(acked)
    for message in found:
        value, key = message.value(), message.key()
        assert value is not None
        assert key is not None
        event = CODEC.decode(value)
        assert key.decode() == event["order_id"]
        assert view.acked[event["event_id"]] == {**event, "partition": message.partition(), "offset": message.offset()}
    assert (77, "win-back") in {(order.customer_id, order.campaign_id) for order in acked}


def test_a_restart_sends_what_was_left_with_the_same_bytes_and_new_orders_under_new_ids(kafka: Kafka, world: World, tmp_path: Path) -> None:
    with Ledger.open(tmp_path, order_schema()) as killed:  # recorded, then killed before anything was sent
        left = {i.value for i in killed.intend([CODEC.encode(baskets.event(o, 5)) for o in lost_orders(world)])}
    with Ledger.open(tmp_path, order_schema()) as again:
        acked, tally = run_shop(kafka, again, world, 0.3)
    view = Ledger.read(tmp_path)
    values = [m.value() for m in records(kafka, len(acked) + len(left))]
    assert tally.snapshot(time.monotonic())["orders_resent"] == len(left)
    assert left <= set(values)
    assert len(set(values)) == len(values) == len(view.acked) == len(acked) + len(left)
    with Ledger.open(tmp_path, order_schema()) as third:
        assert third.unacknowledged() == []


def lost_orders(world: World) -> list[Order]:
    return [baskets.draw_order(Random(9), world, f"W-1-{n}") for n in range(1, 6)]


def test_orders_that_kafka_never_took_are_left_for_the_next_run(world: World, tmp_path: Path) -> None:
    nobody = Kafka(bootstrap="127.0.0.1:1")
    stop = threading.Event()
    with Ledger.open(tmp_path, order_schema()) as ledger:
        producer = OrderProducer(nobody, CODEC, ledger, Tally(time.monotonic()), Closing(stop, grace_s=0.3))
        producer.send(lost_orders(world), [time.monotonic()] * 5)
        stop.set()
        producer.finish(0.3)
    with Ledger.open(tmp_path, order_schema()) as again:
        assert [order_id for _, order_id in again.unacknowledged()] == [o.order_id for o in lost_orders(world)]
    assert Ledger.read(tmp_path).acked == {}
