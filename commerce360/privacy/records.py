"""Kafka records as bronze has them, without the person: decoded with the schema that they name, encoded again with the same one."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro

from commerce360.errors import C360Error
from commerce360.privacy.tokens import TOKEN, Tokens
from schemas import topics
from schemas.personal import KEPT, NAMING
from stream_jobs.entity import Record, RejectedError, Row
from stream_jobs.wire import HEADER_BYTES, Decoder, Schemas

IMAGES = ("before", "after")  # of a row, in Debezium's envelope
DOCUMENTS = ("fullDocument", "fullDocumentBeforeChange", "updatedFields")  # JSON texts, in an event of the MongoDB source connector
SHORT = 6  # texts that are shorter stand by chance in any bytes
BLANK = b"\xff"  # no Avro, and no text
CUSTOMER_ID = re.compile(rb'\\*"customer_id\\*"\s*:\s*(\d{1,19})\b')


@dataclass(frozen=True)
class Look:
    """A record and what could be decoded of it."""

    record: Record
    key: Row | None = None
    value: Row | None = None
    is_broken: bool = False  # its value cannot be decoded

    @property
    def document(self) -> str | None:
        """Names the document in all its records, also in those that do not say whose it is (a deletion)."""
        return (self.value or {}).get("documentKey")


class People:
    """The records of some customers. Raises UnavailableError when the registry does not answer."""

    def __init__(self, customer_ids: frozenset[int], tokens: Tokens, schemas: Schemas) -> None:
        self.customer_ids = customer_ids
        self.tokens = tokens
        self.names: set[str] = set()  # by which broken records are known as theirs
        self._schemas = schemas
        self._decoder = Decoder(schemas)
        self._parsed: dict[int, Any] = {}

    def look(self, record: Record) -> Look:
        key = None
        if record.topic == topics.CUSTOMERS.name:  # keys of documents are plain text
            try:
                key, _ = self._decoder.decode(record._replace(value=None))
            except RejectedError:
                key = None
        try:
            _, value = self._decoder.decode(record._replace(key=None))
        except RejectedError:
            return Look(record, key, is_broken=True)
        return Look(record, key, value)

    def owns(self, look: Look) -> bool:
        """Whether the record itself says that it is one of theirs."""
        if look.record.topic == topics.CUSTOMERS.name:
            images = [look.key, *((look.value or {}).get(i) for i in IMAGES)]
            return any(i is not None and self._is_theirs(i.get("customer_id")) for i in images)
        return any(self._is_theirs(found) for text in _texts(look.value or {}) for found in _customers(text))

    def note_names(self, look: Look) -> None:
        """Of a record of theirs: what broken records are looked through for."""
        value = look.value or {}
        for row in (*(value.get(i) for i in IMAGES), *map(_parsed, _texts(value))):
            found = [row.get(name) for name in NAMING] if isinstance(row, Mapping) else []
            self.names |= {t for t in found if isinstance(t, str) and len(t) >= SHORT and not TOKEN.fullmatch(t)}

    def stands_in(self, look: Look, documents: Collection[str]) -> bool:
        """Whether a broken record is one of theirs: by its key, or by what can be read in its bytes."""
        payload = look.record.value or b""
        if look.key is not None and self._is_theirs(look.key.get("customer_id")):
            return True
        if any(int(found) in self.customer_ids for found in CUSTOMER_ID.findall(payload)):
            return True
        return any(text.encode(errors="replace") in payload for text in (*self.names, *documents))

    def erased(self, look: Look) -> bytes | None:
        """The record's value without the person. Raises C360Error for a value that its schema cannot hold any more."""
        payload, value = look.record.value, look.value
        if payload is None or value is None:
            return payload
        kept = KEPT[look.record.topic]
        if look.record.topic == topics.CUSTOMERS.name:
            images = {i: value[i] for i in IMAGES if value.get(i) is not None}
            made = {**value, **{i: self.tokens.image(image, kept) for i, image in images.items()}}
        else:
            made = self._without_words(value, kept)
        return payload if made == value else self._encoded(payload, made)

    def blanked(self, payload: bytes | None) -> bytes | None:
        """Bytes that nobody can decode, for the same reason as before."""
        if payload is None:
            return None
        head = payload[:HEADER_BYTES] if payload[:1] == b"\0" else b""
        return head + BLANK * (len(payload) - len(head))

    def _is_theirs(self, customer_id: object) -> bool:
        return type(customer_id) is int and customer_id in self.customer_ids

    def _without_words(self, event: Mapping[str, Any], kept: frozenset[str]) -> Row:
        made: Row = {}
        for name, value in event.items():
            if name in DOCUMENTS and isinstance(value, str):
                made[name] = self.tokens.json(value, kept)
            else:
                made[name] = self._without_words(value, kept) if isinstance(value, dict) else value
        return made

    def _encoded(self, payload: bytes, value: Row) -> bytes:
        schema_id = int.from_bytes(payload[1:HEADER_BYTES], "big")
        if schema_id not in self._parsed:
            self._parsed[schema_id] = fastavro.parse_schema(dict(self._schemas(schema_id) or {}))
        out = io.BytesIO()
        out.write(payload[:HEADER_BYTES])
        try:
            fastavro.schemaless_writer(out, self._parsed[schema_id], value)
        except (ValueError, TypeError, OverflowError) as error:
            hint = "name the column in schemas/personal.py (KEPT) if it says nothing about a person"
            raise C360Error(f"schema {schema_id} cannot hold a replaced value: {type(error).__name__}", hint) from error
        return out.getvalue()


def _texts(event: Mapping[str, Any]) -> Iterator[str]:
    """Documents of a change event, as JSON texts."""
    for name, value in event.items():
        if isinstance(value, Mapping):
            yield from _texts(value)
        elif name in DOCUMENTS and isinstance(value, str):
            yield value


def _parsed(text: str) -> Row | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _customers(text: str) -> list[object]:
    """Whom a document names, also one that was cut off."""
    found = _parsed(text)
    return [found.get("customer_id")] if found is not None else [int(n) for n in CUSTOMER_ID.findall(text.encode(errors="replace"))]
