"""The way to the lake job: slices in a topic of their own, one after the other, so that live records never wait for more than one.

The lake job writes down in ops.backfills what became of each slice, in the same batch in which it changes the tables.
"""

from __future__ import annotations

import io
import json
import time
from importlib import resources
from typing import Any

import fastavro

from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.settings import Settings
from producers.wire import MAGIC, find_schema_id
from schemas.tables import BACKFILLS
from schemas.topics import BACKFILL
from stream_jobs.slices import Slice

POLL_S = 0.2
PATIENCE_S = 300.0  # for a slice; the lake job may be starting
HINT = "see `c360 status` and `c360 logs lake`; the same backfill may be asked for again, it goes on where it was"


class Lane:
    def __init__(self, settings: Settings, lake: Lake, patience_s: float = PATIENCE_S) -> None:
        """Raises UnavailableError when the registry does not answer."""
        text = resources.files("schemas").joinpath(f"avro/{BACKFILL.entity}.avsc").read_text("utf-8")
        self.settings = settings
        self.lake = lake
        self.patience_s = patience_s
        self.schema = fastavro.parse_schema(json.loads(text))
        self.head = MAGIC + find_schema_id(settings.registry, json.loads(text), BACKFILL.name).to_bytes(4, "big")

    def serve(self, asked: Slice) -> dict[str, Any]:
        """Ask the lake job, wait for it; the row of ops.backfills. Raises UnavailableError: what was asked for may still be done."""
        self._send(asked)
        deadline = time.monotonic() + self.patience_s
        sql = f"SELECT * FROM backfills WHERE run_id = '{asked.run_id}' AND number = {asked.number}"
        while not (rows := self.lake.query(BACKFILLS, sql).to_pylist()) or not self._is_complete(rows[0]["batch_id"]):
            if time.monotonic() > deadline:
                raise UnavailableError(f"the lake job has not taken a slice of {asked.table.name} in {self.patience_s:.0f} s", HINT)
            time.sleep(POLL_S)
        return dict(rows[0])

    def _is_complete(self, batch_id: int) -> bool:
        last = self.lake.last_batch()
        return last is not None and last["batch_id"] >= batch_id

    def _send(self, asked: Slice) -> None:
        from confluent_kafka import KafkaException, Producer

        errors: list[str] = []
        producer = Producer(self.settings.kafka.client(**{"enable.idempotence": True, "message.timeout.ms": 60_000}))
        try:
            producer.produce(
                BACKFILL.name,
                key=asked.run_id.encode(),
                value=self._encode(asked),
                on_delivery=lambda error, _: errors.append(error.str()) if error else None,
            )
            left = producer.flush(70)
        except (KafkaException, BufferError) as error:
            raise UnavailableError(f"Kafka does not take a slice: {error}", HINT) from error
        if errors or left:
            raise UnavailableError(
                f"Kafka at {self.settings.kafka.bootstrap} does not take a slice: {'; '.join(errors) or 'no answer'}", HINT
            )

    def _encode(self, asked: Slice) -> bytes:
        out = io.BytesIO()
        out.write(self.head)
        fastavro.schemaless_writer(out, self.schema, asked.as_value())
        return out.getvalue()


def ensure_ready(lake: Lake) -> int:
    """The last complete batch. Raises UnavailableError when there is no lake yet that could serve anything."""
    if not lake.exists(BACKFILLS) or (last := lake.last_batch()) is None:
        raise UnavailableError(f"the lake at {lake.settings.root} has no batch yet", "let the lake job run first: `c360 up`")
    return int(last["batch_id"])
