import datetime as dt
from decimal import Decimal

import pytest

from commerce360.reconcile import canonical

UTC = dt.UTC


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (Decimal("1.50"), Decimal("1.5")),
        (Decimal("1E+2"), Decimal("100.00")),
        (Decimal("-0.00"), Decimal(0)),
        (dt.datetime(2026, 3, 1, 12, tzinfo=UTC), dt.datetime(2026, 3, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1)))),
        (dt.datetime(2026, 3, 1, 12, tzinfo=UTC), dt.datetime(2026, 3, 1, 12)),  # noqa: DTZ001 - as the warehouse hands it out
        ((Decimal("1.0"), "a"), (Decimal("1"), "a")),
    ],
)
def test_one_content_has_one_text(left, right):
    assert canonical.value(left) == canonical.value(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (None, ""),
        (None, "null"),
        ("1", 1),
        (True, 1),
        ("", " "),
        (dt.datetime(2026, 3, 1, tzinfo=UTC), dt.date(2026, 3, 1)),
        (dt.datetime(2026, 3, 1, 0, 0, 0, 1, tzinfo=UTC), dt.datetime(2026, 3, 1, tzinfo=UTC)),
        (Decimal("0.01"), Decimal("0.1")),
        ("é", "e\u0301"),
    ],
)
def test_different_content_has_different_digests(left, right):
    assert canonical.digest({"a": left}, ["a"]) != canonical.digest({"a": right}, ["a"])


def test_a_value_belongs_to_its_column():
    assert canonical.digest({"a": "x", "b": "y"}, ["a", "b"]) != canonical.digest({"a": "y", "b": "x"}, ["a", "b"])
    assert canonical.digest({"a": "x,y", "b": ""}, ["a", "b"]) != canonical.digest({"a": "x", "b": ",y"}, ["a", "b"])
    assert canonical.digest({"a": "x", "more": 1}, ["a"]) == canonical.digest({"a": "x"}, ["a"])


def test_the_hash_of_a_table_forgets_the_order_and_counts_the_rows():
    one, two = (canonical.digest({"a": n}, ["a"]) for n in (1, 2))
    assert canonical.table_hash([one, two]) == canonical.table_hash([two, one])
    assert len({canonical.table_hash(rows) for rows in ([], [one], [one, one], [one, two], [two])}) == 5
    assert len(canonical.table_hash([])) == 32
