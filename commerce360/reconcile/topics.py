"""Every committed record of the data topics, straight from the broker."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from commerce360.errors import UnavailableError
from commerce360.settings import Kafka
from stream_jobs.entity import Record


def read_all(kafka: Kafka, topics: Iterable[str], timeout_s: float = 60.0) -> Iterator[Record]:
    """All records from the first to the end that each partition has now, and those that come until that is reached.

    Kafka tells of an end only when it has nothing to send, which never happens where changes come without a pause.

    Raises UnavailableError on silence, and for a topic that the broker does not have.
    """
    from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

    with _consumer(kafka, "c360-reconcile") as consumer:
        waiting = set(_partitions(kafka, consumer, topics, timeout_s))
        ends = {(t, p): consumer.get_watermark_offsets(TopicPartition(t, p), timeout=timeout_s) for t, p in waiting}
        consumer.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in waiting])
        heard = time.monotonic()
        while waiting:
            for message in consumer.consume(2000, timeout=0.2):  # it waits for all 2000, or as long as it may
                error = message.error()
                if error is None:
                    heard = time.monotonic()
                    if (mark := ends[message.topic(), message.partition()]) and message.offset() >= mark[1] - 1:
                        waiting.discard((message.topic(), message.partition()))
                    yield _record(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    heard = time.monotonic()
                    waiting.discard((message.topic(), message.partition()))
                elif error.fatal():
                    raise UnavailableError(f"cannot read {message.topic()}: {error.str()}", "see `c360 logs kafka`")
            if time.monotonic() - heard > timeout_s:
                raise UnavailableError(f"Kafka at {kafka.bootstrap} sent nothing for {timeout_s:.0f} s", "see `c360 logs kafka`")


def end_offsets(kafka: Kafka, topics: Iterable[str], timeout_s: float = 15.0) -> dict[str, dict[int, int]]:
    """{topic: {partition: offset after the last record}}; transaction markers count as offsets. Raises as `read_all` does."""
    return _watermarks(kafka, topics, timeout_s, 1)


def first_offsets(kafka: Kafka, topics: Iterable[str], timeout_s: float = 15.0) -> dict[str, dict[int, int]]:
    """{topic: {partition: offset of the oldest record that is kept}}. Raises as `read_all` does."""
    return _watermarks(kafka, topics, timeout_s, 0)


def _watermarks(kafka: Kafka, topics: Iterable[str], timeout_s: float, which: int) -> dict[str, dict[int, int]]:
    from confluent_kafka import TopicPartition

    found: dict[str, dict[int, int]] = {}
    with _consumer(kafka, "c360-reconcile-ends") as consumer:
        for topic, partition in _partitions(kafka, consumer, topics, timeout_s):
            marks = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=timeout_s)
            if marks is None:
                raise UnavailableError(f"Kafka at {kafka.bootstrap} does not say what {topic} holds", "see `c360 logs kafka`")
            found.setdefault(topic, {})[partition] = marks[which]
    return found


@contextmanager
def _consumer(kafka: Kafka, group: str) -> Iterator[Any]:
    """Commits nothing. What librdkafka raises while it is open becomes UnavailableError."""
    from confluent_kafka import Consumer, KafkaException

    more: dict[str, str | int] = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(kafka.client(**more))
    try:
        yield consumer
    except KafkaException as error:
        raise UnavailableError(f"Kafka at {kafka.bootstrap} does not answer: {error.args[0]}", "see `c360 status`") from error
    finally:
        consumer.close()


def _partitions(kafka: Kafka, consumer: Any, topics: Iterable[str], timeout_s: float) -> list[tuple[str, int]]:
    """(topic, partition) of all topics. One that is missing has lost its records, and is no empty one."""
    wanted, found = list(topics), consumer.list_topics(timeout=timeout_s).topics
    missing = [t for t in wanted if t not in found or found[t].error is not None]
    if missing:
        raise UnavailableError(f"Kafka at {kafka.bootstrap} has no topic {', '.join(missing)}", "start the stack with `c360 up`")
    return [(t, p) for t in wanted for p in found[t].partitions]


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
