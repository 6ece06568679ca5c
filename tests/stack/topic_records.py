"""What the topics hold, decoded by the registry's schemas and nothing of ours."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fastavro
import requests

from commerce360.reconcile import topics
from commerce360.settings import Settings


@dataclass(frozen=True)
class Change:
    key: Any
    value: Any  # None: a tombstone
    headers: dict[str, str]


class Topics:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.schemas: dict[int, Any] = {}

    def read(self, topic: str) -> list[Change]:
        """All committed records, each partition in order."""
        found = topics.read_all(self.settings.kafka, [topic], timeout_s=20)
        return [Change(self._decode(r.key), self._decode(r.value), {k: (v or b"").decode() for k, v in r.headers}) for r in found]

    def values(self, topic: str) -> list[Any]:
        """The same without keys, which are plain text in some topics."""
        return [self._decode(r.value) for r in topics.read_all(self.settings.kafka, [topic], timeout_s=20)]

    def wait(self, topic: str, until: Callable[[list[Change]], bool], timeout_s: float = 60.0) -> list[Change]:
        deadline = time.monotonic() + timeout_s
        while not until(found := self.read(topic)):
            assert time.monotonic() < deadline, f"{topic}: {len(found)} records, the last: {found[-1:]}"
            time.sleep(0.3)
        return found

    def _decode(self, data: bytes | None) -> Any:
        """Confluent's wire format: a zero, the schema id in four bytes, Avro binary, and not a byte more."""
        if data is None:
            return None
        assert data[0] == 0
        number = int.from_bytes(data[1:5], "big")
        if number not in self.schemas:
            reply = requests.get(f"{self.settings.registry.url}/schemas/ids/{number}", timeout=20)
            self.schemas[number] = fastavro.parse_schema(json.loads(reply.json()["schema"]))
        stream = io.BytesIO(data[5:])
        value = fastavro.schemaless_reader(stream, self.schemas[number])
        assert stream.read() == b""
        return value
