"""Where a load test's events go: one protocol, by Kafka's or by Event Hubs' own client."""

from __future__ import annotations

import operator
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import repeat
from typing import TYPE_CHECKING, Literal, Protocol, cast

from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.settings import Settings
from producers.orders import PRODUCER

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

OnAck = Callable[[int, int, int, str | None], None]  # token, partition, offset, and why it failed or None
Kind = Literal["kafka", "eventhubs"]
Config = dict[str, str | int | float | bool]
CONNECT_S = 5.0
# As the shop's own producer, whose latency is the one to know; a shorter queue, so that an outage does not take much memory.
PACED: Config = {**PRODUCER, "queue.buffering.max.messages": 100_000}
# Where everything is due at once: large batches, for which a moment is waited.
UNPACED: Config = {**PACED, "linger.ms": 20, "batch.size": 1_000_000}


class Sink(Protocol):
    """Used from one thread. Events of a key stay in their order.

    `on_ack` is called once for each event, from within `poll` and `flush`: with its partition and offset, or -1, -1 and the reason for
    which the client gave it up.
    """

    on_ack: OnAck

    def send(self, key: bytes, value: bytes, token: int) -> None:
        """Take an event. Raises BufferError while there is no room: poll, and send it again."""
        ...

    def poll(self, timeout_s: float) -> None:
        """Work, and hand out acknowledgements; returns early when there was one."""
        ...

    def flush(self, timeout_s: float) -> int:
        """Send what waits; how many are still open when all are acknowledged or time is up."""
        ...

    def close(self) -> None: ...


class Bulk(Protocol):
    """A sink that counts acknowledgements instead of telling them one by one, which is what limits how fast it goes."""

    failures: Counter[str]  # by reason

    def send_all(self, keys: list[bytes], values: list[bytes]) -> int:
        """Take as many as there is room for, from the first on; how many these were."""
        ...

    def poll(self, timeout_s: float) -> None: ...

    def flush(self, timeout_s: float) -> int: ...

    def close(self) -> None: ...

    @property
    def waiting(self) -> int:
        """Taken, and neither acknowledged nor given up."""
        ...


def open_sink(kind: Kind, settings: Settings, topic: str) -> Sink:
    """Raises ConfigError when the client of the sink is not installed, UnavailableError when nobody answers."""
    if kind == "kafka":
        return KafkaSink(settings, topic)
    try:
        found = import_module("producers.eventhubs").EventHubsSink
    except ModuleNotFoundError as error:
        raise ConfigError(f"the sink eventhubs cannot be used: {error}", "pip install 'commerce360[eventhubs]'") from error
    return cast("Sink", found(settings, topic))


class _Client:
    """librdkafka, idempotent, acknowledged by all replicas. What it gives up is told as failed, and not sent again."""

    def __init__(self, settings: Settings, topic: str, config: Config) -> None:
        from confluent_kafka import KafkaException, Producer

        self._topic = topic
        self._fatal: str | None = None
        self._producer = Producer(settings.kafka.producer(**config, error_cb=self._noticed))  # type: ignore[arg-type]
        self._produce = self._producer.produce
        at = settings.kafka.bootstrap
        try:
            found = self._producer.list_topics(topic, timeout=CONNECT_S).topics[topic]
        except KafkaException as error:
            raise UnavailableError(f"Kafka at {at} does not answer: {error.args[0].str()}", "see `c360 status`") from error
        if found.error is not None:
            raise ConfigError(f"Kafka at {at} has no topic {topic}: {found.error.str()}", "create it, or name another one with --topic")

    def poll(self, timeout_s: float) -> None:
        self._producer.poll(timeout_s)

    def flush(self, timeout_s: float) -> int:
        return int(self._producer.flush(timeout_s))

    def close(self) -> None:
        """What is still open is given up."""
        self._producer.purge()
        self._producer.flush(1.0)

    def _noticed(self, error: KafkaError) -> None:
        """A fatal error ends this client (librdkafka INTRODUCTION.md, "Fatal error handling"); others it deals with itself."""
        if error.fatal():
            self._fatal = error.str()

    def _reason(self, error: KafkaError) -> str:
        """Why one event was not taken. Raises C360Error when none will be."""
        if self._fatal or error.fatal():
            raise C360Error(f"the Kafka client cannot go on: {self._fatal or error.str()}", "see `c360 logs kafka`, then replay again")
        return str(error.str())


class KafkaSink(_Client):
    def __init__(self, settings: Settings, topic: str, config: Config | None = None) -> None:
        self.on_ack: OnAck = lambda *_: None
        super().__init__(settings, topic, config or PACED)

    def send(self, key: bytes, value: bytes, token: int) -> None:
        from confluent_kafka import KafkaException

        try:
            self._produce(self._topic, value, key, on_delivery=partial(self._delivered, token))
        except KafkaException as error:
            self.on_ack(token, -1, -1, self._reason(error.args[0]))

    def _delivered(self, token: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.on_ack(token, cast("int", message.partition()), cast("int", message.offset()), None)
        else:
            self.on_ack(token, -1, -1, error.str())


class BulkKafkaSink(_Client):
    """Only errors call back, so that the others cost no call of Python; the client's own count of what waits tells the rest."""

    def __init__(self, settings: Settings, topic: str, config: Config | None = None) -> None:
        self.failures: Counter[str] = Counter()
        more: Config = {"delivery.report.only.error": True, "on_delivery": self._failed}  # type: ignore[dict-item]
        super().__init__(settings, topic, {**(config or UNPACED), **more})

    def send_all(self, keys: list[bytes], values: list[bytes]) -> int:
        from confluent_kafka import KafkaException

        left = iter(values)
        try:
            deque(map(self._produce, repeat(self._topic), left, keys), maxlen=0)  # no bytecode between two calls
        except (BufferError, KafkaException) as error:
            taken = len(values) - operator.length_hint(left) - 1  # without the one that was refused
            if taken or isinstance(error, BufferError):
                return taken
            self.failures[self._reason(error.args[0])] += 1
            return 1
        return len(values)

    @property
    def waiting(self) -> int:
        return len(self._producer)

    def _failed(self, error: KafkaError, message: Message) -> None:
        self.failures[error.str()] += 1
