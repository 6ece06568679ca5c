"""Records into the topics that the stream reads, as their own writers make them, and the wait until the lake has them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import fastavro

from commerce360.errors import C360Error, UnavailableError
from commerce360.lake import Lake
from commerce360.reconcile.drain import offsets_behind
from commerce360.reconcile.topics import end_offsets
from commerce360.settings import Settings
from producers.wire import MAGIC

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

POLL_S = 0.5
PATIENCE_S = 180.0  # for the stream to bring what was sent
Say = Callable[[str], None]
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
            reply = requests.get(f"{url}/subjects/{subject}/versions/latest", timeout=10, **self.settings.registry.http())
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


def wait_passed(settings: Settings, lake: Lake, names: Sequence[str], say: Say, patience_s: float = PATIENCE_S) -> None:
    """Until a complete batch of the lake has all that is in the topics now. Raises UnavailableError when it does not get nearer."""
    ends = end_offsets(settings.kafka, names)
    deadline, least = time.monotonic() + patience_s, None
    while left := offsets_behind(lake.last_batch(), ends):
        if least is None or left < least:
            least, deadline = left, time.monotonic() + patience_s
            say(f"the lake has {left} records of {', '.join(names)} before it")
        if time.monotonic() > deadline:
            raise UnavailableError(f"the lake is {left} records of {', '.join(names)} behind and does not go on", HINT)
        time.sleep(POLL_S)


def unsettled(table: str, keys: Collection[str], say: Say) -> int:
    """How many keys the lake did not take as they were sent; they are named."""
    if keys:
        some = ", ".join(sorted(keys)[:5])
        say(f"{table}: {len(keys)} keys are not in the lake as the source has them, such as {some}; see bronze.dead_letters")
    return len(keys)
