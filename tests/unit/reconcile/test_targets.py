import datetime as dt

from commerce360.reconcile import targets
from stream_jobs.scd2.fold import version_key

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
MICROS = 1_772_366_400_000_000


def hour(n):
    return NOON + dt.timedelta(hours=n)


def key(customer_id, hours):
    return version_key((customer_id,), MICROS + hours * 3_600_000_000)


def version(customer_id, start, end=None, **more):
    ends = None if end is None else hour(end)
    row = {"customer_id": customer_id, "valid_from": hour(start), "valid_to": ends, "seq_pos": 1, "seq_ord": start}
    return {**row, "is_visible": True, **more}


def sale(customer_id, hours, product_id=None, line_no=1):
    return {"order_id": "o", "line_no": line_no, "customer_id": customer_id, "product_id": product_id, "ordered_at": hour(hours)}


CUSTOMERS = [version(1, 4), version(1, 0, 2), version(1, 2, 3), version(2, 0, is_visible=False, valid_from=None)]


def of(customer_id, hours):
    [row] = targets.of_sales([sale(customer_id, hours)], CUSTOMERS, [])
    return row["customer_match"], row["customer_version_key"]


def test_a_sale_belongs_to_the_version_in_force_when_it_was_ordered():
    assert of(1, 0) == ("exact", key(1, 0))
    assert of(1, 1) == ("exact", key(1, 0))
    assert of(1, 2) == ("exact", key(1, 2))
    assert of(1, 9) == ("exact", key(1, 4))


def test_outside_of_all_versions_it_belongs_to_the_nearest_before_or_the_first():
    assert of(1, -1) == ("early", key(1, 0))
    assert of(1, 3) == ("gap", key(1, 2))


def test_a_customer_without_versions_is_inferred_and_a_guest_has_no_version():
    assert of(2, 1) == ("inferred", version_key((2,), None))
    assert of(None, 1) == ("none", None)
    sales = [sale(3, 0), sale(3, 1, line_no=2), sale(2, 0), sale(1, 0), sale(None, 0)]
    found = {r["customer_id"]: r for r in targets.inferred(sales, CUSTOMERS)}
    assert found.keys() == {2, 3}
    assert found[3] == {"customer_id": 3, "version_key": version_key((3,), None), "is_current": True, "is_deleted": False}


def test_a_product_that_is_not_known_has_no_version():
    products = [{**version(0, 0), "product_id": 5}]
    known, unknown = targets.of_sales([sale(1, 1, product_id=5), sale(1, 1, product_id=6)], CUSTOMERS, products)
    assert (known["product_match"], known["product_version_key"]) == ("exact", key(5, 0))
    assert (unknown["product_match"], unknown["product_version_key"]) == ("inferred", None)
    assert known.keys() == set(targets.COLUMNS)
