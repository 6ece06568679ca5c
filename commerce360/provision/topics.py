"""Our topics in Kafka. Made by us and before anybody writes, so that partition counts are those of the contract."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.settings import Settings
from schemas.topics import TOPICS

TIMEOUT_S = 30


def prepare(settings: Settings) -> list[str]:
    """What was made. A topic that is there stays as it is.

    Raises ConfigError for one with another number of partitions, UnavailableError when no broker answers, C360Error when one refuses.
    """
    admin = AdminClient(settings.kafka.client(log_level=0))
    given = settings.provision
    kept = {} if given.retention_ms is None else {"retention.ms": str(given.retention_ms)}
    try:
        there = admin.list_topics(timeout=TIMEOUT_S).topics
    except KafkaException as error:
        raise UnavailableError(f"Kafka does not answer: {error.args[0].str()}", "check C360_KAFKA__BOOTSTRAP, and its log") from error
    if other := [t for t in TOPICS if t.name in there and len(there[t.name].partitions) != t.partitions]:
        found = ", ".join(f"{t.name} has {len(there[t.name].partitions)} partitions instead of {t.partitions}" for t in other)
        raise ConfigError(found, "the order of a key would break: delete what somebody else has made there, or use another cluster")
    wanted = [
        NewTopic(t.name, num_partitions=t.partitions, replication_factor=given.replication_factor, config={**t.config(), **kept})
        for t in TOPICS
        if t.name not in there
    ]
    if not wanted:
        return []
    return [
        f"made the topic {name}" for name, future in admin.create_topics(wanted, operation_timeout=TIMEOUT_S).items() if _made(name, future)
    ]


def _made(name: str, future: object) -> bool:
    """False when another one has made it in between."""
    try:
        future.result()  # type: ignore[attr-defined]
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise C360Error(
            f"cannot create topic {name}: {error.args[0].str()}",
            "are there as many brokers as C360_PROVISION__REPLICATION_FACTOR says? Otherwise see the broker's log",
        ) from error
    return True
