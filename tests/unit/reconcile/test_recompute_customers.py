"""Rows of mart_customer_360 against cases worked out by hand from docs/model.md M5."""

import json
from decimal import Decimal

import pytest
from recompute_rows import DAY, TICK, TODAY, T, click, customer, review, rows, sale, score, version


def test_a_customer_is_known_by_the_current_version_and_its_address_is_masked():
    key = {"customer_id": 1}
    history = [version(key, 0, T, T + DAY, email="old@x.y", tier="gold"), version(key, 1, T + DAY, email="jane@shop.de", country="DE")]
    found = customer(customers=history)
    names = ("is_known", "email_masked", "country", "tier", "marketing_consent", "churn_risk", "rfm_cell", "churn_reasons")
    assert [found[n] for n in names] == [True, "j***@shop.de", "DE", None, None, "none", "000", "[]"]
    gone = customer(customers=[version(key, 0, T, T + DAY, email="jane@shop.de", country="DE")])
    assert [gone[n] for n in names[:3]] == [False, None, None]
    assert customer(customers=[version(key, 0, T, email="a@b", is_deleted=True)])["is_known"] is False


@pytest.mark.parametrize(
    ("email", "masked"), [(None, None), ("", None), ("x", None), ("@y.z", None), ("x@y.z", "x***@y.z"), ("é@y", "é***@y")]
)
def test_an_address_without_a_name_before_the_at_is_not_shown(email, masked):
    assert customer(customers=[version({"customer_id": 1}, 0, T, email=email)])["email_masked"] == masked


def test_everybody_with_an_order_a_session_or_a_review_has_a_row():
    given = {
        "sales": [sale("o", customer=1), sale("p", None, customer=2)],
        "reviews": [review("r", customer_id=4), review("s", customer_id=None)],
    }
    found = rows("mart_customer_360", clicks=[click("a", customer=3)], customers=[version({"customer_id": 5}, 0, T)], **given)
    assert [r["customer_id"] for r in found] == [1, 2, 3, 4, 5]
    assert [r["orders"] for r in found] == [1, 0, 0, 0, 0]


def test_sums_of_orders_leave_out_cancelled_ones_and_money_also_other_currencies_and_returned_ones():
    sales = [
        sale("a", T, "10.00", quantity=2),
        sale("a", T, "0.01", line_no=2),
        sale("b", T + DAY, "0.00", status="shipped"),
        sale("c", T + 2 * DAY, "50.00", status="returned"),
        sale("d", T + 3 * DAY, "70.00", status="cancelled"),
        sale("e", T - DAY, "30.00", currency="USD"),
        sale("f", T, "30.00", currency=None),
        sale("g", None, "30.00"),
    ]
    found = customer(sales=sales)
    counts = ("orders", "cancelled_orders", "returned_orders", "units", "other_currency_orders")
    assert [found[n] for n in counts] == [5, 1, 1, 7, 2]
    assert (found["first_order_at"], found["last_order_at"], found["last_contact_at"]) == (T - DAY, T + 2 * DAY, T + 2 * DAY)
    assert (found["lifetime_value"], found["return_rate"]) == (Decimal("10.01"), Decimal("0.2000"))
    assert found["average_order_value"] == Decimal("5.01")  # 5.005


def test_halves_are_rounded_up_and_away_from_zero():
    assert customer(sales=[sale("a", amount="0.01"), sale("b", amount="0.00")])["average_order_value"] == Decimal("0.01")
    assert customer(sales=[sale("a", amount="-0.01"), sale("b", amount="0.00")])["average_order_value"] == Decimal("-0.01")
    given = [review("a", title="x", language="en", rating=4), review("b", title="y", language="en", rating=None), review("c", rating=5)]
    for low, high, mean in (("-0.0001", "0.0000", "-0.0001"), ("0.0001", "0.0000", "0.0001"), ("-0.9999", "0.9998", "-0.0001")):
        found = customer(reviews=given, scores=[score("x", "", low), score("y", "", high)])
        assert (found["average_sentiment"], found["average_rating"], found["reviews"]) == (Decimal(mean), Decimal("4.5000"), 3)
    thirds = [sale(n, status="returned" if n == "a" else "paid") for n in "abcdefghijklmnop"]
    assert customer(sales=thirds)["return_rate"] == Decimal("0.0625")
    assert customer(sales=[*thirds, *(sale(f"z{n}") for n in range(16))])["return_rate"] == Decimal("0.0313")  # 0.03125


CATEGORIES = [
    version({"product_id": 1}, 0, T, T + DAY, category="Toys"),
    version({"product_id": 1}, 1, T + DAY, T + 2 * DAY, category="Books"),
    version({"product_id": 1}, 2, T + 4 * DAY, T + 5 * DAY, category=None),
    version({"product_id": 1}, 3, T + 5 * DAY, category="Garden"),
    version({"product_id": 2}, 0, T, T + DAY, category=None),
    version({"product_id": 2}, 1, T + DAY, category="Wine"),
    version({"product_id": 4}, 0, T, category=""),
]


@pytest.mark.parametrize(
    ("product_id", "at", "category"),
    [
        (1, T, "Toys"),
        (1, T - DAY, "Toys"),  # early: of the first version
        (1, T + DAY - TICK, "Toys"),
        (1, T + DAY, "Books"),
        (1, T + 3 * DAY, "Books"),  # in a gap: of the last one begun before
        (1, T + 4 * DAY, None),  # the version in force has none, and an earlier one does not lend its own
        (1, T + 9 * DAY, "Garden"),
        (2, T - DAY, None),
        (3, T, None),
        (4, T, None),
        (None, T, None),
    ],
)
def test_a_line_has_the_category_that_its_product_had_when_it_was_ordered(product_id, at, category):
    assert customer(sales=[sale("o", at, product_id=product_id)], products=CATEGORIES)["favourite_category"] == category


def test_the_favourite_category_has_most_units_and_the_first_by_code_point_among_equals():
    names = {1: "books", 2: "Toys", 3: "Ärzte", 4: "Wine"}
    products = [version({"product_id": i}, 0, T, category=name) for i, name in names.items()]
    equal = [sale("o", T, line_no=i, product_id=i, quantity=2) for i in (1, 2, 3)]
    assert customer(sales=equal, products=products)["favourite_category"] == "Toys"
    more = [sale("p", T, product_id=3), sale("x", T, product_id=4, quantity=9, status="cancelled")]
    assert customer(sales=[*equal, *more], products=products)["favourite_category"] == "Ärzte"


def test_sessions_of_a_customer_are_counted_by_day_and_found_on_every_browser():
    days = {"a": 0, "b": 6, "c": 7, "d": 29, "e": 30, "f": -1}
    noon = T + 10 * DAY
    clicks = [click(e, noon - n * DAY, visitor=e, customer=1, kind="cart") for e, n in days.items()]
    found = customer(clicks=clicks, sales=[sale("o", noon, visitor_id="a"), sale("x", noon - 6 * DAY, visitor_id="b", status="cancelled")])
    assert [found[n] for n in ("sessions", "sessions_7d", "sessions_30d", "abandoned_carts")] == [6, 2, 4, 5]
    assert found["last_session_at"] == found["last_contact_at"] == noon + DAY


def idle(days, **more):
    return sale("o", T, **more), TODAY.replace(day=10) + days * DAY


@pytest.mark.parametrize(
    ("days", "points"), [(-1, 5), (0, 5), (7, 5), (8, 4), (30, 4), (31, 3), (90, 3), (91, 2), (180, 2), (181, 1), (5000, 1)]
)
def test_recency_at_its_bounds(days, points):
    order, as_of = idle(days)
    assert customer(sales=[order], as_of=as_of)["recency_score"] == points


def test_frequency_and_money_at_their_bounds():
    for orders, points in {1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 8: 4, 9: 5}.items():
        assert customer(sales=[sale(f"o{n}") for n in range(orders)])["frequency_score"] == points
    for amount, points in {
        "0.00": 0,
        "-1.00": 0,
        "0.01": 1,
        "49.99": 1,
        "50.00": 2,
        "149.99": 2,
        "150.00": 3,
        "400.00": 4,
        "1000.00": 5,
    }.items():
        found = customer(sales=[sale("o", amount=amount)])
        assert (found["monetary_score"], found["rfm_cell"]) == (points, f"41{points}")


def reasons(**given):
    found = customer(**given)
    return json.loads(found["churn_reasons"]), found["churn_score"], found["churn_risk"]


def test_one_order_is_long_ago_after_sixty_days_and_more_orders_after_twice_their_gap_or_thirty():
    for days, found in {60: ([], 0, "low"), 61: (["no_order_for_long"], 40, "medium")}.items():
        order, as_of = idle(days)
        assert reasons(sales=[order], as_of=as_of) == found
    for back, count, limit in ((50, 2, 100), (25, 3, 30), (46, 4, 30), (47, 4, 31), (0, 2, 30)):
        sales = [sale("first", T - back * DAY), *(sale(f"o{n}") for n in range(count - 1))]
        for days, late in {limit: False, limit + 1: True}.items():
            names, _, _ = reasons(sales=sales, as_of=T.date() + days * DAY)
            assert ("no_order_for_long" in names) is late


def test_the_last_order_and_the_last_review_decide_and_equal_times_go_by_id():
    back = {"status": "returned"}
    assert reasons(sales=[sale("a"), sale("b", **back)]) == (["last_order_returned"], 25, "medium")
    assert reasons(sales=[sale("a", **back), sale("b")])[0] == []
    assert reasons(sales=[sale("a", **back), sale("b", T + DAY, status="cancelled")])[0] == ["last_order_returned"]
    assert reasons(reviews=[review("a", rating=5), review("b", rating=2)]) == (["bad_review"], 20, "none")
    assert reasons(reviews=[review("a", rating=1), review("b", rating=3)])[0] == []
    assert reasons(reviews=[review("a", rating=1), review("b", T + TICK, rating=None)])[0] == []


def test_visits_fell_when_three_or_more_are_all_older_than_thirty_days():
    clicks = [click(f"e{n}", T - n * DAY, customer=1) for n in range(3)]
    assert reasons(clicks=clicks, as_of=T.date() + 30 * DAY) == (["visits_fell"], 15, "none")
    assert reasons(clicks=clicks, as_of=T.date() + 29 * DAY)[0] == []
    assert reasons(clicks=clicks[:2], as_of=T.date() + 30 * DAY)[0] == []


def test_all_reasons_come_in_their_order_and_make_a_hundred():
    clicks = [click(f"e{n}", T - n * DAY, customer=1) for n in range(3)]
    found = reasons(clicks=clicks, sales=[sale("o", status="returned")], reviews=[review("r", rating=1)], as_of=T.date() + 61 * DAY)
    assert found == (["no_order_for_long", "last_order_returned", "bad_review", "visits_fell"], 100, "high")
