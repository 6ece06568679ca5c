from __future__ import annotations

import json
from typing import Any

from boards import NOW, batch, board, shown, status

from bi.dashboard.board import Board, Files, Order
from bi.dashboard.model import Model


def number(view: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(n for n in view["numbers"] if n["id"] == name)
    return found


def test_a_page_that_knows_nothing_yet_can_be_shown() -> None:
    view = Model().tick(Board(), NOW)
    assert json.loads(json.dumps(view)) == view
    assert [n["value"] for n in view["numbers"]] == [None] * 7
    assert (view["orders"], view["services"], view["report"]) == ([], [], None)


def test_an_order_is_queryable_once_its_batch_was_shown() -> None:
    orders = tuple(Order(f"W-{b}", "web", NOW, "1.00", "EUR", 1, b, 5) for b in (8, 7))
    view = Model().tick(board(batches=(batch(7, -2), batch(8, -1)), shown=shown((7, -1)), orders=orders), NOW)
    assert [(o["order_id"], o["queryable"]) for o in view["orders"]] == [("W-8", False), ("W-7", True)]


def test_a_warehouse_that_does_not_answer_is_said_beside_its_last_numbers() -> None:
    told = board(numbers={"orders_today": "12"}, failures={"warehouse": "OperationalError"})
    orders = number(Model().tick(told, NOW), "orders")
    assert (orders["value"], orders["note"]) == ("12", "warehouse does not answer")


def test_delays_of_old_batches_leave_the_charts_when_nothing_moves() -> None:
    busy = Model().tick(board(batches=(batch(1, -1, ordered=-2),), shown=shown((1, -0.5))), NOW)
    quiet = Model().tick(board(batches=(batch(1, -60, ordered=-61),), shown=shown((1, -59))), NOW)
    assert (busy["point"]["lake_delay"], busy["point"]["warehouse_delay"]) == (1.0, 1.5)
    assert (quiet["point"]["lake_delay"], quiet["point"]["warehouse_delay"]) == (None, None)


def test_the_report_names_the_first_differences_of_each_table() -> None:
    stages = {"gold": {"count": 5, "hash": "a"}, "warehouse": {"count": 4, "hash": "b"}}
    found = {
        "equal": False,
        "lost": 9,
        "doubled": 1,
        "tables": {"fct_sales": {"equal": False, "stages": stages, "differences": list("abcd")}},
    }
    view = Model().tick(board(Files(status(), report=found, report_at=NOW)), NOW)
    assert view["report"]["tables"] == [
        {"name": "fct_sales", "equal": False, "counts": {"gold": 5, "warehouse": 4}, "differences": ["a", "b", "c"]}
    ]
    assert number(view, "lost")["value"] == "9 / 1"
