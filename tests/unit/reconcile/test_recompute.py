"""The plain recomputation of the 360 view against cases worked out by hand from docs/model.md, rule by rule; customers apart."""

import datetime as dt
from decimal import Decimal

import pytest
from recompute_rows import DAY, MIN, TICK, T, arrow, base, click, review, rows, sale, score, session_id, sessions, sha

from commerce360.lake import Lake
from commerce360.reconcile import recompute
from commerce360.settings import Lake as LakeSettings
from schemas import behaviour, shop, tables
from schemas.types import arrow_type


def test_every_table_has_the_columns_and_types_of_its_contract_with_and_without_rows():
    full = base([click("a")], [review("r", product_id=1)], [score("", "", "0.5", language="")], [sale("o", product_id=1)])
    for given in (base(), full):
        found = recompute.recompute(given)
        for table in recompute.TABLES:
            kinds = {c.name: arrow_type(c.type) for c in table.columns}
            assert {f.name: f.type for f in found[table.name].schema} == {name: kinds[name] for name in recompute.columns(table)}
            assert found[table.name].num_rows or given is not full


# V. Visits


def test_thirty_minutes_are_one_session_and_a_microsecond_more_are_two():
    assert [s["events"] for s in sessions([click("a"), click("b", T + 30 * MIN)])] == [2]
    assert [s["events"] for s in sessions([click("a"), click("b", T + 30 * MIN + TICK)])] == [1, 1]


def test_the_session_is_named_after_its_first_event_in_the_order_of_time_and_code_point():
    for first, second in (("a", "b"), ("B", "a"), ("z", "é"), ("\uffff", "\U0001f600")):
        [found] = sessions([click(second, page="/2"), click(first, page="/1")])
        assert found["session_id"] == session_id("v", first)
        assert (found["landing_page"], found["exit_page"]) == ("/1", "/2")


def test_no_two_sessions_have_one_name_whatever_visitors_and_events_are_called():
    found = sessions([click("b|c", visitor="a"), click("c", visitor="a|b"), click("d", visitor="a|"), click("|d", visitor="a")])
    assert len({s["session_id"] for s in found}) == len(found) == 3  # of the visitor a both are one
    [wide] = sessions([click("e", visitor="å😀")])
    assert wide["session_id"] == sha("2|å😀|e")


def test_two_customers_on_one_browser_have_two_sessions_and_each_names_one():
    clicks = [
        click(e, T + n * MIN, customer=c) for n, (e, c) in enumerate([("a", None), ("b", 1), ("c", None), ("d", 2), ("e", 2), ("f", 1)])
    ]
    found = sessions(clicks)
    assert [(s["customer_id"], s["identity"], s["events"]) for s in found] == [(1, "own", 3), (2, "own", 2), (1, "own", 1)]


def test_who_named_an_earlier_session_says_nothing_of_a_split_in_this_one():
    found = sessions([click("a", customer=1), click("b", T + 40 * MIN), click("c", T + 41 * MIN, customer=2)])
    assert [(s["customer_id"], s["events"]) for s in found] == [(1, 1), (2, 2)]


def test_a_nameless_session_takes_the_nearest_later_name_before_any_earlier_one():
    names = [None, 1, None, 2, None, None]
    found = sessions([click(f"e{n}", T + n * 60 * MIN, customer=c) for n, c in enumerate(names)])
    assert [s["customer_id"] for s in found] == [1, 1, 2, 2, 2, 2]
    assert [s["identity"] for s in found] == ["later", "own", "later", "own", "earlier", "earlier"]
    [other] = sessions([click("x", visitor="w")])
    assert (other["customer_id"], other["identity"]) == (None, "none")


def test_a_late_event_joins_two_sessions():
    apart = [click("a"), click("c", T + 50 * MIN)]
    assert len(sessions(apart)) == 2
    [joined] = sessions([*apart, click("b", T + 25 * MIN)])
    assert (joined["session_id"], joined["events"], joined["duration_s"]) == (session_id("v", "a"), 3, 3000)


def test_a_session_counts_its_events_and_keeps_first_device_and_campaign_that_are_named():
    kinds = ["view", "view", "view", "search", "cart", "checkout", "login", None]
    clicks = [click(f"e{n}", T + n * TICK, kind=k, product_id=[1, 1, None, 9, 2, None, None, None][n]) for n, k in enumerate(kinds)]
    clicks[2] |= {"device": "mobile"}
    clicks[3] |= {"device": "desktop", "campaign_id": "c1", "page": "/s"}
    clicks[-1] |= {"occurred_at": T + MIN - TICK}
    [found] = sessions(clicks)
    names = ("events", "views", "searches", "carts", "checkouts", "logins", "products", "duration_s")
    assert [found[n] for n in names] == [8, 3, 1, 1, 1, 1, 1, 59]
    assert (found["device"], found["campaign_id"], found["landing_page"], found["exit_page"]) == ("mobile", "c1", None, None)


def test_page_events_without_visitor_or_time_have_no_session_and_know_only_who_they_name():
    clicks = [click("a", visitor=None, customer=3), click("b", at=None), click("c"), click("d", T + MIN, customer=1, session_id="s")]
    found = rows("fct_page_events", clicks=[*clicks, {**click("gone"), "is_deleted": True}])
    assert [(r["event_id"], r["session_id"], r["customer_id"], r["identity"]) for r in found] == [
        ("a", None, 3, "own"),
        ("b", None, None, "none"),
        ("c", session_id("v", "c"), 1, "own"),
        ("d", session_id("v", "c"), 1, "own"),
    ]
    assert (found[1]["day"], found[2]["source_customer_id"], found[3]["source_session_id"]) == (None, None, "s")


@pytest.mark.parametrize(
    ("at", "counted"), [(T + 10 * MIN, [1]), (T + 40 * MIN, [1]), (T + 40 * MIN + TICK, [0]), (T, [1]), (T - TICK, [0]), (None, [0])]
)
def test_an_order_belongs_to_the_session_it_falls_into_or_that_ended_up_to_thirty_minutes_before(at, counted):
    clicks = [click("a"), click("b", T + 10 * MIN)]
    assert [s["orders"] for s in sessions(clicks, sales=[sale("o", at, visitor_id="v")])] == counted


def test_orders_go_to_the_last_session_begun_and_cancelled_ones_and_other_visitors_do_not_count():
    clicks = [click("a", customer=1), click("b", customer=2)]  # at the same instant: the order of V1 says which is last
    sales = [sale("o", T, visitor_id="v"), sale("o", T, visitor_id="v", line_no=2), sale("x", T, visitor_id="v", status="cancelled")]
    found = {
        s["customer_id"]: s["orders"] for s in sessions(clicks, sales=[*sales, sale("p", T, visitor_id=None), sale("q", T, visitor_id="w")])
    }
    assert found == {1: 0, 2: 1}


def test_an_empty_text_is_one_that_nobody_knows():
    clicks = [click("a", device="", campaign_id=""), click("b", T + MIN, device="mobile", campaign_id="c1"), click("x", visitor="")]
    given = {"clicks": clicks, "sales": [sale("o", visitor_id="", currency="", campaign_id="")], "named": ["", "c1"]}
    [found] = sessions(**given)
    assert (found["device"], found["campaign_id"], found["orders"]) == ("mobile", "c1", 0)
    assert [(r["event_id"], r["session_id"] is None, r["visitor_id"]) for r in rows("fct_page_events", **given)][2] == ("x", True, "")
    assert [r["campaign_id"] for r in rows("mart_attribution", **given)] == ["direct"]
    assert [r["currency"] for r in rows("mart_revenue_minute", **given)] == ["XXX"]
    assert "" not in {r["campaign_id"] for r in rows("dim_campaign", **given)}


def test_what_is_out_of_range_in_rows_of_before_counts_as_the_end_of_the_range():
    first, last = behaviour.FIRST_TIME, behaviour.END_OF_TIME - TICK
    early, late = dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
    assert [s["started_at"] for s in sessions([click("a", early), click("b", late)])] == [first, last]
    reviews = rows("fct_reviews", reviews=[review("r", late, rating=99), review("s", None, rating=-1), review("t", early, rating=None)])
    assert [(r["reviewed_at"], r["rating"]) for r in reviews] == [(last, 5), (None, 1), (first, None)]
    assert [r["ordered_at"] for r in rows("mart_attribution", sales=[sale("o", early), sale("p", late), sale("q", T)])] == [first, last, T]


def test_sums_hold_whatever_their_parts_can_be_worth():
    sales = [sale("o", amount="999999999999.99", line_no=n, product_id=1, visitor_id="v", customer=1) for n in range(1, 301)]
    clicks = [click(f"e{n:02}", T - n * 60 * MIN, customer=1, campaign_id="c") for n in range(60)]
    whole = Decimal("299999999999997.00")
    shares = rows("mart_attribution", sales=sales, clicks=clicks)
    assert (len(shares), sum(r["linear"] for r in shares), shares[0]["amount"]) == (60, whole, whole)
    assert [r["gross_revenue"] for r in rows("mart_revenue_minute", sales=sales)] == [whole]
    assert [r["revenue"] for r in rows("mart_product_pulse", sales=sales)] == [whole]
    [customer] = rows("mart_customer_360", sales=sales)
    assert (customer["lifetime_value"], customer["average_order_value"]) == (whole, whole)


# Days


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-03-28T22:59:59.999999Z", "2026-03-28"),  # winter: one hour ahead
        ("2026-03-28T23:00:00Z", "2026-03-29"),
        ("2026-03-29T21:59:59.999999Z", "2026-03-29"),  # the clocks went forward: two hours
        ("2026-03-29T22:00:00Z", "2026-03-30"),
        ("2026-10-24T22:00:00Z", "2026-10-25"),
        ("2026-10-25T22:59:59.999999Z", "2026-10-25"),  # and back: a day of 25 hours
        ("2026-10-25T23:00:00Z", "2026-10-26"),
    ],
)
def test_days_are_days_of_the_shop_on_both_nights_that_move_the_clocks(at, day):
    time = dt.datetime.fromisoformat(at)
    found = recompute.recompute(base([click("a", time)], [review("r", time)]))
    assert {r["day"] for t in ("page_events", "sessions", "reviews") for r in found[f"gold.fct_{t}"].to_pylist()} == {
        dt.date.fromisoformat(day)
    }


# R. Reviews, C. campaigns


def test_a_review_has_the_sentiment_that_comes_last_and_an_error_never_beats_a_score():
    scores = [
        score("Fine", "works", "0.5", T),
        score("Fine", "works", "0.25", T + DAY, model="azure", label="positive"),
        score("Fine", "works", "0.75", T + DAY, model="azure", version="0"),
        score("Fine", "works", None, T + 9 * DAY, error="InvalidDocument"),
        score("Fine", "works", "-1", T + 9 * DAY, language="de"),
        score("", "", None, language="", error="Empty"),
    ]
    reviews = [review("a", title="Fine", body="works", language="en"), review("b"), review("c", title="new", language="en")]
    a, b, c = rows("fct_reviews", reviews=[*reviews, {**review("d"), "is_deleted": True}], scores=scores)
    names = ("sentiment", "sentiment_label", "sentiment_model", "sentiment_error", "scored_at")
    assert [a[n] for n in names] == [Decimal("0.2500"), "positive", "azure/1", None, T + DAY]
    assert (b["text_hash"], b["sentiment"], b["sentiment_error"], b["sentiment_model"]) == (sha("\n"), None, "Empty", "vader/1")
    assert [c[n] for n in names] == [None] * 5


def test_campaigns_are_the_listed_ones_and_one_row_for_each_other_that_was_ever_named():
    listed = {c["campaign_id"] for c in shop.campaigns()}
    found = rows("dim_campaign", named=[None, "other", "other", *listed])
    assert {r["campaign_id"]: r["is_inferred"] for r in found} == {**dict.fromkeys(listed, False), "other": True}
    assert len(found) == len(listed) + 1


# M1, M2, M4


def test_revenue_by_minute_keeps_currencies_apart_and_counts_cancelled_orders_in_gross_alone():
    sales = [
        sale("a", T + 59 * TICK, "1.10", source="web"),
        sale("a", T + 59 * TICK, "2.20", line_no=2, source="web", quantity=3),
        sale("b", T + MIN - TICK, "5.00", status="cancelled"),
        sale("c", T, "7.00", status="returned"),
        sale("d", T, "9.00", currency=None),
        sale("e", T + MIN, "3.00", status=None),
        sale("f", None, "99.00"),
    ]
    eur, none, later = rows("mart_revenue_minute", sales=sales)
    names = ("orders", "web_orders", "cancelled_orders", "returned_orders", "units")
    assert [eur[n] for n in names] == [3, 1, 1, 1, 6]
    assert (eur["gross_revenue"], eur["net_revenue"]) == (Decimal("15.30"), Decimal("3.30"))
    assert (none["currency"], none["net_revenue"]) == ("XXX", Decimal("9.00"))
    assert (later["minute"], later["net_revenue"]) == (T + MIN, Decimal("3.00"))


def test_the_funnel_counts_sessions_once_however_often_they_did_a_thing():
    clicks = [click("a"), click("b", kind="cart"), click("c", kind="cart"), click("d", T + DAY / 24, kind="checkout", campaign_id="c1")]
    direct, campaign = sorted(
        rows("mart_funnel", clicks=clicks, sales=[sale("o", T, visitor_id="v")]), key=lambda r: r["campaign_id"] != "direct"
    )
    names = ("campaign_id", "device", "sessions", "viewed", "carted", "checked_out", "paid")
    assert [direct[n] for n in names] == ["direct", "unknown", 1, 1, 1, 0, 1]
    assert [campaign[n] for n in names] == ["c1", "unknown", 1, 0, 0, 1, 0]


def test_a_products_day_joins_what_was_seen_bought_and_said_of_it():
    late = dt.datetime(2026, 6, 10, 21, 50, tzinfo=dt.UTC)  # ten minutes to midnight in the shop
    clicks = [click("a", late, product_id=1), click("b", late + 20 * MIN, product_id=1), click("c", late, kind="cart", product_id=2)]
    clicks += [click("d", late, visitor=None, product_id=1), click("e", late, kind="search", product_id=3)]
    sales = [
        sale("o", T, "2.00", product_id=1, quantity=2),
        sale("o", T, "3.00", line_no=2, product_id=1),
        sale("p", T, "5.00", product_id=1, status="returned", quantity=4),
        sale("q", T, "7.00", product_id=1, currency="USD"),
        sale("r", T, "9.00", product_id=4, status="cancelled"),
        sale("s", T, "1.00", product_id=5),
    ]
    reviews = [
        review("a", product_id=5, title="x", language="en"),
        review("b", product_id=5, rating=None),
        review("c", at=None, product_id=6),
    ]
    found = {
        r["product_id"]: r
        for r in rows("mart_product_pulse", clicks=clicks, sales=sales, reviews=reviews, scores=[score("x", "", "-0.1235")])
    }
    assert found.keys() == {1, 2, 5}
    names = ("views", "sessions", "carts", "orders", "units", "returned_units", "other_currency_orders")
    assert [found[1][n] for n in names] == [2, 1, 0, 3, 8, 4, 1]
    assert (found[1]["revenue"], found[2]["carts"], found[2]["orders"]) == (Decimal("5.00"), 1, 0)
    last = [found[5][n] for n in ("orders", "reviews", "rated_reviews", "rating_sum", "scored_reviews", "sentiment_sum")]
    assert last == [1, 2, 1, 5, 1, Decimal("-0.1235")]


# M3


def touched(amount, touches, **more):
    """Attribution of one order of customer 1 behind `touches` campaign visits that are an hour apart."""
    clicks = [click(f"e{n}", T + n * 60 * MIN, customer=1, campaign_id=f"c{n}") for n in range(touches)]
    return rows("mart_attribution", clicks=clicks, sales=[sale("o", T + DAY, amount, visitor_id="w", **more)])


@pytest.mark.parametrize(
    ("amount", "shares"),
    [
        ("1.00", ["0.33", "0.33", "0.34"]),
        ("-1.00", ["-0.34", "-0.33", "-0.33"]),
        ("0.01", ["0.00", "0.00", "0.01"]),
        ("0.00", ["0.00"] * 3),
    ],
)
def test_linear_shares_are_whole_cents_and_together_the_amount(amount, shares):
    found = touched(amount, 3)
    assert [r["linear"] for r in found] == list(map(Decimal, shares))
    assert sum(r["linear"] for r in found) == Decimal(amount)
    zero = Decimal("0.00")
    assert [r["first_touch"] for r in found] == [Decimal(amount), zero, zero]
    assert [r["last_touch"] for r in found] == [zero, zero, Decimal(amount)]
    assert [(r["touch_no"], r["campaign_id"], r["touches"]) for r in found] == [(1, "c0", 3), (2, "c1", 3), (3, "c2", 3)]


@pytest.mark.parametrize(("own", "campaign"), [("c9", "c9"), ("", "direct"), (None, "direct")])
def test_an_order_without_a_touch_owes_all_to_the_campaign_it_names_or_to_none(own, campaign):
    [found] = touched("4.20", 0, campaign_id=own)
    assert [found[n] for n in ("touch_no", "campaign_id", "session_id", "touched_at", "touches")] == [0, campaign, None, None, 0]
    assert {found[n] for n in ("amount", "first_touch", "last_touch", "linear")} == {Decimal("4.20")}
    assert rows("mart_attribution", sales=[sale("o", None)]) == []


@pytest.mark.parametrize(("before", "touches"), [(30 * DAY, 0), (30 * DAY - TICK, 1), (0 * DAY, 1), (-TICK, 0)])
def test_a_touch_counts_for_less_than_thirty_days_and_not_behind_the_order(before, touches):
    [found] = rows("mart_attribution", clicks=[click("a", T - before, customer=1, campaign_id="c")], sales=[sale("o", T)])
    assert found["touches"] == touches


def test_touches_are_the_customers_own_on_any_browser_and_the_browsers_only_for_an_order_without_customer():
    clicks = [
        click("a", customer=1, campaign_id="mine"),
        click("b", visitor="w", customer=2, campaign_id="theirs"),
        click("c", visitor="u"),
    ]
    at = T + 31 * MIN
    sales = [sale("o", at, visitor_id="w"), sale("p", at, customer=None, visitor_id="w"), sale("q", at, customer=None)]
    found = {r["order_id"]: r["campaign_id"] for r in rows("mart_attribution", clicks=clicks, sales=sales)}
    assert found == {"o": "mine", "p": "theirs", "q": "direct"}


@pytest.mark.parametrize("status", ["paid", "cancelled"])
def test_the_visit_in_which_an_order_was_placed_counts_whoever_it_is_and_only_once(status):
    clicks = [
        click("a", T - DAY, visitor="u", customer=1, campaign_id="mine"),
        click("b", T - MIN, visitor="w", customer=2, campaign_id="theirs"),
        click("c", T, visitor="w", customer=3),
    ]
    found = rows("mart_attribution", clicks=clicks[:2], sales=[sale("o", T, visitor_id="w", campaign_id="c9", status=status)])
    assert [(r["touch_no"], r["campaign_id"], r["touches"]) for r in found] == [(1, "mine", 2), (2, "theirs", 2)]
    [own] = rows("mart_attribution", clicks=[{**clicks[1], "customer_id": 1}], sales=[sale("o", T, visitor_id="w", status=status)])
    assert (own["campaign_id"], own["touches"]) == ("theirs", 1)
    [other] = rows("mart_attribution", clicks=clicks[1:], sales=[sale("o", T, visitor_id="w", campaign_id="c9", status=status)])
    assert (other["campaign_id"], other["touches"]) == ("c9", 0)  # the last visit begun by then is another one, and no campaign brought it
    [late] = rows("mart_attribution", clicks=clicks[1:2], sales=[sale("o", T + 29 * MIN + TICK, visitor_id="w", status=status)])
    assert (late["campaign_id"], late["touches"]) == ("direct", 0)


def test_a_visit_of_more_than_thirty_days_still_counts_for_its_own_order():
    clicks = [click(f"e{n:05}", T + n * 30 * MIN, campaign_id="c") for n in range(31 * 48)]
    [found] = rows("mart_attribution", clicks=clicks, sales=[sale("o", T + 31 * DAY, visitor_id="v")])
    assert (found["campaign_id"], found["touched_at"], found["touches"]) == ("c", T, 1)


# From a lake


def test_a_lake_is_read_as_it_is_now_and_as_of_is_the_shops_day_of_its_newest_record(tmp_path):
    lake = Lake(LakeSettings(root=str(tmp_path)))
    for table in tables.TABLES:
        lake.create(table)
    assert recompute.read_base(lake).as_of == dt.date(1970, 1, 1)
    late = dt.datetime(2026, 6, 10, 22, 30, tzinfo=dt.UTC)
    records = [{"topic": "t", "partition": 0, "offset": n, "kafka_ts": at} for n, at in enumerate((late, late - DAY))]
    old, new = click("a", page="/old", campaign_id="once"), {**click("a", page="/new"), "seq": 2}
    sales = [sale("o"), sale("o", line_no=2, is_deleted=True), sale("o", line_no=0, is_complete=False)]
    for table, given in ((tables.RECORDS, records), (tables.CLICKSTREAM, [new, old]), (tables.FCT_SALES, sales)):
        lake.append(table, arrow(table, given), "q", 0)
    found = recompute.read_base(lake)
    assert found.as_of == dt.date(2026, 6, 11)
    assert (found.clickstream.column("page").to_pylist(), found.sales.num_rows) == (["/new"], 1)
    assert "once" in {r["campaign_id"] for r in recompute.recompute(found)["gold.dim_campaign"].to_pylist()}
