"""DDL of the warehouse, made from the contracts: landing tables in RAW, readable views in CORE, operations in OPS. Pure.

A view shows the newest row of each key among complete lake batches, so a reader never sees half a batch, in whichever order the tables
were loaded.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas import tables
from schemas.tables import Table
from schemas.types import SNOWFLAKE

SCHEMAS = ("RAW", "CORE", "MART", "OPS")
COMPLETE = "BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)"
VIEWS = {"clickstream": "FCT_PAGE_EVENTS", "reviews": "FCT_REVIEWS"}


def landing(table: Table) -> str:
    """`SCHEMA.TABLE` where the loader puts the rows of a lake table."""
    return "OPS.LAKE_BATCHES" if table is tables.BATCHES else f"RAW.{table.entity.upper()}"


def view(table: Table) -> str:
    return f"CORE.{VIEWS.get(table.entity, table.entity.upper())}"


def statements(database: str) -> list[str]:
    """Everything, in order; may be run again."""
    made = [f"CREATE DATABASE IF NOT EXISTS {database}", f"USE DATABASE {database}"]
    made += [f"CREATE SCHEMA IF NOT EXISTS {database}.{schema}" for schema in SCHEMAS]
    made += [create_table(t) for t in tables.FED]
    return [*made, *views()]


def create_table(table: Table) -> str:
    lines = [f"  {c.name.upper()} {SNOWFLAKE[c.type]}{'' if c.nullable else ' NOT NULL'}{_comment(c.comment)}" for c in table.fed_columns]
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


def newest(table: Table) -> str:
    inner = table.newest_sql(landing(table), COMPLETE, internal=False)
    where = f" WHERE {table.visible}" if table.visible else ""
    return f"SELECT * FROM ({inner}) AS newest{where}"


def _customers() -> str:
    """Versions, and one inferred row for each customer that only facts know (SCD2 R22)."""
    names = [c.name for c in tables.DIM_CUSTOMER.fed_columns]
    given = {
        "customer_id": "facts.customer_id",
        "seq_pos": "0",
        "seq_ord": "0",
        "op": "'i'",
        "version_key": "SUBSTR(SHA2(CONCAT(CAST(facts.customer_id AS VARCHAR), '@inferred'), 256), 1, 32)",
        "is_current": "TRUE",
        "is_visible": "TRUE",
        "is_deleted": "FALSE",
        "unresolved": "'[]'",
        "batch_id": "facts.batch_id",
    }
    types = {c.name: SNOWFLAKE[c.type] for c in tables.DIM_CUSTOMER.fed_columns}
    inferred = ", ".join(f"{given.get(n, f'CAST(NULL AS {types[n]})')} AS {n}" for n in names)
    return (
        f"SELECT {', '.join(names)}, FALSE AS is_inferred FROM ({newest(tables.DIM_CUSTOMER)}) AS versions "
        f"UNION ALL SELECT {inferred}, TRUE AS is_inferred FROM "
        f"(SELECT customer_id, MAX(batch_id) AS batch_id FROM ({newest(tables.FCT_SALES)}) AS sales "
        f"WHERE customer_id IS NOT NULL GROUP BY customer_id) AS facts "
        f"WHERE facts.customer_id NOT IN (SELECT customer_id FROM ({newest(tables.DIM_CUSTOMER)}) AS known)"
    )


def _sales() -> str:
    """Sales with the version of customer and product in force when the order was placed (SCD2 R21).

    The target is the last version begun at or before the order, else the first one. A late change of a dimension moves it with no
    repair of the fact.
    """
    names = ", ".join(f"s.{c.name}" for c in tables.FCT_SALES.fed_columns)
    sales, customers, products = (newest(t) for t in (tables.FCT_SALES, tables.DIM_CUSTOMER, tables.DIM_PRODUCT))
    return (
        f"WITH s AS ({sales}), c AS ({_spans(customers, 'customer_id')}), p AS ({_spans(products, 'product_id')}) "
        f"SELECT {names}, "
        "COALESCE(c.version_key, CASE WHEN s.customer_id IS NOT NULL AND s.ordered_at IS NOT NULL "
        "THEN SUBSTR(SHA2(CONCAT(CAST(s.customer_id AS VARCHAR), '@inferred'), 256), 1, 32) END) AS customer_version_key, "
        f"{_match('c', 'customer_id')} AS customer_match, "
        f"p.version_key AS product_version_key, {_match('p', 'product_id')} AS product_match "
        f"FROM s {_join('c', 'customer_id')} {_join('p', 'product_id')}"
    )


def _spans(versions: str, key: str) -> str:
    """Each version with the time from which it is the target of facts, and until when."""
    over = f"OVER (PARTITION BY {key} ORDER BY valid_from)"
    return (
        f"SELECT {key}, version_key, valid_from, valid_to, CASE WHEN ROW_NUMBER() {over} = 1 THEN CAST('0001-01-01' AS TIMESTAMP_NTZ(6)) "
        f"ELSE valid_from END AS target_from, COALESCE(LEAD(valid_from) {over}, CAST('9999-12-31' AS TIMESTAMP_NTZ(6))) AS target_to "
        f"FROM ({versions}) AS v"
    )


def _join(name: str, key: str) -> str:
    return f"LEFT JOIN {name} ON {name}.{key} = s.{key} AND s.ordered_at >= {name}.target_from AND s.ordered_at < {name}.target_to"


def _match(name: str, key: str) -> str:
    return (
        f"CASE WHEN s.{key} IS NULL OR s.ordered_at IS NULL THEN 'none' WHEN {name}.version_key IS NULL THEN 'inferred' "
        f"WHEN s.ordered_at < {name}.valid_from THEN 'early' "
        f"WHEN {name}.valid_to IS NULL OR s.ordered_at < {name}.valid_to THEN 'exact' ELSE 'gap' END"
    )


FRESHNESS = (
    "SELECT MAX(batch_id) AS batch_id, MAX(committed_at) AS committed_at, SUM(records) AS records, SUM(rejected) AS rejected "
    "FROM OPS.LAKE_BATCHES"
)


def _comment(text: str, sign: str = " ") -> str:
    quoted = text.replace("'", "''")
    return f" COMMENT{sign}'{quoted}'" if text else ""
