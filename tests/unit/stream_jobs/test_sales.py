import datetime as dt
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import ORDER_EVENTS, ORDER_ITEMS, ORDERS
from stream_jobs.entity import Record, RejectedError
from stream_jobs.keyed import KeyedLog
from stream_jobs.sales import SALES

T0 = 1_770_000_000_000_000


def record(topic, offset=0):
    return Record(topic.name, 0, offset, T0, None, None)


def envelope(op, image, lsn):
    source = {"sequence": f'["{lsn - 1}","{lsn}"]', "lsn": lsn, "ts_us": T0 + lsn, "snapshot": None}
    return {"op": op, "before": image if op == "d" else None, "after": None if op == "d" else image, "source": source}


def header(lsn, status="paid", op="u", order_id="o1", **values):
    image = {
        "order_id": order_id,
        "customer_id": 7,
        "status": status,
        "currency": "EUR",
        "campaign_id": None,
        "ordered_at": "2026-03-01T09:00:00Z",
        **values,
    }
    return SALES.read(record(ORDERS, lsn), None, envelope(op, image, lsn))


def item(lsn, line_no=1, quantity=2, op="c", order_id="o1", **values):
    image = {
        "order_id": order_id,
        "line_no": line_no,
        "product_id": 5,
        "quantity": quantity,
        "unit_price": "10.50",
        "discount": "1.00",
        "unit_cost": "4.00",
        **values,
    }
    return SALES.read(record(ORDER_ITEMS, lsn), None, envelope(op, image, lsn))


def read(lsn, ts):
    """A line as an incremental snapshot reads it, at a time of its own; `prev` is all that says where it stands."""
    image = {"order_id": "o1", "line_no": 3, "product_id": 5, "quantity": 1, "unit_price": "1.00", "discount": "0.00", "unit_cost": None}
    source = {"sequence": f'["{lsn}","{lsn}"]', "lsn": None, "ts_us": T0 + ts, "snapshot": "incremental"}
    return SALES.read(record(ORDER_ITEMS, lsn), None, {"op": "r", "before": None, "after": image, "source": source})


def web(event_ts=T0, lines=((1, 3),), event_id="e1", order_id="o1"):
    made = [{"line_no": n, "product_id": 5, "quantity": q, "unit_price": "9.99", "discount": "0.00"} for n, q in lines]
    event = {
        "event_id": event_id,
        "order_id": order_id,
        "customer_id": 7,
        "event_ts": event_ts,
        "currency": "EUR",
        "campaign_id": "spring",
        "lines": made,
    }
    return SALES.read(record(ORDER_EVENTS, 1), None, event)


def rows_of(*contributions):
    rows, _ = SALES.fold(("o1",), [], [c for found in contributions for c in found])
    return {r["line_no"]: r for r in rows}


def content(rows):
    return sorted(
        ({k: v for k, v in r.items() if k not in ("kafka_ts", "origin")} for r in rows), key=lambda r: (r["order_id"], r["line_no"])
    )


def test_a_web_order_is_a_sale_at_once():
    line = rows_of(web())[1]
    assert (line["source"], line["status"], line["sale_amount"], line["is_complete"]) == ("web", "placed", Decimal("29.97"), True)
    assert line["ordered_at"] == dt.datetime.fromtimestamp(T0 / 1e6, dt.UTC)


def test_the_back_office_wins_and_the_first_source_is_kept():
    line = rows_of(web(), header(10), item(11))[1]
    assert (line["source"], line["status"], line["quantity"], line["campaign_id"]) == ("web", "paid", 2, None)
    assert (line["sale_amount"], line["cost"]) == (Decimal("20.00"), Decimal("8.00"))


def test_lines_wait_for_their_header_and_a_deleted_order_goes():
    assert rows_of(item(11))[1]["is_complete"] is False
    assert rows_of(header(10), item(11), header(12, op="d"))[1]["is_deleted"] is True
    assert rows_of(header(10), item(11), item(12, op="d"))[1]["is_deleted"] is True


STEPS = [
    web(),
    read(15, ts=1),
    read(15, ts=2),
    web(T0 + 5, ((1, 1), (2, 2)), "e2"),
    header(10, "placed", "c"),
    header(20),
    header(30, "shipped"),
    item(11),
    item(21, quantity=9, op="u"),
    item(12, 2),
    item(40, 2, op="d"),
]


@given(st.permutations(range(len(STEPS))), st.lists(st.integers(0, len(STEPS) - 1), max_size=6), st.lists(st.integers(1, 14), max_size=5))
def test_order_repetition_cuts_and_a_rebuild_from_stored_rows_do_not_matter(order, repeated, cuts):
    table = {}
    log = KeyedLog(SALES, lambda: [((r["order_id"],), r) for r in table.values()])
    sequence = [*order, *repeated]
    edges = [0, *sorted(min(c, len(sequence)) for c in cuts), len(sequence)]
    for low, high in pairwise(edges):
        outcome = log.apply([c for n in sequence[low:high] for c in STEPS[n]])
        table.update({(r["order_id"], r["line_no"]): r for r in outcome.rows})
        log.discard()  # the next batch starts from what was written, as after a crash
    assert content(table.values()) == content(rows_of(*STEPS).values())


def test_a_replayed_batch_changes_nothing():
    log = KeyedLog(SALES, lambda: ())
    batch = [c for step in STEPS for c in step]
    assert log.apply(batch).rows
    log.commit()
    assert log.apply(batch).rows == []


@pytest.mark.parametrize("lines", [(), ((1, 1), (1, 2)), ((0, 1),), ((1, 0),), ((1, -2),)])
def test_an_order_that_cannot_be_is_rejected(lines):
    with pytest.raises(RejectedError) as caught:
        web(lines=lines)
    assert caught.value.reason == "bad_order"


def test_a_web_order_that_comes_late_changes_only_who_announced_it():
    early, late = rows_of(header(10), item(11)), rows_of(header(10), item(11), web())
    differing = {k for k in early[1] if early[1][k] != late[1][k]}
    assert (early[1]["source"], late[1]["source"]) == ("oltp", "web")
    assert differing == {"source", "_line"}


def test_a_correction_of_a_web_order_counts_by_its_own_time():
    newer, older = web(T0 + 5, ((1, 8),), "e2"), web(T0, ((1, 3),), "e1")
    assert rows_of(newer, older)[1]["quantity"] == rows_of(older, newer)[1]["quantity"] == 8


def test_an_incomplete_order_is_held_in_its_header_row():
    rows = rows_of(header(10))
    assert list(rows) == [0]
    assert (rows[0]["is_complete"], rows[0]["status"]) == (False, "paid")
    assert "is_complete" in SALES.table.visible


@pytest.mark.parametrize(
    "values",
    [
        {"quantity": 0},
        {"quantity": None},
        {"quantity": "2"},
        {"quantity": 2**31},
        {"product_id": "five"},
        {"unit_price": None},
        {"unit_price": "1.005"},
        {"discount": "some"},
        {"unit_cost": "NaN"},
        {"unit_price": "9999999999.99", "quantity": 2**30},
        {"line_no": 2**31},
        {"order_id": 17},
    ],
)
def test_a_line_that_its_columns_cannot_hold_is_rejected_before_it_is_stored(values):
    with pytest.raises(RejectedError) as caught:
        item(11, **values)
    assert caught.value.reason == "bad_order"


@pytest.mark.parametrize("values", [{"customer_id": "c7"}, {"ordered_at": "2026-03-01T09:00:00"}, {"ordered_at": "soon"}, {"status": 1}])
def test_a_header_that_its_columns_cannot_hold_is_rejected_before_it_is_stored(values):
    with pytest.raises(RejectedError) as caught:
        header(10, **values)
    assert caught.value.reason == "bad_order"


@pytest.mark.parametrize("ts", [None, -1, 253_402_214_400_000_000, "now"])
def test_a_change_without_a_usable_time_is_rejected(ts):
    change = envelope("c", {"order_id": "o1", "customer_id": 7, "status": "paid", "currency": "EUR"}, 10)
    change["source"]["ts_us"] = ts
    with pytest.raises(RejectedError) as caught:
        SALES.read(record(ORDERS), None, {**change, "after": {**change["after"], "campaign_id": None, "ordered_at": None}})
    assert caught.value.reason == "bad_ts"


@pytest.mark.parametrize(("op", "reason"), [("t", "truncate_refused"), ("c", "missing_after")])
def test_what_has_no_row_is_rejected_by_name(op, reason):
    with pytest.raises(RejectedError) as caught:
        SALES.read(record(ORDERS), None, envelope(op, None, 10))
    assert caught.value.reason == reason


def test_a_tombstone_says_nothing():
    assert SALES.read(record(ORDERS), {"order_id": "o1"}, None) == []
