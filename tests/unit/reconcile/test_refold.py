import json
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from commerce360.reconcile import model
from commerce360.reconcile.refold import Refold
from schemas import topics
from stream_jobs import dimensions
from stream_jobs.entity import Record, RejectedError
from stream_jobs.sales import SALES

T0 = 1_770_000_000_000_000
ENTITIES = (dimensions.CUSTOMERS, SALES)


def record(topic, offset, value, key=None):
    """Not Avro: `decode` below reads JSON, which says the same."""
    encoded = None if value is None else json.dumps(value).encode()
    return Record(topic.name, 0, offset, T0 + offset, json.dumps(key or {}).encode(), encoded)


def decode(found):
    if found.value == b'"bad"':
        raise RejectedError("undecodable", "test")
    return json.loads(found.key), None if found.value is None else json.loads(found.value)


def change(topic, offset, op, lsn, image, **more):
    source = {"sequence": f'["{lsn - 1}","{lsn}"]', "lsn": lsn, "ts_us": T0 + lsn, "snapshot": None}
    envelope = {"op": op, "before": image if op == "d" else None, "after": None if op == "d" else image, "source": source}
    key = {k: image[k] for k in next(s.key for s in model.OLTP if s.topic is topic)}
    return record(topic, offset, {**envelope, **more}, key)


def customer(offset, op, lsn, city, customer_id=1):
    image = {
        **dict.fromkeys(model.CUSTOMERS.columns),
        "customer_id": customer_id,
        "full_name": "Ada",
        "city": city,
        "tier": "gold",
        "points": 0,
    }
    return change(topics.CUSTOMERS, offset, op, lsn, {**image, "marketing_consent": False, "created_at": "2026-01-01T00:00:00Z"})


def document(offset, operation, text=None):
    full = None if text is None else json.dumps({"_id": "r", "title": text})
    return record(topics.REVIEWS, offset, {"operationType": operation, "documentKey": '{"_id": "r"}', "fullDocument": full})


def order(offset, op, lsn, status):
    image = {
        "order_id": "o",
        "customer_id": 1,
        "status": status,
        "currency": "EUR",
        "campaign_id": None,
        "ordered_at": "2026-03-01T09:00:00Z",
    }
    return change(topics.ORDERS, offset, op, lsn, image)


def item(offset, lsn, quantity):
    image = {
        "order_id": "o",
        "line_no": 1,
        "product_id": 5,
        "quantity": quantity,
        "unit_price": "10.50",
        "discount": "1.00",
        "unit_cost": None,
    }
    return change(topics.ORDER_ITEMS, offset, "c", lsn, image)


STREAM = [
    customer(0, "c", 10, "Rome"),
    customer(1, "u", 20, "Oslo"),
    customer(2, "u", 30, "Bonn"),
    customer(3, "c", 15, "Lima", customer_id=2),
    customer(4, "d", 40, "Lima", customer_id=2),
    order(0, "c", 11, "placed"),
    order(1, "u", 21, "paid"),
    item(0, 12, 2),
    document(0, "insert", "good"),
    document(1, "update", "better"),
]


def refold(records):
    made = Refold(decode, ENTITIES)
    for found in records:
        made.add(found)
    return made


def content(made):
    rows = {e.table.name: sorted(json.dumps(r, default=str, sort_keys=True) for r in made.rows(e)) for e in ENTITIES}
    sources = (model.CUSTOMERS, model.ORDERS, model.ORDER_ITEMS, model.REVIEWS)
    return rows, {s.topic.name: sorted(json.dumps(r, default=str, sort_keys=True) for r in made.current(s)) for s in sources}


@given(st.permutations(range(len(STREAM))), st.lists(st.integers(0, len(STREAM) - 1), max_size=5))
def test_order_and_repetition_of_the_stream_do_not_matter(order_, repeated):
    assert content(refold([STREAM[n] for n in (*order_, *repeated)])) == content(refold(STREAM))


def test_the_last_image_of_a_row_is_what_its_source_holds():
    made = refold(STREAM)
    assert [r["city"] for r in made.current(model.CUSTOMERS)] == ["Bonn"]
    assert made.deleted(model.CUSTOMERS) == {(2,)}
    assert [r["status"] for r in made.current(model.ORDERS)] == ["paid"]
    assert [(r["review_id"], r["title"]) for r in made.current(model.REVIEWS)] == [("r", "better")]


def test_the_later_position_wins_and_not_the_later_arrival():
    for records in permutations([customer(0, "c", 10, "Rome"), customer(5, "d", 20, "Rome"), customer(1, "c", 30, "Oslo")]):
        assert [r["city"] for r in refold(records).current(model.CUSTOMERS)] == ["Oslo"]


def test_a_deleted_document_is_gone_and_one_that_was_gone_when_it_was_looked_up_is_not_invented():
    assert refold([*STREAM, document(2, "delete")]).current(model.REVIEWS) == []
    assert refold([document(0, "update")]).current(model.REVIEWS) == []
    before = refold([document(0, "insert", "good"), document(1, "update")])
    assert [r["title"] for r in before.current(model.REVIEWS)] == ["good"]  # until the delete comes


def test_what_cannot_be_used_is_counted_with_its_reason_and_a_tombstone_is_nothing():
    bad, tombstone = record(topics.ORDERS, 9, "bad"), record(topics.CUSTOMERS, 9, None)
    made = refold([*STREAM, bad, tombstone])
    assert made.rejected == [(bad, "undecodable")]
    assert content(made) == content(refold(STREAM))
