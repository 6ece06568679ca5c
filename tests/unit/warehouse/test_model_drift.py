"""Differences planted in an export, each named by table and column."""

import model_scripts
import pytest

from schemas import star
from warehouse.model import drift, script, tables

SCRIPT = model_scripts.quoted()


def planted(*changes):
    text = SCRIPT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return [(d.kind, d.table, d.column, d.model, d.other) for d in drift.compare(script.read(text), tables.contract())]


def without(text, begin):
    """The line that begins so is gone, with the comma before it."""
    line = next(n for n in text.splitlines() if n.strip().startswith(begin)).rstrip(",")
    return text.replace(f",\n{line}", "")


def test_a_renamed_column_is_named_with_what_it_may_be_now():
    found = drift.compare(script.read(SCRIPT.replace('"SALE_AMOUNT"', '"AMOUNT_SOLD"')), tables.contract())
    assert [(d.kind, d.table, d.column) for d in found] == [
        ("missing_column", "CORE.FCT_SALES", "SALE_AMOUNT"),
        ("surplus_column", "CORE.FCT_SALES", "AMOUNT_SOLD"),
    ]
    assert found[0].text == "the model has no such column (renamed to AMOUNT_SOLD?)"


def test_a_changed_type_is_named():
    assert planted(('"LIFETIME_VALUE"        number(18,2)', '"LIFETIME_VALUE" number(12,2)')) == [
        ("type", "MART.MART_CUSTOMER_360", "LIFETIME_VALUE", "NUMBER(12,2)", "NUMBER(18,2)")
    ]


def test_a_column_without_a_type_is_named():
    assert planted(('"LIFETIME_VALUE"        number(18,2)', '"LIFETIME_VALUE" ')) == [
        ("type", "MART.MART_CUSTOMER_360", "LIFETIME_VALUE", "", "NUMBER(18,2)")
    ]


def test_keys_that_are_gone_are_named():
    text = without(without(SCRIPT, 'CONSTRAINT "FK_FCT_SALES_CUSTOMER_VERSION_KEY"'), 'CONSTRAINT "LINK_FCT_REVIEWS_DAY"')
    found = drift.compare(script.read(text), tables.contract())
    assert [(d.kind, d.table, d.column, d.other) for d in found] == [
        ("missing_foreign_key", "CORE.FCT_REVIEWS", "DAY", "CORE.DIM_DATE (DATE)"),
        ("missing_foreign_key", "CORE.FCT_SALES", "CUSTOMER_VERSION_KEY", "CORE.DIM_CUSTOMER (VERSION_KEY)"),
    ]
    found = drift.compare(script.read(SCRIPT.replace('PRIMARY KEY ( "MINUTE", "CURRENCY" )', 'UNIQUE ( "MINUTE" )')), tables.contract())
    assert [(d.kind, d.table, d.column) for d in found] == [("primary_key", "MART.MART_REVENUE_MINUTE", "CURRENCY, MINUTE")]


def test_a_foreign_key_that_leads_elsewhere_is_named_from_both_sides():
    begin = 'FOREIGN KEY ( "SESSION_ID" ) REFERENCES "CORE"."FCT_SESSIONS" ( "SESSION_ID" )'
    assert {
        d[:3] for d in planted((begin, begin.replace('( "SESSION_ID" )', '( "VISITOR_ID" )').replace('KEY ( "VISITOR', 'KEY ( "SESSION')))
    } == {
        (kind, table, "SESSION_ID")
        for kind in ("missing_foreign_key", "surplus_foreign_key")
        for table in ("CORE.FCT_PAGE_EVENTS", "MART.MART_ATTRIBUTION")
    }


def test_nullability_comments_and_spelling_are_named():
    assert planted(
        ('"IS_WEEKEND"     boolean', '"IS_WEEKEND" boolean NOT NULL'),
        ("COMMENT 'ISO: Monday is 1'", "COMMENT 'Sunday is 1'"),
        ("COMMENT = 'Calendar, one row a day.'", ""),
        ('"ISO_WEEK"', '"iso_week"'),
    ) == [
        ("comment", "CORE.DIM_DATE", "", "", "'Calendar, one row a day.'"),
        ("comment", "CORE.DIM_DATE", "DAY_OF_WEEK", "'Sunday is 1'", "'ISO: Monday is 1'"),
        ("spelling", "CORE.DIM_DATE", "ISO_WEEK", '"iso_week"', "ISO_WEEK"),
        ("nullability", "CORE.DIM_DATE", "IS_WEEKEND", "NOT NULL", "may be NULL"),
    ]


def test_tables_that_are_missing_or_too_many_are_named():
    found = planted(('"MART"."MART_REVENUE_MINUTE"', '"MART"."MART_REVENUE_HOUR"'))
    assert [d[:2] for d in found] == [("surplus_table", "MART.MART_REVENUE_HOUR"), ("missing_table", "MART.MART_REVENUE_MINUTE")]


@pytest.mark.parametrize("view", star.VIEWS, ids=lambda v: v.entity)
def test_each_column_of_each_view_would_be_missed(view):
    model = script.read(SCRIPT)
    for column in view.columns:
        entity = model.tables[view.name]
        field = entity.fields.pop(column.name.upper())
        missed = [d.column for d in drift.compare(model, tables.contract()) if d.kind == "missing_column"]
        assert missed == [column.name.upper()]
        entity.fields[field.name] = field
