"""Every committed record of the data topics, straight from the broker."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

from commerce360.errors import UnavailableError
from commerce360.settings import Kafka
from stream_jobs.entity import Record


def read_all(kafka: Kafka, topics: Iterable[str], timeout_s: float = 60.0) -> Iterator[Record]:
    """All records from the first to the end that each partition has when it is reached. Raises UnavailableError on silence."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

    more: dict[str, str | int] = {"group.id": "c360-reconcile", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(kafka.client(**more))
    try:
        found = consumer.list_topics(timeout=15).topics
        waiting = {(t, p) for t in topics if t in found for p in found[t].partitions}
        consumer.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in waiting])
        heard = time.monotonic()
        while waiting:
            messages = consumer.consume(2000, timeout=0.2)  # it waits for all 2000, or as long as it may
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > timeout_s:
                raise UnavailableError(f"Kafka at {kafka.bootstrap} sent nothing for {timeout_s:.0f} s", "see `c360 logs kafka`")
            for message in messages:
                error = message.error()
                if error is None:
                    yield _record(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard((message.topic(), message.partition()))
                elif error.fatal():
                    raise UnavailableError(f"cannot read {message.topic()}: {error.str()}", "see `c360 logs kafka`")
    finally:
        consumer.close()


def end_offsets(kafka: Kafka, topics: Iterable[str]) -> dict[str, dict[int, int]]:
    """{topic: {partition: offset after the last record}}; transaction markers count as offsets."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(kafka.client(**{"group.id": "c360-reconcile-ends"}))
    try:
        found = consumer.list_topics(timeout=15).topics
        return {
            t: {p: consumer.get_watermark_offsets(TopicPartition(t, p), timeout=15)[1] for p in found[t].partitions}
            for t in topics
            if t in found
        }
    finally:
        consumer.close()


def digest(record: Record) -> bytes:
    """16 bytes over all that bronze keeps of a record."""
    made = hashlib.sha256(f"{record.timestamp_us}".encode())
    for part in (record.key, record.value, *(b for name, value in record.headers for b in (name.encode(), value))):
        made.update(b"\0" if part is None else b"\1" + len(part).to_bytes(4, "big") + part)
    return made.digest()[:16]


def _record(message: Any) -> Record:
    headers = tuple((str(name), None if value is None else bytes(value)) for name, value in (message.headers() or []))
    return Record(
        message.topic(), message.partition(), message.offset(), message.timestamp()[1] * 1000, message.key(), message.value(), headers
    )
