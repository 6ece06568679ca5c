"""What is looked up after a run: events of its own replay alone, each at the first batch that has its order."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from commerce360.lake import Lake
from commerce360.load.arrivals import Window, consumed, counters, landed, sent_and_acked
from commerce360.load.consumer import Arrivals
from commerce360.settings import Lake as LakeSettings
from producers import wire
from producers.latency import BySecond
from schemas.tables import BATCHES, FCT_SALES

T0 = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
TAG = "L000007"


def encoded(*late_us: int) -> str:
    found = BySecond()
    found.add(np.zeros(len(late_us), np.int64), np.array(late_us, np.int64))
    return found.total().encode()


REPLAY: dict[str, Any] = {
    "tag": TAG,
    "started_at": T0.timestamp(),
    "intended": 3,
    "sent": 3,
    "acked": 3,
    "failed": 0,
    "by_second": [
        {"second": 0, "intended": 1, "sent": 1, "acked": 1, "lateness_us": encoded(5), "ack_us": encoded(3000)},
        {"second": 1, "intended": 2, "sent": 2, "acked": 2, "lateness_us": encoded(5, 5), "ack_us": encoded(3000, 4000)},
    ],
}


@pytest.fixture
def window() -> Window:
    return Window(REPLAY, warm_up_s=1, measured_s=1)


@pytest.mark.parametrize("started_us", [1_796_023_211_656_958, 1_796_023_211_000_001, 1_796_022_908_999_999])
def test_an_event_at_the_beginning_of_a_second_is_of_that_second(started_us: int) -> None:
    window = Window(REPLAY | {"started_at": started_us / 1e6}, warm_up_s=1, measured_s=1)
    seconds = np.arange(100_000, dtype=np.int64)
    assert np.array_equal(np.floor(window.intended_s(started_us + seconds * 1_000_000)), seconds)
    assert np.array_equal(np.floor(window.intended_s(started_us + seconds * 1_000_000 - 1)), seconds - 1)


def test_the_senders_figures_leave_the_warm_up_out(window: Window) -> None:
    sent, kafka = sent_and_acked(REPLAY, window)
    assert (sent.count, kafka.count, sent.expected) == (2, 2, 2)
    assert kafka.percentiles_ms()["max"] == pytest.approx(4, rel=0.01)


def sale(order_id: str, at_s: float, batch_id: int, line_no: int = 1) -> dict[str, Any]:
    made: dict[str, Any] = dict.fromkeys(c.name for c in FCT_SALES.columns)
    for column in FCT_SALES.columns:
        if not column.nullable:
            made[column.name] = {"boolean": True, "string": "x"}.get(column.type, 0)
    at = T0 + dt.timedelta(seconds=at_s)
    return {**made, "order_id": order_id, "line_no": line_no, "event_ts": at, "kafka_ts": at, "batch_id": batch_id, "is_deleted": False}


def test_an_order_is_in_gold_with_its_first_batch_and_queryable_when_a_query_showed_it(tmp_path: Path, window: Window) -> None:
    lake = Lake(LakeSettings(root=str(tmp_path)))
    for table in (FCT_SALES, BATCHES):
        lake.create(table)
    rows = [
        sale(f"{TAG}-0000-W-1", 0.5, 0),
        sale(f"{TAG}-0000-W-2", 1.25, 1),
        sale(f"{TAG}-0000-W-2", 1.25, 2),  # its line changed again
        sale(f"{TAG}-0000-W-2", 1.25, 1, line_no=2),
        sale(f"{TAG}-0000-W-3", 1.5, 9, line_no=0),  # a header alone is shown to nobody
        sale("L000008-0000-W-2", 1.25, 1),
        sale("W-5", 1.25, 1),
    ]
    lake.append(FCT_SALES, rows, "q", 0)
    for batch_id in range(3):
        made: dict[str, Any] = dict.fromkeys(c.name for c in BATCHES.columns)
        for column in BATCHES.columns:
            if not column.nullable:
                made[column.name] = {"string": "{}", "timestamp": T0}.get(column.type, 0)
        made |= {"batch_id": batch_id, "committed_at": T0 + dt.timedelta(seconds=2 + batch_id)}
        lake.append(BATCHES, [made], "q", batch_id)
    notes = tmp_path / "notes.jsonl"
    notes.write_text(json.dumps({"batch_id": 2, "queryable_at": T0.timestamp() + 10}) + "\n")
    (gold, warehouse), in_gold, in_warehouse = landed(lake, notes, window)
    assert (in_gold, in_warehouse) == (2, 2)
    assert (gold.count, gold.missing) == (1, 1)
    assert gold.percentiles_ms()["p50"] == pytest.approx(1750, rel=0.01)
    assert warehouse.percentiles_ms()["p50"] == pytest.approx(8750, rel=0.01)
    found = counters(REPLAY, 3, in_gold, in_warehouse)
    assert (found.intended, found.acked, found.gold) == (3, 3, 2)


def event(order_id: str, at: dt.datetime) -> bytes:
    line = {"line_no": 1, "product_id": 1, "quantity": 1, "unit_price": "1.00", "discount": "0.00"}
    made = {"event_id": f"{order_id}/placed", "order_id": order_id, "customer_id": None, "event_ts": at, "currency": "EUR"}
    return wire.OrderCodec(wire.order_schema(), 1).encode({**made, "campaign_id": None, "visitor_id": None, "lines": [line]})


def message(key: bytes | None, value: bytes | None) -> Any:
    return SimpleNamespace(key=lambda: key, value=lambda: value, error=lambda: None)


def test_the_consumer_keeps_what_a_replay_sent_and_passes_over_the_rest(tmp_path: Path, window: Window) -> None:
    arrivals, order = Arrivals(), f"{TAG}-0000-W-1"
    at = T0 + dt.timedelta(seconds=1.5)
    records = [
        message(order.encode(), event(order, at)),
        message(b"L000008-0000-W-1", event("L000008-0000-W-1", at)),
        message(b"W-1", event("W-1", at)),
        message(order.encode(), b"garbage"),
        message(None, None),
    ]
    arrivals.note(records, int(at.timestamp() * 1e6) + 7_000)
    arrivals.write(tmp_path / "found.npz")
    hop, count = consumed(tmp_path / "found.npz", window)
    assert (hop.count, count) == (1, 1)
    assert hop.percentiles_ms()["p50"] == pytest.approx(7, rel=0.01)
