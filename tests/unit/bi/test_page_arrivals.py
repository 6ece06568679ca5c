from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from boards import NOW, batch_row, sale, second, version

from bi.dashboard.arrivals import Arrivals, Customers, pick, read_batch, read_order
from bi.dashboard.board import Board, Order
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_CUSTOMER, FCT_SALES


def known(*versions: dict[str, object]) -> Customers:
    customers = Customers(Lake(LakeSettings(root="nowhere")))
    customers.take(versions)
    return customers


def order(order_id: str, source: str, placed: float) -> Order:
    return Order(order_id, source, placed, "1.00", "EUR", 1, 1, None)


def test_an_order_is_worth_its_complete_lines_and_knows_its_customer() -> None:
    rows = [
        sale(line_no=0, is_complete=False, sale_amount=None),
        sale(line_no=1, sale_amount=Decimal("0.10")),
        sale(line_no=2, sale_amount=Decimal("0.20")),
        sale(line_no=3, is_deleted=True),
        sale(line_no=4, is_complete=False),
    ]
    found = read_order(rows, known(version("Ines", since=-100)))
    assert found is not None
    assert (found.amount, found.lines, found.customer, found.city) == ("0.30", 2, "Ines", "Leipzig")
    assert found.placed_at == NOW


def test_an_order_without_a_complete_line_is_not_shown() -> None:
    assert read_order([sale(line_no=0, is_complete=False)], known()) is None


def test_a_row_that_was_appended_again_counts_once() -> None:
    found = read_order([sale(sale_amount=Decimal("5.00")), sale(sale_amount=Decimal("6.00"))], known())
    assert found is not None
    assert (found.amount, found.lines) == ("6.00", 1)


def test_a_late_old_change_does_not_rename_a_customer_and_a_deleted_one_has_no_name() -> None:
    newest = version("New", since=-10, seq_pos=9)
    assert known(newest, version("Old", since=-20, seq_pos=3)).current(5) == ("New", "Leipzig")
    assert known(newest, version("New", since=-5, seq_pos=12, is_deleted=True)).current(5) == ("", "")
    assert known().current(None) == ("", "")


def test_the_newest_of_each_source_is_picked_first_and_the_oldest_comes_first() -> None:
    many = [order(f"W{n}", "web", NOW + n) for n in range(5)] + [order("C1", "oltp", NOW - 50)]
    assert [o.order_id for o in pick(many, 2)] == ["C1", "W4"]
    assert [o.order_id for o in pick(many, 3)] == ["C1", "W3", "W4"]
    assert pick([], 2) == []


def test_a_batchs_delay_is_the_median_of_its_web_orders() -> None:
    announced = [sale(event_ts=second(-t), kafka_ts=second(-t + 0.5)) for t in (1, 2, 9)]
    found = read_batch(batch_row(7, -1, 0), announced)
    assert (found.orders, found.event_at, found.kafka_delay_s) == (3, NOW - 2, 0.5)
    assert found.delay_s(NOW) == 2.0
    assert read_batch(batch_row(7, -1, 0), []).delay_s(NOW) is None


def test_orders_appear_with_their_batch_and_a_paid_order_is_not_a_new_one(tmp_path: Path) -> None:
    settings, board = LakeSettings(root=str(tmp_path)), Board()
    lake, arrivals = Lake(settings), Arrivals(settings, board)
    arrivals.poll()
    assert board.lake.batches == ()  # no table is there yet
    for table in (BATCHES, DIM_CUSTOMER, FCT_SALES):
        lake.create(table)

    def write(batch_id: int, *rows: dict[str, object]) -> str:
        sales = lake.append(FCT_SALES, rows, "q", batch_id)
        return json.dumps({"gold.fct_sales": sales, "gold.dim_customer": lake.delta(DIM_CUSTOMER).version()})

    def complete(batch_id: int, versions: str) -> None:
        offsets = json.dumps({"shop.orders.events": {"0": 10 * batch_id}})
        lake.append(BATCHES, [batch_row(batch_id, batch_id - 0.5, batch_id, versions, offsets)], "q", batch_id)

    lake.append(DIM_CUSTOMER, [version("Ines", since=-100)], "q", 1)
    complete(1, write(1, sale("W-1-1", batch_id=1)))
    arrivals.poll()
    written = write(2, sale("W-1-1", batch_id=2, status="paid"), sale("W-1-2", batch_id=2))
    arrivals.poll()
    assert [(o.order_id, o.customer) for o in board.lake.orders] == [("W-1-1", "Ines")]  # half a batch is not seen

    complete(2, written)
    arrivals.poll()
    assert [(o.order_id, o.batch_id) for o in board.lake.orders] == [("W-1-2", 2), ("W-1-1", 1)]
    assert [b.batch_id for b in board.lake.batches] == [1, 2]
    assert board.lake.offsets == {"shop.orders.events": {0: 20}}
