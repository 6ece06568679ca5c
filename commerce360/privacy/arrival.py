"""Whether all that the shop did until now has arrived, so that nothing of a person comes after they were erased."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from commerce360 import metrics
from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.privacy.tables import PERSONAL_TOPICS
from commerce360.reconcile import drain, sources, topics
from commerce360.settings import Settings
from connect_configs.client import Connect
from connect_configs.http import Access
from schemas import tables
from schemas.topics import REVIEWS
from stream_jobs.sentiment.intake import GROUP

Ends = Mapping[str, Mapping[int, int]]
TIMEOUT_S = 300.0


def wait_arrived(settings: Settings, lake: Lake, note: Callable[[str], None]) -> None:
    """Return when the lake has what PostgreSQL and MongoDB had at the call. Traffic may go on.

    Of PostgreSQL Debezium's position tells. A change stream has none that could be compared: it is there once the lake has an event of a
    later second, or, in a quiet shop, after PATIENCE_S in which the connectors ran. Raises UnavailableError that names the late stage.
    """
    connect = Connect(settings.connect.url, access=Access.of(settings.connect), patience_s=1)
    wal, second = sources.wal_position(settings.postgres), sources.mongo_second(settings.mongo)
    began = time.monotonic()

    def streams_behind() -> str:
        late = drain.connectors_behind(connect, wal)
        if late or _newest_second(lake) > second or time.monotonic() - began >= drain.PATIENCE_S:
            return late
        return "no later change of MongoDB has come yet"

    _wait(streams_behind, note)
    ends = topics.end_offsets(settings.kafka, PERSONAL_TOPICS)
    _wait(lambda: _lake_behind(lake, ends), note)


def unscored(settings: Settings, ends: Ends) -> int:
    """How many reviews below `ends` the sentiment service has not done with, after a while of waiting."""
    deadline = time.monotonic() + TIMEOUT_S
    while metrics.read(settings.state, "sentiment").get("engine") != "off":
        left = _uncommitted(settings, ends.get(REVIEWS.name, {}))
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.5)
    return 0


def _wait(behind: Callable[[], str], note: Callable[[str], None]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while late := behind():
        if time.monotonic() > deadline:
            raise UnavailableError(f"the deletions in the shop have not arrived: {late}", "see `c360 status`; then try again")
        note(late)
        time.sleep(0.5)


def _newest_second(lake: Lake) -> int:
    found = [
        lake.query(t, f"SELECT MAX(seq) AS seq FROM {t.entity}").to_pylist()[0]["seq"] or 0 for t in (tables.CLICKSTREAM, tables.REVIEWS)
    ]
    return int(max(found)) >> 32


def _lake_behind(lake: Lake, ends: Ends) -> str:
    lag = drain.offsets_behind(lake.last_batch(), ends)
    return f"the lake is {lag} offsets behind" if lag else ""


def _uncommitted(settings: Settings, ends: Mapping[int, int]) -> int:
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    if not ends:
        return 0
    options: dict[str, str | bool] = {"group.id": GROUP, "enable.auto.commit": False}
    consumer = Consumer(settings.kafka.client(**options))
    try:
        found = consumer.committed([TopicPartition(REVIEWS.name, p) for p in ends], timeout=15)
    except KafkaException as error:
        raise UnavailableError(f"Kafka does not answer: {error}", "see `c360 logs kafka`") from error
    finally:
        consumer.close()
    return sum(max(0, ends[place.partition] - max(0, place.offset)) for place in found)
