"""Reviews from Kafka, and how far they are done: an offset is committed once nothing before it waits any more."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from commerce360.errors import UnavailableError
from commerce360.settings import Kafka
from schemas.topics import REVIEWS, SENTIMENT
from stream_jobs.entity import Record, RejectedError
from stream_jobs.sentiment.records import Answer
from stream_jobs.sentiment.reviews import text_of
from stream_jobs.sentiment.text import Text
from stream_jobs.wire import Decoder

GROUP = "c360-sentiment"
MESSAGES = 500  # at once
WAITING = 1000  # texts at most; then reading rests until some are done
SILENCE_S = 30.0
TextKey = tuple[str, str]


class Intake:
    """The consumer of `web.shop.reviews`. Close it after any exception: what was not committed comes again.

    Raises UnavailableError when the topic is not there.
    """

    def __init__(self, kafka: Kafka, decoder: Decoder) -> None:
        from confluent_kafka import Consumer

        options: dict[str, str | bool] = {
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
        self._consumer = Consumer(kafka.client(**options))
        self._decoder = decoder
        self._read: dict[int, deque[tuple[int, TextKey | None]]] = {}  # partition -> offsets in order, with the text that each waits for
        self.undecodable = 0
        partitions_of(self._consumer, REVIEWS.name)  # raises when there are none yet
        self._consumer.subscribe([REVIEWS.name], on_assign=self._forget, on_revoke=self._forget, on_lost=self._forget)

    def close(self) -> None:
        self._consumer.close()

    def poll(self, waiting: int, timeout_s: float) -> Iterator[Text]:
        """Texts of new reviews. Nothing is read while many are waiting, but the group is told that we live.

        Raises UnavailableError and KafkaException.
        """
        for message in self._messages(waiting, timeout_s):
            text = self._text(message)
            self._read.setdefault(message.partition(), deque()).append((message.offset(), text.key if text else None))
            if text is not None:
                yield text

    def commit(self, is_open: Callable[[TextKey], bool]) -> None:
        """Commit what lies before the first review of each partition whose text is still open."""
        from confluent_kafka import TopicPartition

        done = []
        for partition, read in self._read.items():
            last = None
            while read and (read[0][1] is None or not is_open(read[0][1])):
                last = read.popleft()[0]
            if last is not None:
                done.append(TopicPartition(REVIEWS.name, partition, last + 1))
        if done:
            self._consumer.commit(offsets=done, asynchronous=False)

    def lag(self) -> int:
        """Reviews that were not read yet, as far as the consumer knows without asking."""
        from confluent_kafka import KafkaException

        behind = 0
        with contextlib.suppress(KafkaException):
            for place in self._consumer.position(self._consumer.assignment()):
                _, end = self._consumer.get_watermark_offsets(place, cached=True)
                behind += max(0, end - place.offset) if place.offset >= 0 else max(0, end)
        return behind

    def _messages(self, waiting: int, timeout_s: float) -> list[Any]:
        from confluent_kafka import KafkaException

        assigned = self._consumer.assignment()
        (self._consumer.pause if waiting >= WAITING else self._consumer.resume)(assigned)
        found = []
        for message in self._consumer.consume(MESSAGES, timeout=timeout_s):
            if (error := message.error()) is None:
                found.append(message)
            elif error.fatal() or not error.retriable():
                raise KafkaException(error)
        return found

    def _text(self, message: Any) -> Text | None:
        record = Record(message.topic(), message.partition(), message.offset(), message.timestamp()[1] * 1000, None, message.value())
        try:
            return text_of(self._decoder, record)
        except RejectedError:
            self.undecodable += 1
            return None

    def _forget(self, _: Any, partitions: list[Any]) -> None:
        for place in partitions:
            self._read.pop(place.partition, None)


def answers_in_topic(kafka: Kafka, decoder: Decoder) -> Iterator[Answer]:
    """All that `ai.shop.sentiment` has now. Records that are not ours are passed over. Raises UnavailableError and KafkaException."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    options: dict[str, str | bool] = {
        "group.id": f"{GROUP}-recall",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }
    consumer = Consumer(kafka.client(**options))
    try:
        waiting = set(partitions_of(consumer, SENTIMENT.name))
        consumer.assign([TopicPartition(SENTIMENT.name, p, OFFSET_BEGINNING) for p in waiting])
        heard = time.monotonic()
        while waiting:
            for message in consumer.consume(2000, timeout=0.2):
                heard = time.monotonic()
                if _is_end(message):
                    waiting.discard(message.partition())
                elif (answer := _answer(decoder, message)) is not None:
                    yield answer
            if time.monotonic() - heard > SILENCE_S:
                raise UnavailableError(f"Kafka at {kafka.bootstrap} sent nothing for {SILENCE_S:.0f} s", "see `c360 logs kafka`")
    finally:
        consumer.close()


def _is_end(message: Any) -> bool:
    from confluent_kafka import KafkaError, KafkaException

    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF and (error.fatal() or not error.retriable()):
        raise KafkaException(error)
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _answer(decoder: Decoder, message: Any) -> Answer | None:
    if message.error() is not None:
        return None
    record = Record(message.topic(), message.partition(), message.offset(), 0, None, message.value())
    try:
        _, value = decoder.decode(record)
        return None if value is None else Answer.of_record(value)
    except (RejectedError, KeyError, TypeError):
        return None


def partitions_of(client: Any, topic: str) -> list[int]:
    """Raises UnavailableError when the broker does not have the topic, or does not answer."""
    from confluent_kafka import KafkaException

    try:
        found = client.list_topics(timeout=5).topics.get(topic)
    except KafkaException as error:
        raise UnavailableError(f"Kafka does not answer: {error}", "see `c360 logs kafka`") from error
    if found is None or found.error is not None:
        raise UnavailableError(f"Kafka has no topic {topic} yet", "`c360 up` makes it")
    return sorted(found.partitions)
