"""INFORMATION_SCHEMA and SHOW over what the account knows: owners, comments, clustering keys, and only what the reader's role may see.

The engine's own views are made again around themselves; what a session may see is a variable of its connection (Session.tell).
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterator
from string import Template
from typing import Any

import duckdb
from fakesnow import info_schema
from fakesnow.transforms import show

from commerce360.local.doubles.snowflake.account import Account, Object
from commerce360.local.doubles.snowflake.refusals import quoted

PLACE = "_fs_global._fs_information_schema"
OBJECTS = f"{PLACE}._c360_objects"
LISTED = ("DATABASE", "SCHEMA", "TABLE", "VIEW", "STAGE", "SEQUENCE", "FILE FORMAT")
TABLE = f"""CREATE TABLE IF NOT EXISTS {OBJECTS} (
    o_kind VARCHAR, o_database VARCHAR, o_schema VARCHAR, o_name VARCHAR, o_owner VARCHAR, o_comment VARCHAR, o_clustering VARCHAR,
    o_text VARCHAR, o_created TIMESTAMPTZ, o_evolution VARCHAR,
    o_errors VARCHAR)"""
HIDDEN = "('main', 'pg_catalog', 'information_schema', '_fs_information_schema', 'C360_STREAMING')"
RELATIONS = (
    "(SELECT database_name, schema_name, table_name, estimated_size FROM duckdb_tables "
    "UNION ALL SELECT database_name, schema_name, view_name, 0 FROM duckdb_views WHERE NOT internal) tables"
)
SOURCES = {  # view -> (where it comes from, database, schema, name, what the account knows better)
    "_fs_show_tables": (show.SQL_CREATE_VIEW_SHOW_TABLES, "database_name", "schema_name", "name", "known"),
    "_fs_show_views": (show.SQL_CREATE_VIEW_SHOW_VIEWS, "database_name", "schema_name", "name", "viewed"),
    "_fs_show_objects": (show.SQL_CREATE_VIEW_SHOW_OBJECTS, "database_name", "schema_name", "name", "plain"),
    "_fs_show_schemas": (show.SQL_CREATE_VIEW_SHOW_SCHEMAS, "database_name", "name", "", "dated"),
    "_fs_show_databases": (show.SQL_CREATE_VIEW_SHOW_DATABASES, "name", "", "", "owned"),
    "_fs_columns": (info_schema.SQL_CREATE_GLOBAL_INFORMATION_SCHEMA_COLUMNS_VIEW, "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", ""),
}
OF_DATABASE = {
    "_fs_tables": (info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW, "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "table"),
    "_fs_views": (info_schema.SQL_CREATE_INFORMATION_SCHEMA_VIEWS_VIEW, "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "view"),
    "_fs_schemata": (info_schema.SQL_CREATE_INFORMATION_SCHEMA_SCHEMATA_VIEW, "CATALOG_NAME", "SCHEMA_NAME", "", "schema"),
    "databases": (info_schema.SQL_CREATE_INFORMATION_SCHEMA_DATABASES_VIEW, "DATABASE_NAME", "", "", "database"),
}
OWNER, COMMENT, CREATED = "coalesce(o_owner, 'ACCOUNTADMIN')", "coalesce(o_comment, '')", "coalesce(o_created, to_timestamp(0))"
SHOWN = f"{OWNER} AS owner, {COMMENT} AS comment, {CREATED} AS created_on"
CHANGED = f"{CREATED} AS CREATED, {CREATED} AS LAST_ALTERED"
BETTER = {
    "": "",
    "owned": f"REPLACE ({SHOWN})",
    "dated": f"REPLACE ({CREATED} AS created_on)",
    "plain": f"REPLACE ({SHOWN}, coalesce(o_clustering, '') AS cluster_by)",
    "known": f"REPLACE ({SHOWN}, coalesce(o_clustering, '') AS cluster_by, coalesce(o_evolution, 'N') AS enable_schema_evolution)"
    ", coalesce(o_errors, 'N') AS error_logging",
    "viewed": f"REPLACE ({SHOWN}, coalesce(o_text, text) AS text)",
    "table": f"""REPLACE ({OWNER} AS "TABLE_OWNER", o_comment AS "COMMENT", o_clustering AS "CLUSTERING_KEY", {CHANGED},
        CASE o_kind WHEN 'VIEW' THEN 'VIEW' ELSE 'BASE TABLE' END AS "TABLE_TYPE",
        CASE WHEN o_kind = 'VIEW' THEN NULL ELSE "ROW_COUNT" END AS "ROW_COUNT")""",
    "view": f"REPLACE ({OWNER} AS TABLE_OWNER, o_comment AS COMMENT, coalesce(o_text, VIEW_DEFINITION) AS VIEW_DEFINITION, {CHANGED})",
    "schema": f"REPLACE ({OWNER} AS SCHEMA_OWNER, o_comment AS COMMENT, {CHANGED})",
    "database": f"REPLACE ({OWNER} AS DATABASE_OWNER, o_comment AS COMMENT, {CHANGED})",
}


LENGTH = f"INSERT OR REPLACE INTO {PLACE}._fs_columns_ext VALUES (?, ?, ?, ?, ?, ?)"


class Information:
    """Brought up to the account's version before a statement that may look at it."""

    def __init__(self, duck: duckdb.DuckDBPyConnection, account: Account) -> None:
        self.duck = duck
        self.account = account
        self.version = -1
        self.prepared: set[str] = set()  # databases whose views are ours
        self._lock = threading.Lock()
        duck.execute(TABLE)
        for name, source in SOURCES.items():
            duck.execute(_around(f"{PLACE}.{name}", *source))
        for one in account.objects.values():
            for column, length in one.properties.get("lengths", {}).items():
                duck.execute(LENGTH, [*one.name, column, length, min(length * 4, 16_777_216)])

    def refresh(self) -> None:
        with self._lock:
            version = self.account.version
            if version == self.version:
                return
            objects = [o for (kind, _), o in self.account.objects.items() if kind in LISTED]
            with self.duck.cursor() as cursor:
                databases = {o.name[0] for o in objects if o.kind == "DATABASE"}
                for database in databases - self.prepared:
                    _prepare(cursor, database)
                self.prepared = databases
                cursor.execute("BEGIN")
                cursor.execute(f"DELETE FROM {OBJECTS}")
                if objects:
                    values = [v for o in objects for v in _row(o)]
                    rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(objects))
                    cursor.execute(f"INSERT INTO {OBJECTS} VALUES {rows}", values)
                cursor.execute("COMMIT")
            self.version = version


def visible(account: Account, role: str) -> Iterator[str]:
    """`DATABASE`, `DATABASE.SCHEMA`, `DATABASE.SCHEMA.NAME` of all on which the role has any privilege."""
    for kind, name in account.objects:
        if kind in LISTED and account.privileges(role, kind, name):
            yield ".".join(name)


def _row(one: Object) -> list[Any]:
    parts = [*one.name, *[""] * (3 - len(one.name))]
    p = one.properties
    options = ["Y" if p.get(o) == "TRUE" else "N" for o in ("ENABLE_SCHEMA_EVOLUTION", "ERROR_LOGGING")]
    created = dt.datetime.fromtimestamp(one.created, dt.UTC)
    return [one.kind, *parts, one.owner, p.get("COMMENT") or None, p.get("CLUSTERING_KEY"), p.get("text"), created, *options]


def _prepare(cursor: duckdb.DuckDBPyConnection, database: str) -> None:
    found = cursor.execute("SELECT database_name FROM duckdb_databases() WHERE upper(database_name) = ?", [database]).fetchone()
    if found is None:
        return
    for name, (source, *more) in OF_DATABASE.items():
        text = source.substitute(catalog=found[0]).replace("duckdb_tables tables", RELATIONS)
        cursor.execute(_around(f"{quoted(found[0])}._fs_information_schema.{name}", text, *more))


def _around(view: str, source: str | Template, database: str, schema: str, name: str, better: str) -> str:
    """The view, with what the account knows, and for the eyes of the session's role."""
    query = re.split(r"\bas\b", str(source), maxsplit=1, flags=re.I)[1]
    parts = [part for part in (database, schema, name) if part]
    key = " || '.' || ".join(f'upper(v."{p}")' for p in parts)
    joined = " AND ".join(
        f'{column} = upper(v."{part}")' if part else f"{column} = ''"
        for column, part in zip(("o_database", "o_schema", "o_name"), (database, schema, name), strict=True)
    )
    kinds = {1: "'DATABASE'", 2: "'SCHEMA'"}.get(len(parts), "'TABLE', 'VIEW'")
    seen = f"(getvariable('c360_visible') IS NULL OR list_contains(getvariable('c360_visible'), {key}))"
    own = f' AND v."{schema}" NOT IN {HIDDEN}' if schema else ""
    columns = f"* EXCLUDE ({', '.join(COLUMNS)})"
    inner = f"SELECT v.*, o.* FROM ({query}) v LEFT JOIN {OBJECTS} o ON {joined} AND o_kind IN ({kinds}) WHERE {seen}{own}"
    return f"CREATE OR REPLACE VIEW {view} AS SELECT {columns} {BETTER[better]} FROM ({inner})"


COLUMNS = re.findall(r"\bo_\w+", TABLE)
