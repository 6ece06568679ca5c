"""The model against a real Delta lake, and against views in the local Snowflake."""

import pyarrow as pa
import pytest

from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas import star
from schemas.behaviour import DIM_CAMPAIGN
from schemas.tables import DIM_CUSTOMER, Column
from schemas.types import arrow_schema
from warehouse import apply
from warehouse.model import drift, export, live, script
from warehouse.model import lake as lake_model

MODEL = script.read(export.script())


def named(found):
    return [(d.kind, d.table, d.column, d.model, d.other) for d in found]


@pytest.fixture
def lake(tmp_path):
    return Lake(LakeSettings(root=str(tmp_path)))


def test_tables_as_the_lake_job_makes_them_are_equal(lake):
    for view in star.VIEWS:
        lake.create(view.table)
    found = lake_model.read(lake)
    assert drift.compare(MODEL, found, whole=False) == []
    assert found.notes == ()


def test_a_column_that_the_lake_got_at_run_time_is_named(lake):
    lake.create(DIM_CUSTOMER)
    row = {"seq_pos": 1, "seq_ord": 0, "op": "c", "is_current": True, "is_visible": True, "is_deleted": False, "batch_id": 1}
    grown = DIM_CUSTOMER.with_columns(Column("newsletter", "boolean"))
    lake.append(DIM_CUSTOMER, pa.Table.from_pylist([{**row, "newsletter": True}], schema=arrow_schema(grown)), "q", 1)
    found = lake_model.read(lake)
    assert named(drift.compare(MODEL, found, whole=False)) == [("missing_column", "CORE.DIM_CUSTOMER", "NEWSLETTER", "", "BOOLEAN")]
    assert "gold.dim_customer.newsletter came at run time: the contract does not know it" in found.notes
    assert "gold.fct_sales is not in the lake yet" in found.notes


def test_another_type_and_another_nullability_in_the_lake_are_named(lake):
    schema = arrow_schema(DIM_CAMPAIGN)
    for name, field in (
        ("discount_percent", pa.field("discount_percent", pa.float64())),
        ("is_inferred", pa.field("is_inferred", pa.bool_())),
    ):
        schema = schema.set(schema.get_field_index(name), field)
    from deltalake import DeltaTable

    DeltaTable.create(lake.uri(DIM_CAMPAIGN), schema)
    assert named(drift.compare(MODEL, lake_model.read(lake), whole=False)) == [
        ("type", "CORE.DIM_CAMPAIGN", "DISCOUNT_PERCENT", "NUMBER(38,0)", "FLOAT"),
        ("nullability", "CORE.DIM_CAMPAIGN", "IS_INFERRED", "NOT NULL", "may be NULL"),
    ]


@pytest.fixture(scope="module")
def session(owner):
    return owner


def rows(session, sql):
    fetched = session.execute(sql).fetchall()
    return [dict(zip([d[0].lower() for d in session.description], row, strict=True)) for row in fetched]


def of_warehouse(session):
    return live.found(rows(session, live.COLUMNS), rows(session, live.TABLES))


def test_views_as_they_are_applied_are_equal(session):
    found = of_warehouse(session)
    assert set(found.tables) == {view.name for view in star.VIEWS}
    assert drift.compare(MODEL, found) == []


def test_a_view_that_somebody_changed_is_named(session, migrated):
    session.execute(
        "CREATE OR REPLACE VIEW MART.MART_FUNNEL AS SELECT DAY, CAMPAIGN_ID, DEVICE, CAST(SESSIONS AS VARCHAR) AS SESSIONS, VIEWED, "
        "CARTED, CHECKED_OUT, PAID AS BOUGHT, BATCH_ID FROM RAW.MART_FUNNEL"
    )
    session.execute("CREATE OR REPLACE VIEW MART.MINE AS SELECT 1 AS X")
    try:
        assert [d for d in named(drift.compare(MODEL, of_warehouse(session))) if d[0] != "comment"] == [
            ("missing_column", "MART.MART_FUNNEL", "BOUGHT", "", "NUMBER(38,0)"),
            ("surplus_column", "MART.MART_FUNNEL", "PAID", "NUMBER(38,0)", ""),
            ("type", "MART.MART_FUNNEL", "SESSIONS", "NUMBER(38,0)", "VARCHAR"),
            ("missing_table", "MART.MINE", "", "", ""),
        ]
    finally:
        session.execute("DROP VIEW MART.MINE")
        apply.apply(migrated.warehouse, repeat=True)


def test_a_landing_table_with_other_nulls_and_a_column_of_its_own_is_told(session):
    columns, tables = rows(session, live.COLUMNS), rows(session, live.TABLES)
    for row in columns:
        if (row["table_schema"], row["table_name"], row["column_name"]) == ("RAW", "FCT_SALES", "IS_COMPLETE"):
            row["is_nullable"] = "YES"
    columns.append({"table_schema": "RAW", "table_name": "FCT_SALES", "column_name": "GIFT", "data_type": "BOOLEAN", "is_nullable": "YES"})
    found = live.found(columns, tables)
    assert named(drift.compare(MODEL, found)) == [("nullability", "CORE.FCT_SALES", "IS_COMPLETE", "NOT NULL", "may be NULL")]
    assert "RAW.FCT_SALES.GIFT has landed, and its view does not show it" in found.notes


def test_a_warehouse_without_comments_says_so_and_one_that_has_some_is_compared(session):
    columns, tables = ([{**row, "comment": None} for row in rows(session, sql)] for sql in (live.COLUMNS, live.TABLES))
    assert len([n for n in live.found(columns, tables).notes if "no comments" in n]) == 2
    said = {view.name: view for view in star.VIEWS}
    for row in columns:
        view = said.get(f"{row['table_schema']}.{row['table_name']}")
        row["comment"] = next(c.comment for c in view.columns if c.name.upper() == row["column_name"]) if view else None
        if row["table_name"] == "DIM_DATE" and row["column_name"] == "DATE_KEY":
            row["comment"] = "another"
    found = live.found(columns, tables)
    assert named(drift.compare(MODEL, found)) == [("comment", "CORE.DIM_DATE", "DATE_KEY", "'yyyymmdd'", "'another'")]


def test_what_an_account_says_of_lengths_and_precisions_counts():
    """Columns of INFORMATION_SCHEMA that the local Snowflake lacks, as docs.snowflake.com describes them."""
    row = {"table_schema": "CORE", "table_name": "FCT_SALES", "is_nullable": "YES"}
    columns = [
        {**row, "column_name": "ORDERED_AT", "data_type": "TIMESTAMP_NTZ", "datetime_precision": 9},
        {**row, "column_name": "STATUS", "data_type": "TEXT", "character_maximum_length": 20},
        {**row, "column_name": "CUSTOMER_MATCH", "data_type": "TEXT", "character_maximum_length": 8},  # computed: of no account
    ]
    found = live.found(columns, [])
    assert {d for d in named(drift.compare(MODEL, found)) if d[0] == "type"} == {
        ("type", "CORE.FCT_SALES", "STATUS", "VARCHAR", "VARCHAR(20)"),
        ("type", "CORE.FCT_SALES", "ORDERED_AT", "TIMESTAMP_NTZ(6)", "TIMESTAMP_NTZ(9)"),
    }
    assert any("no landing tables" in n for n in found.notes)
