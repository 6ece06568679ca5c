"""Rows of the base tables by hand, and what the plain recomputation makes of them."""

import datetime as dt
import hashlib
from decimal import Decimal

import pyarrow as pa

from commerce360.reconcile import recompute
from schemas import behaviour, tables
from schemas.types import arrow_schema

T = dt.datetime(2026, 6, 10, 10, 0, tzinfo=dt.UTC)
TODAY = dt.date(2026, 6, 20)
MIN, TICK, DAY = dt.timedelta(minutes=1), dt.timedelta(microseconds=1), dt.timedelta(days=1)


def arrow(table, rows):
    empty = dict.fromkeys(c.name for c in table.columns)
    return pa.Table.from_pylist([{**empty, "batch_id": 0, **r} for r in rows], schema=arrow_schema(table))


def base(clicks=(), reviews=(), scores=(), sales=(), customers=(), products=(), named=(), as_of=TODAY):
    return recompute.Base(
        arrow(tables.CLICKSTREAM, clicks),
        arrow(tables.REVIEWS, reviews),
        arrow(behaviour.SENTIMENTS, scores),
        arrow(tables.FCT_SALES, sales),
        arrow(tables.DIM_CUSTOMER, customers),
        arrow(tables.DIM_PRODUCT, products),
        pa.table({"campaign_id": pa.array(list(named), pa.string())}),
        as_of,
    )


def rows(entity, **given):
    table = next(t for t in recompute.TABLES if t.entity == entity)
    found = recompute.recompute(base(**given))[table.name].to_pylist()
    return sorted(found, key=lambda r: [str(r[k]) for k in table.key])


def sessions(clicks, **given):
    return sorted(rows("fct_sessions", clicks=clicks, **given), key=lambda r: (r["started_at"], r["ended_at"]))


def customer(customer_id=1, **given):
    return {r["customer_id"]: r for r in rows("mart_customer_360", **given)}[customer_id]


def click(event_id, at=T, visitor="v", customer=None, kind="view", **more):
    known = {"event_id": event_id, "seq": 1, "source_offset": 1, "is_deleted": False, "visitor_id": visitor, "customer_id": customer}
    return {**known, "occurred_at": at, "event_type": kind, **more}


def sale(order_id, at=T, amount="10.00", line_no=1, customer=1, **more):
    known = {"order_id": order_id, "line_no": line_no, "customer_id": customer, "ordered_at": at, "status": "paid", "currency": "EUR"}
    return {**known, "quantity": 1, "sale_amount": Decimal(amount), "is_complete": True, "is_deleted": False, **more}


def review(review_id, at=T, rating=5, **more):
    known = {"review_id": review_id, "seq": 1, "source_offset": 1, "is_deleted": False, "reviewed_at": at, "rating": rating}
    return {**known, "customer_id": 1, **more}


def score(title, body, value, at=T, language="en", model="vader", version="1", **more):
    known = {"text_hash": sha(f"{title}\n{body}"), "language": language, "model": model, "model_version": version, "scored_at": at}
    return {**known, "score": None if value is None else Decimal(value), **more}


def version(key, number, start, end=None, **more):
    known = {**key, "seq_pos": number, "seq_ord": 0, "op": "u", "valid_from": start, "valid_to": end}
    return {**known, "is_current": end is None, "is_visible": True, "is_deleted": False, **more}


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def session_id(visitor, first_event):
    return sha(f"{len(visitor)}|{visitor}|{first_event}")
