import datetime as dt
import json

from commerce360.lake import Lake
from commerce360.reconcile import freshness
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES

T0 = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def second(n):
    return T0 + dt.timedelta(seconds=n)


def sale(order_id, event, kafka, batch, origin):
    row = {c.name: None for c in FCT_SALES.columns}
    return {
        **row, "order_id": order_id, "line_no": 1, "is_complete": True, "is_deleted": False,
        "event_ts": second(event), "kafka_ts": second(kafka), "batch_id": batch, "origin": origin,
    }  # fmt: skip


def test_each_change_counts_once_and_each_hop_is_measured_from_the_source_commit(tmp_path):
    lake = Lake(LakeSettings(root=str(tmp_path / "lake")))
    for table in (BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES):
        lake.create(table)
    lake.append(FCT_SALES, [sale("a", 0, 0.5, 0, "t/0/0"), sale("b", 1, 1.5, 1, "t/0/1")], "q", 0)
    lake.append(FCT_SALES, [sale("a", 0, 0.5, 1, "t/0/0")], "q", 1)  # derived again in a later batch: not a new change
    lake.append(FCT_SALES, [sale("old", -100, -99, 1, "t/0/2")], "q", 1)  # outside the window
    empty = {c.name: None for c in BATCHES.columns}
    lake.append(BATCHES, [{**empty, "batch_id": b, "committed_at": second(2 + b)} for b in (0, 1)], "q", 1)
    notes = tmp_path / "loader.jsonl"
    notes.write_text(json.dumps({"batch_id": 1, "queryable_at": second(5).timestamp()}) + '\n{"batch_id": 2, "quer')

    found = freshness.measure(lake, notes, second(-1), second(60))

    assert found["kafka"] == {"p50": 0.5, "p90": 0.5, "p99": 0.5, "max": 0.5}
    assert found["gold"]["max"] == 2.0
    assert (found["warehouse"]["p50"], found["warehouse"]["max"]) == (4.0, 5.0)


def test_percentiles_are_nearest_rank_and_empty_for_nothing():
    assert freshness.percentiles([]) == {}
    assert freshness.percentiles([float(n) for n in range(1, 101)]) == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}
