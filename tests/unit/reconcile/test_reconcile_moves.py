"""Where the log of moves is told again from the other logs; that it is told right is in tests/unit/stream_jobs/test_moves.py."""

import datetime as dt

import pytest

from commerce360.reconcile import moves
from commerce360.reconcile.compare import Stage, compare
from schemas.tables import DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, FCT_SALES_MOVES
from stream_jobs.scd2.fold import version_key
from stream_jobs.values import EPOCH

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def hour(n):
    return NOON + dt.timedelta(hours=n)


def version(batch_id, start, end=None, seq=None):
    place = {"customer_id": 7, "seq_pos": start if seq is None else seq, "seq_ord": 0, "op": "u", "is_visible": True}
    valid = {"valid_from": hour(start), "valid_to": None if end is None else hour(end), "event_ts": hour(start)}
    key = version_key((7,), (hour(start) - EPOCH) // dt.timedelta(microseconds=1))
    return {**place, **valid, "version_key": key, "kafka_ts": NOON, "origin": f"t/0/{place['seq_pos']}", "batch_id": batch_id}


def sale(batch_id, hours=9, customer_id=7, deleted=False):
    row = {"order_id": "o", "line_no": 1, "customer_id": customer_id, "product_id": None, "ordered_at": hour(hours)}
    return {**row, "is_complete": True, "is_deleted": deleted, "origin": "s/0/1", "batch_id": batch_id}


def move(batch_id, to="v", dimension="dim_customer"):
    return {"order_id": "o", "line_no": 1, "dimension": dimension, "to_version_key": to, "batch_id": batch_id}


def of_logs(customers, sales):
    return list(moves.of_logs({DIM_CUSTOMER: customers, DIM_PRODUCT: [], FCT_SALES: sales}))


WORLD = [version(0, 0), version(1, 0, 5), version(1, 5)], [sale(0)]


def test_a_late_version_moves_the_sale_behind_it_in_its_batch():
    [found] = of_logs(*WORLD)
    assert found.keys() == {c.name for c in FCT_SALES_MOVES.columns}
    assert (found["batch_id"], found["from_match"], found["to_match"], found["cause"]) == (1, "exact", "exact", "dimension")
    assert (found["cause_seq_pos"], found["origin"], found["event_ts"]) == (5, "t/0/5", hour(5))


@pytest.mark.parametrize("sales", [[sale(1)], [sale(0, deleted=True), sale(1)], [sale(0), sale(1, deleted=True)], [sale(0, hours=3)]])
def test_a_sale_that_comes_or_goes_or_keeps_its_version_does_not_move(sales):
    assert of_logs(WORLD[0], sales) == []


@pytest.mark.parametrize("column", [c.name for c in FCT_SALES_MOVES.columns])
def test_a_move_that_says_something_else_in_any_column_is_a_difference(column):
    right = of_logs(*WORLD)
    forged = [{**right[0], column: "forged"}]
    stages = [Stage.of(name, rows, FCT_SALES_MOVES.key, moves.COLUMNS) for name, rows in (("logs", right), ("gold", forged))]
    assert not compare("moves", stages, moves.COLUMNS).equal


def test_of_the_moves_of_a_sale_the_last_of_each_dimension_must_be_what_is_shown():
    told = [move(3, "c"), move(1, "a"), move(2, "p", "dim_product")]
    assert [(m["dimension"], m["to_version_key"]) for m in moves.newest(told, [sale(0)])] == [("dim_customer", "c"), ("dim_product", "p")]


def test_moves_of_before_a_sale_came_back_say_nothing_of_where_it_is():
    sales = [sale(0), sale(2, deleted=True), sale(4)]
    assert moves.newest([move(1)], sales) == []
    assert moves.newest([move(1)], sales[:2]) == []
    assert [m["batch_id"] for m in moves.newest([move(1), move(5)], sales)] == [5]
