"""Where a warehouse is not what the contract says, told by table and column."""

from dataclasses import replace

import pytest

from schemas.access import ANALYST, LOADER, Grant
from warehouse import catalog, drift
from warehouse.apply import Step
from warehouse.catalog import Column
from warehouse.scripts import Script

TABLE, VIEW = "RAW.FCT_SALES", "CORE.DIM_CUSTOMER"


@pytest.fixture
def wanted():
    return catalog.contract()


def live(wanted, name, **changes):
    return replace(wanted, relations={**wanted.relations, name: replace(wanted.relations[name], **changes)})


def told(wanted, found):
    return [(d.where, d.what, d.wanted, d.found) for d in drift.compare(wanted, found, "X")]


def test_a_warehouse_like_the_contract_has_no_drift(wanted):
    assert drift.compare(wanted, wanted, "X") == []


@pytest.mark.parametrize(
    ("column", "change", "what"),
    [
        ("QUANTITY", {"type": "VARCHAR"}, ("type", "NUMBER(38,0)", "VARCHAR")),
        ("ORDER_ID", {"nullable": True}, ("nullability", "not nullable", "nullable")),
        ("CURRENCY", {"comment": ""}, ("comment", "ISO 4217", "none")),
    ],
)
def test_a_column_that_differs_is_named(wanted, column, change, what):
    columns = tuple(replace(c, **change) if c.name == column else c for c in wanted.relations[TABLE].columns)
    assert told(wanted, live(wanted, TABLE, columns=columns)) == [(f"{TABLE}.{column}", *what)]


def test_columns_that_are_missing_or_that_no_contract_knows(wanted):
    columns = (*wanted.relations[TABLE].columns[1:], Column("GIFT", "BOOLEAN", True, ""))
    found = drift.compare(wanted, live(wanted, TABLE, columns=columns), "X")
    assert [str(d) for d in found] == [f"{TABLE}.ORDER_ID: column missing", f"{TABLE}.GIFT: column unknown"]
    assert "schema evolution" in found[1].hint
    assert "c360 warehouse draft" in found[1].hint


def test_a_mask_a_row_policy_or_an_option_that_went(wanted):
    columns = tuple(replace(c, policy="") for c in wanted.relations[VIEW].columns)
    found = live(live(wanted, VIEW, columns=columns, row_policy=("", "")), TABLE, logs_errors=False, evolves=False)
    assert told(wanted, found) == [
        (TABLE, "schema evolution", "on", "off"),
        (TABLE, "error logging", "on", "off"),
        (VIEW, "row access policy", "OPS.BY_COUNTRY by COUNTRY", "none"),
        (f"{VIEW}.EMAIL", "masking policy", "OPS.MASK_EMAIL", "none"),
        (f"{VIEW}.FULL_NAME", "masking policy", "OPS.MASK_TEXT", "none"),
        (f"{VIEW}.CITY", "masking policy", "OPS.MASK_TEXT", "none"),
    ]


def test_privileges_missing_and_surplus_come_with_the_statement_that_mends_them(wanted):
    lost, extra = Grant("INSERT", "TABLE", TABLE, LOADER), Grant("SELECT", "TABLE", TABLE, ANALYST)
    found = drift.compare(wanted, replace(wanted, grants=wanted.grants - {lost} | {extra}), "X")
    assert [(str(d), d.hint) for d in found] == [
        (f"{TABLE}: INSERT of {LOADER} missing", f"GRANT INSERT ON TABLE X.{TABLE} TO ROLE {LOADER}"),
        (f"{TABLE}: SELECT of {ANALYST} unknown", f"REVOKE SELECT ON TABLE X.{TABLE} FROM ROLE {ANALYST}"),
    ]


def test_rows_that_were_set_aside_are_counted(wanted):
    assert told(wanted, replace(wanted, errors={TABLE: 3})) == [(TABLE, "error table", "empty", "3 rows")]


def test_a_table_or_schema_that_is_missing_and_one_too_many(wanted):
    relations = {n: r for n, r in wanted.relations.items() if n != TABLE} | {"MART.MINE": replace(wanted.relations[VIEW], name="MART.MINE")}
    found = replace(wanted, relations=relations, schemas={k: v for k, v in wanted.schemas.items() if k != "OPS"})
    assert told(wanted, found) == [("OPS", "schema", "there", ""), (TABLE, "table", "there", ""), ("MART.MINE", "view", "", "there")]


def test_scripts_that_wait_were_changed_or_have_no_file():
    waits = Step(Script("V9__a.sql", "SELECT 1"), "new")
    ran = Step(Script("V1__b.sql", "SELECT 1"), "")
    found = list(drift.history([waits, ran], ["V8__gone.sql"]))
    assert [str(d) for d in found] == ["V9__a.sql: script new, not run", "V8__gone.sql: script unknown"]
