from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commerce360.errors import C360Error
from producers import recorded, recording, wire
from producers.recorded import KeyAndValue
from producers.recording import Recording
from producers.wire import OrderCodec, order_schema

CODEC = OrderCodec(order_schema(), 7)
BEGAN_US = 1_700_000_000_000_000


def order(number: int, after_us: int) -> dict[str, Any]:
    facts = {"customer_id": None, "currency": "EUR", "campaign_id": None, "visitor_id": None, "lines": []}
    return {"event_id": f"W-1-{number}/placed", "order_id": f"W-1-{number}", "event_ts": BEGAN_US + after_us, **facts}


def record(number: int, after_us: int) -> KeyAndValue:
    return f"W-1-{number}".encode(), CODEC.encode(order(number, after_us))


def events(path: Path) -> list[tuple[bytes, int]]:
    return [
        (key, at)
        for block in Recording.open(path).verify()
        for key, at in zip(block.as_recorded(b"\0" * 5)[0], block.at_us.tolist(), strict=True)
    ]


def test_records_are_sorted_by_their_times_and_repeats_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "RUN", 3)  # more runs than one
    records = [record(n, at) for n, at in ((1, 50), (2, 0), (3, 40), (4, 40), (5, 10), (3, 40), (6, 90), (2, 0))]
    made, left_out = recorded.from_records(tmp_path / "a.rec", records, 7, {"topic": "t"})
    assert events(made.path) == [(b"W-1-2", 0), (b"W-1-5", 10), (b"W-1-3", 40), (b"W-1-4", 40), (b"W-1-1", 50), (b"W-1-6", 90)]
    assert left_out == {"a repeat": 2}
    assert (made.first_us, made.origin) == (BEGAN_US, {"topic": "t"})
    assert [p.name for p in tmp_path.iterdir()] == ["a.rec"]


def test_only_some_times_and_only_the_last(tmp_path: Path) -> None:
    records = [record(n, n * 10) for n in range(10)]
    chosen = {"since_us": BEGAN_US + 20, "until_us": BEGAN_US + 80, "last": 4}
    made, left_out = recorded.from_records(tmp_path / "a.rec", records, 7, {}, **chosen)
    assert [key for key, _ in events(made.path)] == [b"W-1-4", b"W-1-5", b"W-1-6", b"W-1-7"]
    assert left_out == {"at another time": 4}
    made, _ = recorded.from_records(tmp_path / "b.rec", records, 7, {}, last=100)
    assert made.count == 10


def test_what_cannot_be_recorded_is_counted_by_its_reason(tmp_path: Path) -> None:
    good = record(1, 0)
    value = good[1] or b""
    records: list[KeyAndValue] = [
        good,
        (b"k", None),
        (b"k", b"{}"),
        (good[0], wire.head(8) + value[5:]),
        (good[0], value[:-1]),
        (good[0], value + b"\0"),
        (b"another", value),
        (None, value),
    ]
    made, left_out = recorded.from_records(tmp_path / "a.rec", records, 7, {})
    assert made.count == 1
    assert left_out == {
        "no value in the registry's format": 2,
        "of another schema": 1,
        "cannot be decoded": 2,
        "its key is not its order id": 2,
    }


def test_a_topic_without_events_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(C360Error, match="nothing to record"):
        recorded.from_records(tmp_path / "a.rec", [], 7, {})
    assert list(tmp_path.iterdir()) == []


def test_a_failing_source_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[KeyAndValue]:
        yield record(1, 0)
        raise C360Error("gone")

    with pytest.raises(C360Error, match="gone"):
        recorded.from_records(tmp_path / "a.rec", broken(), 7, {})
    assert list(tmp_path.iterdir()) == []


def test_generated_orders_are_the_same_for_a_seed_and_others_for_another(tmp_path: Path) -> None:
    made = [recorded.generated(tmp_path / name, 300, 250.0, seed, 40, 8) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    first, again, other = (m.path.read_bytes() for m in made)
    assert first == again != other
    (block,) = made[0].read()
    assert block.at_us.tolist() == [n * 4_000 for n in range(300)]
    found = [CODEC.decode(value) for value in block.as_recorded(wire.head(7))[1]]
    assert [e["event_id"] for e in found[:2]] == ["G-1-1/placed", "G-1-2/placed"]
    assert all(e["lines"] and (e["customer_id"] is None or 1 <= e["customer_id"] <= 40) for e in found)
    assert len({e["customer_id"] for e in found}) > 10


def test_the_runs_on_disk_keep_events_whole(tmp_path: Path) -> None:
    made = [recording.split(CODEC.encode(order(n, n))) for n in range(20)]
    runs = recorded._sorted_runs(iter(made), tmp_path)
    assert list(recorded._merged(runs)) == made
