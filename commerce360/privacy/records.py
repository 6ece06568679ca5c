"""Kafka records as bronze has them, without the person: decoded with the schema that they name, encoded again with the same one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import fastavro

from commerce360.privacy.tokens import Tokens
from schemas import topics
from schemas.personal import KEPT
from stream_jobs.entity import Record, RejectedError
from stream_jobs.wire import HEADER_BYTES, Decoder, Schemas

IMAGES = ("before", "after")  # of a row, in Debezium's envelope
DOCUMENTS = ("fullDocument", "fullDocumentBeforeChange", "updatedFields")  # JSON texts, in an event of the MongoDB source connector
SHORT = 4  # texts that are shorter stand by chance in any bytes
BLANK = b"\xff"  # no Avro, and no text


class People:
    """The records of some customers. Raises UnavailableError when the registry does not answer."""

    def __init__(self, customer_ids: frozenset[int], tokens: Tokens, schemas: Schemas) -> None:
        self.customer_ids = customer_ids
        self.tokens = tokens
        self._schemas = schemas
        self._decoder = Decoder(schemas)
        self._parsed: dict[int, Any] = {}

    def key_of(self, record: Record) -> str | None:
        """Names the document in all its records, also in those that do not say whose it is (a deletion)."""
        try:
            _, event = self._decoder.decode(record._replace(key=None))
        except RejectedError:
            return None
        return None if event is None else event.get("documentKey")

    def owns(self, record: Record) -> bool:
        """Whether the record itself says that it is one of theirs."""
        try:
            key, value = self._decoder.decode(record if record.topic == topics.CUSTOMERS.name else record._replace(key=None))
        except RejectedError:
            return False
        if record.topic == topics.CUSTOMERS.name:
            images = [key, *((value or {}).get(i) for i in IMAGES)]
            return any(i is not None and i.get("customer_id") in self.customer_ids for i in images)
        return any(d.get("customer_id") in self.customer_ids for d in _documents(value or {}))

    def erased(self, record: Record) -> bytes | None:
        """The record's value without the person's words. Raises RejectedError for one that cannot be decoded."""
        payload = record.value
        if payload is None:
            return None
        _, value = self._decoder.decode(record._replace(key=None))
        kept, found = KEPT[record.topic], value or {}
        if record.topic == topics.CUSTOMERS.name:
            made = {**found, **{i: self.tokens.row(found[i], kept) for i in IMAGES if found.get(i) is not None}}
        else:
            made = self._without_words(found, kept)
        return payload if made == found else self._encoded(payload, made)

    def blanked(self, payload: bytes | None) -> bytes | None:
        """Bytes that nobody can decode, if one of the person's words stands in them: then only what says why they cannot be is kept."""
        if payload is None or not any(len(text) >= SHORT and text.encode(errors="replace") in payload for text in self.tokens.made):
            return payload
        return payload[:HEADER_BYTES] + BLANK * (len(payload) - HEADER_BYTES)

    def _without_words(self, event: dict[str, Any], kept: frozenset[str]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, value in event.items():
            if name in DOCUMENTS and isinstance(value, str):
                made[name] = self.tokens.json(value, kept)
            else:
                made[name] = self._without_words(value, kept) if isinstance(value, dict) else value
        return made

    def _encoded(self, payload: bytes, value: Mapping[str, Any]) -> bytes:
        schema_id = int.from_bytes(payload[1:HEADER_BYTES], "big")
        if schema_id not in self._parsed:
            self._parsed[schema_id] = fastavro.parse_schema(dict(self._schemas(schema_id) or {}))
        out = io.BytesIO()
        out.write(payload[:HEADER_BYTES])
        fastavro.schemaless_writer(out, self._parsed[schema_id], value)
        return out.getvalue()


def _documents(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, value in event.items():
        if isinstance(value, Mapping):
            found += _documents(value)
        elif name in DOCUMENTS and isinstance(value, str):
            try:
                document = json.loads(value)
            except (ValueError, RecursionError):
                continue
            found += [document] if isinstance(document, dict) else []
    return found
