"""Answers to `ai.shop.sentiment`, and which of them Kafka has acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from commerce360.settings import Kafka
from schemas.topics import SENTIMENT
from stream_jobs.sentiment.records import Answer, Codec

FLUSH_S = 5.0  # longer than that, other work goes on and the acknowledgement is seen later


class Outlet:
    def __init__(self, kafka: Kafka, codec: Codec) -> None:
        from confluent_kafka import Producer

        options: dict[str, str | int] = {"enable.idempotence": True, "acks": "all", "linger.ms": 5}
        self._producer = Producer(kafka.client(**options))
        self._codec = codec
        self._flying: set[Answer] = set()
        self._arrived: list[Answer] = []

    def send(self, answers: Sequence[Answer]) -> list[Answer]:
        """Send those that are not under way yet, and wait a while; which ones were acknowledged since the last call.

        One that Kafka gave up on is sent again when it is handed in again.
        """
        for answer in answers:
            if answer in self._flying:
                continue
            self._flying.add(answer)
            self._producer.produce(
                SENTIMENT.name,
                key=answer.text_hash.encode(),
                value=self._codec.encode(answer),
                on_delivery=lambda error, _, answer=answer: self._landed(answer, error),
            )
        if self._flying:
            self._producer.flush(FLUSH_S)
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self) -> None:
        """What is not acknowledged by now stays in the cache's outbox."""
        self._producer.flush(FLUSH_S)
        self._producer.purge()

    def _landed(self, answer: Answer, error: Any) -> None:
        self._flying.discard(answer)
        if error is None:
            self._arrived.append(answer)
