"""What there is to ask: tables with the types of their columns, from the contract or from the warehouse itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bi.tableau.fields import datatype
from schemas.star import VIEWS

Columns = Mapping[str, str]  # name in the warehouse -> data type in Tableau
COLUMNS = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_SCALE
FROM INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA'
"""
NAMES = {"TEXT": "string", "VARCHAR": "string", "BOOLEAN": "boolean", "DATE": "date", "FLOAT": "real", "DOUBLE": "real"}
# Codes of snowflake-connector-python's cursor.description.
CODES = {1: "real", 2: "string", 3: "date", 4: "datetime", 6: "datetime", 7: "datetime", 8: "datetime", 13: "boolean"}
FIXED = 0


@dataclass(frozen=True)
class Catalogue:
    name: str
    tables: Mapping[str, Columns]  # `SCHEMA.TABLE`
    describe: Callable[[str], Columns] | None = None  # columns of a SELECT; raises ValueError with what the warehouse says of it


def contract() -> Catalogue:
    """As `schemas` has it. It cannot tell what a SELECT answers with."""
    return Catalogue("the contract", {v.name: {c.name.upper(): datatype(c.type) for c in v.columns} for v in VIEWS})


def warehouse(cursor: Any, name: str) -> Catalogue:
    """Of the database that `cursor`, of Snowflake's connector, is in: what its role sees."""
    tables: dict[str, dict[str, str]] = {}
    for schema, table, column, kind, scale in cursor.execute(COLUMNS).fetchall():
        tables.setdefault(f"{schema}.{table}", {})[column] = _by_name(kind, scale)
    return Catalogue(name, tables, lambda sql: _described(cursor, sql))


def _by_name(kind: str, scale: int | None) -> str:
    if kind in ("NUMBER", "FIXED"):
        return "real" if scale else "integer"
    return "datetime" if kind.startswith("TIMESTAMP") else NAMES.get(kind, kind.lower())


def _described(cursor: Any, sql: str) -> Columns:
    from snowflake.connector.errors import Error

    try:
        cursor.execute(f"SELECT * FROM (\n{sql}\n) AS answer LIMIT 0")
    except Error as error:
        raise ValueError(" ".join(str(error.msg).split())) from error
    return {d.name: ("real" if d.scale else "integer") if d.type_code == FIXED else CODES.get(d.type_code, "?") for d in cursor.description}
