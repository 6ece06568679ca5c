"""fakesnow 0.12.1 with what the real connector and our DDL need beyond it. Import this before anything else of fakesnow."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import fakesnow.server
import sqlglot
from fakesnow.instance import FakeSnow
from sqlglot.errors import SqlglotError

from commerce360.local.doubles.snowflake import patches
from commerce360.local.doubles.snowflake.account import ADMIN, Account
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
        patches.apply()
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
        if name in session.temporary:
            return "TABLE"
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
