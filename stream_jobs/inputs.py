"""What the lake job needs from outside before it can start, and how far behind it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import requests

from commerce360 import log
from commerce360.end_offsets import EndOffsets
from commerce360.errors import UnavailableError
from commerce360.settings import Kafka, Registry
from stream_jobs.checkpoint import Offsets

logger = log.get("lake")


class Inputs:
    """Kafka's topics and the registry."""

    def __init__(self, kafka: Kafka, registry: Registry, topics: Sequence[str]) -> None:
        self.kafka = kafka
        self.registry = registry
        self.topics = tuple(topics)
        self._ends = EndOffsets(kafka)

    def wait(self, stop: threading.Event, timeout_s: float = 600.0) -> bool:
        """Block until all is there; False when `stop` was set before. Raises UnavailableError after `timeout_s`."""
        began, noted = time.monotonic(), 0.0
        while missing := self._missing_topics() or self._missing_registry():
            now = time.monotonic()
            if now - began > timeout_s:
                raise UnavailableError(f"the lake job cannot start: {missing}", "see `c360 status`")
            if now - noted > 10:
                logger.info("waited_for_input", missing=missing)
                noted = now
            if stop.wait(0.3):
                return False
        return not stop.is_set()

    def lag(self, done: Offsets) -> dict[str, int]:
        """Offsets of each topic that are committed in Kafka and not in `done`. Raises UnavailableError."""
        ends = self._ends.of(done)
        return {topic: sum(max(0, ends[topic][p] - offset) for p, offset in parts.items()) for topic, parts in done.items()}

    def _missing_topics(self) -> str:
        from confluent_kafka import KafkaException

        try:
            found = self._ends.client.list_topics(timeout=3).topics
        except KafkaException:
            return f"Kafka at {self.kafka.bootstrap}"
        missing = [t for t in self.topics if t not in found or found[t].error is not None]
        return f"topics {', '.join(missing)}" if missing else ""

    def _missing_registry(self) -> str:
        try:
            requests.get(f"{self.registry.url}/subjects", timeout=3, **self.registry.http()).raise_for_status()
        except requests.RequestException:
            return f"schema registry at {self.registry.url}"
        return ""


def kafka_options(kafka: Kafka, topics: Sequence[str], max_offsets: int) -> dict[str, str]:
    """Options of Spark's Kafka source (4.1.3): committed records only, from the first, and never a silent gap.

    fetch.max.wait: a partition whose range ends with a transaction marker is asked once more in vain, and the partitions are read one
    after the other: at 50 ms a batch over all topics took a second longer. They hold the password where there is one: never log them.
    """
    return {
        **kafka.spark(),
        "subscribe": ",".join(topics),
        "startingOffsets": "earliest",
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        "maxOffsetsPerTrigger": str(max_offsets),
        "kafka.isolation.level": "read_committed",
        "kafka.fetch.max.wait.ms": "2",
        "kafka.metadata.max.age.ms": "30000",
    }
