"""Rows of a request on their way into their table: all at once, and one by one where they do not all fit.

What the real one does, from docs.snowflake.com (Snowpipe Streaming, high-performance architecture: error handling, error tables, schema
evolution; read in November 2026): rows that fit are committed, others go to the error table of a table with ERROR_LOGGING, as they were
sent; fields without a column are not loaded, unless the table has ENABLE_SCHEMA_EVOLUTION and the role EVOLVE SCHEMA. Then they add
columns, and a NOT NULL column that no row has any more loses that constraint.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.json as pj

from commerce360.local.doubles.snowflake import error_tables
from commerce360.local.doubles.snowflake.refusals import Name, quoted

NOT_NULL = (100072, "NULL result in a non-nullable column")
NOT_JSON = (100069, "Error parsing JSON")
NOT_RECOGNIZED = {
    "BOOLEAN": (100037, "Boolean value is not recognized"),
    "DATE": (100040, "Date value is not recognized"),
    "TIMESTAMP": (100035, "Timestamp is not recognized"),
    "NUMBER": (100038, "Numeric value is not recognized"),
}


class MisfitError(Exception):
    """Not all rows fit as they are; nothing was inserted, and the transaction cannot go on."""


@dataclass(frozen=True)
class Column:
    name: str
    kind: str  # DuckDB's
    nullable: bool


@dataclass(frozen=True)
class Target:
    """The table, and what it and the role allow."""

    table: Name
    evolves: bool = False
    logs_errors: bool = False

    @property
    def sql(self) -> str:
        return ".".join(map(quoted, self.table))


@dataclass(frozen=True)
class Taken:
    inserted: int = 0
    refused: int = 0
    message: str | None = None  # of the last row that was refused; it names no value


def insert(cursor: duckdb.DuckDBPyConnection, target: Target, body: bytes) -> Taken:
    """All rows of NDJSON, the way that is made for many. Raises MisfitError when one of them needs a closer look."""
    if not body.strip():
        return Taken()
    known = pa.schema([(c.name, _sent_as(c.kind)) for c in columns(cursor, target)])
    options = pj.ParseOptions(explicit_schema=known, unexpected_field_behavior="error" if target.evolves else "ignore")
    try:
        sent = pj.read_json(io.BytesIO(body), pj.ReadOptions(block_size=len(body) + 2), options)
        names = ", ".join(quoted(c) for c in sent.column_names)
        cursor.register("sent_rows", sent)
        cursor.execute(f"INSERT INTO {target.sql} ({names}) SELECT {names} FROM sent_rows")
        cursor.unregister("sent_rows")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, duckdb.Error) as error:
        raise MisfitError(str(error)[:300]) from error
    return Taken(int(sent.num_rows))


def sift(cursor: duckdb.DuckDBPyConnection, target: Target, body: bytes) -> Taken:
    """Those rows that fit; the others into the error table, where there is one. New columns first."""
    lines = [line for line in body.splitlines() if line.strip()]
    rows = [_row(line) for line in lines]
    if target.evolves:
        _evolve(cursor, target, [row for row in rows if row is not None])
    table = columns(cursor, target)
    given = [c for c in table if any(row is not None and c.name in row for row in rows)]
    fields: dict[str, pa.Array] = {"n": pa.array(range(len(rows)), pa.int64())}
    for place, column in enumerate(given):
        fields[f"c{place}"] = pa.array([None if row is None else _text(row.get(column.name)) for row in rows], pa.string())
    cursor.register("sent_text", pa.table(fields))
    problems = _problems(cursor, table, given, rows)
    fitting = [n for n in range(len(rows)) if n not in problems]
    if fitting:
        cursor.register("fitting", pa.table({"n": pa.array(fitting, pa.int64())}))
        names = ", ".join(quoted(c.name) for c in given)
        values = ", ".join(f"CAST(c{place} AS {c.kind})" for place, c in enumerate(given))
        cursor.execute(f"INSERT INTO {target.sql} ({names}) SELECT {values} FROM sent_text SEMI JOIN fitting USING (n) ORDER BY n")
        cursor.unregister("fitting")
    cursor.unregister("sent_text")
    if target.logs_errors:
        error_tables.write(cursor, target.table, ((code, message, lines[n]) for n, (code, message) in sorted(problems.items())))
    last = problems[max(problems)][1] if problems else None
    return Taken(len(fitting), len(problems), last)


def columns(cursor: duckdb.DuckDBPyConnection, target: Target) -> list[Column]:
    found = cursor.execute(f"DESCRIBE {target.sql}").fetchall()
    return [Column(name, str(kind), null != "NO") for name, kind, null, *_ in found]


def _evolve(cursor: duckdb.DuckDBPyConnection, target: Target, rows: Sequence[dict[str, Any]]) -> None:
    table = columns(cursor, target)
    known = {c.name for c in table}
    added: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            if name not in known and value is not None:  # NULL tells no type
                added[name] = _wider(added.get(name), _kind(value))
    for name, kind in added.items():
        cursor.execute(f"ALTER TABLE {target.sql} ADD COLUMN {quoted(name)} {kind}")
    for column in table:
        if rows and not column.nullable and not any(column.name in row for row in rows):
            cursor.execute(f"ALTER TABLE {target.sql} ALTER COLUMN {quoted(column.name)} DROP NOT NULL")


def _kind(value: Any) -> str:
    """The type of a new column, as SQL of DuckDB for VARIANT, BOOLEAN, NUMBER(38,0), FLOAT and VARCHAR."""
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "BIGINT"
    if isinstance(value, Decimal):
        return "DOUBLE"
    return "VARCHAR" if isinstance(value, str) else "JSON"


def _wider(one: str | None, other: str) -> str:
    if one in (None, other):
        return other
    return "DOUBLE" if {one, other} == {"BIGINT", "DOUBLE"} else "VARCHAR"


def _problems(
    cursor: duckdb.DuckDBPyConnection, table: Sequence[Column], given: Sequence[Column], rows: Sequence[dict[str, Any] | None]
) -> dict[int, tuple[int, str]]:
    """{number of the row: (code, message)} of those that do not fit."""
    found = {n: NOT_JSON for n, row in enumerate(rows) if row is None}
    for missing in (c for c in table if not c.nullable and c not in given):
        found |= {n: (NOT_NULL[0], f"{NOT_NULL[1]}: {missing.name}") for n in range(len(rows)) if n not in found}
    for place, column in enumerate(given):
        checks = []
        if not column.nullable:
            checks.append((f"c{place} IS NULL", NOT_NULL))
        if column.kind != "VARCHAR":
            checks.append((f"c{place} IS NOT NULL AND TRY_CAST(c{place} AS {column.kind}) IS NULL", _not_recognized(column.kind)))
        for where, (code, message) in checks:
            for (n,) in cursor.execute(f"SELECT n FROM sent_text WHERE {where}").fetchall():
                found.setdefault(n, (code, f"{message}: {column.name}"))
    return found


def _not_recognized(kind: str) -> tuple[int, str]:
    name = next((k for k in ("BOOLEAN", "DATE", "TIMESTAMP") if kind.startswith(k)), "NUMBER")
    return NOT_RECOGNIZED[name]


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line, parse_float=Decimal)
    except ValueError:
        return None
    return {str(k).upper(): v for k, v in found.items()} if isinstance(found, dict) else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)


def _sent_as(duck_type: str) -> pa.DataType:
    """How the SDK writes a value of this column in JSON; everything that is not a number or a boolean is text."""
    kind = duck_type.upper()
    if kind in ("BIGINT", "INTEGER", "HUGEINT", "SMALLINT") or (kind.startswith("DECIMAL") and kind.endswith(",0)")):
        return pa.int64()
    if kind in ("DOUBLE", "FLOAT"):
        return pa.float64()
    return pa.bool_() if kind == "BOOLEAN" else pa.string()
