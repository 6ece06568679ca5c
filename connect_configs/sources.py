"""The database behind a connector, reached with the connector's own settings: so what it may not do, we see too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from commerce360.errors import C360Error, ConfigError, UnavailableError
from connect_configs.cluster import Cluster
from connect_configs.model import Config

if TYPE_CHECKING:
    import psycopg
    import pymongo

KINDS: dict[str, Literal["postgres", "mongo"]] = {
    "io.debezium.connector.postgresql.PostgresConnector": "postgres",
    "PostgresConnector": "postgres",
    "com.mongodb.kafka.connect.MongoSourceConnector": "mongo",
    "MongoSourceConnector": "mongo",
}
CONNECT_TIMEOUT_S = 5
NO_SNAPSHOT = ("no_data", "never", "schema_only")  # values of Debezium's snapshot.mode that read no row
DEFAULT_SLOT, DEFAULT_PUBLICATION, DEFAULT_PORT = "debezium", "dbz_publication", "5432"  # of Debezium 3.7
PASSWORD_REFUSED = frozenset({"28P01", "28000"})  # SQLSTATE invalid_password, invalid_authorization_specification
SMALL_BYTES = 64 * 2**20
Table = tuple[str, str]  # schema, name


class SourceError(C360Error):
    """The database of a connector refuses us, or what we asked of it."""


class SourceUnavailableError(UnavailableError):
    """The database of a connector does not answer."""


def kind_of(config: Config) -> Literal["postgres", "mongo", ""]:
    """Which source we know how to look at; empty for another connector."""
    return KINDS.get(config.get("connector.class", ""), "")


def slot_of(config: Config) -> str:
    return config.get("slot.name", DEFAULT_SLOT)


def publication_of(config: Config) -> str:
    return config.get("publication.name", DEFAULT_PUBLICATION)


def signal_table(config: Config) -> Table | None:
    """Schema and name; None where the connector has none that a row could be written to."""
    channels = [c.strip() for c in config.get("signal.enabled.channels", "source").split(",")]
    schema, _, name = config.get("signal.data.collection", "").strip().rpartition(".")
    return (schema, name) if "source" in channels and schema and name else None


def place_of(config: Config) -> tuple[str, str, str]:
    """Host, port and database of a Debezium PostgreSQL connector, with its defaults; references as they stand."""
    return config.get("database.hostname", ""), config.get("database.port", DEFAULT_PORT), config.get("database.dbname", "")


def same_database(cluster: Cluster, a: Config, b: Config) -> bool:
    """References resolved where that is possible here; where it is not, only what is written alike counts as the same."""
    try:
        return all(cluster.variables.resolve(x) == cluster.variables.resolve(y) for x, y in zip(place_of(a), place_of(b), strict=True))
    except ConfigError:
        return place_of(a) == place_of(b)


def postgres(cluster: Cluster, config: Config, as_admin: bool = False) -> psycopg.Connection[Any]:
    """As the connector's own account, or as the context's admin. Autocommit; close it.

    Raises UnresolvedError (a reference that only the worker can resolve), SourceUnavailableError, SourceError, and ConfigError where
    the context has no admin.
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    get = cluster.variables.get
    user, password = get(config, "database.user"), get(config, "database.password")
    if as_admin:
        if cluster.admin is None:
            raise ConfigError("the context has no admin account for the source", "give it one: `c360 connect context add --admin-user`")
        user, password = cluster.admin.user, cluster.admin.password
    host, port, dbname = get(config, "database.hostname"), get(config, "database.port", DEFAULT_PORT), get(config, "database.dbname")
    sslmode = get(config, "database.sslmode", "prefer")
    info = make_conninfo(
        host=host, port=port, dbname=dbname, user=user, password=password, sslmode=sslmode, connect_timeout=CONNECT_TIMEOUT_S
    )
    try:
        return psycopg.connect(info, autocommit=True, application_name="c360 connect")
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        if error.sqlstate in PASSWORD_REFUSED or "password authentication failed" in said:
            raise SourceError(f"PostgreSQL at {host}:{port} refuses {user}: {said}", "check the account and its password") from error
        raise SourceUnavailableError(f"PostgreSQL at {host}:{port}, database {dbname}: {said}", "does it run, may we reach it?") from error


@contextmanager
def answering(config: Config) -> Iterator[None]:
    """Around statements on a source: what PostgreSQL refuses becomes a SourceError, a broken connection a SourceUnavailableError."""
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        raise SourceUnavailableError(f"PostgreSQL went away: {_first_line(error)}", "does it run?") from error
    except psycopg.Error as error:
        raise SourceError(f"PostgreSQL: {_first_line(error)}", "as the account of the connector") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def mongo(cluster: Cluster, config: Config) -> pymongo.MongoClient[dict[str, Any]]:
    """Connects at the first use; close it. Raises UnresolvedError, SourceError for an address that is none."""
    import pymongo
    from pymongo.errors import PyMongoError

    try:
        uri = cluster.variables.get(config, "connection.uri", "mongodb://localhost:27017")
        return pymongo.MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=CONNECT_TIMEOUT_S * 1000, appname="c360 connect")
    except (PyMongoError, ValueError) as error:
        raise SourceError(f"connection.uri is no address of MongoDB: {type(error).__name__}", "correct the connector's setting") from error


def is_included(config: Config, table: Table) -> bool:
    """Does Debezium capture it, by the include and exclude lists of schemas and tables? Their parts are anchored regular expressions."""
    schema, name = table[0], ".".join(table)
    if (tables := config.get("table.include.list")) is not None and not matches(tables, name):
        return False
    if (tables := config.get("table.exclude.list")) is not None and matches(tables, name):
        return False
    if (schemas := config.get("schema.include.list")) is not None and not matches(schemas, schema):
        return False
    return (schemas := config.get("schema.exclude.list")) is None or not matches(schemas, schema)


def matches(patterns: str, name: str) -> bool:
    """`patterns`: a comma list. A part that is no regular expression of Python counts as plain text."""
    return any(_matches(part.strip(), name) for part in patterns.split(",") if part.strip())


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name, re.IGNORECASE) is not None
    except re.error:
        return pattern.lower() == name.lower()


def captured_tables(connection: psycopg.Connection[Any], config: Config) -> list[Table]:
    """Ordinary and partitioned tables of the database that the connector captures, sorted."""
    rows = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " ORDER BY 1, 2"
    ).fetchall()
    return [table for schema, name in rows if is_included(config, table := (str(schema), str(name)))]


def data_tables(connection: psycopg.Connection[Any], config: Config) -> list[Table]:
    """Captured tables whose rows are somebody's data: not those of signals and heartbeats."""
    signals, beat = signal_table(config), config.get("heartbeat.action.query", "").lower()
    found = captured_tables(connection, config)
    return [t for t in found if t != signals and not re.search(rf"\b{re.escape(t[1].lower())}\b", beat)]


def row_estimates(connection: psycopg.Connection[Any], tables: list[Table]) -> dict[Table, int]:
    """Rows by the planner's statistics; counted where it has none and the table is small."""
    found = {}
    for table in tables:
        query = "SELECT reltuples::bigint, pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        row = connection.execute(f"{query} WHERE n.nspname = %s AND c.relname = %s", table).fetchone()
        estimate, size = row or (0, 0)
        if estimate <= 0 and size < SMALL_BYTES:
            from psycopg import sql

            counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table))).fetchone()
            estimate = counted[0] if counted else 0
        found[table] = max(int(estimate), 0)
    return found
