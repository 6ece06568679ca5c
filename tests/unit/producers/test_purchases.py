from __future__ import annotations

from producers.baskets import Line, Order
from producers.purchases import RIPE_S, Purchases

ORDER = Order("W-1-1", 7, None, (Line(1, 3, 1, 999, 0, None), Line(2, 4, 1, 999, 0, None)))


def test_a_purchase_can_be_reviewed_once_and_not_at_once() -> None:
    bought = Purchases()
    bought.note(ORDER, 100.0)
    assert bought.take(100.0 + RIPE_S - 1) is None
    assert [bought.take(100.0 + RIPE_S) for _ in range(3)] == [(7, 3), (7, 4), None]


def test_what_was_delivered_before_can_be_reviewed_at_once_and_a_guest_cannot() -> None:
    bought = Purchases([(1, 2)])
    bought.note(Order("W-1-2", None, None, ORDER.lines), 0.0)
    assert [bought.take(1000.0), bought.take(1000.0)] == [(1, 2), None]
