"""The text in a change event of `web.shop.reviews`, by the rules of `stream_jobs.silver`: equal events give equal hashes there."""

from __future__ import annotations

import json
from typing import Any

from stream_jobs.entity import Record, RejectedError
from stream_jobs.sentiment.text import Text
from stream_jobs.wire import Decoder

SAYING = ("insert", "update", "replace")


def text_of(decoder: Decoder, record: Record) -> Text | None:
    """None for what says no text: a tombstone, a deletion, a change whose document was gone when it was looked up.

    Raises RejectedError for what the lake job dead-letters as well, UnavailableError when the registry does not answer.
    """
    _, event = decoder.decode(record._replace(key=None))  # silver looks at no key either
    if event is None or event.get("operationType") not in SAYING or event.get("fullDocument") is None:
        return None
    try:
        document = json.loads(event["fullDocument"], parse_float=_Digits)
    except (TypeError, ValueError, RecursionError) as error:
        raise RejectedError("undecodable", "fullDocument is not JSON") from error
    if not isinstance(document, dict):
        raise RejectedError("undecodable", "fullDocument is not a document")
    return Text.of(*(_as_text(document.get(name)) for name in ("title", "body", "language")))


class _Digits(str):
    """A number with a fraction as it stands in the document: the connector wrote it as Spark would, Python would not."""


def _as_text(value: Any) -> str | None:
    """Spark writes whatever stands in a text column as text."""
    return value if value is None or isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    if isinstance(value, _Digits):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(name)}:{_json(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
