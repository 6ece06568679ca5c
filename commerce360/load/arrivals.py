"""When the events of a replay came to each hop, second by second of their intended time.

What the sender measured comes from its result, the consumer's from its own file; gold and the warehouse are looked up afterwards, for
every event: an event is in gold when the first batch that has a row of its order was committed, and queryable when a query of the warehouse
first showed that batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from commerce360.lake import Lake
from commerce360.load.hops import Hop, HopRecorder
from commerce360.load.result import Counters
from commerce360.reconcile.freshness import carried, queryable
from schemas.tables import FCT_SALES

Floats = npt.NDArray[np.float64]


class Window:
    """Which seconds of a replay are warm-up, and which are measured."""

    def __init__(self, replay: Mapping[str, Any], warm_up_s: int, measured_s: int) -> None:
        self.tag = str(replay["tag"])
        self.started_us = round(float(replay["started_at"]) * 1e6)
        self._warm_up_s, self._measured_s = warm_up_s, measured_s
        self._expected = {int(row["second"]): int(row["intended"]) for row in replay["by_second"]}

    def intended_s(self, event_us: npt.NDArray[np.int64]) -> Floats:
        """Seconds from intended time 0. The difference is of whole microseconds: an event at the beginning of a second is of that one."""
        return (event_us - self.started_us) / 1e6

    def recorder(self, hop: str) -> HopRecorder:
        return HopRecorder(hop, self._warm_up_s, self._measured_s, self._expected)


def sent_and_acked(replay: Mapping[str, Any], window: Window) -> list[Hop]:
    sent, kafka = window.recorder("sent"), window.recorder("kafka")
    for row in replay["by_second"]:
        second = int(row["second"])
        sent.add(second, row["lateness_us"])
        kafka.add(second, row["ack_us"], int(row["acked"]))
    return [sent.hop(), kafka.hop()]


def consumed(file: Path, window: Window) -> tuple[Hop, int]:
    """The hop, and how many records of the replay came."""
    with np.load(file) as found:
        mine = found["tag"] == window.tag
        times, late = found["event_ts"][mine], found["late_us"][mine]
    recorder = window.recorder("consumer")
    recorder.record(window.intended_s(times), late)
    return recorder.hop(), len(times)


def landed(lake: Lake, notes: Path, window: Window) -> tuple[list[Hop], int, int]:
    """Gold and warehouse, and how many events were seen in each. `notes`: what the loader noted of batches that can be queried."""
    committed = {int(row["batch_id"]): row["committed_at"].timestamp() for row in lake.batches()}
    shown = carried(queryable(notes), committed)
    found = lake.query(
        FCT_SALES,
        "SELECT MIN(CAST(event_ts AS BIGINT)) AS event_us, MIN(batch_id) AS batch_id FROM fct_sales "
        f"WHERE order_id >= '{window.tag}-' AND order_id < '{window.tag}.' AND line_no > 0 GROUP BY order_id",
    )
    events = found["event_us"].to_numpy().astype(np.int64)
    batches = found["batch_id"].to_numpy()
    hops, counts = [], []
    for name, moments in (("gold", committed), ("warehouse", shown)):
        at = _moments(batches, moments)
        there = ~np.isnan(at)
        recorder = window.recorder(name)
        recorder.record(window.intended_s(events[there]), (at[there] * 1e6).astype(np.int64) - events[there])
        hops.append(recorder.hop())
        counts.append(int(there.sum()))
    return hops, counts[0], counts[1]


def _moments(batches: npt.NDArray[Any], moments: Mapping[int, float]) -> Floats:
    """Epoch seconds of each batch; NaN for one that has none."""
    known, places = np.unique(batches, return_inverse=True)
    return np.array([moments.get(int(b), np.nan) for b in known], np.float64)[places]


def counters(replay: Mapping[str, Any], consumer: int, gold: int, warehouse: int) -> Counters:
    names = ("intended", "sent", "acked", "failed")
    return Counters(**{n: int(replay[n]) for n in names}, consumer=consumer, gold=gold, warehouse=warehouse)
