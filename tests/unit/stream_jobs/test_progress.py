"""What the lake job tells of its batches."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

from commerce360 import metrics
from schemas.tables import DIM_CUSTOMER, FCT_SALES, SENTIMENTS
from stream_jobs.batch import Done
from stream_jobs.freshness import MOST, sample
from stream_jobs.progress import Progress

T0 = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def row(offset: int, event_s: float = 0.0, kafka_s: float = 0.5, **more: Any) -> dict[str, Any]:
    at = {name: T0 + dt.timedelta(seconds=s) for name, s in (("event_ts", event_s), ("kafka_ts", kafka_s))}
    return {**at, "origin": f"shop.orders.events/0/{offset}", **more}


def late(rows: Any, begins: int = 0) -> list[tuple[float, float]]:
    return sample(rows, {"shop.orders.events": {0: begins}}, T0.timestamp() + 3)


def test_the_delay_of_a_change_is_counted_from_its_source() -> None:
    assert late({FCT_SALES: [row(7)]}) == [(0.5, 3.0)]
    assert late({FCT_SALES: [row(7, event_s=1.0, kafka_s=0.999)]}) == [(0.0, 2.0)]


def test_a_row_that_is_only_written_again_is_none() -> None:
    assert late({FCT_SALES: [row(6), row(7)]}, begins=7) == [(0.5, 3.0)]
    assert late({FCT_SALES: [{**row(7), "origin": ""}]}) == []


def test_each_record_counts_once_and_snapshots_and_other_tables_not_at_all() -> None:
    assert len(late({FCT_SALES: [row(7), row(7), row(8)]})) == 2
    assert late({DIM_CUSTOMER: [row(7, op="r")], SENTIMENTS: [row(8)]}) == []
    assert late({DIM_CUSTOMER: [row(7, op="u")]}) == [(0.5, 3.0)]
    assert late({DIM_CUSTOMER: [{**row(7, op="u"), "event_ts": None}]}) == []


def test_a_large_batch_is_sampled_evenly() -> None:
    found = late({FCT_SALES: [row(n, event_s=n / 1000) for n in range(10 * MOST)]})
    assert len(found) == MOST
    assert max(d for _, d in found) - min(d for _, d in found) > 1.9


def test_totals_grow_and_begin_with_nothing(tmp_path: Path) -> None:
    progress = Progress(tmp_path, lambda: 100.0)
    progress.publish()
    assert metrics.read(tmp_path, "lake")["dead_letters"]["web.shop.reviews"] == 0
    for batch in range(2):
        rejections = Counter({"web.shop.reviews": 2, "oltp.sales.orders": 1})
        done = Done(batch, {}, 10, rejections, {"gold.fct_sales": 4}, [(0.1, 2.0)], {"all": 700.0}, committed_at=99.0)
        assert done.rejected == 3
        progress.note(done)
    progress.publish()
    told = metrics.read(tmp_path, "lake")
    assert told["rejected"] == 6
    assert told["dead_letters"]["web.shop.reviews"] == 4
    assert told["rows_total"] == {"gold.fct_sales": 8}
    assert told["batch_seconds"]["sum"] == 1.4
    assert told["freshness"]["gold"]["sum"] == 4.0
    assert sum(told["freshness"]["kafka"]["counts"]) == 2
