"""A small stream that touches every kind of table, and records that do not fit it."""

import json

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
    return json.loads(found.key or b"null"), None if found.value is None else json.loads(found.value)


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


def order(offset, op, lsn, status, **more):
    image = {
        "order_id": "o",
        "customer_id": 1,
        "status": status,
        "currency": "EUR",
        "campaign_id": None,
        "ordered_at": "2026-03-01T09:00:00Z",
        **more,
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


def truncate(topic, offset):
    return record(topic, offset, {"op": "t", "before": None, "after": None, "source": {"sequence": '["8","9"]', "lsn": 9, "ts_us": T0}})


def foreign(topic, offset):
    """A change of a table that nobody reads, in a topic that somebody does."""
    source = {"sequence": '["8","9"]', "lsn": 9, "ts_us": T0, "snapshot": None}
    return record(topic, offset, {"op": "c", "before": None, "after": {"id": 1}, "source": source}, {"id": 1})
