import datetime as dt
from decimal import Decimal
from itertools import pairwise

from schemas.tables import BATCHES, DIM_PRODUCT
from warehouse.streams import Place, as_sent


def test_a_place_survives_its_token_and_places_are_in_the_order_of_the_log():
    places = [Place(-1, -1), Place(0, 0), Place(2, 9), Place(2, 10), Place(10, 0)]
    assert [Place.parse(p.token()) for p in places] == places
    assert all(before < after for before, after in pairwise(places))


def test_a_channel_without_a_token_is_before_everything():
    assert Place.parse(None) == Place.parse("") < Place(0, 0)


def test_a_row_is_sent_in_utc_without_a_zone_exact_and_without_the_writers_columns():
    row = {c.name: None for c in DIM_PRODUCT.columns}
    there = dt.datetime(2026, 3, 1, 13, 0, 0, 7, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    row |= {"product_id": 2**53 + 1, "price": Decimal("10.10"), "valid_from": there, "_after": "{}", "is_current": False}
    sent = as_sent(row, DIM_PRODUCT)
    assert sent["VALID_FROM"] == dt.datetime(2026, 3, 1, 12, 0, 0, 7)  # noqa: DTZ001 - TIMESTAMP_NTZ has no zone
    assert (sent["PRODUCT_ID"], sent["PRICE"], sent["IS_CURRENT"], sent["VALID_TO"]) == (2**53 + 1, "10.10", False, None)
    assert list(sent) == [c.name.upper() for c in DIM_PRODUCT.fed_columns]
    assert not any(name.startswith("_") for name in sent)


def test_every_column_of_a_batch_is_sent():
    assert set(as_sent({c.name: None for c in BATCHES.columns}, BATCHES)) == {c.name.upper() for c in BATCHES.columns}
