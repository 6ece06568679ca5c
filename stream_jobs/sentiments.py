"""What a model said of a text: records of the scorer, one row for each text, language, model and version of it.

A scorer that was killed may say the same again, or say it at another time: of several the last one counts that is no error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from schemas import behaviour
from schemas.columns import Table
from schemas.topics import SENTIMENT
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, Rejection, Row
from stream_jobs.scd2.change import LAST_TS
from stream_jobs.values import EPOCH, fitted, timestamp

ONE = Decimal(1)
DIGITS = Decimal("0.0001")
TEXTS = ("text_hash", "language", "model", "model_version", "label", "error")
NEEDED = TEXTS[:4]


class Sentiments:
    table = behaviour.SENTIMENTS
    topics = frozenset({SENTIMENT.name})

    def read(self, record: Record, key: Mapping[str, Any] | None, value: Mapping[str, Any] | None) -> list[Contribution]:
        """Payload: the row without `batch_id`."""
        if value is None:
            return []
        row: Row = {name: fitted("string", value[name]) for name in TEXTS}
        if missing := [name for name in NEEDED if row[name] is None]:
            raise RejectedError("null_key", f"{', '.join(missing)} is missing")
        micros = value["scored_at"] if isinstance(value["scored_at"], int) else (value["scored_at"] - EPOCH) // (timestamp(1) - EPOCH)
        if not 0 <= micros < LAST_TS:
            raise RejectedError("bad_ts", record.topic)
        row |= {"score": _score(value["score"]), "truncated": bool(value["truncated"]), "scored_at": timestamp(micros)}
        row |= {"event_ts": row["scored_at"], "kafka_ts": timestamp(record.timestamp_us), "origin": record.origin}
        return [Contribution((row["text_hash"], row["language"]), row, record)]

    def fold(self, key: Key, stored: Sequence[Row], new: Sequence[Contribution]) -> tuple[list[Row], list[Rejection]]:
        newest: dict[tuple[str, str], Row] = {}
        for row in (*stored, *(c.payload for c in new)):
            place = (row["model"], row["model_version"])
            known = newest.get(place)
            if known is None or _rank(row) > _rank(known):  # of equal ones the first stays: it says where the row came from
                newest[place] = row
        return [newest[place] for place in sorted(newest)], []

    def key_of(self, row: Row) -> Key:
        return (row["text_hash"], row["language"])

    def shared(self, key: Key) -> Key | None:
        return None

    def over(self, table: Table) -> Entity:
        return self


def _score(text: Any) -> Decimal | None:
    if text is None:
        return None
    try:
        score = Decimal(text)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise RejectedError("bad_value", f"score {text!r} is no number") from error
    if not score.is_finite() or abs(score) > ONE or score != score.quantize(DIGITS):
        raise RejectedError("bad_value", f"score {text!r} is not between -1 and 1 with four digits")
    return score.quantize(DIGITS)


def _rank(row: Row) -> tuple[Any, ...]:
    return (row["error"] is None, row["scored_at"], str(row["score"]), str(row["label"]), str(row["error"]), bool(row["truncated"]))


SENTIMENTS = Sentiments()
