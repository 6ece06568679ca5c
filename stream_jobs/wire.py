"""From the bytes of a Kafka record to values: the registry's wire format, Debezium's envelope, and the order of changes.

Wire format (Confluent): a zero byte, the schema id in four bytes, the Avro binary. Sequence rule: measured on Debezium 3.7 with
pgoutput; see `sequence`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

import fastavro
import requests
import stamina

from commerce360.errors import UnavailableError
from commerce360.settings import Registry
from schemas.topics import BY_NAME, PLAIN_KEYS
from stream_jobs.entity import Record, RejectedError

HEADER_BYTES = 5
PLACEHOLDER = "__debezium_unavailable_value"
# What Debezium 3.7 sends in its place, by the type of the column (`UnchangedToastedPlaceholder`; seen in tests/captures/toast*):
_BYTES = PLACEHOLDER.encode()
_BASE64 = base64.b64encode(_BYTES).decode()
_UUID = str(uuid.UUID(bytes=hashlib.md5(_BYTES, usedforsecurity=False).digest(), version=3))
UNAVAILABLE: tuple[Any, ...] = (
    _BYTES,  # bytea
    [PLACEHOLDER],  # text[], varchar[], json[], jsonb[]
    [_BYTES],  # bytea[]
    [_BASE64],
    list(_BYTES),  # integer[], bigint[], date[]: the codes of its letters
    [_UUID],  # uuid[]: the UUID of that name
    {PLACEHOLDER: PLACEHOLDER},  # hstore as a map
)
UNAVAILABLE_TEXTS = frozenset({_BASE64, json.dumps({PLACEHOLDER: PLACEHOLDER}, separators=(",", ":"))})  # bytea in JSON; hstore as JSON
Schemas = Callable[[int], Mapping[str, Any] | None]
MAX_MISSES, MISSES_S = 50, 10.0  # garbage can name any schema id: how many unknown ones are asked for in how many seconds
STRUCT = re.compile(r"^Struct\{(.*)\}$", re.DOTALL)


class RegistrySchemas:
    """Writer schemas by id from a Confluent-compatible registry; None for an id that it does not know.

    Known ids are kept for good (an id never changes its schema). Raises UnavailableError when the registry does not answer.
    Ids beyond a signed integer cannot be; what a registry answers to one of them is not defined, so none is asked for. In a flood of
    unknown ids the registry is no longer asked: a batch of garbage must not take minutes.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.url = registry.url.rstrip("/")
        self.known: dict[int, Mapping[str, Any]] = {}
        self._missed: deque[float] = deque(maxlen=MAX_MISSES)

    def __call__(self, schema_id: int) -> Mapping[str, Any] | None:
        if schema_id not in self.known:
            if schema_id >= 2**31 or self._is_flooded():
                return None
            text = self._fetch(schema_id)
            if text is None:
                self._missed.append(time.monotonic())
                return None
            self.known[schema_id] = _schema(text)
        return self.known[schema_id]

    def _is_flooded(self) -> bool:
        return len(self._missed) == MAX_MISSES and time.monotonic() - self._missed[0] < MISSES_S

    @stamina.retry(on=UnavailableError, attempts=20, wait_initial=0.2, wait_max=3.0, timeout=60.0)
    def _fetch(self, schema_id: int) -> str | None:
        try:
            reply = requests.get(f"{self.url}/schemas/ids/{schema_id}", timeout=10, **self.registry.http())
        except requests.RequestException as error:
            raise UnavailableError(f"the schema registry at {self.url} does not answer", "see `c360 status`") from error
        if reply.status_code == 404:
            return None
        if not reply.ok:
            raise UnavailableError(f"the schema registry answered {reply.status_code}", "see `c360 logs registry`")
        return str(reply.json()["schema"])


def _schema(text: str) -> Mapping[str, Any]:
    """A registry holds other things than records too: texts, unions, schemas that are not Avro. Nothing can be read with them."""
    try:
        found = json.loads(text)
    except ValueError:
        return {"type": "not Avro"}
    return found if isinstance(found, dict) else {"type": found}


def _parse(schema_id: int, schema: Mapping[str, Any]) -> Any:
    try:
        return fastavro.parse_schema(dict(schema))
    except Exception as error:  # fastavro raises whatever the schema makes it stumble over
        raise RejectedError("undecodable", f"schema {schema_id} is not one of Avro: {type(error).__name__}") from error


class Decoder:
    """Decodes keys and values of records with the schemas that they name."""

    def __init__(self, schema_of: Schemas) -> None:
        self.schema_of = schema_of
        self._parsed: dict[int, Any] = {}

    def decode(self, record: Record) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """(key, value), None where the record has none. Raises RejectedError: bad_magic, unknown_schema or undecodable."""
        key = record.key
        if (topic := BY_NAME.get(record.topic)) and topic.system in PLAIN_KEYS:
            key = None  # plain text, and the value repeats it
        return self._part(key, "key"), self._part(record.value, "value")

    def _part(self, payload: bytes | None, part: str) -> dict[str, Any] | None:
        if payload is None:
            return None
        if len(payload) < HEADER_BYTES or payload[0] != 0:
            raise RejectedError("bad_magic", f"the {part} is not in the registry's wire format")
        schema_id = int.from_bytes(payload[1:HEADER_BYTES], "big")
        schema = self._parsed.get(schema_id)
        if schema is None:
            found = self.schema_of(schema_id)
            if found is None:
                raise RejectedError("unknown_schema", f"the {part} names schema {schema_id}")
            schema = self._parsed[schema_id] = _parse(schema_id, found)
        stream = io.BytesIO(payload[HEADER_BYTES:])
        try:
            value = fastavro.schemaless_reader(stream, schema, None)
        except Exception as error:  # fastavro raises whatever the bytes make it stumble over
            raise RejectedError("undecodable", f"the {part}: {type(error).__name__}") from error
        if stream.tell() != len(payload) - HEADER_BYTES:
            raise RejectedError("undecodable", f"the {part} has bytes behind its end")
        if not isinstance(value, dict):
            raise RejectedError("undecodable", f"the {part} is not a record")
        return value


def sequence(source: Mapping[str, Any], op: str) -> tuple[int, int]:
    """(position, ordinal) of a change: for one key, their order is the commit order.

    The row LSN alone is not: an INSERT is logged before it waits at a unique index. `source.sequence[0]` is the end of the last
    commit before this transaction; a later transaction has a larger one than every position of an earlier one.
    Raises RejectedError(null_seq) when the source says no position.
    """
    try:
        previous = int((json.loads(source.get("sequence") or "[null]") or [None])[0] or 0)
        if op == "r":
            pair = (previous, 0) if source.get("snapshot") == "incremental" else (int(source["lsn"]), 0)
        else:
            pair = (max(previous, int(source["lsn"])), int(source["lsn"]))
        if max(pair) >= 2**63:
            raise ValueError("no position is that large")
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError) as error:
        raise RejectedError("null_seq", "the record has no usable source position") from error
    return pair


def raw_change(
    record: Record,
    key: Mapping[str, Any] | None,
    envelope: Mapping[str, Any],
    columns: tuple[str, ...],
    texts: Collection[str] = (),
) -> dict[str, Any]:
    """A Debezium envelope as a change of the SCD2 rules (R2): op, key, seq, ts, after, link. Not checked here.

    In `after`, whatever Debezium sends for an unchanged large value is `PLACEHOLDER`, whichever type the column has (R9). For bytea in
    JSON that is a base64 text, which a column of text could hold as a value of its own: `texts` names columns that are known to be
    text, where it is kept. Elsewhere it is taken for what it nearly always is. Raises RejectedError(null_seq).
    """
    seq = list(sequence(envelope["source"], envelope["op"]))
    return {**unplaced_change(record, key, envelope, columns, texts), "seq": seq}


def unplaced_change(
    record: Record,
    key: Mapping[str, Any] | None,
    envelope: Mapping[str, Any],
    columns: tuple[str, ...],
    texts: Collection[str] = (),
) -> dict[str, Any]:
    """As `raw_change`, for an envelope without a position: its `seq` is None."""
    after = envelope.get("after")
    return {
        "op": envelope["op"],
        "key": None if key is None else [key.get(c) for c in columns],
        "seq": None,
        "ts": envelope["source"].get("ts_us"),
        "after": None if after is None else {c: PLACEHOLDER if _is_unavailable(v, c in texts) else v for c, v in after.items()},
        "link": _links(record, key or {}, columns),
    }


def _is_unavailable(value: Any, is_text: bool) -> bool:
    if isinstance(value, str):
        return not is_text and value in UNAVAILABLE_TEXTS
    return isinstance(value, bytes | list | dict) and value in UNAVAILABLE


def _links(record: Record, key: Mapping[str, Any], columns: tuple[str, ...]) -> dict[str, list[Any]]:
    """The other key of a move, its parts of the types that the record's own key has: a text of digits stays a text."""
    found = {}
    for name, text in record.headers:
        if name in ("__debezium.newkey", "__debezium.oldkey") and text is not None:
            values = _header_struct(text.decode(), key or dict.fromkeys(columns))
            found[name.removeprefix("__debezium.").replace("key", "_key")] = [values.get(c) for c in columns]
    return found


def _header_struct(text: str, key: Mapping[str, Any]) -> dict[str, Any]:
    """Connect writes a struct in a header as JSON, or as `Struct{a=1,b=2}` where it has no schema for it."""
    if found := STRUCT.match(text):
        parts = re.split(rf"(?:^|,)({'|'.join(map(re.escape, key))})=", found[1])
        return {name: _typed(value, key[name]) for name, value in zip(parts[1::2], parts[2::2], strict=True)}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if isinstance(values, dict) and values.keys() == {"schema", "payload"}:  # the JSON converter with schemas.enable
        values = values["payload"]
    return values if isinstance(values, dict) else {}


def _typed(text: str, like: Any) -> Any:
    return int(text) if not isinstance(like, str) and re.fullmatch(r"-?\d{1,19}", text) else text
