"""Captures: files of Kafka records as JSON Lines, and the history that follows from one. Anybody can make one and send it along.

One record a line: `{"topic", "partition", "offset", "timestamp", "key", "headers", "value"}`. Key and value are decoded to JSON: the full
Debezium envelope, or null for a tombstone. `timestamp` is in epoch milliseconds, as Kafka keeps it; `headers` are [name, text] pairs.
Read liberally: what Connect's JSON converter writes is taken too, with or without `schemas.enable`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from commerce360.errors import ConfigError
from stream_jobs import wire
from stream_jobs.entity import Record, RejectedError
from stream_jobs.scd2.change import canonical
from stream_jobs.scd2.history import History
from stream_jobs.scd2.roles import Roles
from stream_jobs.values import plain

HINT = 'a line is {"topic", "partition", "offset", "timestamp", "key", "headers", "value"}, as `c360 scd2 record` writes it'
WRAPPER = {"schema", "payload"}  # of the JSON converter with schemas.enable
TEXT_TYPES = frozenset({"text", "string", "varchar", "char", "character varying"})
Headers = tuple[tuple[str, str | None], ...]


class Captured(NamedTuple):
    """One line. `timestamp` in epoch milliseconds, None where a file has none; nothing depends on it."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    key: Any
    headers: Headers
    value: Any


class _LineError(Exception):
    pass


def read(path: Path, topic: str | None = None) -> list[Captured]:
    """The records of one topic. Raises ConfigError: a bad line with its number, several topics and none chosen, none of `topic`."""
    found = list(_lines(path))
    topics = sorted({record.topic for record in found})
    if topic is None:
        if len(topics) > 1:
            raise ConfigError(f"{path} holds {len(topics)} topics: {', '.join(topics)}", "choose one with --topic")
        return found
    if topic not in topics:
        raise ConfigError(f"{path} holds no record of {topic}", f"it holds {', '.join(topics) or 'no record at all'}")
    return [record for record in found if record.topic == topic]


def write(records: Iterable[Captured], out: IO[str]) -> int:
    """One line a record, as they come; how many."""
    count = 0
    for record in records:
        line = {**record._asdict(), "headers": [list(pair) for pair in record.headers]}
        out.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def fold(records: Iterable[Captured], roles: Roles, types: Mapping[str, str] | None = None) -> dict[str, list[dict[str, Any]]]:
    """`{"rows": [...], "rejected": [...]}` (R19, R5): the same whatever the order or repetition of the records.

    `types` may say which columns hold text, see `wire.raw_change`. A record that is no envelope is `undecodable`, and named by its place.
    """
    history, broken = History(roles), {}
    texts = frozenset(c for c, kind in (types or {}).items() if kind.lower() in TEXT_TYPES)
    for record in records:
        try:
            change = change_of(record, roles, texts)
        except RejectedError as error:
            broken[record[:3]] = _rejected(record, error.reason)
            continue
        if change is not None:
            history.apply([change])
    rows = sorted(history.rows(), key=lambda row: _order(row, roles.key))
    return {"rows": rows, "rejected": sorted([*history.rejections(), *broken.values()], key=canonical)}


def change_of(record: Captured, roles: Roles, texts: frozenset[str] = frozenset()) -> dict[str, Any] | None:
    """The record as a raw change (R2), None for a tombstone. Raises RejectedError(undecodable) for what is no envelope."""
    key, envelope = record.key, record.value
    if envelope is None:
        return None
    problem = _shape_problem(key, envelope) or _text_problem([key, envelope])
    if problem:
        raise RejectedError("undecodable", problem)
    headers = tuple((name, None if text is None else text.encode()) for name, text in record.headers)
    kafka = Record(record.topic, record.partition, record.offset, (record.timestamp or 0) * 1000, None, None, headers)
    try:
        change = wire.raw_change(kafka, key, envelope, roles.key, texts)
    except RejectedError:  # no position; another reason may come first (R5), which is not ours to judge
        change = wire.unplaced_change(kafka, key, envelope, roles.key, texts)
    parts = [*(change["key"] or []), *(part for link in change["link"].values() for part in link)]
    if any(isinstance(part, dict | list) for part in parts):
        raise RejectedError("undecodable", "a part of the key is no plain value")
    return change


def decoded(record: Record, decoder: wire.Decoder) -> Captured:
    """A record of the broker as a line: Avro by the registry, else JSON, else text, else base64. Raises UnavailableError.

    What JSON lacks becomes text: bytes in base64, exact numbers, times in ISO 8601. What is neither Avro nor JSON is kept as text too, so
    that a replay can reject it and nothing is lost.
    """
    headers = tuple((name, None if value is None else value.decode(errors="replace")) for name, value in record.headers)
    key = _decoded(record._replace(value=None, topic=""), 0, decoder)  # without its topic, whose keys may not be Avro
    value = _decoded(record._replace(key=None), 1, decoder)
    return Captured(record.topic, record.partition, record.offset, record.timestamp_us // 1000, key, headers, value)


def _decoded(record: Record, part: int, decoder: wire.Decoder) -> Any:
    payload = record.key if part == 0 else record.value
    if payload is None:
        return None
    try:
        return json.loads(json.dumps(plain(decoder.decode(record)[part])), parse_constant=str)  # "NaN", as Connect writes it
    except RejectedError:
        pass
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode()
    try:
        return _parsed(text)
    except (ValueError, RecursionError):
        return text


def _lines(path: Path) -> Iterator[Captured]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield _record(_parsed(line.decode("utf-8-sig" if number == 1 else "utf-8")))
            except (_LineError, ValueError, RecursionError) as error:
                what = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
                raise ConfigError(f"{path}, line {number} is no Kafka record: {what}", HINT) from error


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _record(raw: Any) -> Captured:
    if not isinstance(raw, dict):
        raise _LineError("it is not an object")
    if missing := [name for name in ("topic", "partition", "offset", "value") if name not in raw]:
        raise _LineError(f"it has no {', '.join(missing)}")
    if not isinstance(raw["topic"], str) or not all(type(raw[name]) is int for name in ("partition", "offset")):
        raise _LineError("topic must be text, partition and offset whole numbers")
    timestamp = raw.get("timestamp")
    if timestamp is not None and type(timestamp) is not int:
        raise _LineError("timestamp must be a whole number of milliseconds")
    key, value = _unwrapped(raw.get("key")), _unwrapped(raw["value"])
    return Captured(raw["topic"], raw["partition"], raw["offset"], timestamp, key, _headers(raw.get("headers")), value)


def _unwrapped(part: Any) -> Any:
    """Without the schema that the JSON converter puts beside it; JSON that stands in a text is read."""
    if isinstance(part, str) and part.lstrip().startswith("{"):
        try:
            part = _parsed(part)
        except (ValueError, RecursionError):
            return part
    return part["payload"] if isinstance(part, dict) and part.keys() == WRAPPER else part


def _headers(raw: Any) -> Headers:
    pairs = list(raw.items()) if isinstance(raw, dict) else raw or []
    if not isinstance(pairs, list) or any(not isinstance(p, list | tuple) or len(p) != 2 or not isinstance(p[0], str) for p in pairs):
        raise _LineError("headers must be [name, text] pairs")
    return tuple((name, value if value is None or isinstance(value, str) else json.dumps(value)) for name, value in pairs)


def _shape_problem(key: Any, envelope: Any) -> str:
    if not isinstance(envelope, dict) or not isinstance(envelope.get("source"), dict) or envelope.get("op") is None:
        return "the value is no envelope: it needs source and op"
    if not isinstance(envelope.get("after"), dict | None):
        return "after is no row"
    return "" if isinstance(key, dict | None) else "the key is no object"


def _text_problem(value: Any) -> str:
    """Texts that are no Unicode, and numbers beyond a float, have no place in a table nor in its JSON."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        return f"it holds what cannot be written: {type(error).__name__}"
    return ""


def _rejected(record: Captured, reason: str) -> dict[str, Any]:
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    return {"reason": reason, "op": None, "key": None, "seq": None, **place}


def _order(row: Mapping[str, Any], key: tuple[str, ...]) -> tuple[Any, ...]:
    return (*((type(row[c]).__name__, row[c]) for c in key), row["valid_from"])
