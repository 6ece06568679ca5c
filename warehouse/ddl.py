"""SQL of the warehouse, made from the contracts: landing tables in RAW, readable views in CORE and MART, operations in OPS. Pure.

A view shows the newest row of each key among complete lake batches, so a reader never sees half a batch, in whichever order the tables
were loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from schemas import access, star, tables
from schemas.columns import Column
from schemas.landing import SCHEMAS, Landed, landed
from schemas.landing import landing as landing
from schemas.reading import SNOWFLAKE, Facts, Target, spans, visible, with_inferred
from schemas.shop import ZONE
from schemas.tables import Table

COMPLETE = "BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)"
DATABASE = "{{ database }}"  # a variable of the migrations
WIDTH = 140


def view(table: Table) -> str:
    """`SCHEMA.VIEW` that people read: marts in MART, the star in CORE."""
    return star.BY_ENTITY[table.entity].name


def create_schema(name: str) -> list[str]:
    """Two statements: schemachange may have made the schema before, without its comment."""
    made = f"CREATE SCHEMA IF NOT EXISTS {DATABASE}.{name}{comment(SCHEMAS[name], ' = ')}"
    return [made, f"COMMENT ON SCHEMA {DATABASE}.{name} IS {literal(SCHEMAS[name])}"]


def create_table(table: Table | Landed, prefix: str = "") -> str:
    """`prefix` before the name, such as a database with its dot."""
    made = table if isinstance(table, Landed) else landed(table)
    lines = [f"  {SNOWFLAKE.quote(f.name)} {f.type}{'' if f.nullable else ' NOT NULL'}{comment(f.comment)}" for f in made.fields]
    body = ",\n".join(lines)
    options = [f"CLUSTER BY ({', '.join(made.cluster_by)})"] if made.cluster_by else []
    options += ["ENABLE_SCHEMA_EVOLUTION = TRUE", "ERROR_LOGGING = TRUE"] if made.streamed else []
    tail = "".join(f"\n{o}" for o in [*options, comment(made.comment, " = ").strip()] if o)
    return f"CREATE TABLE IF NOT EXISTS {prefix}{made.name} (\n{body}\n){tail}"


def views(schema: str) -> Iterator[str]:
    """CREATE of every view of a schema, with comments and policies. Grants of the view that was there before are kept."""
    for made in star.VIEWS:
        if made.schema == schema:
            yield create_view(made.name, made.comment, made.columns, select(made.table))
    if star.FRESHNESS.name.startswith(f"{schema}."):
        yield create_view(star.FRESHNESS.name, star.FRESHNESS.comment, star.FRESHNESS.columns, FRESHNESS)


def create_view(name: str, about: str, columns: Sequence[Column], query: str) -> str:
    masked = access.masked()
    lines = []
    for column in columns:
        policy = masked.get((name, column.name.upper()))
        mask = f" WITH MASKING POLICY {DATABASE}.{policy.name}" if policy else ""
        lines.append(f"  {SNOWFLAKE.quote(column.name)}{mask}{comment(column.comment)}")
    rows = access.filtered().get(name)
    bound = f"WITH ROW ACCESS POLICY {DATABASE}.{rows[1].name} ON ({rows[0]})\n" if rows else ""
    body = ",\n".join(lines)
    head = f"CREATE OR REPLACE VIEW {DATABASE}.{name} (\n{body}\n)\n{bound}COPY GRANTS\n"
    return f"{head}{comment(about, ' = ').strip()}\nAS\n{wrapped(query)}"


def select(table: Table) -> str:
    if table is tables.DIM_CUSTOMER:
        return _customers()
    return _sales() if table is tables.FCT_SALES else newest(table)


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
    "SELECT MAX(batch_id) AS batch_id, MAX(committed_at) AS committed_at, CAST(SUM(records) AS NUMBER(38,0)) AS records, "
    "CAST(SUM(rejected) AS NUMBER(38,0)) AS rejected FROM OPS.LAKE_BATCHES"
)


def literal(text: str) -> str:
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def comment(text: str, sign: str = " ") -> str:
    return f" COMMENT{sign}{literal(text)}" if text else ""


def wrapped(sql: str) -> str:
    """The same SQL in lines of at most WIDTH characters. What stands between quotes is left as it is."""
    lines: list[str] = []
    line = ""
    for word in re.findall(r"""(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\s'"])+""", sql):
        if line and len(line) + 1 + len(word) > WIDTH:
            lines, line = [*lines, line], word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])
