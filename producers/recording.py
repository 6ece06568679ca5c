"""The file of recorded order events: ready to be sent, each with the time at which it was meant to be. Format 1.

Frames of zstandard with a checksum each, one after the other (`zstd -d` reads them). The first holds the header, a JSON object:

    {"format": 1, "kind": "order-recording", "count": ..., "blocks": ..., "span_us": ..., "first_us": <epoch>, "sha256": <of all blocks>,
     "origin": {...}, "schema": {...}}

Each further one is a block of at most 1,024 events in the order of their intended times; integers are little-endian, n is the count:

| bytes | what |
|---|---|
| 16 | `ORDR`, number of the block u32, n u32, length of the values u32 |
| 8 n | intended time i64, microseconds since the first event |
| 4 n | crc32 of the order id u32: which process sends it |
| 4 n | length of the value u32 |
| 2 n, 4 times | u16 offsets into the value: of the event id, of the order id, behind the order id, of the time |
| | the values, one behind the other |

A value is the record's value as the order producer writes it (five bytes of head, here zeros, then Avro), but that both ids begin with
room for a prefix, of a length that never changes. To re-stamp an event is to overwrite the prefix, the head and the time (eight bytes in
any year until 3111); nothing moves, nothing is encoded, and a block is done at once. To have the original back, the room is left out.
"""

from __future__ import annotations

import hashlib
import json
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import zstandard

from commerce360.errors import C360Error, ConfigError
from producers.wire import HEADER_BYTES

FORMAT = 1
KIND = "order-recording"
BLOCK = 1_024
LEVEL = 3
ROOM = b"L000000-0000-"
TIME_BYTES = 8
MAX_ID_BYTES = 1_000
TIMES_US = (1 << 48, (1 << 55) - 1)  # from December 1978 on, a time takes eight bytes
_HEAD = struct.Struct("<4sIII")
_WIDTH = 8 + 2 * 4 + 4 * 2  # bytes of an event besides its value
_MAGIC = b"ORDR"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_READ_BYTES = 1 << 18
_FIRST_FIELDS = (("event_id", "string"), ("order_id", "string"), ("customer_id", ["null", "long"]))
Ints = npt.NDArray[np.int64]


class Event(NamedTuple):
    """A value in pieces: without its head, `customer` and `tail` as Avro has them."""

    event_ts: int  # epoch microseconds
    event_id: bytes
    order_id: bytes
    customer: bytes
    tail: bytes

    def value(self, head: bytes) -> bytes:
        """The bytes that it was split from, under this head."""
        return b"".join(
            [
                *(head, long(len(self.event_id)), self.event_id, long(len(self.order_id)), self.order_id),
                *(self.customer, long(self.event_ts), self.tail),
            ]
        )


def long(number: int) -> bytes:
    """Avro's zigzag varint, in its shortest form."""
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    made = bytearray()
    while rest > 0x7F:
        made.append(rest & 0x7F | 0x80)
        rest >>= 7
    made.append(rest)
    return bytes(made)


def split(value: bytes) -> Event:
    """Raises ValueError for what is no order event, or cannot be put together again from its pieces."""
    try:
        event_id, at = _text(value, HEADER_BYTES)
        order_id, at = _text(value, at)
        branch, behind = _long(value, at)
        if branch not in (0, 1):
            raise ValueError("the customer is neither there nor missing")
        behind = _long(value, behind)[1] if branch else behind
        event_ts, end = _long(value, behind)
    except IndexError:
        raise ValueError("the value is too short") from None
    if not TIMES_US[0] <= event_ts <= TIMES_US[1]:
        raise ValueError("the time is before 1979 or after 3111")
    made = Event(event_ts, event_id, order_id, value[at:behind], value[end:])
    if made.value(value[:HEADER_BYTES]) != value:
        raise ValueError("a number is not in its shortest form")
    return made


def _text(value: bytes, at: int) -> tuple[bytes, int]:
    length, at = _long(value, at)
    if not 0 <= length <= MAX_ID_BYTES:
        raise ValueError(f"an id of {length:,} bytes")
    if at + length > len(value):
        raise IndexError
    return value[at : at + length], at + length


def _long(value: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while (byte := value[at]) & 0x80:
        found |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
    found |= byte << shift
    return (found >> 1) ^ -(found & 1), at + 1


def fits(schema: Mapping[str, Any]) -> bool:
    """Whether values begin with event id, order id, customer and time."""
    found = [(f["name"], f["type"]) for f in schema.get("fields", [])[:4]]
    return tuple(found[:3]) == _FIRST_FIELDS and found[3:] == [("event_ts", {"type": "long", "logicalType": "timestamp-micros"})]


@dataclass(frozen=True, slots=True)
class Block:
    """Events as arrays; all positions are in `data`."""

    data: bytes
    at_us: Ints
    hashes: Ints
    starts: Ints
    ends: Ints
    event_ids: Ints
    order_ids: Ints
    behind_ids: Ints
    times: Ints

    def __len__(self) -> int:
        return len(self.at_us)

    def only(self, chosen: npt.NDArray[np.bool_] | slice) -> Block:
        return Block(self.data, *(getattr(self, f.name)[chosen] for f in fields(self)[1:]))

    def stamped(self, head: bytes, prefix: bytes, times_us: Ints) -> tuple[list[bytes], list[bytes]]:
        """Keys and values under a new head, with new ids and times. `prefix` is as long as ROOM."""
        data = np.frombuffer(self.data, np.uint8).copy()
        _put(data, self.starts, np.frombuffer(head, np.uint8))
        for places in (self.event_ids, self.order_ids):
            _put(data, places, np.frombuffer(prefix, np.uint8))
        zigzag = times_us << 1
        times = np.empty((len(self), TIME_BYTES), np.uint8)
        for at in range(TIME_BYTES):
            times[:, at] = (zigzag >> 7 * at) & 0x7F | (0x80 if at < TIME_BYTES - 1 else 0)
        _put(data, self.times, times)
        return self._cut(data.tobytes())

    def _cut(self, data: bytes) -> tuple[list[bytes], list[bytes]]:
        keys = [data[a:b] for a, b in zip(self.order_ids.tolist(), self.behind_ids.tolist(), strict=True)]
        return keys, [data[a:b] for a, b in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]

    def as_recorded(self, head: bytes) -> tuple[list[bytes], list[bytes]]:
        """Keys and values as they were, but for the head."""
        room, data = len(ROOM), self.data
        keys, values = [], []
        for event, order, behind, end in zip(
            *(c.tolist() for c in (self.event_ids, self.order_ids, self.behind_ids, self.ends)), strict=True
        ):
            event_id = data[event + room : order - len(long(behind - order))]
            keys.append(data[order + room : behind])
            values.append(b"".join((head, long(len(event_id)), event_id, long(len(keys[-1])), data[order + room : end])))
        return keys, values


def _put(data: npt.NDArray[np.uint8], places: Ints, pieces: npt.NDArray[np.uint8]) -> None:
    """Overwrite as many bytes at each place as `pieces` is wide: one for all, or a row for each."""
    if not len(places):
        return
    width = pieces.shape[-1]
    each = np.ndarray((len(data) - width + 1,), f"V{width}", buffer=data.data, strides=(1,))
    each[places] = np.ascontiguousarray(pieces).view(f"V{width}").reshape(-1)


@dataclass(frozen=True, slots=True)
class Recording:
    """An opened file: its header."""

    path: Path
    count: int
    blocks: int
    span_us: int
    first_us: int
    sha256: str
    origin: dict[str, Any]
    schema: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Raises ConfigError for a file that is no recording, of another format or without events, C360Error for a damaged one."""
        with path.open("rb") as file:
            start = file.read(len(_ZSTD_MAGIC))
        if start != _ZSTD_MAGIC:
            raise ConfigError(f"{path} is " + ("no recording of order events" if start else "empty"), "make one with `c360 load record`")
        try:
            header = json.loads(next(_frames(path), b""))
        except ValueError:
            header = None
        if not isinstance(header, dict) or header.get("kind") != KIND:
            raise ConfigError(f"{path} is no recording of order events", "make one with `c360 load record`")
        if header.get("format") != FORMAT:
            raise ConfigError(
                f"{path} is a recording of format {header.get('format')}, this is {FORMAT}",
                "record it again with this version of commerce360",
            )
        if missing := [f.name for f in fields(cls)[1:] if f.name not in header]:
            raise C360Error(f"{path} is damaged: its header has no {missing[0]}", "record it again")
        made = cls(path, *(header[f.name] for f in fields(cls)[1:]))
        if not made.count:
            raise ConfigError(f"{path} holds no event", "record it again")
        return made

    @property
    def period_us(self) -> int:
        """How long it takes, and the usual time between two events: when it begins again if it is played again."""
        return self.span_us + max(1, self.span_us // max(1, self.count - 1))

    def read(self) -> Iterator[Block]:
        """The blocks in their order. Raises C360Error where the file is torn or damaged."""
        raw = islice(_frames(self.path), 1, None)
        count = 0
        for number in range(self.blocks):
            if (content := next(raw, None)) is None:
                raise _damaged(self.path, f"it ends {self.count - count:,} events too early")
            block = _parse(self.path, number, content)
            count += len(block)
            yield block
        if count != self.count or next(raw, None) is not None:
            raise _damaged(self.path, "it does not hold what its header says")

    def verify(self) -> Iterator[Block]:
        """As `read`, and at the end the whole is held against the header's digest. Nothing should be sent before."""
        digest = hashlib.sha256()
        for number, content in enumerate(islice(_frames(self.path), 1, None)):
            digest.update(content)
            yield _parse(self.path, number, content)
        if digest.hexdigest() != self.sha256:
            raise _damaged(self.path, "its content is not what was recorded: it is torn or changed")


def _damaged(path: Path, why: str) -> C360Error:
    return C360Error(f"{path} is damaged: {why}", "copy it again, or record it again")


def _frames(path: Path) -> Iterator[bytes]:
    """Each frame decompressed, its checksum checked before anything of it is handed out."""
    expand = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    frame, parts = expand.decompressobj(), list[bytes]()
    begun = False
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            while chunk:
                begun = True
                try:
                    parts.append(frame.decompress(chunk))
                except zstandard.ZstdError as error:
                    raise _damaged(path, str(error)) from error
                if not frame.eof:
                    break
                yield b"".join(parts)
                chunk, parts = frame.unused_data, []
                frame, begun = expand.decompressobj(), False
    if begun:
        raise _damaged(path, "it is torn")


def _parse(path: Path, number: int, content: bytes) -> Block:
    if len(content) < _HEAD.size:
        raise _damaged(path, f"block {number} is too short")
    magic, told, count, length = _HEAD.unpack_from(content)
    if magic != _MAGIC or told != number or len(content) != _HEAD.size + count * _WIDTH + length:
        raise _damaged(path, f"block {number} is not where it should be")
    at = _HEAD.size
    at_us = np.frombuffer(content, "<i8", count, at)
    hashes, lengths = np.frombuffer(content, "<u4", 2 * count, at + 8 * count).reshape(2, count)
    offsets = np.frombuffer(content, "<u2", 4 * count, at + 16 * count).reshape(4, count)
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - lengths
    return Block(content[at + _WIDTH * count :], at_us, hashes, starts, ends, *(starts + offsets))


def write(path: Path, events: Iterable[Event], schema: Mapping[str, Any], origin: Mapping[str, Any]) -> Recording:
    """Events in the order of their times. The same events, schema and origin give the same bytes (with one version of zstandard).

    The file appears when it is complete. Raises C360Error when there is no event, ValueError for one that is out of order.
    """
    digest, count, blocks, first_us, last_us = hashlib.sha256(), 0, 0, 0, 0
    squeeze = zstandard.ZstdCompressor(LEVEL, write_checksum=True).compress
    source = iter(events)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        body, part = Path(folder) / "body", Path(folder) / "whole"
        with body.open("wb") as out:
            while some := list(islice(source, BLOCK)):
                first_us = first_us or some[0].event_ts
                times = [last_us, *(e.event_ts for e in some)]
                if any(later < earlier for earlier, later in pairwise(times)):
                    raise ValueError("events are recorded in the order of their times")
                content = _block(blocks, some, first_us)
                digest.update(content)
                out.write(squeeze(content))
                blocks, count, last_us = blocks + 1, count + len(some), times[-1]
        if not count:
            raise C360Error("there is nothing to record", "see what the topic holds, or widen the times")
        header = {"format": FORMAT, "kind": KIND, "count": count, "blocks": blocks, "span_us": last_us - first_us, "first_us": first_us}
        header |= {"sha256": digest.hexdigest(), "origin": dict(origin), "schema": dict(schema)}
        with part.open("wb") as out, body.open("rb") as source_file:
            out.write(squeeze(json.dumps(header).encode()))
            while chunk := source_file.read(1 << 20):
                out.write(chunk)
        part.replace(path)
    return Recording.open(path)


def _block(number: int, events: list[Event], first_us: int) -> bytes:
    room, offsets, values = len(ROOM), [], []
    for event in events:
        with_room = event._replace(event_id=ROOM + event.event_id, order_id=ROOM + event.order_id)
        values.append(with_room.value(bytes(HEADER_BYTES)))
        event_at = HEADER_BYTES + len(long(len(with_room.event_id)))
        order_at = event_at + len(with_room.event_id) + len(long(len(with_room.order_id)))
        behind = order_at + room + len(event.order_id)
        offsets.append((event_at, order_at, behind, behind + len(event.customer)))
    data = b"".join(values)
    columns = [
        np.array([e.event_ts - first_us for e in events], "<i8"),
        np.array([zlib.crc32(e.order_id) for e in events], "<u4"),
        np.array([len(v) for v in values], "<u4"),
        *np.array(offsets, "<u2").T,
    ]
    return _HEAD.pack(_MAGIC, number, len(events), len(data)) + b"".join(c.tobytes() for c in columns) + data
