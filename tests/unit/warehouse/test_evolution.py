"""When the loader says that a column is missing: not before the rows that brought it are committed, and always then."""

import pyarrow as pa
import pytest

from commerce360.errors import C360Error
from schemas.tables import DIM_CUSTOMER, DIM_PRODUCT
from warehouse.evolution import Evolution
from warehouse.tail import START, Place

NOTE, NOTHING = pa.table({"customer_id": [1], "note": ["x"]}), pa.table({"customer_id": [2], "note": pa.nulls(1, pa.string())})


class Columns:
    """What INFORMATION_SCHEMA.COLUMNS has, and how often it was asked."""

    def __init__(self) -> None:
        self.there, self.asked = set(), 0

    def query(self, _sql, parameters):
        self.asked += 1
        return [{"n": int(parameters in self.there)}]


@pytest.fixture
def columns():
    return Columns()


@pytest.fixture
def evolution(columns):
    return Evolution(columns, lake=None)


def committed(place, other=START):
    return {DIM_CUSTOMER.name: place, DIM_PRODUCT.name: other}


def test_rows_that_are_on_their_way_say_nothing_of_their_column(evolution, columns):
    evolution.note(DIM_CUSTOMER, NOTE, Place(7, 0))
    evolution.confirm(committed(Place(6, 2), other=Place(9, 0)))
    assert columns.asked == 0
    with pytest.raises(C360Error, match=r"RAW\.DIM_CUSTOMER has no column NOTE"):
        evolution.confirm(committed(Place(7, 0)))


def test_the_first_rows_count_and_a_column_that_is_there_is_asked_for_once(evolution, columns):
    columns.there.add(("RAW", "DIM_CUSTOMER", "NOTE"))
    for version in (7, 8):
        evolution.note(DIM_CUSTOMER, NOTE, Place(version, 0))
    evolution.confirm(committed(Place(7, 0)))
    evolution.note(DIM_CUSTOMER, NOTE, Place(9, 0))
    evolution.confirm(committed(Place(9, 0)))
    assert columns.asked == 1


def test_rows_without_a_value_need_no_column(evolution, columns):
    evolution.note(DIM_CUSTOMER, NOTHING, Place(7, 0))
    evolution.confirm(committed(Place(7, 0)))
    assert columns.asked == 0
