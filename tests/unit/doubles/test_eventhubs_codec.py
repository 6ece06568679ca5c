"""AMQP values and frames of the local Event Hubs: what it writes the SDK reads, and no bytes make it stumble."""

import contextlib
import math
import uuid

import pytest
from azure.eventhub._pyamqp._decode import decode_payload
from hypothesis import given
from hypothesis import strategies as st

from commerce360.local.doubles.eventhubs import frames, messages
from commerce360.local.doubles.eventhubs.codec import (
    Described,
    MalformedError,
    Strings,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    decode,
    encode,
    skip,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.uuids()
    | st.integers(0, 2**40).map(Timestamp)
    | st.text("abc:-").map(Symbol)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value):
    raw = encode(value)
    assert decode(raw) == (value, len(raw))
    assert skip(raw, 0) == len(raw)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (UByte(200), 200),
        (UShort(40_000), 40_000),
        (UInt(2**31), 2**31),
        (ULong(2**63), 2**63),
        (Strings(("0", "1")), ["0", "1"]),
        (Strings(), []),
        (math.inf, math.inf),
    ],
)
def test_other_widths_and_arrays(value, plain):
    assert decode(encode(value))[0] == plain


def test_the_sdk_reads_what_is_written():
    identity = uuid.uuid4()
    parts = [(messages.PROPERTIES, [None] * 5 + [identity]), (messages.APPLICATION_PROPERTIES, {"a": 1}), (messages.DATA, b"body")]
    message = decode_payload(memoryview(b"".join(encode(Described(code, value)) for code, value in parts)))
    assert message.properties[5] == identity
    assert message.application_properties == {b"a": 1}
    assert b"".join(message.data) == b"body"


@given(st.binary(max_size=200))
def test_garbage_is_a_value_or_malformed(raw):
    for reader in (decode, skip, lambda data, _: (list(messages.sections(data)), messages.values(data), messages.events_of(data, True))):
        with contextlib.suppress(MalformedError):
            reader(raw, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00" * 5000,  # a descriptor of a descriptor of ...
        b"\xd0\x00\x00\x00\x05\xff\xff\xff\xff\x40",  # four thousand million items in one byte
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",  # and in none
        b"\xb0\xff\xff\xff\xff",
        b"\xc1\x02\x01\x40",  # a key without a value
        b"\xa1\x01\xff",
        b"",
    ],
)
def test_bytes_that_would_cost_much_are_malformed(raw):
    with pytest.raises(MalformedError):
        decode(raw)


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 7))
def test_frames_are_cut_out_of_a_stream_whatever_its_pieces(payloads, step):
    stream = frames.AMQP_PROTOCOL + b"".join(frames.frame(n, frames.TRANSFER, [n], p) for n, p in enumerate(payloads)) + frames.HEARTBEAT
    splitter, found = frames.Splitter(), []
    for at in range(0, len(stream), step):
        found += splitter.feed(stream[at : at + step])
    assert found[0] == frames.AMQP_PROTOCOL
    assert [(f.channel, f.performative, f.payload) for f in found[1:-1]] == [(n, frames.TRANSFER, p) for n, p in enumerate(payloads)]
    assert found[-1].performative == 0


@pytest.mark.parametrize(
    "raw", [b"GET / HT", b"\x00\x00\x00\x04\x02\x00\x00\x00", b"\x7f\xff\xff\xff\x02\x00\x00\x00", b"\0\0\0\x08\xff\0\0\0"]
)
def test_what_cannot_be_a_frame_is_refused_by_its_head(raw):
    with pytest.raises(MalformedError):
        list(frames.Splitter().feed(raw))


def test_a_place_in_a_partition_replaces_one_that_was_sent():
    sent = encode(Described(messages.ANNOTATIONS, {Symbol("x-opt-offset"): "7", Symbol("x-opt-partition-key"): "k"}))
    raw = messages.stamped(encode(Described(messages.DELIVERY_HEADER, [True])) + sent + encode(Described(messages.DATA, b"v")), 3, 100, 5)
    annotations = messages.values(raw)[messages.ANNOTATIONS]
    assert annotations == {"x-opt-partition-key": "k", "x-opt-sequence-number": 3, "x-opt-offset": "100", "x-opt-enqueued-time": 5}
    assert messages.values(raw)[messages.DATA] == b"v"
