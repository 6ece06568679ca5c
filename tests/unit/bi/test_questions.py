"""The business questions: each is on the page of answers, and each runs on the warehouse's own views."""

import datetime as dt
import logging
import re
from pathlib import Path

import pytest

from bi.queries import questions, sql
from commerce360.cli.questions import page, truths
from producers.truth import TRUTH
from schemas import tables
from schemas.marts import MART_ATTRIBUTION, MART_PRODUCT_PULSE
from schemas.reading import SNOWFLAKE
from warehouse import ddl

PAGE = Path(__file__).parents[3] / "docs" / "questions.md"
ASKED = questions()


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    from commerce360.local.doubles.snowflake.engine import Engine, local_sql

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    engine = Engine(tmp_path_factory.mktemp("engine"))
    cursor = engine.snow.connect("COMMERCE360").cursor()
    for statement in ddl.statements("COMMERCE360"):
        cursor.execute(local_sql(statement))
    yield cursor
    engine.duck.close()


def test_there_are_at_least_twelve_questions_and_the_page_has_each_in_its_order():
    text = PAGE.read_text(encoding="utf-8")
    assert len(ASKED) >= 12
    assert re.findall(r"^## (.*)$", text, re.M) == list(ASKED.values()), "ask again: c360 questions --markdown"
    for name, known in truths(TRUTH).items():
        assert f"**The truth**: {known}" in text, name


def test_each_truth_belongs_to_a_question():
    assert set(truths(TRUTH)) <= set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_a_question_to_an_empty_warehouse_has_an_answer(session, name):
    session.execute(sql(name))
    assert len(session.description) >= 3
    session.fetchall()


def landed(session, table, *rows):
    """The rows in the warehouse, in a batch that is complete; a column that may not be NULL has the least that its type allows."""
    least = {"bigint": "0", "int": "0", "boolean": "FALSE", "string": "''", "date": "'2026-03-01'"}
    for row in rows:
        values = {c.name: "NULL" if c.nullable else least.get(c.type, "0") for c in table.fed_columns}
        values |= {name: "NULL" if value is None else f"'{value}'" for name, value in row.items()}
        names = ", ".join(map(SNOWFLAKE.quote, values))
        session.execute(f"INSERT INTO {ddl.landing(table)} ({names}) SELECT {', '.join(values.values())}")


@pytest.fixture
def shop(session):
    """Two visits begun in the same moment, an order without a status in the later one, and a review without stars."""
    at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    event = {"visitor_id": "v", "event_type": "view", "occurred_at": at}
    visit = {"visitor_id": "v", "started_at": at, "ended_at": at}
    sale = {"order_id": "o", "customer_id": 1, "visitor_id": "v", "ordered_at": at, "status": None, "currency": "EUR", "quantity": 1}
    product = {"is_visible": True, "is_current": True, "valid_to": None, "op": "u"}
    filed = [
        {**product, "product_id": 1, "category": "Books", "valid_from": "2020-01-01", "version_key": "1b", "seq_pos": 2},
        {
            **product,
            "product_id": 1,
            "category": "Toys",
            "valid_from": "2019-01-01",
            "valid_to": "2020-01-01",
            "is_current": False,
            "version_key": "1a",
        },
        {**product, "product_id": 2, "category": "Wine", "valid_from": "2019-01-01", "version_key": "2a"},
    ]
    given = {
        tables.BATCHES: [{}],
        tables.DIM_PRODUCT: filed,
        tables.FCT_SESSIONS: [{**visit, "session_id": "z"}, {**visit, "session_id": "a"}],
        tables.FCT_PAGE_EVENTS: [
            {**event, "event_id": "e1", "session_id": "z", "product_id": 2},
            {**event, "event_id": "e2", "session_id": "a", "product_id": 1},
        ],
        tables.FCT_SALES: [{**sale, "line_no": 1, "product_id": 1, "sale_amount": 10, "cost": 4, "is_complete": True, "campaign_id": ""}],
        MART_ATTRIBUTION: [{"order_id": "o", "campaign_id": "direct", "currency": "EUR", "linear": 10}],
        MART_PRODUCT_PULSE: [
            {"product_id": 1, "day": at.date(), "sessions": 1, "views": 1, "reviews": 2, "rated_reviews": 1, "rating_sum": 4}
        ],
    }
    session.execute("BEGIN")
    for table, rows in given.items():
        landed(session, table, *rows)
    yield session
    session.execute("ROLLBACK")


def asked(session, name):
    session.execute(sql(name))
    names = [d[0].lower() for d in session.description]
    return [dict(zip(names, row, strict=True)) for row in session.fetchall()]


def test_an_order_whose_status_nobody_knows_counts_as_it_does_in_the_marts(shop):
    assert [(r["orders"], r["revenue_eur"]) for r in asked(shop, "best_hours")] == [(1, 10)]
    assert [(r["campaign_id"], r["kept_revenue_eur"], r["margin_eur"]) for r in asked(shop, "campaign_margin")] == [("direct", 10, 6)]
    assert [r["linear_eur"] for r in asked(shop, "channel_worth")] == [10]
    assert [r["margin_kept_eur"] for r in asked(shop, "returns_by_category")] == [6]
    assert [r["revenue_today"] for r in asked(shop, "sales_today")] == [10]


def test_what_was_seen_and_what_was_bought_are_filed_alike_and_the_order_is_of_the_later_visit(shop):
    assert [(r["viewed_category"], r["bought_category"]) for r in asked(shop, "seen_before_buying")] == [("Books", "Books")]


def test_a_review_without_stars_takes_nothing_from_the_average_rating(shop):
    assert [r["average_rating"] for r in asked(shop, "sentiment_by_day")] == [4]
    assert [r["average_rating"] for r in asked(shop, "views_that_do_not_sell")] == [4]
    assert [r["rating_band"] for r in asked(shop, "rating_and_sales")] == ["3.5 to 4.5"]


def test_an_answer_is_short_and_cannot_break_its_table():
    rows = [{"name": f"a|b\n{n}" + "x" * 80, "n": n} for n in range(20)]
    made = page({"q": "What?"}, {"q": rows}, {"q": "so it is"})
    lines = [line for line in made.splitlines() if line.startswith("| a")]
    assert len(lines) == 8
    assert all(line.count("|") - line.count(r"\|") == 3 for line in lines)
    assert "20 rows, the first 8:" in made
    assert "**The truth**: so it is" in made
