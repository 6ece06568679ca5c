"""Writes the shop's past into PostgreSQL and MongoDB, once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import psycopg
from pymongo.errors import ConnectionFailure

from commerce360.errors import UnavailableError
from commerce360.settings import Mongo, Postgres, Settings
from producers import documents, history, rows
from producers.history import History

CHUNK = 1_000
MARK = "seeded"  # collection that says that all documents of the past are there; it is in no topic


@dataclass(frozen=True)
class SeedSummary:
    """Rows and documents that this call wrote; all zero when the shop had its past already."""

    customers: int = 0
    products: int = 0
    orders: int = 0
    order_items: int = 0
    clicks: int = 0
    reviews: int = 0

    def __str__(self) -> str:
        counts = {k: v for k, v in vars(self).items() if v}
        return ", ".join(f"{v:,} {k.replace('_', ' ')}" for k, v in counts.items()) or "nothing to do"


def run(settings: Settings) -> SeedSummary:
    """Fill empty stores. What is there already stays as it is; after a kill in the middle the next call completes it.

    The tables of schemas/oltp.sql must exist. Raises UnavailableError when a store does not answer.
    """
    missing_rows, missing_documents = not _has_rows(settings.postgres), not _has_documents(settings.mongo)
    if not (missing_rows or missing_documents):
        return SeedSummary()
    past = history.make(settings.shop, dt.datetime.now(dt.UTC))
    made: dict[str, int] = {}
    if missing_rows:
        made |= _write_rows(settings.postgres, past)
    if missing_documents:
        made |= _write_documents(settings.mongo, past)
    return SeedSummary(**made)


def _has_rows(postgres: Postgres) -> bool:
    with _open(postgres) as connection:
        found = connection.execute("SELECT EXISTS (SELECT FROM sales.customers)").fetchone()
    return bool(found and found[0])


def _open(postgres: Postgres) -> rows.Connection:
    try:
        return psycopg.connect(postgres.conninfo(), connect_timeout=10)
    except psycopg.OperationalError as error:
        raise UnavailableError(f"PostgreSQL does not answer: {str(error).splitlines()[0]}", "see `c360 logs postgres`") from error


def _write_rows(postgres: Postgres, past: History) -> dict[str, int]:
    items = [row for o in past.orders for row in rows.item_rows(o.order)]
    # One transaction: a customer table with rows in it means that all four are complete.
    with _open(postgres) as connection:
        rows.copy(connection, "customers", rows.CUSTOMER_COLUMNS, [rows.customer_row(c) for c in past.customers])
        rows.copy(connection, "products", rows.PRODUCT_COLUMNS, [rows.product_row(p) for p in past.products])
        rows.copy(connection, "orders", rows.ORDER_COLUMNS, [rows.order_row(o.order, o.status, o.ordered_at) for o in past.orders])
        rows.copy(connection, "order_items", rows.ITEM_COLUMNS, items)
    return {"customers": len(past.customers), "products": len(past.products), "orders": len(past.orders), "order_items": len(items)}


def _has_documents(mongo: Mongo) -> bool:
    try:
        with documents.connect(mongo) as client:
            return client[mongo.database][MARK].find_one({"_id": MARK}) is not None
    except ConnectionFailure as error:
        raise _no_answer(error) from error


def _write_documents(mongo: Mongo, past: History) -> dict[str, int]:
    try:
        with documents.connect(mongo) as client:
            shop = client[mongo.database]
            shop.clickstream.create_index("session_id")  # while empty: it takes minutes on a large collection of the stand-in
            shop.reviews.create_index("product_id")
            for collection, made in ((shop.clickstream, past.clicks), (shop.reviews, past.reviews)):
                for at in range(0, len(made), CHUNK):
                    documents.insert(collection, made[at : at + CHUNK])
            shop[MARK].replace_one({"_id": MARK}, {"_id": MARK, "clicks": len(past.clicks), "reviews": len(past.reviews)}, upsert=True)
    except ConnectionFailure as error:
        raise _no_answer(error) from error
    return {"clicks": len(past.clicks), "reviews": len(past.reviews)}


def _no_answer(error: Exception) -> UnavailableError:
    return UnavailableError(f"MongoDB does not answer: {str(error)[:200]}", "see `c360 logs mongo`")
