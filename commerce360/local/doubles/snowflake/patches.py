"""What fakesnow 0.12.1 gets wrong for the real connector and our statements. Applied once, before anything of it runs."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.converter
import fakesnow.cursor
import fakesnow.dialect
import fakesnow.server
import fakesnow.transforms
import pyarrow as pa
from fakesnow.cursor import FakeSnowflakeCursor
from snowflake.connector.errors import ProgrammingError

from commerce360.local.doubles.snowflake.dialect import parsed, session_functions, with_variables

PLAIN_SCHEMA, PLAIN_STRUCT = fakesnow.arrow.to_sf_schema, fakesnow.arrow.timestamp_to_sf_struct
LOCKED = 625  # errno of a statement that meets another transaction's lock
PLAIN_BINDING = fakesnow.converter.from_binding
PLAIN_TRANSFORM, PLAIN_EXECUTE = FakeSnowflakeCursor._transform, FakeSnowflakeCursor.execute


@cache
def apply() -> None:
    """NULL timestamps stay NULL, sums of NUMBER stay exact, decimals can be bound; sessions are known; every refusal has a code."""
    fakesnow.arrow.to_sf_schema = _schema
    fakesnow.arrow.timestamp_to_sf_struct = _struct
    fakesnow.server.from_binding = _binding
    fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression
    fakesnow.server.parse_one = _only
    fakesnow.cursor.parse_one = lambda text: _only(text).copy()  # it is changed there
    FakeSnowflakeCursor._inline_variables = lambda cursor, text: with_variables(cursor._conn.variables._variables, text)
    FakeSnowflakeCursor._transform = _transform
    FakeSnowflakeCursor.execute = _execute


def _schema(found: pa.Schema, rowtype: Any) -> pa.Schema:
    made = PLAIN_SCHEMA(found, rowtype)
    return pa.schema([f.with_type(_nullable(f.type)) for f in made], metadata=made.metadata)


def _nullable(kind: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(f.name, f.type, nullable=True) for f in kind]) if pa.types.is_struct(kind) else kind


def _struct(array: Any) -> pa.Array:
    made = PLAIN_STRUCT(array)
    fields = [pa.field(f.name, f.type, nullable=True) for f in made.type]
    return pa.StructArray.from_arrays([made.field(i) for i in range(made.type.num_fields)], fields=fields, mask=made.field(0).is_null())


def _binding(bound: dict[str, Any]) -> Any:
    if bound["value"] is None:
        return None
    if bound["type"] == "FIXED" and not re.fullmatch(r"[+-]?\d+", bound["value"]):
        return Decimal(bound["value"])
    if bound["type"] == "TIMESTAMP_NTZ":
        return fakesnow.converter.from_datetime(bound["value"]).replace(tzinfo=None)
    return PLAIN_BINDING(bound)


def _transform(cursor: Any, expression: Any, params: Any) -> Any:
    session = getattr(cursor._conn, "c360", None)
    last = session.last_query if session else ""
    return PLAIN_TRANSFORM(cursor, expression.transform(lambda node: session_functions(node, last), copy=False), params)


def _execute(cursor: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        made = PLAIN_EXECUTE(cursor, *args, **kwargs)
    except duckdb.ConstraintException as error:
        raise ProgrammingError(msg=_constraint(str(error)), errno=100072, sqlstate="22000") from error
    except duckdb.TransactionException as error:  # rows that another open transaction changed
        raise ProgrammingError(msg=str(error).splitlines()[0], errno=LOCKED, sqlstate="57014") from error
    except duckdb.Error as error:
        raise ProgrammingError(msg=str(error).splitlines()[0], errno=603, sqlstate="XX000") from error
    session = getattr(cursor._conn, "c360", None)
    if session is not None and kwargs.get("server"):
        session.remember(cursor.sfqid)
    return made


def _constraint(message: str) -> str:
    too_long = re.search(r"CHECK constraint failed .*typeof\((.+?)\) = 'BLOB'.* <= (\d+)", message)
    if too_long:
        return f"String is too long and would be truncated: {too_long.group(1)} takes {too_long.group(2)} characters."
    null = re.search(r"NOT NULL constraint failed: (\S+)", message)
    return f"NULL result in a non-nullable column: {null.group(1)}" if null else message.splitlines()[0]


def _only(text: str) -> Any:
    found = parsed(text)
    return found[0] if found else fakesnow.dialect.parse_one(text)
