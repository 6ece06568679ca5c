"""How much of a bare produce loop's speed the order producer keeps: `python benchmarks/bench_producer.py --bootstrap HOST:PORT`.

Both send as fast as they can to a topic of their own with the same client settings, one after the other, three rounds each. The bare loop
sends bytes that were encoded before. Ours also draws the order, encodes it, writes it to the ledger and notes its acknowledgement.
Without --bootstrap the broker is the one that librdkafka brings for tests: no disk, no JVM, so the ratio is at its hardest.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from statistics import median

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from commerce360.settings import Kafka, Shop
from producers import baskets, catalogue, wire
from producers.closing import Closing
from producers.ledger import Ledger
from producers.orders import MAX_BURST, PRODUCER, OrderProducer
from producers.people import People
from producers.tally import Tally
from producers.world import World
from schemas.topics import ORDER_EVENTS

TOPIC = "bench.orders"  # never the shop's own: what is here, no ledger knows


def make_world() -> World:
    shop = Shop()
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    rng, people = Random(shop.seed), People(shop.seed)
    return World([people.meet(rng, n, now) for n in range(1, shop.customers + 1)], catalogue.make(rng, shop.products, now))


def bare(kafka: Kafka, values: list[tuple[bytes, bytes]]) -> float:
    producer = Producer(kafka.client(**PRODUCER))
    producer.list_topics(timeout=10)
    began = time.perf_counter()
    for at, (key, value) in enumerate(values):
        producer.produce(TOPIC, value, key)
        if at % MAX_BURST == 0:
            producer.poll(0)
    assert producer.flush(60) == 0
    return len(values) / (time.perf_counter() - began)


def ours(kafka: Kafka, codec: wire.OrderCodec, world: World, count: int) -> float:
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder), codec.schema) as ledger:
        producer = OrderProducer(kafka, codec, ledger, Tally(time.monotonic()), Closing(threading.Event()), topic=TOPIC)
        rng = Random(1)
        producer.poll(0.5)  # connect
        began = time.perf_counter()
        for start in range(0, count, MAX_BURST):
            producer.send([baskets.draw_order(rng, world, f"W-1-{n}") for n in range(start, min(count, start + MAX_BURST))], [])
            producer.poll(0)
        producer.finish(60)
        return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", default="")
    parser.add_argument("--count", type=int, default=20_000)
    given = parser.parse_args()
    host = None
    if not given.bootstrap:
        host = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 0})
        broker = next(iter(host.list_topics(timeout=5).brokers.values()))
        given.bootstrap = f"{broker.host}:{broker.port}"
    kafka, world = Kafka(bootstrap=given.bootstrap), make_world()
    codec = wire.OrderCodec(wire.order_schema(), 1)
    rng = Random(1)
    orders = [baskets.draw_order(rng, world, f"W-0-{n}") for n in range(given.count)]
    values = [(wire.key_of(o.order_id), codec.encode(baskets.event(o, time.time_ns() // 1000))) for o in orders]
    admin = None if host else AdminClient(kafka.client())  # the test broker makes topics by itself
    if admin:
        admin.create_topics([NewTopic(TOPIC, num_partitions=ORDER_EVENTS.partitions, replication_factor=1)])[TOPIC].result()
    rounds = [(bare(kafka, values), ours(kafka, codec, world, given.count)) for _ in range(3)]
    if admin:
        admin.delete_topics([TOPIC])[TOPIC].result()
    found = {
        "events_per_s_bare": round(median(b for b, _ in rounds)),
        "events_per_s_ours": round(median(o for _, o in rounds)),
        "ratio": round(median(o / b for b, o in rounds), 3),
        "broker": "librdkafka mock" if host else given.bootstrap,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
