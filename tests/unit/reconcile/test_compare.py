import datetime as dt
from decimal import Decimal

from commerce360.reconcile import canonical
from commerce360.reconcile.compare import Stage, compare

COLUMNS = ("id", "city", "price")


def stage(name, *rows):
    return Stage.of(name, [dict(zip(COLUMNS, row, strict=True)) for row in rows], ("id",), COLUMNS)


def test_equal_content_has_an_equal_hash_whatever_the_order_and_the_reader():
    utc, naive = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, 3, 4, 5, 6)  # noqa: DTZ001 - as the warehouse hands it out
    left = stage("gold", (1, "Oslo", Decimal("1.50")), (2, utc, None))
    right = stage("warehouse", (2, naive, None), (1, "Oslo", Decimal("1.5")))
    assert left.hash == right.hash
    assert compare("t", [left, right], COLUMNS).equal


def test_a_changed_value_names_table_key_stage_and_column():
    gold, warehouse = stage("gold", (1, "Oslo", 1), (2, "Rome", 2)), stage("warehouse", (1, "Oslo", 1), (2, "Bonn", 2))
    result = compare("dim_customer", [gold, warehouse], COLUMNS)
    (difference,) = result.differences
    assert (difference.table, difference.key, difference.stage, difference.kind) == ("dim_customer", "2", "warehouse", "changed")
    assert "city 'Rome' -> 'Bonn'" in difference.text()
    assert not result.equal


def test_the_first_wrong_stage_is_named_and_later_agreement_is_not_blamed():
    source, gold, warehouse = stage("source", (1, "Oslo", 1)), stage("gold"), stage("warehouse")
    result = compare("t", [source, gold, warehouse], COLUMNS)
    assert [(d.stage, d.kind) for d in result.differences] == [("gold", "missing")]
    assert result.kinds == {"missing": 1}


def test_a_row_that_is_there_twice_is_doubled_and_changes_the_hash():
    once, twice = stage("gold", (1, "Oslo", 1)), stage("warehouse", (1, "Oslo", 1), (1, "Oslo", 1))
    result = compare("t", [once, twice], COLUMNS)
    assert result.kinds == {"doubled": 1}
    assert once.hash != twice.hash
    assert compare("t", [twice], COLUMNS).kinds == {"doubled": 1}


def test_all_differences_are_counted_though_few_are_shown():
    result = compare("t", [stage("a", *((i, "x", 0) for i in range(100))), stage("b")], COLUMNS, show=3)
    assert result.kinds == {"missing": 100}
    assert len(result.differences) == 3


def test_null_is_not_the_text_null_and_zero_is_one_value():
    assert canonical.digest({"a": None}, ["a"]) != canonical.digest({"a": "null"}, ["a"])
    assert canonical.value(Decimal("0.00")) == canonical.value(Decimal("0")) == "0"
    assert canonical.value(Decimal("100")) == "100"
