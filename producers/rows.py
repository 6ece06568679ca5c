"""Statements on the shop's own database. Each function is the inside of one transaction and returns how many rows it changed.

All may be repeated: when a connection breaks during a commit nobody knows whether it happened, so the same call is made again
and must then change nothing. An INSERT or UPDATE that finds its work done writes no change for Debezium either.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from producers import money
from producers.baskets import CURRENCY, Order
from producers.catalogue import Product
from producers.people import Customer

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]
CUSTOMER_COLUMNS = tuple(f.name for f in fields(Customer))
PRODUCT_COLUMNS = tuple(f.name for f in fields(Product))
ORDER_COLUMNS = ("order_id", "customer_id", "status", "currency", "campaign_id", "visitor_id", "ordered_at")
ITEM_COLUMNS = ("order_id", "line_no", "product_id", "quantity", "unit_price", "discount", "unit_cost")
_MONEY = frozenset({"price", "cost"})


def customer_row(customer: Customer) -> tuple[Any, ...]:
    return tuple(getattr(customer, name) for name in CUSTOMER_COLUMNS)


def product_row(product: Product) -> tuple[Any, ...]:
    return tuple(_amount(name, getattr(product, name)) for name in PRODUCT_COLUMNS)


def order_row(order: Order, status: str, ordered_at: dt.datetime) -> tuple[Any, ...]:
    return (order.order_id, order.customer_id, status, CURRENCY, order.campaign_id, order.visitor_id, ordered_at)


def item_rows(order: Order) -> list[tuple[Any, ...]]:
    return [
        (
            order.order_id,
            line.line_no,
            line.product_id,
            line.quantity,
            money.decimal(line.unit_price),
            money.decimal(line.discount),
            _amount("cost", line.unit_cost),
        )
        for line in order.lines
    ]


def _amount(name: str, value: Any) -> Any:
    return money.decimal(value) if name in _MONEY and value is not None else value


def changes(before: Customer | Product, after: Customer | Product) -> dict[str, Any]:
    """Columns that differ, as the database takes them."""
    names = (f.name for f in fields(after))
    return {n: _amount(n, getattr(after, n)) for n in names if getattr(before, n) != getattr(after, n)}


def copy(connection: Connection, table: LiteralString, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(_named("COPY sales.{} ({}) FROM STDIN", table, columns)) as target:
        for row in rows:
            target.write_row(row)


def add_customer(connection: Connection, customer: Customer) -> int:
    return _insert(connection, "customers", CUSTOMER_COLUMNS, [customer_row(customer)])


def add_product(connection: Connection, product: Product) -> int:
    return _insert(connection, "products", PRODUCT_COLUMNS, [product_row(product)])


def book(connection: Connection, order: Order, status: str, ordered_at: dt.datetime) -> int:
    """Header and lines of an order, in one transaction."""
    headers = _insert(connection, "orders", ORDER_COLUMNS, [order_row(order, status, ordered_at)])
    return headers + _insert(connection, "order_items", ITEM_COLUMNS, item_rows(order))


def advance(connection: Connection, order_id: str, before: str, after: str) -> int:
    query = "UPDATE sales.orders SET status = %s WHERE order_id = %s AND status = %s"
    return connection.execute(query, (after, order_id, before)).rowcount


def save_customer(connection: Connection, customer_id: int, changed: Mapping[str, Any]) -> int:
    return _update(connection, "customers", "customer_id", customer_id, changed)


def save_product(connection: Connection, product_id: int, changed: Mapping[str, Any]) -> int:
    return _update(connection, "products", "product_id", product_id, changed)


def delete_customer(connection: Connection, customer_id: int) -> int:
    """For customers of whom no order tells: the caller picks them by persona."""
    return connection.execute("DELETE FROM sales.customers WHERE customer_id = %s", (customer_id,)).rowcount


def delete_product(connection: Connection, product_id: int) -> int:
    return connection.execute("DELETE FROM sales.products WHERE product_id = %s AND NOT active", (product_id,)).rowcount


def load_customers(connection: Connection) -> list[Customer]:
    found = connection.execute(_named("SELECT {1} FROM sales.{0} ORDER BY created_at, customer_id", "customers", CUSTOMER_COLUMNS))
    return [Customer(*row) for row in found]


def load_products(connection: Connection) -> list[Product]:
    found = connection.execute(_named("SELECT {1} FROM sales.{0} ORDER BY product_id", "products", PRODUCT_COLUMNS))
    return [_product(dict(zip(PRODUCT_COLUMNS, row, strict=True))) for row in found]


def _product(row: dict[str, Any]) -> Product:
    amounts = {name: None if row[name] is None else money.cents(row[name]) for name in _MONEY}
    return Product(**{**row, **amounts})


def load_open_orders(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """(order id, status) of live orders that a shop before this one did not see through, newest first."""
    query = (
        "SELECT order_id, status FROM sales.orders WHERE status IN ('placed', 'paid') AND order_id LIKE 'W-%%' "
        "ORDER BY ordered_at DESC LIMIT %s"
    )
    return list(connection.execute(query, (limit,)))


def load_purchases(connection: Connection, limit: int) -> list[tuple[int, int]]:
    """(customer id, product id) of lines that were sent to customers who kept them, newest first."""
    query = (
        "SELECT o.customer_id, i.product_id FROM sales.orders o JOIN sales.order_items i USING (order_id) "
        "WHERE o.status = 'shipped' ORDER BY o.ordered_at DESC LIMIT %s"
    )
    return list(connection.execute(query, (limit,)))


def step(connection: Connection, table: LiteralString, key: int, column: LiteralString, before: Any, after: Any) -> int:
    """Another tier or price, if the row still has the one before it."""
    query = sql.SQL("UPDATE sales.{} SET {} = %s WHERE {} = %s AND {} = %s").format(
        sql.Identifier(table), sql.Identifier(column), sql.Identifier(table[:-1] + "_id"), sql.Identifier(column)
    )
    return connection.execute(query, (after, key, before)).rowcount


def _insert(connection: Connection, table: LiteralString, columns: tuple[str, ...], values: list[tuple[Any, ...]]) -> int:
    slots = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
    tuples = sql.SQL(", ").join([sql.SQL("({})").format(slots)] * len(values))
    query = _named("INSERT INTO sales.{} ({}) VALUES ", table, columns) + tuples + sql.SQL(" ON CONFLICT DO NOTHING")
    return connection.execute(query, [value for row in values for value in row]).rowcount


def _update(connection: Connection, table: LiteralString, key: LiteralString, value: int, changed: Mapping[str, Any]) -> int:
    if not changed:
        return 0
    names = [sql.Identifier(n) for n in changed]
    slots = [sql.Placeholder()] * len(names)
    query = sql.SQL("UPDATE sales.{} SET {} WHERE {} = %s AND ({}) IS DISTINCT FROM ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.SQL("{} = %s").format(n) for n in names),
        sql.Identifier(key),
        sql.SQL(", ").join(names),
        sql.SQL(", ").join(slots),
    )
    return connection.execute(query, (*changed.values(), value, *changed.values())).rowcount


def _named(query: LiteralString, table: LiteralString, columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(query).format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)))
