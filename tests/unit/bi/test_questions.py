"""The business questions: each is on the page of answers, and each runs on the warehouse's own views."""

import logging
import re
from pathlib import Path

import pytest

from bi.queries import questions, sql
from commerce360.cli.questions import page, truths
from producers.truth import TRUTH
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


def test_an_answer_is_short_and_cannot_break_its_table():
    rows = [{"name": f"a|b\n{n}" + "x" * 80, "n": n} for n in range(20)]
    made = page({"q": "What?"}, {"q": rows}, {"q": "so it is"})
    lines = [line for line in made.splitlines() if line.startswith("| a")]
    assert len(lines) == 8
    assert all(line.count("|") - line.count(r"\|") == 3 for line in lines)
    assert "20 rows, the first 8:" in made
    assert "**The truth**: so it is" in made
