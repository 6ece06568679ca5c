"""fakesnow 0.12.1 with what the real connector and our DDL need beyond it. Import this before anything else of fakesnow."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.converter
import fakesnow.server
import fakesnow.transforms
import pyarrow as pa
import sqlglot
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp
from sqlglot.errors import SqlglotError

LOCKED = 625  # errno of a statement that meets another transaction's lock
NOTHING = [
    r"^\s*(CREATE|ALTER|DROP|EXECUTE|SHOW)\s+(OR\s+REPLACE\s+)?(STREAM|TASK|PIPE|WAREHOUSE|ROLE|USER|PROCEDURE|RESOURCE\s+MONITOR|MASKING\s+POLICY|ROW\s+ACCESS\s+POLICY)\b",
    r"^\s*(GRANT|REVOKE)\b",
    # Not all of ALTER SESSION: autocommit is set with it.
    r"^\s*ALTER\s+SESSION\s+SET\s+(QUERY_TAG|TIMEZONE)\b",
]
CONSTRAINTS = re.compile(r"\b(PRIMARY|UNIQUE|FOREIGN|REFERENCES)\b", re.I)
ON_TABLE = (exp.Constraint, exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint)
ON_COLUMN = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference)
CREATE_TABLE = re.compile(r"^\s*CREATE\s+(OR\s+REPLACE\s+)?(TRANSIENT\s+|TEMPORARY\s+)?TABLE\b", re.I)
READS = re.compile(r"^\s*(WITH|SELECT|SHOW|DESC|DESCRIBE|USE|BEGIN|COMMIT|ROLLBACK|ALTER\s+SESSION)\b", re.I)


class Engine:
    """One DuckDB for all sessions: a file per database, attached at the start, and one lock for everything that writes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        _patch()
        self.lock = threading.Lock()
        self.snow = FakeSnow(db_path=folder, nop_regexes=NOTHING)
        fakesnow.server.shared_fs = self.snow
        self.duck.execute("SET GLOBAL memory_limit = '400MB'")
        self.duck.execute("SET GLOBAL threads = 2")
        # DuckDB 2.0.0 takes a sum over a view's newest rows for as small as one of them, and then fails, or filters all of them away.
        self.duck.execute("SET GLOBAL disabled_optimizers = 'statistics_propagation'")
        for file in sorted(folder.glob("*.db")):
            self.snow.connect(file.stem).close()

    @property
    def duck(self) -> duckdb.DuckDBPyConnection:
        return self.snow.duck_conn

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor inside one transaction, alone among writers. Rolled back on an exception."""
        with self.lock, self.duck.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")


def local_sql(text: str) -> str:
    """The statement as this engine can take it: a new table without the keys that Snowflake would not enforce either."""
    if not (CREATE_TABLE.match(text) and CONSTRAINTS.search(text)):
        return text
    try:
        create = sqlglot.parse_one(text, read="snowflake")
    except SqlglotError:
        return text  # the engine says what is wrong with it
    if isinstance(create.this, exp.Schema):
        create.this.set("expressions", [e for e in create.this.expressions if not isinstance(e, ON_TABLE)])
        for column in create.this.find_all(exp.ColumnDef):
            column.set("constraints", [c for c in column.constraints if not isinstance(c.kind, ON_COLUMN)])
    return create.sql(dialect="snowflake")


def writes(text: str) -> bool:
    return not READS.match(text)


def _patch() -> None:
    """NULL timestamps stay NULL, sums of NUMBER stay exact, decimals can be bound, conflicts of transactions are told as such."""
    plain_schema, plain_binding = fakesnow.arrow.to_sf_schema, fakesnow.converter.from_binding

    def schema(found: pa.Schema, rowtype: Any) -> pa.Schema:
        made = plain_schema(found, rowtype)
        return pa.schema([f.with_type(_nullable(f.type)) for f in made], metadata=made.metadata)

    def binding(bound: dict[str, Any]) -> Any:
        if bound["value"] is None:
            return None
        if bound["type"] == "FIXED" and not re.fullmatch(r"[+-]?\d+", bound["value"]):
            return Decimal(bound["value"])
        if bound["type"] == "TIMESTAMP_NTZ":
            return fakesnow.converter.from_datetime(bound["value"]).replace(tzinfo=None)
        return plain_binding(bound)

    plain_struct = fakesnow.arrow.timestamp_to_sf_struct

    def struct(array: Any) -> pa.Array:
        made = plain_struct(array)
        fields = [pa.field(f.name, f.type, nullable=True) for f in made.type]
        return pa.StructArray.from_arrays([made.field(i) for i in range(made.type.num_fields)], fields=fields, mask=made.field(0).is_null())

    fakesnow.arrow.to_sf_schema = schema
    fakesnow.arrow.timestamp_to_sf_struct = struct
    fakesnow.server.from_binding = binding
    fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression
    plain_execute = FakeSnowflakeCursor._execute

    def execute(cursor: FakeSnowflakeCursor, *args: Any, **more: Any) -> Any:
        try:
            return plain_execute(cursor, *args, **more)
        except duckdb.TransactionException as error:  # else a client is told of an unhandled exception, and not of which
            raise ProgrammingError(msg=str(error), errno=LOCKED, sqlstate="57014") from error

    FakeSnowflakeCursor._execute = execute


def _nullable(kind: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(f.name, f.type, nullable=True) for f in kind]) if pa.types.is_struct(kind) else kind
