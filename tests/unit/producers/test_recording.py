from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from commerce360.errors import C360Error, ConfigError
from producers import recording, wire
from producers.load_plan import base36, prefix
from producers.recording import Event, Recording, split
from producers.wire import OrderCodec, order_schema

CODEC = OrderCodec(order_schema(), 7)
HEAD = wire.head(9)
texts = st.text(min_size=1, max_size=300)
times = st.integers(*recording.TIMES_US)
lines = st.fixed_dictionaries(
    {
        "line_no": st.integers(1, 9),
        "product_id": st.integers(1, 2**40),
        "quantity": st.integers(1, 99),
        "unit_price": st.just("9.99"),
        "discount": st.just("0.00"),
    }
)
orders = st.fixed_dictionaries(
    {
        "event_id": texts,
        "order_id": texts,
        "customer_id": st.none() | st.integers(0, 2**62),
        "event_ts": times,
        "currency": st.just("EUR"),
        "campaign_id": st.none() | texts,
        "visitor_id": st.none() | texts,
        "lines": st.lists(lines, max_size=3),
    }
)


def some_events(count: int) -> list[Event]:
    return [split(CODEC.encode(an_order(n, 1_700_000_000_000_000 + 1_000 * n))) for n in range(count)]


def an_order(number: int, event_ts: int) -> dict[str, Any]:
    line = {"line_no": 1, "product_id": 5, "quantity": 2, "unit_price": "9.99", "discount": "0.00"}
    facts = {"customer_id": number or None, "currency": "EUR", "campaign_id": None, "visitor_id": None, "lines": [line]}
    return {"event_id": f"W-1-{number}/placed", "order_id": f"W-1-{number}", "event_ts": event_ts, **facts}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "some.rec"
    recording.write(path, some_events(2_500), order_schema(), {"topic": "x"})
    return path


@given(st.lists(orders, min_size=1, max_size=20), times, st.integers(0, 36**4 - 1), st.integers(0, 2**32 - 1))
def test_a_spliced_event_is_the_one_that_avro_would_write(
    tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, Any]], event_ts: int, played: int, schema_id: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "spliced.rec"
    made.sort(key=lambda o: o["event_ts"])
    recording.write(path, [split(CODEC.encode(o)) for o in made], order_schema(), {})
    (block,) = Recording.open(path).read()
    stamp = prefix("L000012", played)
    stamped = np.full(len(made), event_ts, np.int64)
    keys, values = block.stamped(wire.head(schema_id), stamp, stamped)
    again = OrderCodec(order_schema(), schema_id)
    added = {name: stamp.decode() for name in ("event_id", "order_id")}
    for order, key, value in zip(made, keys, values, strict=True):
        expected = {**order, "event_ts": event_ts, **{name: text + order[name] for name, text in added.items()}}
        assert value == again.encode(expected)
        assert key == expected["order_id"].encode()
    assert block.as_recorded(wire.head(7)) == ([o["order_id"].encode() for o in made], [CODEC.encode(o) for o in made])
    assert block.at_us.tolist() == [o["event_ts"] - made[0]["event_ts"] for o in made]


def test_a_file_gives_back_what_was_written(file: Path) -> None:
    opened = Recording.open(file)
    assert (opened.count, opened.blocks, opened.span_us, opened.origin) == (2_500, 3, 2_499_000, {"topic": "x"})
    assert opened.schema == order_schema()
    found = [pair for block in opened.verify() for pair in zip(*block.as_recorded(HEAD), strict=True)]
    assert found == [(e.order_id, e.value(HEAD)) for e in some_events(2_500)]
    assert [h for block in opened.read() for h in block.hashes.tolist()] == [zlib.crc32(key) for key, _ in found]
    assert zstandard.ZstdDecompressor().stream_reader(file.open("rb"), read_across_frames=True).read(20).startswith(b'{"format": 1')


def test_a_part_of_a_block_is_stamped_alone(file: Path) -> None:
    block = next(Recording.open(file).read())
    chosen = np.arange(len(block)) % 3 == 1
    keys, values = block.only(chosen).stamped(HEAD, prefix("Xaaaaaa", 35), block.at_us[chosen] + 1_800_000_000_000_000)
    assert keys[0] == b"Xaaaaaa-000z-W-1-1"
    assert len(keys) == len(values) == int(chosen.sum())
    assert CODEC.decode(values[1])["event_id"] == "Xaaaaaa-000z-W-1-4/placed"
    assert block.only(np.zeros(len(block), np.bool_)).stamped(HEAD, prefix("Xaaaaaa", 0), np.empty(0, np.int64)) == ([], [])


def test_the_same_events_give_the_same_bytes(file: Path, tmp_path: Path) -> None:
    recording.write(tmp_path / "again.rec", some_events(2_500), order_schema(), {"topic": "x"})
    assert (tmp_path / "again.rec").read_bytes() == file.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["again.rec"]


def test_a_damaged_file_is_told_wherever_it_is_damaged(tmp_path: Path) -> None:
    whole = tmp_path / "whole.rec"
    recording.write(whole, some_events(1_100), order_schema(), {})
    data, good = whole.read_bytes(), content(whole)
    path = tmp_path / "damaged.rec"
    places = sorted({*range(64), *range(0, len(data), max(1, len(data) // 400)), *range(len(data) - 64, len(data))})
    for place in places:
        for changed in (data[:place], data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]):
            path.write_bytes(changed)
            assert content_or_error(path) in (good, "told"), f"another content after a change at byte {place}"
    for changed in (data + b"x", data + data[-100:], data * 2):
        path.write_bytes(changed)
        with pytest.raises(C360Error, match="damaged"):
            content(path)


def content_or_error(path: Path) -> list[tuple[list[bytes], list[bytes]]] | str:
    """A change of a bit that zstandard does not use leaves the content as it is."""
    try:
        return content(path)
    except C360Error as error:
        return "told" if error.hint else "without a hint"


def content(path: Path) -> list[tuple[list[bytes], list[bytes]]]:
    opened = Recording.open(path)
    for _ in opened.verify():
        pass
    return [block.as_recorded(HEAD) for block in opened.read()]


def test_torn_between_two_blocks(file: Path, tmp_path: Path) -> None:
    frames = list(recording._frames(file))
    squeeze = zstandard.ZstdCompressor(write_checksum=True).compress
    torn = tmp_path / "torn.rec"
    torn.write_bytes(b"".join(squeeze(f) for f in frames[:-1]))
    with pytest.raises(C360Error, match="damaged"):
        list(Recording.open(torn).verify())
    with pytest.raises(C360Error, match="452 events too early"):
        list(Recording.open(torn).read())
    torn.write_bytes(b"".join(squeeze(f) for f in [frames[0], frames[2], frames[1], frames[3]]))
    with pytest.raises(C360Error, match="not where it should be"):
        list(Recording.open(torn).read())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"order_id,amount\n", "is no recording"),
        (zstandard.compress(b'{"format": 1, "kind": "shop-year"}\n'), "is no recording"),
        (zstandard.compress(b"\xff\xfe"), "is no recording"),
        (zstandard.compress(b""), "is no recording"),
        (zstandard.compress(json.dumps({"format": 2, "kind": recording.KIND}).encode()), "of format 2"),
    ],
)
def test_another_file_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        Recording.open(path)
    assert caught.value.hint


def test_nothing_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(C360Error, match="nothing to record"):
        recording.write(tmp_path / "none.rec", [], order_schema(), {})
    assert list(tmp_path.iterdir()) == []


def test_events_out_of_order_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="order of their times"):
        recording.write(tmp_path / "odd.rec", reversed(some_events(3)), order_schema(), {})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"\0\0\0\0\7", "too short"),
        (b"\0\0\0\0\7\x04ab", "too short"),
        (b"\0\0\0\0\7\xff\xff\xff\xff\x0fab", "an id of"),
        (b"\0\0\0\0\7\x02a\x02a\x04\0", "neither there nor missing"),
        (b"\0\0\0\0\7\x02a\x02a\0\x02", "before 1979"),
        (b"\0\0\0\0\7\x82\0a\x02a\0\x80\x80\xb4\xb8\xe5\xc5\xb2\x06", "shortest form"),
    ],
)
def test_what_cannot_be_split_is_told(value: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        split(value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_as_avro_has_them(number: int) -> None:
    assert recording._long(recording.long(number), 0) == (number, len(recording.long(number)))


def test_rounds_are_told_apart() -> None:
    assert [base36(n) for n in (0, 9, 10, 35, 36, 36**4 - 1)] == ["0", "9", "a", "z", "10", "zzzz"]
    assert recording.fits(order_schema())
    assert not recording.fits({**order_schema(), "fields": order_schema()["fields"][1:]})
