import datetime as dt
from decimal import Decimal

from commerce360.reconcile import expect

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def order(order_id="o", **more):
    return {"order_id": order_id, "customer_id": 7, "status": "paid", "currency": "USD", "campaign_id": None, "ordered_at": NOON, **more}


def item(order_id="o", line_no=1, **more):
    row = {"order_id": order_id, "line_no": line_no, "product_id": 5, "quantity": 3, "unit_price": Decimal("10.10")}
    return {**row, "discount": Decimal("0.30"), "unit_cost": Decimal("4.00"), **more}


def event(order_id="o", *lines):
    made = [{"line_no": n, "product_id": 5, "quantity": 2, "unit_price": "9.99", "discount": "0.00"} for n in lines or (1,)]
    head = {"event_id": f"e-{order_id}", "order_id": order_id, "customer_id": None, "event_ts": 1_772_366_400_000_001}
    return {**head, "currency": "EUR", "campaign_id": "spring", "lines": made}


def only(rows):
    (row,) = rows
    return row


def test_an_order_of_the_back_office_alone():
    row = only(expect.sales([order()], [item()], [], set()))
    assert (row["source"], row["status"], row["currency"], row["ordered_at"]) == ("oltp", "paid", "USD", NOON)
    assert (row["sale_amount"], row["cost"]) == (Decimal("30.00"), Decimal("12.00"))
    assert only(expect.sales([order()], [item(unit_cost=None)], [], set()))["cost"] is None


def test_an_order_of_the_web_shop_alone():
    row = only(expect.sales([], [], [event()], set()))
    assert (row["source"], row["status"], row["customer_id"], row["campaign_id"]) == ("web", "placed", None, "spring")
    assert row["ordered_at"] == NOON + dt.timedelta(microseconds=1)
    assert (row["sale_amount"], row["unit_cost"], row["cost"]) == (Decimal("19.98"), None, None)


def test_an_order_that_came_both_ways_keeps_its_source_and_has_the_back_offices_values():
    rows = {r["line_no"]: r for r in expect.sales([order()], [item()], [event("o", 1, 2)], set())}
    assert sorted(rows) == [1, 2]  # the back office has not booked the second line yet
    assert {r["source"] for r in rows.values()} == {"web"}
    assert {r["status"] for r in rows.values()} == {"paid"}
    assert {r["campaign_id"] for r in rows.values()} == {None}
    assert (rows[1]["quantity"], rows[2]["quantity"]) == (3, 2)


def test_a_deleted_order_is_gone_though_the_web_shop_announced_it():
    assert expect.sales([], [], [event()], {"o"}) == []
    assert expect.sales([order("p")], [item("p")], [event("o")], {"o"}) == expect.sales([order("p")], [item("p")], [], set())


def test_a_line_that_the_back_office_deleted_is_gone_though_the_web_shop_announced_it():
    rows = expect.sales([order()], [item()], [event("o", 1, 2)], set(), {("o", 2)})
    assert [r["line_no"] for r in rows] == [1]
    assert expect.sales([], [], [event()], set(), {("another", 1)}) == expect.sales([], [], [event()], set())


def test_a_repeated_event_is_one_order_and_an_order_without_lines_is_no_sale():
    assert len(expect.sales([], [], [event(), event()], set())) == 1
    assert expect.sales([order()], [], [], set()) == []


def test_every_column_of_the_comparison_is_expected():
    from commerce360.reconcile.model import content_columns
    from schemas.tables import FCT_SALES

    for rows in (expect.sales([order()], [item()], [], set()), expect.sales([], [], [event()], set())):
        assert set(only(rows)) == set(content_columns(FCT_SALES))
