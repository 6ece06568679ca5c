"""Frames on the wire (AMQP 1.0, part 2, "Transport"): the protocol header, performatives by name, and their bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from commerce360.local.doubles.eventhubs.codec import Described, MalformedError, Symbol, decode, encode

HEADER = struct.Struct(">IBBH")  # size, data offset in words, type, channel
HEADER_BYTES = 8
MAX_FRAME_BYTES = 65_536
AMQP_FRAME, SASL_FRAME = 0, 1
AMQP_PROTOCOL, SASL_PROTOCOL = b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_MECHANISMS, SASL_INIT, SASL_OUTCOME = 0x40, 0x41, 0x44
ERROR, ACCEPTED, REJECTED, SOURCE, TARGET = 0x1D, 0x24, 0x25, 0x28, 0x29
MAX_FIELDS = 14  # of attach, which has most


class Frame(NamedTuple):
    channel: int
    kind: int
    performative: int  # 0 for an empty frame, a heartbeat
    fields: list[Any]  # padded with None: what a sender leaves out at the end is null
    payload: bytes


def frame(channel: int, performative: int, fields: list[Any], payload: bytes = b"", kind: int = AMQP_FRAME) -> bytes:
    """All fields are sent, nulls too: the SDK looks them up by position and does not expect a shorter list."""
    body = encode(Described(performative, fields))
    return HEADER.pack(HEADER_BYTES + len(body) + len(payload), 2, kind, channel) + body + payload


HEARTBEAT = HEADER.pack(HEADER_BYTES, 2, AMQP_FRAME, 0)


def failure(condition: str, text: str) -> Described:
    return Described(ERROR, [Symbol(condition), text, {}])


class Splitter:
    """Cuts a stream of bytes into protocol headers (as bytes) and frames. Holds less than a frame."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes | Frame]:
        """Raises MalformedError for what cannot be a frame."""
        self._rest += data
        at = 0
        try:
            while len(self._rest) - at >= HEADER_BYTES:
                end = at + self._length(at)
                if end > len(self._rest):
                    return
                piece, at = bytes(self._rest[at:end]), end
                yield piece if piece.startswith(b"AMQP") else _frame(piece)
        finally:
            del self._rest[:at]

    def _length(self, at: int) -> int:
        if self._rest[at : at + 4] == b"AMQP":
            return HEADER_BYTES
        size = HEADER.unpack_from(self._rest, at)[0]
        if not HEADER_BYTES <= size <= MAX_FRAME_BYTES:
            raise MalformedError(f"a frame of {size} bytes")
        return int(size)


def _frame(piece: bytes) -> Frame:
    _, offset, kind, channel = HEADER.unpack_from(piece)
    if not 2 <= offset <= len(piece) // 4 or kind not in (AMQP_FRAME, SASL_FRAME):
        raise MalformedError("a frame's header is wrong")
    at = offset * 4
    if at == len(piece):
        return Frame(channel, kind, 0, [], b"")
    body, end = decode(piece, at)
    if not isinstance(body, Described) or not isinstance(body.code, int) or not isinstance(body.value, list):
        raise MalformedError("a frame without a performative")
    return Frame(channel, kind, body.code, body.value + [None] * (MAX_FIELDS - len(body.value)), piece[end:])
