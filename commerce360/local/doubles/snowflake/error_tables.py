"""Error tables: rows that did not fit, as they were sent, and `ERROR_TABLE(base table)` to read them.

Here only rows of Snowpipe Streaming come into them, and SELECT on the base table is what their reader needs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import duckdb
from sqlglot import exp

from commerce360.local.doubles.snowflake.access import Access
from commerce360.local.doubles.snowflake.answers import Answer, done
from commerce360.local.doubles.snowflake.refusals import Name, invalid, quoted
from commerce360.local.doubles.snowflake.session import Session
from commerce360.local.doubles.snowflake.words import Words

SYSTEM = "C360_STREAMING"  # schema of each database, which SQL does not show
COLUMNS = {
    "TIMESTAMP": "TIMESTAMPTZ",
    "QUERY_ID": "VARCHAR",
    "ERROR_CODE": "BIGINT",
    "ERROR_METADATA": "JSON",
    "ERROR_DATA": "JSON",
}


def place(base: Name) -> str:
    """The table behind the error table of this base table."""
    return f"{quoted(base[0])}.{SYSTEM}.{quoted('.'.join(base[1:]))}"


def make(cursor: duckdb.DuckDBPyConnection, base: Name) -> None:
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in COLUMNS.items())
    cursor.execute(f"CREATE TABLE IF NOT EXISTS {place(base)} ({columns})")


def forget(cursor: duckdb.DuckDBPyConnection, base: Name) -> None:
    cursor.execute(f"DROP TABLE IF EXISTS {place(base)}")


def write(cursor: duckdb.DuckDBPyConnection, base: Name, found: Iterable[tuple[int, str, bytes]]) -> None:
    """(code, message, row as sent) of each."""
    now = time.time()
    rows = [(code, message, line.decode(errors="replace")) for code, message, line in found]
    if rows:
        make(cursor, base)
        cursor.executemany(
            f"INSERT INTO {place(base)} SELECT to_timestamp(?), NULL, ?, json_object('error_message', ?, 'service', 'snowpipe_streaming'), "
            "CASE WHEN json_valid(?) THEN ?::JSON ELSE to_json(?) END",
            [[now, code, message, line, line, line] for code, message, line in rows],
        )


def truncated(session: Session, access: Access, words: Words) -> Answer | None:
    """TRUNCATE [TABLE] [IF EXISTS] ERROR_TABLE(base table); None for any other statement. Raises RefusedError."""
    if not words.take("TRUNCATE"):
        return None
    words.take("TABLE")
    words.take("IF", "EXISTS")
    if not words.take("ERROR_TABLE", "("):
        return None
    base = session.resolve("TABLE", words.name())
    words.need(")")
    words.end()
    catalog, db, this = (exp.to_identifier(part, quoted=True) for part in base)
    access.check(session, exp.TruncateTable(expressions=[exp.Table(this=this, db=db, catalog=catalog)]))
    forget(session.connection._duck_conn, base)
    return done()


def answered(session: Session, access: Access, tree: Any) -> Any:
    """A copy of the statement that reads the tables behind; None when it asks for no error table. Raises RefusedError."""
    if not any(_called(node) for node in tree.walk()):
        return None
    plain, made = tree.copy(), tree.copy()
    for node in [n for n in plain.walk() if _called(n)]:
        node.replace(exp.Table(**_parts(node), alias=node.args.get("alias")))
    access.check(session, plain)
    for node in [n for n in made.walk() if _called(n)]:
        base = session.resolve("TABLE", tuple(p.name for p in _parts(node).values())[::-1])
        node.replace(_relation(session, base, node.args.get("alias")))
    return made


def _called(node: Any) -> Any:
    """The call, where this is ERROR_TABLE(name) in the place of a table, with TABLE() around it or not."""
    if not isinstance(node, exp.Table | exp.TableFromRows):
        return None
    call = node.this
    return call if isinstance(call, exp.Anonymous) and str(call.this).upper() == "ERROR_TABLE" else None


def _parts(node: Any) -> dict[str, Any]:
    """The base table's name as the parts of a table, the last one first."""
    (named,) = _called(node).expressions or [None]
    if not isinstance(named, exp.Column):
        raise invalid("ERROR_TABLE needs the name of a table.")
    found = {"this": named.this, "db": named.args.get("table"), "catalog": named.args.get("db")}
    return {k: v.copy() for k, v in found.items() if v is not None}


def _relation(session: Session, base: Name, alias: Any) -> Any:
    """The table, or no rows where none was ever refused."""
    sql = "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
    there = session.connection._duck_conn.execute(sql, [base[0], SYSTEM, ".".join(base[1:])]).fetchone()
    if there:
        parts = (exp.to_identifier(p, quoted=True) for p in (base[0], SYSTEM, ".".join(base[1:])))
        catalog, db, this = parts
        return exp.Table(this=this, db=db, catalog=catalog, alias=alias.copy() if alias else None)
    cells = (exp.alias_(exp.cast(exp.null(), kind, dialect="duckdb"), name, quoted=True) for name, kind in COLUMNS.items())
    nothing = exp.select(*cells).where("1 = 0")
    return exp.Subquery(this=nothing, alias=alias.copy() if alias else exp.TableAlias(this=exp.to_identifier("ERRORS")))
