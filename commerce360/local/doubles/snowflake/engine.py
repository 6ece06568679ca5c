"""fakesnow 0.12.1 with what the real connector and our DDL need beyond it. Import this before anything else of fakesnow."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.converter
import fakesnow.cursor
import fakesnow.dialect
import fakesnow.server
import fakesnow.transforms
import pyarrow as pa
import sqlglot
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from snowflake.connector.errors import ProgrammingError
from sqlglot.errors import SqlglotError

from commerce360.local.doubles.snowflake.account import ADMIN, Account
from commerce360.local.doubles.snowflake.dialect import parsed, session_functions, with_variables
from commerce360.local.doubles.snowflake.information import Information
from commerce360.local.doubles.snowflake.refusals import Name
from commerce360.local.doubles.snowflake.session import Session
from commerce360.local.doubles.snowflake.tables import without_keys

CONSTRAINTS = re.compile(r"\b(PRIMARY|UNIQUE|FOREIGN|REFERENCES)\b", re.I)
CREATE_TABLE = re.compile(r"^\s*CREATE\s+(OR\s+REPLACE\s+)?(TRANSIENT\s+|TEMPORARY\s+)?TABLE\b", re.I)
INTERNAL = ("main", "pg_catalog", "information_schema", "_fs_information_schema", "C360_STREAMING")


FIND = """
SELECT 'TABLE' FROM duckdb_tables() WHERE upper(database_name) = ? AND upper(schema_name) = ? AND upper(table_name) = ?
UNION ALL SELECT 'VIEW' FROM duckdb_views() WHERE upper(database_name) = ? AND upper(schema_name) = ? AND upper(view_name) = ?
"""


class Engine:
    """One DuckDB for all sessions: a file per database, attached at the start, and one lock for everything that writes."""

    def __init__(self, folder: Path, admin_key: str = "", account: str = "local") -> None:
        """`admin_key`: public key (base64 DER) of the account's administrator."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        _patch()
        self.lock = threading.Lock()
        self.snow = FakeSnow(db_path=folder)
        fakesnow.server.shared_fs = self.snow
        self.duck.execute("SET GLOBAL memory_limit = '400MB'")
        self.duck.execute("SET GLOBAL threads = 2")
        # DuckDB 2.0.0 takes a sum over a view's newest rows for as small as one of them, and then fails, or filters all of them away.
        self.duck.execute("SET GLOBAL disabled_optimizers = 'statistics_propagation'")
        for file in sorted(folder.glob("*.db")):
            self.snow.connect(file.stem).close()
        self.account = Account(folder / "account.json", account, admin_key)
        self._adopt()
        self.information = Information(self.duck, self.account)

    @property
    def duck(self) -> duckdb.DuckDBPyConnection:
        return self.snow.duck_conn

    def find(self, session: Session, name: Name) -> str | None:
        """TABLE or VIEW; one that was made beside SQL belongs to the account's administrator from now on."""
        for kind in ("TABLE", "VIEW"):
            if (kind, name) in self.account.objects:
                return kind
        found = session.connection._duck_conn.execute(FIND, [*name, *name]).fetchone()
        if found is None or name[1] in INTERNAL:
            return None
        with self.account.change():
            self.account.add(found[0], name, ADMIN)
        return str(found[0])

    def table_option(self, database: str, schema: str, table: str, option: str) -> bool:
        """Is an option like ERROR_LOGGING or ENABLE_SCHEMA_EVOLUTION on?"""
        found = self.account.objects.get(("TABLE", (database.upper(), schema.upper(), table.upper())))
        return found is not None and found.properties.get(option) == "TRUE"

    def _adopt(self) -> None:
        """What is there and the account does not know (its file was lost, or is younger) belongs to the administrator."""
        kept = [d for (d,) in self.duck.execute("SELECT database_name FROM duckdb_databases() WHERE path IS NOT NULL").fetchall()]
        found: list[tuple[str, Name]] = [("DATABASE", (d.upper(),)) for d in kept]
        schemas = self.duck.execute("SELECT database_name, schema_name FROM duckdb_schemas()").fetchall()
        found += [("SCHEMA", (d.upper(), s.upper())) for d, s in schemas if d in kept and s not in INTERNAL]
        for kind in ("TABLE", "VIEW"):
            rows = self.duck.execute(f"SELECT database_name, schema_name, {kind.lower()}_name FROM duckdb_{kind.lower()}s()").fetchall()
            found += [(kind, (d.upper(), s.upper(), n.upper())) for d, s, n in rows if d in kept and s not in INTERNAL]
        missing = [key for key in found if key not in self.account.objects]
        if missing:
            with self.account.change():
                for kind, name in missing:
                    self.account.add(kind, name, ADMIN)

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
    """A statement for the engine's own cursors, beside the server: a new table without its keys, other statements as they are."""
    if not (CREATE_TABLE.match(text) and CONSTRAINTS.search(text)):
        return text
    try:
        return str(without_keys(sqlglot.parse_one(text, read="snowflake")).sql(dialect="snowflake"))
    except SqlglotError:
        return text  # the engine says what is wrong with it


@cache
def _patch() -> None:
    """NULL timestamps stay NULL, sums of NUMBER stay exact, decimals can be bound."""
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

    plain_transform, plain_execute = FakeSnowflakeCursor._transform, FakeSnowflakeCursor.execute

    def transform(cursor: Any, expression: Any, params: Any) -> Any:
        session = getattr(cursor._conn, "c360", None)
        last = session.last_query if session else ""
        return plain_transform(cursor, expression.transform(lambda node: session_functions(node, last), copy=False), params)

    def execute(cursor: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            made = plain_execute(cursor, *args, **kwargs)
        except duckdb.ConstraintException as error:
            raise ProgrammingError(msg=_constraint(str(error)), errno=100072, sqlstate="22000") from error
        except duckdb.Error as error:
            raise ProgrammingError(msg=str(error).splitlines()[0], errno=603, sqlstate="XX000") from error
        session = getattr(cursor._conn, "c360", None)
        if session is not None and kwargs.get("server"):
            session.remember(cursor.sfqid)
        return made

    FakeSnowflakeCursor._transform = transform
    FakeSnowflakeCursor.execute = execute
    FakeSnowflakeCursor._inline_variables = lambda cursor, text: with_variables(cursor._conn.variables._variables, text)
    fakesnow.server.parse_one = lambda text: _only(text)
    fakesnow.cursor.parse_one = lambda text: _only(text).copy()
    fakesnow.arrow.to_sf_schema = schema
    fakesnow.arrow.timestamp_to_sf_struct = struct
    fakesnow.server.from_binding = binding
    fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression


def _constraint(message: str) -> str:
    too_long = re.search(r"CHECK constraint failed .*typeof\((.+?)\) = 'BLOB'.* <= (\d+)", message)
    if too_long:
        return f"String is too long and would be truncated: {too_long.group(1)} takes {too_long.group(2)} characters."
    null = re.search(r"NOT NULL constraint failed: (\S+)", message)
    return f"NULL result in a non-nullable column: {null.group(1)}" if null else message.splitlines()[0]


def _only(text: str) -> Any:
    found = parsed(text)
    return found[0] if found else fakesnow.dialect.parse_one(text)


def _nullable(kind: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(f.name, f.type, nullable=True) for f in kind]) if pa.types.is_struct(kind) else kind
