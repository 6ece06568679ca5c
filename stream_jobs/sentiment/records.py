"""An answer as a record of `ai.shop.sentiment`: the registry's wire format around Avro, the text hash as the plain key."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

import fastavro
import requests

from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Registry
from schemas.topics import SENTIMENT
from stream_jobs.values import EPOCH

MAGIC = b"\0"
SUBJECT = f"{SENTIMENT.name}-value"
MICROSECOND = dt.timedelta(microseconds=1)


class Answer(NamedTuple):
    """The fields of `review_sentiment.avsc`, in their order. `scored_at` is epoch microseconds."""

    text_hash: str
    language: str
    model: str
    model_version: str
    label: str | None
    score: str | None
    error: str | None
    truncated: bool
    scored_at: int

    @property
    def text_key(self) -> tuple[str, str]:
        return (self.text_hash, self.language)

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.text_hash, self.language, self.model, self.model_version)

    @classmethod
    def of_record(cls, value: Mapping[str, Any]) -> Answer:
        """Of a decoded record. Raises KeyError and TypeError for one that somebody else wrote in another shape."""
        at = value["scored_at"]
        return cls(**{**{f: value[f] for f in cls._fields}, "scored_at": at if isinstance(at, int) else (at - EPOCH) // MICROSECOND})


def schema() -> dict[str, Any]:
    text = resources.files("schemas").joinpath(f"avro/{SENTIMENT.entity}.avsc").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def find_schema_id(registry: Registry, timeout_s: float = 10.0) -> int:
    """The id under which the registry knows exactly our schema.

    Raises UnavailableError when it does not answer or does not have the subject yet, C360Error when it has another schema of it.
    """
    try:
        url = f"{registry.url.rstrip('/')}/subjects/{SUBJECT}"
        reply = requests.post(url, json={"schema": json.dumps(schema())}, timeout=timeout_s, **registry.http())
        told = reply.json() if reply.content else {}
    except (requests.RequestException, ValueError) as error:
        raise UnavailableError(f"the schema registry at {registry.url} does not answer", "see `c360 logs registry`") from error
    if reply.status_code == 200:
        return int(told["id"])
    if reply.status_code >= 500 or told.get("error_code") == 40401:
        raise UnavailableError(f"the registry does not have {SUBJECT} yet", "`c360 up` registers it")
    raise C360Error(f"the registry does not know our schema of {SUBJECT}", f"register schemas/avro/{SENTIMENT.entity}.avsc")


class Codec:
    """Encodes with one schema id. Decoding is `stream_jobs.wire.Decoder`'s, whatever the id."""

    def __init__(self, schema_id: int) -> None:
        self._parsed = fastavro.parse_schema(schema())
        self._head = MAGIC + schema_id.to_bytes(4, "big")

    def encode(self, answer: Answer) -> bytes:
        out = io.BytesIO()
        out.write(self._head)
        fastavro.schemaless_writer(out, self._parsed, answer._asdict())
        return out.getvalue()
