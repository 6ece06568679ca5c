"""Order events as bytes: the registry's wire format (magic 0, schema id, Avro), and which schema id that is.

The key of a record is the order id as plain UTF-8 text: every reader can decode it, and a key's partition does not depend on a
schema id. Only the value is Avro.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, cast

from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Registry
from schemas.topics import ORDER_EVENTS

MAGIC = b"\0"
HEADER_BYTES = 5


def order_schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(resources.files("schemas").joinpath("avro/order_placed.avsc").read_text("utf-8"))
    return found


def find_schema_id(registry: Registry, schema: Mapping[str, Any], topic: str = ORDER_EVENTS.name, timeout_s: float = 10.0) -> int:
    """The id under which the registry knows exactly this schema for values of the topic.

    Raises UnavailableError when the registry does not answer or the subject is not there yet, C360Error when it knows the
    subject but not this schema. The call is "check if a schema is registered" of the Confluent API.
    """
    import requests

    subject = f"{topic}-value"
    try:
        url = f"{registry.url.rstrip('/')}/subjects/{subject}"
        reply = requests.post(url, json={"schema": json.dumps(schema)}, timeout=timeout_s, **registry.http())
    except requests.RequestException as error:
        raise UnavailableError(f"the schema registry at {registry.url} does not answer: {error}", "see `c360 logs registry`") from error
    if reply.status_code == 200:
        return int(reply.json()["id"])
    if reply.status_code >= 500 or _code(reply.text) == 40401:
        raise UnavailableError(f"the registry does not have {subject} yet: {reply.text[:200]}", "`c360 up` registers it")
    raise C360Error(f"the registry does not know our schema of {subject}: {reply.text[:200]}", "register it, see schemas/avro")


def _code(text: str) -> int:
    try:
        return int(json.loads(text)["error_code"])
    except (ValueError, KeyError, TypeError):
        return 0


def head(schema_id: int) -> bytes:
    """What a value begins with."""
    return MAGIC + schema_id.to_bytes(4, "big")


class OrderCodec:
    """Encodes order events with one schema id, decodes them whatever the id."""

    def __init__(self, schema: Mapping[str, Any], schema_id: int) -> None:
        import fastavro

        self.schema = dict(schema)
        self.schema_id = schema_id
        self._parsed = fastavro.parse_schema(dict(schema))
        self.head = head(schema_id)
        self._write, self._read = fastavro.schemaless_writer, fastavro.schemaless_reader

    def encode(self, event: Mapping[str, Any]) -> bytes:
        out = io.BytesIO()
        out.write(self.head)
        self._write(out, self._parsed, event)
        return out.getvalue()

    def is_whole(self, value: bytes) -> bool:
        """Whether a value of our schema is a whole event, and not a byte more."""
        stream = io.BytesIO(value[HEADER_BYTES:])
        try:
            self._read(stream, self._parsed, None)
        except Exception:  # fastavro raises whatever reading strange bytes raises
            return False
        return not stream.read(1)

    def decode(self, value: bytes) -> dict[str, Any]:
        """Decimals stay text; `event_ts` is an aware UTC datetime."""
        return cast("dict[str, Any]", self._read(io.BytesIO(value[HEADER_BYTES:]), self._parsed, None))


def key_of(order_id: str) -> bytes:
    return order_id.encode()
