"""Tables of the warehouse: where the lake's rows land, and what only the warehouse has. Pure; migrations and `check` follow it.

Rows land in the order of their batches, and a reader takes the newest row of a key (`Table.newest_sql`). A filter passes that rule only
where it is on columns of the key, so clustering helps nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.columns import Table
from schemas.marts import MART_CUSTOMER_360, MART_PRODUCT_PULSE
from schemas.tables import BATCHES, DIM_CUSTOMER, FED
from schemas.types import SNOWFLAKE

RAW, OPS = "RAW", "OPS"
SCHEMAS = {
    RAW: "Rows as streamed from the lake: logs, with older states of a row and rows of batches that are not complete. Not for readers.",
    "CORE": "The star schema: newest row of each key among complete lake batches.",
    "MART": "What analysts read first: one row a customer, a product and day, a minute.",
    OPS: "How the warehouse is loaded, changed and opened: batches, migrations, entitlements.",
}
# By table: columns, and why. All others are small, or are read in the order in which they came.
CLUSTERED: dict[Table, tuple[tuple[str, ...], str]] = {
    DIM_CUSTOMER: (("customer_id",), "a customer's card and the erasure of a person ask for few customers"),
    MART_CUSTOMER_360: (("customer_id",), "a customer's card and the erasure of a person ask for few customers"),
    MART_PRODUCT_PULSE: (("day",), "questions ask for the last days, and old days hardly change"),
}


@dataclass(frozen=True)
class Field:
    """A column as Snowflake has it. Names are upper case."""

    name: str
    type: str
    comment: str
    nullable: bool = True


@dataclass(frozen=True)
class Landed:
    """A table of the warehouse. `streamed`: rows that do not fit go to its error table, and it takes columns that are new."""

    name: str  # SCHEMA.TABLE
    comment: str
    fields: tuple[Field, ...]
    cluster_by: tuple[str, ...] = ()
    why_clustered: str = ""
    streamed: bool = False


def landing(table: Table) -> str:
    """`SCHEMA.TABLE` where the loader puts the rows of a lake table."""
    return "OPS.LAKE_BATCHES" if table is BATCHES else f"RAW.{table.entity.upper()}"


def landed(table: Table) -> Landed:
    fields = tuple(Field(c.name.upper(), SNOWFLAKE[c.type], c.comment, c.nullable) for c in table.fed_columns)
    columns, why = CLUSTERED.get(table, ((), ""))
    return Landed(landing(table), table.comment, fields, tuple(c.upper() for c in columns), why, streamed=True)


LAKE_BATCHES = landing(BATCHES)
ENTITLEMENTS = Landed(
    "OPS.ENTITLEMENTS",
    "Countries that a role may see in views with a country. A role without a row here sees all of them.",
    (
        Field("ROLE_NAME", "VARCHAR", "a role as CURRENT_ROLE() names it", nullable=False),
        Field("COUNTRY", "VARCHAR", "ISO 3166-1 alpha-2, as dim_customer has it", nullable=False),
    ),
)
# Made by whoever migrates first, schemachange or we; columns and types are those of schemachange 4.4.
CHANGE_HISTORY = Landed(
    "OPS.CHANGE_HISTORY",
    "Migrations that were run; kept by `c360 warehouse apply` and by schemachange alike.",
    (
        Field("VERSION", "VARCHAR", "of a versioned script, else empty"),
        Field("DESCRIPTION", "VARCHAR", "the script's name in words"),
        Field("SCRIPT", "VARCHAR", "file name"),
        Field("SCRIPT_TYPE", "VARCHAR", "V versioned, R repeatable, A always"),
        Field("CHECKSUM", "VARCHAR", "SHA-224 of the rendered script"),
        Field("EXECUTION_TIME", "NUMBER(38,0)", "seconds"),
        Field("STATUS", "VARCHAR", "Success, or Failed (schemachange only)"),
        Field("INSTALLED_BY", "VARCHAR", "user"),
        Field("INSTALLED_ON", "TIMESTAMP_LTZ(9)", "when the script had ended"),
    ),
)
MIGRATION_LEASE = Landed(
    "OPS.MIGRATION_LEASE",
    "One row: who migrates just now. `c360 warehouse apply` refuses while somebody else does.",
    (
        Field("HOLDER", "VARCHAR", "host and process"),
        Field("HELD_UNTIL", "TIMESTAMP_NTZ(9)", "UTC; renewed before each statement"),
    ),
)
BEFORE_MIGRATIONS = (CHANGE_HISTORY, MIGRATION_LEASE)  # a migration needs them already
TABLES = (*(landed(t) for t in FED), ENTITLEMENTS, *BEFORE_MIGRATIONS)
BY_NAME = {t.name: t for t in TABLES}
