"""Messages as Event Hubs stores them: what a publication holds, and the annotations that the service adds to an event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from commerce360.local.doubles.eventhubs.codec import Described, MalformedError, Symbol, Timestamp, decode, encode, skip

DELIVERY_HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA, _, VALUE, FOOTER = range(0x70, 0x79)
BATCH_FORMAT = 0x80013700  # of a transfer whose data sections are messages of their own
PARTITION_KEY, SEQUENCE_NUMBER, OFFSET, ENQUEUED_TIME = (
    Symbol(f"x-opt-{name}") for name in ("partition-key", "sequence-number", "offset", "enqueued-time")
)


class Section(NamedTuple):
    code: int
    start: int
    value_at: int
    end: int


def sections(raw: bytes) -> Iterator[Section]:
    """Where the parts of a message are; none of them is decoded. Raises MalformedError."""
    at = 0
    while at < len(raw):
        if raw[at] != 0:
            raise MalformedError("a section without a descriptor")
        if raw[at + 1 : at + 2] == b"\x53" and at + 2 < len(raw):
            code, value_at = raw[at + 2], at + 3
        else:
            code, value_at = decode(raw, at + 1)
        if code not in range(DELIVERY_HEADER, FOOTER + 1):
            raise MalformedError(f"no section of a message: {code!r}")
        end = skip(raw, value_at)
        yield Section(code, at, value_at, end)
        at = end


def values(raw: bytes) -> dict[int, Any]:
    """The decoded sections of a message by their code; the last of several."""
    return {s.code: decode(raw, s.value_at)[0] for s in sections(raw)}


def events_of(raw: bytes, is_batch: bool) -> tuple[str | None, list[bytes]]:
    """A publication: the partition key on its envelope, and its events, each an encoded message. Raises MalformedError."""
    parts = list(sections(raw))
    key = next((key_of(decode(raw, s.value_at)[0]) for s in parts if s.code == ANNOTATIONS), None)
    events = [decode(raw, s.value_at)[0] for s in parts if s.code == DATA] if is_batch else [raw]
    if not events or not all(isinstance(event, bytes) for event in events):
        raise MalformedError("a batch without events")
    return key, events


def key_of(annotations: Any) -> str | None:
    key = annotations.get(PARTITION_KEY) if isinstance(annotations, dict) else None
    return None if key is None else str(key)


def stamped(event: bytes, sequence_number: int, offset: int, enqueued_ms: int) -> bytes:
    """The event as readers get it: with its place in the partition; without what was meant for the way to it."""
    annotations: dict[Any, Any] = {}
    kept: list[bytes] = []
    for section in sections(event):
        if section.code == ANNOTATIONS:
            annotations = decode(event, section.value_at)[0] or {}
        elif section.code not in (DELIVERY_HEADER, DELIVERY_ANNOTATIONS):
            kept.append(event[section.start : section.end])
    place = {SEQUENCE_NUMBER: sequence_number, OFFSET: str(offset), ENQUEUED_TIME: Timestamp(enqueued_ms)}
    return encode(Described(ANNOTATIONS, {**annotations, **place})) + b"".join(kept)
