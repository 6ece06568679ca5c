"""Records into the topics that the stream reads, as their own writers make them, and the wait until the lake has them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import fastavro

from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Settings
from producers.wire import MAGIC

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

POLL_S = 0.5
PATIENCE_S = 180.0  # for the stream to bring what was sent
HINT = "see `c360 status`; the same backfill may be asked for again, it goes on where it was"


class Sender:
    """Sends with the newest schemas that the registry has of a topic's keys and values. Raises UnavailableError."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self.settings = settings
        self.topic = topic
        self._encoders: dict[str, Callable[[Mapping[str, Any]], bytes]] = {}

    def send(self, records: Iterable[tuple[bytes, bytes]]) -> list[tuple[int, int]]:
        """(key, value) each; the partition and offset of each, in their order. All are acknowledged when it returns."""
        from confluent_kafka import KafkaException, Producer

        refused: list[str] = []
        places: list[tuple[int, int]] = []

        def told(number: int) -> Callable[[KafkaError | None, Message], None]:
            places.append((-1, -1))

            def report(error: KafkaError | None, message: Message) -> None:
                if error is not None:
                    refused.append(error.str())
                else:
                    places[number] = (message.partition() or 0, message.offset() or 0)

            return report

        # The partitioner of Kafka's own clients, so that a key stays in its partition.
        options: dict[str, str | int | float | bool] = {
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.timeout.ms": 60_000,
        }
        try:
            producer = Producer(self.settings.kafka.client(**options))
            for number, (key, value) in enumerate(records):
                report = told(number)
                while True:
                    try:
                        producer.produce(self.topic, value, key, on_delivery=report)
                        break
                    except BufferError:
                        producer.poll(0.1)
            left = producer.flush(70)
        except KafkaException as error:
            raise UnavailableError(f"Kafka does not take records of {self.topic}: {error}", HINT) from error
        if refused or left:
            raise UnavailableError(f"Kafka does not take records of {self.topic}: {refused[0] if refused else 'no answer'}", HINT)
        return places

    def encode(self, part: str, value: Mapping[str, Any]) -> bytes:
        """`part`: key or value. Raises C360Error for what its schema cannot hold."""
        if part not in self._encoders:
            self._encoders[part] = self._encoder(f"{self.topic}-{part}")
        return self._encoders[part](value)

    def _encoder(self, subject: str) -> Callable[[Mapping[str, Any]], bytes]:
        import requests

        url = self.settings.registry.url.rstrip("/")
        try:
            reply = requests.get(f"{url}/subjects/{subject}/versions/latest", timeout=10)
        except requests.RequestException as error:
            raise UnavailableError(f"the schema registry at {url} does not answer", "see `c360 logs registry`") from error
        if reply.status_code == 404:
            raise C360Error(
                f"the registry knows no {subject}: the connector never wrote to it", "deploy the connector first: `c360 connect apply`"
            )
        if not reply.ok:
            raise UnavailableError(f"the schema registry answered {reply.status_code}", "see `c360 logs registry`")
        found = reply.json()
        schema, head = fastavro.parse_schema(json.loads(found["schema"])), MAGIC + int(found["id"]).to_bytes(4, "big")

        def encode(value: Mapping[str, Any]) -> bytes:
            out = io.BytesIO()
            out.write(head)
            fastavro.schemaless_writer(out, schema, value)
            return out.getvalue()

        return encode


def wait_for(left: Callable[[], int], what: str, say: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
    """Until nothing is left. Raises UnavailableError when too little happens for too long."""
    deadline, least = time.monotonic() + patience_s, None
    while there := left():
        if least is None or there < least:
            least, deadline = there, time.monotonic() + patience_s
            say(f"{what}: {there} keys on their way")
        if time.monotonic() > deadline:
            raise UnavailableError(f"{there} keys of {what} were sent and are not in the lake after {patience_s:.0f} s", HINT)
        time.sleep(POLL_S)
