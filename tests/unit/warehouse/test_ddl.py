"""The warehouse's own DDL, run: what lands, and what a reader of the views sees of it."""

import datetime as dt
from decimal import Decimal

import pytest

from schemas import star
from schemas.behaviour import FCT_PAGE_EVENTS
from schemas.landing import SCHEMAS
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_DATE, DIM_HOLIDAY, DIM_PRODUCT, FCT_SALES, FED
from schemas.types import SNOWFLAKE
from warehouse import ddl

T0 = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
VISIBLE = {"is_visible": True, "is_current": True, "is_complete": True, "is_deleted": False, "line_no": 1}


def at(hours):
    return T0 + dt.timedelta(hours=hours)


@pytest.fixture(scope="module")
def session(owner):
    return owner


@pytest.fixture
def world(session):
    """Empty tables; `put(table, batch_id, **values)` lands a row, `ask(sql)` gives rows as dicts."""
    for table in FED:
        session.execute(f"DELETE FROM {ddl.landing(table)}")
    return World(session)


class World:
    def __init__(self, session):
        self.session = session

    def put(self, table, batch_id, **values):
        names = [c.name for c in table.columns]
        row = {**dict.fromkeys(names), **{k: v for k, v in VISIBLE.items() if k in names}, **values, "batch_id": batch_id}
        sent = {c.name.upper(): _told(row[c.name]) for c in table.fed_columns}
        self.session.execute(f"INSERT INTO {ddl.landing(table)} ({', '.join(sent)}) SELECT {', '.join(map(literal, sent.values()))}")

    def close(self, *batch_ids):
        for batch_id in batch_ids:
            self.put(BATCHES, batch_id, records=1)

    def ask(self, sql):
        rows = self.session.execute(sql).fetchall()
        names = [d[0].lower() for d in self.session.description]
        return [dict(zip(names, row, strict=True)) for row in rows]


def _told(value):
    return value.astimezone(dt.UTC).replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def literal(value):
    if value is None or isinstance(value, bool | int):
        return "NULL" if value is None else str(value)
    return f"'{value}'"


def test_every_fed_column_lands_under_its_name_with_its_type_and_its_nulls(session):
    for table in FED:
        schema, name = ddl.landing(table).split(".")
        found = session.execute(
            "SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE, IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS "
            f"WHERE TABLE_SCHEMA = '{schema}' AND TABLE_NAME = '{name}' ORDER BY COLUMN_NAME"
        ).fetchall()
        columns = sorted(table.fed_columns, key=lambda c: c.name.upper())  # one that came with a later migration stands last
        assert [row[0] for row in found] == [c.name.upper() for c in columns]
        for column, (_, kind, precision, scale, nullable) in zip(columns, found, strict=True):
            wanted = SNOWFLAKE[column.type].split("(")[0]
            assert {"VARCHAR": "TEXT"}.get(wanted, wanted) == kind
            if wanted == "NUMBER":
                assert SNOWFLAKE[column.type] == f"NUMBER({precision},{scale})"
            assert nullable == ("YES" if column.nullable else "NO")


def test_every_fed_table_has_a_view_but_the_batches_themselves(session):
    views = {r[0] for r in session.execute("SELECT TABLE_SCHEMA || '.' || TABLE_NAME FROM INFORMATION_SCHEMA.VIEWS").fetchall()}
    assert {ddl.view(t) for t in FED if t is not BATCHES} | {"OPS.FRESHNESS"} == {v for v in views if v.split(".")[0] in SCHEMAS}


def test_comments_with_quotes_do_not_break_the_statement():
    assert ddl.comment("the shop's") == " COMMENT 'the shop''s'"
    assert ddl.comment("") == ""


def test_nothing_is_shown_before_the_first_batch_is_complete(world):
    world.put(DIM_DATE, 0, date_key=20260301, date=T0.date())
    world.put(FCT_PAGE_EVENTS, 0, event_id="e")
    assert world.ask("SELECT * FROM CORE.DIM_DATE") == world.ask("SELECT * FROM CORE.FCT_PAGE_EVENTS") == []
    world.close(0)
    assert [r["date"] for r in world.ask("SELECT * FROM CORE.DIM_DATE")] == [T0.date()]


def test_a_holiday_that_is_none_any_more_is_not_shown_and_may_come_back(world):
    for batch_id, is_deleted in enumerate((False, True, False)):
        values = {"date_key": 20261003, "date": dt.date(2026, 10, 3), "name": f"named in batch {batch_id}", "is_deleted": is_deleted}
        world.put(DIM_HOLIDAY, batch_id, country="DE", **values)
    seen = []
    for batch_id in range(3):
        world.close(batch_id)
        seen.append([r["name"] for r in world.ask("SELECT * FROM CORE.DIM_HOLIDAY")])
    assert seen == [["named in batch 0"], [], ["named in batch 2"]]


def test_a_view_shows_the_newest_row_of_a_key_among_complete_batches(world):
    world.put(FCT_PAGE_EVENTS, 0, event_id="e", page="old")
    world.put(FCT_PAGE_EVENTS, 1, event_id="e", page="new")
    world.put(FCT_PAGE_EVENTS, 2, event_id="e", page="not complete")
    world.close(0, 1)
    assert [r["page"] for r in world.ask("SELECT * FROM CORE.FCT_PAGE_EVENTS")] == ["new"]
    world.close(2)
    assert [r["page"] for r in world.ask("SELECT * FROM CORE.FCT_PAGE_EVENTS")] == ["not complete"]
    world.put(FCT_PAGE_EVENTS, 3, event_id="e", is_deleted=True)
    world.close(3)
    assert world.ask("SELECT * FROM CORE.FCT_PAGE_EVENTS") == []


def test_a_sale_that_went_is_not_shown_and_an_older_state_of_it_does_not_come_back(world):
    world.put(FCT_SALES, 0, order_id="o", sale_amount=Decimal("1.50"))
    world.put(FCT_SALES, 1, order_id="o", is_deleted=True)
    world.put(FCT_SALES, 1, order_id="p", line_no=0)
    world.put(FCT_SALES, 1, order_id="q", is_complete=False)
    world.close(0)
    assert [r["sale_amount"] for r in world.ask("SELECT * FROM CORE.FCT_SALES")] == [Decimal("1.50")]
    world.close(1)
    assert world.ask("SELECT * FROM CORE.FCT_SALES") == []


@pytest.mark.parametrize(
    ("hour", "version", "match"),
    [
        (-5, "v1", "early"),
        (0, "v1", "exact"),
        (5, "v1", "exact"),
        (10, "v2", "exact"),
        (19.9, "v2", "exact"),
        (25, "v2", "gap"),
        (30, "v3", "exact"),
    ],
)
def test_a_sale_points_at_the_version_in_force_when_it_was_ordered(world, hour, version, match):
    for key, begin, end in (("v1", 0, 10), ("v2", 10, 20), ("v3", 30, None)):
        valid = {"valid_from": at(begin), "valid_to": None if end is None else at(end)}
        world.put(DIM_CUSTOMER, 0, customer_id=7, seq_pos=begin, seq_ord=0, op="u", version_key=f"c-{key}", **valid)
        world.put(DIM_PRODUCT, 0, product_id=5, seq_pos=begin, seq_ord=0, op="u", version_key=f"p-{key}", **valid)
    world.put(FCT_SALES, 0, order_id="o", customer_id=7, product_id=5, ordered_at=at(hour))
    world.close(0)
    (sale,) = world.ask("SELECT * FROM CORE.FCT_SALES")
    assert (sale["customer_version_key"], sale["customer_match"]) == (f"c-{version}", match)
    assert (sale["product_version_key"], sale["product_match"]) == (f"p-{version}", match)


def test_a_late_change_moves_the_target_without_touching_the_sale(world):
    world.put(DIM_CUSTOMER, 0, customer_id=7, seq_pos=1, seq_ord=0, op="c", version_key="old", valid_from=at(0))
    world.put(FCT_SALES, 0, order_id="o", customer_id=7, ordered_at=at(5))
    world.close(0)
    assert [r["customer_version_key"] for r in world.ask("SELECT * FROM CORE.FCT_SALES")] == ["old"]
    world.put(DIM_CUSTOMER, 1, customer_id=7, seq_pos=1, seq_ord=0, op="c", version_key="old", valid_from=at(0), valid_to=at(3))
    world.put(DIM_CUSTOMER, 1, customer_id=7, seq_pos=2, seq_ord=0, op="u", version_key="between", valid_from=at(3))
    world.close(1)
    assert [r["customer_version_key"] for r in world.ask("SELECT * FROM CORE.FCT_SALES")] == ["between"]


def test_a_customer_that_only_sales_know_has_one_inferred_row_that_they_point_at(world):
    for order in ("o", "p"):
        world.put(FCT_SALES, 0, order_id=order, customer_id=8, ordered_at=at(1))
    world.put(FCT_SALES, 0, order_id="guest", customer_id=None, ordered_at=at(1))
    world.close(0)
    (customer,) = world.ask("SELECT * FROM CORE.DIM_CUSTOMER")
    assert (customer["customer_id"], customer["is_inferred"], customer["is_current"], customer["email"]) == (8, True, True, None)
    sales = {r["order_id"]: (r["customer_version_key"], r["customer_match"]) for r in world.ask("SELECT * FROM CORE.FCT_SALES")}
    assert sales == {"guest": (None, "none"), **dict.fromkeys(("o", "p"), (customer["version_key"], "inferred"))}
    world.put(DIM_CUSTOMER, 1, customer_id=8, seq_pos=1, seq_ord=0, op="r", version_key="known", valid_from=at(0))
    world.close(1)
    assert [(r["version_key"], r["is_inferred"]) for r in world.ask("SELECT * FROM CORE.DIM_CUSTOMER")] == [("known", False)]


def test_a_view_has_exactly_the_columns_that_the_star_says(session):
    for view in star.VIEWS:
        found = [row[0].lower() for row in session.execute(f"DESCRIBE VIEW {view.name}").fetchall()]
        assert found == [c.name for c in view.columns], view.name


def test_a_sale_belongs_to_the_day_of_the_shop_and_not_of_utc(world):
    late = dt.datetime(2026, 7, 1, 22, 30, tzinfo=dt.UTC)
    world.put(FCT_SALES, 1, order_id="o", ordered_at=late)
    world.close(1)
    assert world.ask("SELECT day FROM CORE.FCT_SALES") == [{"day": dt.date(2026, 7, 2)}]
