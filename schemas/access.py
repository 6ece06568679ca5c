"""Who may do what in the warehouse: roles, users, privileges, masking, rows. Pure; migrations, account set-up and `check` follow it.

No role here inherits another: whoever has a role may take every role below it, and a policy looks at the role taken. So a role for the
analysts of some countries stands in ANALYSTS of its own and gets its rows in OPS.ENTITLEMENTS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas import landing, star
from schemas.marts import MART_CUSTOMER_360
from schemas.personal import TEXTS
from schemas.tables import DIM_CUSTOMER

ADMIN = "ACCOUNTADMIN"
LOADER, TRANSFORMER, ANALYST, CARE, OPS = "C360_LOADER", "C360_TRANSFORMER", "C360_ANALYST", "C360_CARE", "C360_OPS"
ROLES = {
    LOADER: "Streams rows into landing tables; reads nothing but which batches are complete.",
    TRANSFORMER: "Owns the database: migrations, backfill, compaction, erasure, reconciliation. Sees personal data in the clear.",
    ANALYST: "Reads CORE and MART; personal data masked, rows by country where the role has entitlements.",
    CARE: "An analyst who sees personal data in the clear: customer care, the live page.",
    OPS: "Reads OPS: batches, migrations, entitlements. No personal data.",
}
ANALYSTS = (ANALYST, CARE)  # roles that read CORE and MART
CLEAR = (CARE, TRANSFORMER)  # roles whose personal data is not masked, and who see all countries

LOAD_WAREHOUSE, TRANSFORM_WAREHOUSE, BI_WAREHOUSE = "C360_LOAD", "C360_TRANSFORM", "C360_BI"
WAREHOUSES = {
    LOAD_WAREHOUSE: "The loader's look at which batches are shown.",
    TRANSFORM_WAREHOUSE: "Migrations, backfill, compaction, erasure, reconciliation.",
    BI_WAREHOUSE: "Questions: Tableau, the live page, people.",
}
WAREHOUSE_OF = {
    LOADER: LOAD_WAREHOUSE,
    TRANSFORMER: TRANSFORM_WAREHOUSE,
    ANALYST: BI_WAREHOUSE,
    CARE: BI_WAREHOUSE,
    OPS: BI_WAREHOUSE,
}
USERS = tuple(ROLES)  # one service user for each role, of the same name, with a key pair


@dataclass(frozen=True)
class Grant:
    """`privilege` on an object of the database (`name` is SCHEMA or SCHEMA.OBJECT, empty for the database itself), or on a warehouse."""

    privilege: str
    kind: str  # DATABASE, SCHEMA, TABLE, VIEW, WAREHOUSE
    name: str
    role: str


@dataclass(frozen=True)
class Policy:
    """A masking policy (`masks`) or a row access policy of OPS, over one VARCHAR. `body` with {database} and the argument VAL."""

    name: str  # OPS.POLICY
    body: str
    comment: str
    masks: bool = True

    @property
    def kind(self) -> str:
        return "MASKING POLICY" if self.masks else "ROW ACCESS POLICY"

    @property
    def returns(self) -> str:
        return "VARCHAR" if self.masks else "BOOLEAN"


SEES_ALL = f"CURRENT_ROLE() IN ({', '.join(repr(role) for role in CLEAR)})"
MASK_TEXT = Policy(
    "OPS.MASK_TEXT",
    f"CASE WHEN VAL IS NULL OR {SEES_ALL} THEN VAL ELSE '***' END",
    "Personal text in the clear for customer care and the owner, stars for others.",
)
# The form that mart_customer_360 has in email_masked (docs/model.md M5), which is why that column needs no policy of its own.
MASK_EMAIL = Policy(
    "OPS.MASK_EMAIL",
    f"CASE WHEN {SEES_ALL} THEN VAL WHEN POSITION('@', VAL) > 1 THEN SUBSTR(VAL, 1, 1) || '***' || SUBSTR(VAL, POSITION('@', VAL)) "
    "WHEN VAL IS NOT NULL THEN '***' END",
    "Address in the clear for customer care and the owner, first letter and domain for others.",
)
BY_COUNTRY = Policy(
    "OPS.BY_COUNTRY",
    f"{SEES_ALL} OR NOT EXISTS (SELECT 1 FROM {{database}}.OPS.ENTITLEMENTS AS E WHERE E.ROLE_NAME = CURRENT_ROLE()) "
    "OR EXISTS (SELECT 1 FROM {database}.OPS.ENTITLEMENTS AS E WHERE E.ROLE_NAME = CURRENT_ROLE() AND E.COUNTRY = VAL)",
    "Rows of the countries that OPS.ENTITLEMENTS has for the role; of all countries for a role without a row there.",
    masks=False,
)
POLICIES = (MASK_TEXT, MASK_EMAIL, BY_COUNTRY)


def masked() -> Mapping[tuple[str, str], Policy]:
    """By (SCHEMA.VIEW, COLUMN): every personal text that a view shows."""
    found: dict[tuple[str, str], Policy] = {}
    for table, columns in TEXTS.items():
        if (view := star.BY_ENTITY.get(table.entity)) is not None and view.table is table:
            found |= {(view.name, c.upper()): MASK_EMAIL if c == "email" else MASK_TEXT for c in columns}
    return found


def filtered() -> Mapping[str, tuple[str, Policy]]:
    """By SCHEMA.VIEW: the column and the policy that says which of its rows a role sees."""
    return {star.BY_ENTITY[t.entity].name: ("COUNTRY", BY_COUNTRY) for t in (DIM_CUSTOMER, MART_CUSTOMER_360)}


def grants() -> tuple[Grant, ...]:
    """All that the roles have beside what they own. C360_TRANSFORMER owns the database and what is in it."""
    made = [Grant("USAGE", "WAREHOUSE", warehouse, role) for role, warehouse in WAREHOUSE_OF.items()]
    return (*made, *_loader(), *(g for role in ANALYSTS for g in _analyst(role)), *_ops())


def _usage(role: str, *schemas: str) -> Iterator[Grant]:
    yield Grant("USAGE", "DATABASE", "", role)
    yield from (Grant("USAGE", "SCHEMA", schema, role) for schema in schemas)


def _loader() -> Iterator[Grant]:
    yield from _usage(LOADER, "RAW", "OPS")
    for table in landing.TABLES:
        if table.streamed:
            yield Grant("INSERT", "TABLE", table.name, LOADER)
            if table.name == landing.LAKE_BATCHES:
                yield Grant("SELECT", "TABLE", table.name, LOADER)
            else:
                yield Grant("EVOLVE SCHEMA", "TABLE", table.name, LOADER)


def _analyst(role: str) -> Iterator[Grant]:
    yield from _usage(role, "CORE", "MART", "OPS")
    yield from (Grant("SELECT", "VIEW", name, role) for name in (*(v.name for v in star.VIEWS), star.FRESHNESS.name))


def _ops() -> Iterator[Grant]:
    yield from _usage(OPS, "OPS")
    yield from (Grant("SELECT", "TABLE", t.name, OPS) for t in landing.TABLES if t.name.startswith("OPS."))
    yield Grant("SELECT", "VIEW", star.FRESHNESS.name, OPS)
