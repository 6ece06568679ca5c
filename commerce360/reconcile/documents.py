"""What a change event of MongoDB says, read in Python by the rules that `stream_jobs.silver` applies inside the JVM.

The two readers can judge differently where JSON is not plain: Spark also takes single quotes and a document with text behind its end,
and reads a few shapes of time that Python does not. Neither the connector nor the shop writes such events; one that came from elsewhere
can show as a difference of `dead_letters`. Spark knows years that Python does not, so a time is a number here until it is in range.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.behaviour import END_OF_TIME, FIRST_TIME, RATINGS
from schemas.tables import Column
from stream_jobs.entity import Record, RejectedError, Row
from stream_jobs.silver import Documents
from stream_jobs.values import EPOCH, INT_BITS, timestamp

CHANGES = ("insert", "update", "replace", "delete")
UINT32 = 2**32
YEAR = re.compile(r"([+-]?\d{4,6})(-.*)", re.DOTALL)
CYCLE_YEARS, CYCLE_US = 400, 146_097 * 86_400 * 10**6  # after which the calendar repeats itself
MICROSECOND = dt.timedelta(microseconds=1)


class Change(NamedTuple):
    """`row` has every column of the silver table but `batch_id`."""

    id: str
    is_delete: bool
    row: Row

    @property
    def order(self) -> tuple[int, int]:
        return (self.row["seq"], self.row["source_offset"])


def read(documents: Documents, record: Record, event: Mapping[str, Any]) -> Change | None:
    """None for an event that says nothing of a document. Raises RejectedError("undecodable" or "bad_value") as silver does."""
    op = event.get("operationType")
    if op is None:
        raise _undecodable("no operation")
    if op not in CHANGES:
        return None
    key, document = _id(event.get("documentKey")), _document(event.get("fullDocument"))
    values = {c.name: _fitted(c, document.get(c.name)) for c in documents.fields} if document is not None else {}
    at = _cluster_time(event.get("clusterTime"))
    if op != "delete" and document is None:
        return None  # deleted before the connector looked it up; the delete follows
    row = {
        **dict.fromkeys(c.name for c in documents.fields),
        **_meant(documents, values),
        documents.key: key,
        "seq": (at[0] << 32) | at[1] if at else 0,
        "source_offset": record.offset,
        "is_deleted": op == "delete",
        "event_ts": EPOCH + dt.timedelta(seconds=at[0]) if at else None,
        "kafka_ts": EPOCH + dt.timedelta(microseconds=record.timestamp_us),
        "origin": record.origin,
    }
    return Change(key, op == "delete", row)


def _undecodable(detail: str) -> RejectedError:
    return RejectedError("undecodable", detail)


def _json(text: Any, what: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError) as error:
        raise _undecodable(f"{what} is not JSON") from error


def _id(text: Any) -> str:
    found = _json(text, "documentKey")
    key = found.get("_id") if isinstance(found, dict) else None
    if key is None:
        raise _undecodable("documentKey has no _id")
    return _text(key)


def _document(text: Any) -> dict[str, Any] | None:
    if text is None:
        return None
    found = _json(text, "fullDocument")
    if not isinstance(found, dict):
        raise _undecodable("fullDocument is not a document")
    return found


def _cluster_time(text: Any) -> tuple[int, int] | None:
    """(seconds, counter); None for a document that was copied at the start."""
    if text is None:
        return None
    found = _json(text, "clusterTime")
    stamp = found.get("$timestamp") if isinstance(found, dict) else None
    parts = [p for p in (stamp.get("t"), stamp.get("i")) if type(p) is int and 0 <= p < UINT32] if isinstance(stamp, dict) else []
    if len(parts) != 2:
        raise _undecodable("clusterTime is no time of a cluster")
    return parts[0], parts[1]


def _fitted(column: Column, value: Any) -> Any:
    """The value as its column holds it, a time in microseconds. Spark writes whatever stands in a text column as text."""
    if value is None:
        return None
    if column.type == "string":
        return _text(value)
    if column.type == "timestamp":
        return _time(column, value)
    if type(value) is not int or not -(limit := 2 ** INT_BITS[column.type]) <= value < limit:
        raise _undecodable(f"{column.name} does not fit {column.type}")
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _time(column: Column, value: Any) -> int:
    """Microseconds since 1970. A whole number is seconds, and too many of them overflow: so Spark reads it."""
    if type(value) is int and -(2**63) <= value < 2**63:
        return (value * 10**6 + 2**63) % 2**64 - 2**63
    try:
        found = _micros(value)
    except (TypeError, ValueError) as error:
        raise _undecodable(f"{column.name} is not a time") from error
    if not -(2**63) <= found < 2**63:
        raise _undecodable(f"{column.name} is not a time")
    return found


def _micros(text: str) -> int:
    """Of a time in a year that Python does not know as well: years 400 apart have the same days."""
    parts = YEAR.fullmatch(text)
    year = int(parts[1]) if parts else 0
    like = 2000 + year % CYCLE_YEARS
    found = dt.datetime.fromisoformat(f"{like}{parts[2]}" if parts else text)
    found = found if found.tzinfo else found.replace(tzinfo=dt.UTC)  # the job's session is in UTC
    return (found - EPOCH) // MICROSECOND + ((year - like) // CYCLE_YEARS * CYCLE_US if parts else 0)


def _meant(documents: Documents, values: Mapping[str, Any]) -> Row:
    """The values, times as such. What cannot be meant is refused here, after all that is no document at all."""
    times = {c.name for c in documents.fields if c.type == "timestamp"}
    limits = dict.fromkeys(times, ((FIRST_TIME - EPOCH) // MICROSECOND, (END_OF_TIME - EPOCH) // MICROSECOND))
    limits["rating"] = (RATINGS[0], RATINGS[1] + 1)
    bad = [n for n, (least, end) in limits.items() if values.get(n) is not None and not least <= values[n] < end]
    if bad:
        raise RejectedError("bad_value", f"the document: {', '.join(sorted(bad))} out of range")
    return {n: timestamp(v) if n in times and v is not None else v for n, v in values.items()}
