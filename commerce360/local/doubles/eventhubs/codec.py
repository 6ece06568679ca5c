"""AMQP 1.0 values as bytes and back (OASIS AMQP 1.0, part 1, "Types").

Bytes come from a socket: whatever they are, decoding ends with a value or a MalformedError, in time and memory of their order.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

MAX_DEPTH = 32


class MalformedError(ValueError):
    """These bytes are no AMQP."""


class Symbol(str):
    """Text of a known vocabulary."""


class UByte(int): ...


class UShort(int): ...


class UInt(int): ...


class ULong(int): ...


class Timestamp(int):
    """Milliseconds since the epoch."""


class Symbols(tuple[str, ...]):
    """An array of symbols."""


class Strings(tuple[str, ...]):
    """An array of strings."""


class Described(NamedTuple):
    code: int | str
    value: Any


CONSTANTS = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0}
FIXED = {
    code: (struct.Struct(form), made)
    for code, form, made in (
        (0x50, ">B", int),
        (0x51, ">b", int),
        (0x52, ">B", int),
        (0x53, ">B", int),
        (0x54, ">b", int),
        (0x55, ">b", int),
        (0x56, ">?", bool),
        (0x60, ">H", int),
        (0x61, ">h", int),
        (0x70, ">I", int),
        (0x71, ">i", int),
        (0x72, ">f", float),
        (0x73, ">I", chr),
        (0x80, ">Q", int),
        (0x81, ">q", int),
        (0x82, ">d", float),
        (0x83, ">q", Timestamp),
        (0x98, ">16s", lambda raw: uuid.UUID(bytes=raw)),
    )
}
VARIABLE: dict[int, Callable[[bytes], Any]] = {0: bytes, 1: lambda raw: raw.decode(), 3: lambda raw: Symbol(raw.decode("ascii"))}
FIXED_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
ONE, FOUR, FOUR_FOUR = struct.Struct(">B"), struct.Struct(">I"), struct.Struct(">II")


def decode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends. Raises MalformedError."""
    try:
        return _value(data, at, 0)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError, OverflowError, TypeError) as error:
        raise MalformedError(str(error)) from error


def skip(data: bytes, at: int) -> int:
    """Where the value that begins at `at` ends: the high half of a type's code says how long it is."""
    try:
        while data[at] == 0:
            at = skip(data, at + 1)
        code, at = data[at], at + 1
        width = FIXED_WIDTHS.get(code >> 4)
        if width is None:
            width = 1 + data[at] if code >> 4 in (0xA, 0xC, 0xE) else 4 + FOUR.unpack_from(data, at)[0]
    except (IndexError, struct.error, RecursionError) as error:
        raise MalformedError(str(error)) from error
    if at + width > len(data):
        raise MalformedError("a value is longer than what holds it")
    return at + width


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise MalformedError("values in values without end")
    code = data[at]
    if code == 0:
        descriptor, at = _value(data, at + 1, depth + 1)
        value, at = _value(data, at, depth + 1)
        return Described(descriptor, value), at
    return _plain(code, data, at + 1, depth)


def _plain(code: int, data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if code in CONSTANTS:
        return CONSTANTS[code], at
    if code in FIXED:
        form, made = FIXED[code]
        return made(form.unpack_from(data, at)[0]), at + form.size
    kind = code >> 4
    if kind in (0xA, 0xB):
        width = ONE if kind == 0xA else FOUR
        start = at + width.size
        end = start + width.unpack_from(data, at)[0]
        if end > len(data) or code & 0xF not in VARIABLE:
            raise MalformedError(f"type 0x{code:02x}")
        return VARIABLE[code & 0xF](bytes(data[start:end])), end
    if code == 0x45:
        return [], at
    return _compound(code, data, at, depth)


def _compound(code: int, data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """Lists (C0, D0), maps (C1, D1), arrays (E0, F0): size, count, items."""
    if code not in (0xC0, 0xC1, 0xD0, 0xD1, 0xE0, 0xF0):
        raise MalformedError(f"type 0x{code:02x}")
    if code & 0x10:
        size, count = FOUR_FOUR.unpack_from(data, at)
        end, at = at + 4 + size, at + 8
    else:
        size, count = data[at], data[at + 1]
        end, at = at + 1 + size, at + 2
    if end > len(data) or at + count > end:  # an item has a byte at least; items of no bytes, in an array, are not taken
        raise MalformedError("more items than bytes")
    if code in (0xE0, 0xF0):
        return _array(data, at, count, end, depth), end
    items = []
    for _ in range(count):
        item, at = _value(data, at, depth + 1)
        items.append(item)
    if at != end:
        raise MalformedError("a list of another length than it says")
    return (dict(zip(items[::2], items[1::2], strict=True)) if code & 1 else items), end


def _array(data: bytes, at: int, count: int, end: int, depth: int) -> list[Any]:
    """Items of one type, which is said once."""
    code, at = data[at], at + 1
    items: list[Any] = []
    for _ in range(count):
        item, at = _plain(code, data, at, depth + 1)
        items.append(item)
    if at > end:
        raise MalformedError("an array is longer than it says")
    return items


def encode(value: Any) -> bytes:
    """Raises TypeError for what has no place in AMQP."""
    encoder = ENCODERS.get(type(value))
    if encoder is None:
        raise TypeError(f"no AMQP type for {type(value).__name__}")
    return encoder(value)


def _integer(value: int) -> bytes:
    return struct.pack(">Bi", 0x71, value) if -(2**31) <= value < 2**31 else struct.pack(">Bq", 0x81, value)


def _long(value: int) -> bytes:
    return struct.pack(">BB", 0x53, value) if value < 256 else struct.pack(">BQ", 0x80, value)


def _sized(code: int, raw: bytes) -> bytes:
    """Strings and binaries: the code with one byte of length, or with four."""
    return struct.pack(">BB", code, len(raw)) + raw if len(raw) < 256 else struct.pack(">BI", code + 0x10, len(raw)) + raw


def _listed(code: int, items: list[Any]) -> bytes:
    body = b"".join([encode(item) for item in items])
    return struct.pack(">BII", code, len(body) + 4, len(items)) + body


def _texts(code: int, items: tuple[str, ...]) -> bytes:
    body = b"".join(FOUR.pack(len(raw)) + raw for raw in (item.encode() for item in items))
    return struct.pack(">BIIB", 0xF0, len(body) + 5, len(items), code) + body


def _described(value: Described) -> bytes:
    return b"\x00" + (_long(value.code) if isinstance(value.code, int) else encode(value.code)) + encode(value.value)


ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"\x40",
    bool: lambda v: b"\x41" if v else b"\x42",
    Symbol: lambda v: _sized(0xA3, v.encode("ascii")),
    str: lambda v: _sized(0xA1, v.encode()),
    bytes: lambda v: _sized(0xA0, v),
    UByte: lambda v: struct.pack(">BB", 0x50, v),
    UShort: lambda v: struct.pack(">BH", 0x60, v),
    UInt: lambda v: struct.pack(">BI", 0x70, v),
    ULong: _long,
    Timestamp: lambda v: struct.pack(">Bq", 0x83, v),
    int: _integer,
    float: lambda v: struct.pack(">Bd", 0x82, v),
    uuid.UUID: lambda v: b"\x98" + v.bytes,
    Described: _described,
    Symbols: lambda v: _texts(0xB3, v),
    Strings: lambda v: _texts(0xB1, v),
    dict: lambda v: _listed(0xD1, [part for pair in v.items() for part in pair]),
    list: lambda v: _listed(0xD0, v),
}
