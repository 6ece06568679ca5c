"""How far Kafka's topics reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bi.dashboard.board import Board
from commerce360.errors import UnavailableError
from commerce360.settings import Kafka
from schemas.topics import TOPICS

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

TIMEOUT_S = 3.0


class Watermarks:
    """End offsets of committed records, one request for all partitions."""

    def __init__(self, settings: Kafka, board: Board) -> None:
        self.settings = settings
        self.board = board
        self._admin: AdminClient | None = None

    def poll(self) -> None:
        from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
        from confluent_kafka.admin import AdminClient, OffsetSpec

        if self._admin is None:
            quiet = {"reconnect.backoff.max.ms": 1000, "log_level": 0}
            self._admin = AdminClient(self.settings.client(**quiet))
        wanted = {TopicPartition(t.name, p): OffsetSpec.latest() for t in TOPICS for p in range(t.partitions)}
        asked = self._admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT_S)
        ends: dict[str, dict[int, int]] = {}
        for place, future in asked.items():
            try:
                ends.setdefault(place.topic, {})[place.partition] = future.result().offset
            except KafkaException as error:
                self._admin = None  # one that knows an older leader epoch than the broker's goes on asking with it
                raise UnavailableError(f"no offset of {place.topic}: {error}") from error
        self.board.ends = ends
