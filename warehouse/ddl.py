"""DDL of the warehouse, made from the contracts: landing tables in RAW, readable views in CORE, operations in OPS. Pure.

A view shows the newest row of each key among complete lake batches, so a reader never sees half a batch, in whichever order the tables
were loaded.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas import star, tables
from schemas.reading import SNOWFLAKE, Facts, Target, spans, visible, with_inferred
from schemas.shop import ZONE
from schemas.tables import Table
from schemas.types import SNOWFLAKE as TYPES

SCHEMAS = ("RAW", "CORE", "MART", "OPS")
COMPLETE = "BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)"


def landing(table: Table) -> str:
    """`SCHEMA.TABLE` where the loader puts the rows of a lake table."""
    return "OPS.LAKE_BATCHES" if table is tables.BATCHES else f"RAW.{table.entity.upper()}"


def view(table: Table) -> str:
    """`SCHEMA.VIEW` that people read: marts in MART, the star in CORE."""
    return star.BY_ENTITY[table.entity].name


def statements(database: str) -> list[str]:
    """Everything, in order; may be run again."""
    made = [f"CREATE DATABASE IF NOT EXISTS {database}", f"USE DATABASE {database}"]
    made += [f"CREATE SCHEMA IF NOT EXISTS {database}.{schema}" for schema in SCHEMAS]
    made += [create_table(t) for t in tables.FED]
    return [*made, *views()]


def create_table(table: Table) -> str:
    lines = [
        f"  {SNOWFLAKE.quote(c.name)} {TYPES[c.type]}{'' if c.nullable else ' NOT NULL'}{_comment(c.comment)}" for c in table.fed_columns
    ]
    body = ",\n".join(lines)
    return f"CREATE TABLE IF NOT EXISTS {landing(table)} (\n{body}\n){_comment(table.comment, ' = ')}"


def views() -> Iterator[str]:
    for table in tables.FED:
        if table is tables.BATCHES:
            continue
        if table is tables.DIM_CUSTOMER:
            yield f"CREATE OR REPLACE VIEW {view(table)} AS {_customers()}"
        elif table is tables.FCT_SALES:
            yield f"CREATE OR REPLACE VIEW {view(table)} AS {_sales()}"
        else:
            yield f"CREATE OR REPLACE VIEW {view(table)} AS {newest(table)}"
    yield f"CREATE OR REPLACE VIEW OPS.FRESHNESS AS {FRESHNESS}"


def newest_rows(table: Table) -> str:
    """The newest log row of every key among complete batches, hidden ones too."""
    return table.newest_sql(landing(table), COMPLETE, internal=False, quote=SNOWFLAKE.quote)


def newest(table: Table) -> str:
    return visible(table, newest_rows(table)) if table.visible else newest_rows(table)


def _customers() -> str:
    """Versions, and one inferred row for each customer that only facts know (SCD2 R22)."""
    facts = Facts(newest(tables.FCT_SALES), ("customer_id",), "ordered_at")
    return with_inferred(tables.DIM_CUSTOMER, newest(tables.DIM_CUSTOMER), facts, SNOWFLAKE)


def _sales() -> str:
    """Sales with the version of customer and product in force when the order was placed (SCD2 R21).

    A late change of a dimension moves the target with no repair of the fact. There are no inferred products.
    """
    names = ", ".join(f"s.{c.name}" for c in tables.FCT_SALES.fed_columns)
    sales, customers, products = (newest(t) for t in (tables.FCT_SALES, tables.DIM_CUSTOMER, tables.DIM_PRODUCT))
    customer = Target(tables.DIM_CUSTOMER, "c", "s", Facts("s", ("customer_id",), "ordered_at"), SNOWFLAKE)
    product = Target(tables.DIM_PRODUCT, "p", "s", Facts("s", ("product_id",), "ordered_at"), SNOWFLAKE)
    c, p = spans(tables.DIM_CUSTOMER, customers, SNOWFLAKE), spans(tables.DIM_PRODUCT, products, SNOWFLAKE)
    return (
        f"WITH s AS ({sales}), c AS ({c}), p AS ({p}) "
        f"SELECT {names}, CAST(CONVERT_TIMEZONE('UTC', '{ZONE}', s.ordered_at) AS DATE) AS day, "
        f"{customer.key} AS customer_version_key, {customer.match} AS customer_match, "
        f"p.version_key AS product_version_key, {product.match} AS product_match FROM s {customer.join} {product.join}"
    )


FRESHNESS = (
    "SELECT MAX(batch_id) AS batch_id, MAX(committed_at) AS committed_at, SUM(records) AS records, SUM(rejected) AS rejected "
    "FROM OPS.LAKE_BATCHES"
)


def _comment(text: str, sign: str = " ") -> str:
    quoted = text.replace("'", "''")
    return f" COMMENT{sign}'{quoted}'" if text else ""
