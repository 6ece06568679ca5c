"""Lake rows on their way to the SDK: the JSON that it makes of them has the same values, to the last digit."""

import datetime as dt
import json
from decimal import Decimal

import msgspec
import pyarrow as pa
import pytest

from schemas.tables import FED, Column
from schemas.types import arrow_schema
from warehouse import rows

TEXTS = ["", "plain", "ü 東京 \U0001f600", "line\nbreak\ttab \r", "quotes \"'\\ {}[]", "\u2028 \x00 \x7f", None]


def written(table):
    """As the SDK 1.9.1 writes them: its channels encode rows with this encoder of msgspec."""
    return [json.loads(line, parse_float=Decimal) for line in msgspec.json.Encoder().encode_lines(rows.sent(table)).splitlines() if line]


def column(values, kind):
    return [r["C"] for r in written(pa.table({"c": pa.array(values, kind)}))]


def test_whole_numbers_stay_whole_and_null_stays_null():
    for kind, values in (
        (pa.int64(), [2**63 - 1, -(2**63), 2**53 + 1, 0]),
        (pa.int64(), [None, 2**53 + 1, None, -1]),
        (pa.int32(), [1, None]),
        (pa.int64(), [None]),
    ):
        assert column(values, kind) == values


def test_decimals_are_exact_text():
    values = [Decimal("10.10"), Decimal("-0.01"), Decimal("0.00"), Decimal("9999999999.99"), None]
    assert column(values, pa.decimal128(12, 2)) == ["10.10", "-0.01", "0.00", "9999999999.99", None]
    assert column([Decimal("0.0001"), Decimal("-12345678901234.5678")], pa.decimal128(18, 4)) == ["0.0001", "-12345678901234.5678"]


def test_text_is_what_it_was():
    assert column(TEXTS, pa.string()) == TEXTS


def test_times_are_utc_without_a_zone_to_the_microsecond():
    there = dt.datetime(2026, 3, 1, 13, 0, 0, 7, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert column([there, None], pa.timestamp("us", tz="UTC")) == ["2026-03-01 12:00:00.000007", None]
    assert column(
        [dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC)], pa.timestamp("us", tz="UTC")
    ) == [
        "0001-01-01 00:00:00.000000",
        "9999-12-31 23:59:59.999999",
    ]
    assert column([dt.date(2024, 2, 29), None], pa.date32()) == ["2024-02-29", None]


@pytest.mark.parametrize(
    ("kind", "values"), [(pa.bool_(), [True, None, False]), (pa.bool_(), [True, False]), (pa.float64(), [0.1, None, -1e300])]
)
def test_truth_and_fractions(kind, values):
    assert [None if v is None else type(w)(v) for v, w in zip(column(values, kind), values, strict=True)] == values


def test_a_slice_of_chunks_has_its_own_rows():
    table = pa.concat_tables([pa.table({"n": [1, 2, None]}), pa.table({"n": [4, None, 6]})]).slice(1, 4)
    assert [r["N"] for r in written(table)] == [2, None, 4, None]


def test_names_are_in_upper_case_whatever_they_are():
    assert written(pa.table({"class": [1], "Ünï code": ["x"]})) == [{"CLASS": 1, "ÜNÏ CODE": "x"}]


def test_every_fed_column_of_every_table_is_sent():
    for table in FED:
        empty = arrow_schema(table.with_columns(Column("later", "double"))).empty_table()
        names = [c.name for c in table.fed_columns] + ["later"]
        made = pa.table({n: pa.nulls(1, empty.schema.field(n).type) for n in names})
        assert written(made) == [dict.fromkeys(n.upper() for n in names)]
