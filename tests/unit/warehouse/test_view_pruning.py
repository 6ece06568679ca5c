"""What a view reads: a filter on its key comes before the newest rows are looked for, and nothing but the asked rows is scanned."""

import shutil

import pytest


@pytest.fixture(scope="module")
def plan(migrated_folder, tmp_path_factory):
    """`plan(sql)`: how the local engine would run it, as text."""
    from commerce360.local.doubles.snowflake.engine import Engine

    folder = tmp_path_factory.mktemp("pruning") / "databases"
    shutil.copytree(migrated_folder / "data" / "warehouse" / "databases", folder)
    engine = Engine(folder)
    yield lambda sql: engine.duck.execute(f"EXPLAIN {sql}").fetchall()[0][1]
    engine.duck.close()


def below_window(text):
    return text[text.index("row_number()") :]


@pytest.mark.parametrize(
    ("view", "where"),
    [
        ("MART.MART_REVENUE_MINUTE", "MINUTE >= '2026-03-09 00:00:00'::TIMESTAMP"),
        ("MART.MART_FUNNEL", "DAY >= '2026-03-09'::DATE"),
        ("MART.MART_PRODUCT_PULSE", "DAY >= '2026-03-09'::DATE"),
        ("CORE.FCT_PAGE_EVENTS", "EVENT_ID = 'e1'"),
    ],
)
def test_a_filter_on_the_key_is_applied_to_the_scan(plan, view, where):
    assert where.split("::")[0] in below_window(plan(f"SELECT * FROM COMMERCE360.{view} WHERE {where}"))


def test_a_filter_on_anything_else_is_not_since_an_older_row_could_pass_it(plan):
    text = plan("SELECT * FROM COMMERCE360.CORE.FCT_PAGE_EVENTS WHERE DAY >= DATE '2026-03-09'")
    assert "DAY >= '2026-03-09'" not in below_window(text)
