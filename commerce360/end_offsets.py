"""How far Kafka's topics reach."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from commerce360.errors import UnavailableError
from commerce360.settings import Kafka

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient


class EndOffsets:
    """Asks one broker after the other for the offsets behind the last committed records, all partitions of a broker in one request."""

    def __init__(self, kafka: Kafka, timeout_s: float = 5.0) -> None:
        self.kafka = kafka
        self.timeout_s = timeout_s
        self._admin: AdminClient | None = None

    @property
    def client(self) -> AdminClient:
        from confluent_kafka.admin import AdminClient

        if self._admin is None:
            self._admin = AdminClient(self.kafka.client(**{"reconnect.backoff.max.ms": 1000}), logger=_silent())
        return self._admin

    def of(self, partitions: Mapping[str, Iterable[int]]) -> dict[str, dict[int, int]]:
        """By topic and partition, for these partitions of each topic. Raises UnavailableError when one of them has no answer."""
        from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
        from confluent_kafka.admin import OffsetSpec

        wanted = {TopicPartition(topic, p): OffsetSpec.latest() for topic, parts in partitions.items() for p in parts}
        found: dict[str, dict[int, int]] = {topic: {} for topic in partitions}
        if not wanted:
            return found
        asked = self.client.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self.timeout_s)
        for place, answer in asked.items():
            try:
                found[place.topic][place.partition] = answer.result().offset
            except KafkaException as error:
                self._admin = None  # one that knows an older leader epoch than the broker's goes on asking with it
                what = f"Kafka at {self.kafka.bootstrap} tells no end of {place.topic}: {error}"
                raise UnavailableError(what, "see `c360 logs kafka`") from error
        return found


@cache
def _silent() -> logging.Logger:
    """librdkafka repeats every refused connection; what matters is in our own events."""
    quiet = logging.getLogger("c360.librdkafka")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    return quiet
