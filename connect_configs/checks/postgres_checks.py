"""The PostgreSQL behind a Debezium connector, looked at with the connector's own account. Reads only.

What Debezium 3.7's own validation does not see: it says 0 errors without a publication, and the task fails later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from connect_configs import sources
from connect_configs.checks.findings import Finding
from connect_configs.checks.postgres_tables import TableFacts, facts_of, leaves_of, partitions, published_tables
from connect_configs.checks.ruleset import parts_of
from connect_configs.cluster import Cluster
from connect_configs.model import Config
from connect_configs.sources import Table, publication_of, slot_of
from connect_configs.variables import UnresolvedError, Variables

if TYPE_CHECKING:
    import psycopg

OLDEST = 13
STATEMENT_TIMEOUT_MS = 15_000
SHOWN_NAMES = 5
CHANGES = re.compile(r"\s*(?:(UPDATE)\s+(?:ONLY\s+)?|(INSERT)\s+INTO\s+|(DELETE)\s+FROM\s+)([\w.\"]+)", re.IGNORECASE)
PLAIN_NAME = re.compile(r"[\w$]+(\\?\.[\w$]+)?")
NO_DATABASE = re.compile(r'FATAL:\s+database ".*" does not exist')  # psycopg gives no SQLSTATE for what fails at the start
SIGNAL_COLUMNS = ("id", "type", "data")
RULES = {
    "postgres-unseen": "The database cannot be looked at from here: a reference that only the worker can resolve, or no connection",
    "postgres-login": "The server refuses the connector's password, or has no such database",
    "postgres-old": f"Older than PostgreSQL {OLDEST}; without pgoutput before 10",
    "wal-level": "`wal_level` is not logical",
    "slots-used-up": "No replication slot, or no WAL sender, is free",
    "wal-unlimited": "`max_slot_wal_keep_size` is -1: a slot that nobody reads fills the disk",
    "replication-right": "The role may not replicate",
    "table-missing": "A table of the include list does not exist",
    "pattern-unmatched": "A pattern of the include list matches no table",
    "nothing-captured": "No table at all is captured",
    "schema-right": "No USAGE on a schema",
    "select-right": "No SELECT on a captured table: an incremental snapshot fails",
    "replica-identity-default": "REPLICA IDENTITY is not FULL: no `before`, and unchanged large values are not sent",
    "replica-identity-none": "Neither key nor REPLICA IDENTITY: once published, UPDATE and DELETE fail in the application",
    "primary-key-missing": "No primary key: messages without a key, so without order, and no incremental snapshot",
    "primary-key-deferrable": "A deferrable primary key: keys that swap inside a transaction come in an order that loses a row",
    "table-partitioned": "A partitioned table is published by its partitions: each has a topic of its own",
    "partitions-lost": "A partitioned table is published by its partitions, and the include list names the table: nothing arrives",
    "publication-missing": "The publication does not exist, and the connector does not make it",
    "publication-right": "The connector is to make its publication, and may not",
    "publication-tables": "Captured tables are not in the publication: their changes are never sent",
    "publication-signal": "The signal table is not in the publication: signals are never seen",
    "publication-heartbeat": "The heartbeat table is not in the publication: the slot does not move on",
    "publication-operations": "The publication leaves out kinds of change",
    "publication-filtered": "The publication has row filters or column lists",
    "slot-taken": "Somebody reads from the slot",
    "slot-there": "The slot exists already: the connector goes on from where it stands",
    "slot-foreign": "The slot is physical, of another database or of another plugin",
    "slot-lost": "WAL that the slot needs is gone, or about to go",
    "slot-idle": "Nobody reads from the slot of a connector that is deployed",
    "signal-table": "The signal table is not there, or has other columns",
    "signal-right": "No INSERT on the signal table: incremental snapshots fail",
    "heartbeat-table": "The table of the heartbeat query is not there",
    "heartbeat-right": "The role may not do what the heartbeat query does",
}
Found = Callable[..., Finding]


def check(cluster: Cluster, name: str, config: Config, deployed: bool) -> list[Finding]:
    """`deployed`: a connector of this name runs on the cluster, so the slot may be its own."""
    import psycopg

    found: Found = partial(Finding, name)
    try:
        with sources.postgres(cluster, config) as connection:
            connection.execute("SET default_transaction_read_only = on")
            connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}".encode())
            return list(_looked(connection, _resolved(cluster.variables, config), found, deployed))
    except UnresolvedError as error:
        return [found("unchecked", "postgres-unseen", f"the database was not looked at: {error.message}", error.hint)]
    except sources.SourceUnavailableError as error:
        return [_not_let_in(error, found)]
    except sources.SourceError as error:
        return [_not_let_in(error, found)]
    except psycopg.Error as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        return [found("unchecked", "postgres-unseen", f"the database could not be looked at: {said}")]


def _not_let_in(error: sources.SourceError | sources.SourceUnavailableError, found: Found) -> Finding:
    """An error only where the worker will hear the same: pg_hba.conf, free connections and a server that starts are of here and now."""
    state, said = getattr(error.__cause__, "sqlstate", None), error.message
    if state == "28P01" or (state is None and "password authentication failed" in said):
        return found("error", "postgres-login", said, error.hint, "database.user")
    if state == "3D000" or (state is None and NO_DATABASE.search(said)):
        return found("error", "postgres-login", said, "correct the name, or make the database first", "database.dbname")
    return found("unchecked", "postgres-unseen", said, "the worker may reach it; see what its own validation says")


def _resolved(variables: Variables, config: Config) -> Config:
    """With the references that can be resolved here. Holds secrets: it stays in this module."""
    made = {}
    for key, value in config.items():
        try:
            made[key] = variables.resolve(value)
        except UnresolvedError:
            made[key] = value
    return made


def _looked(connection: psycopg.Connection[Any], config: Config, found: Found, deployed: bool) -> Iterator[Finding]:
    names = sources.captured_tables(connection, {})
    captured = [table for table in names if sources.is_included(config, table)]
    signal = _signal_name(config)
    facts = facts_of(connection, [*captured, *([signal] if signal in names else [])])
    yield from _server(connection, found)
    if not deployed:
        yield from _room(connection, config, found)
    yield from _role(connection, found)
    yield from _include_list(config, [*names, *partitions(connection)], captured, found)
    yield from _tables([facts[table] for table in captured if table in facts], found)
    if _decoder(config) == "pgoutput":  # another plugin reads without a publication
        yield from _publication(connection, config, captured, facts, found)
    yield from _slot(connection, config, found, deployed)
    yield from _signal(config, facts.get(signal) if signal else None, found)
    yield from _heartbeat(connection, config, found)


def _decoder(config: Config) -> str:
    return config.get("plugin.name", "decoderbufs").lower()


# --- server and role


def _settings(connection: psycopg.Connection[Any], *names: str) -> dict[str, str]:
    return dict(connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(names),)).fetchall())


def _server(connection: psycopg.Connection[Any], found: Found) -> Iterator[Finding]:
    settings = _settings(connection, "wal_level", "max_slot_wal_keep_size")
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        yield found("error" if version < 10 else "warning", "postgres-old", f"this is PostgreSQL {version}", f"move to {OLDEST} or newer")
    if settings.get("wal_level") != "logical":
        message = f"wal_level is {settings.get('wal_level')}: there is no logical decoding"
        yield found("error", "wal-level", message, "ALTER SYSTEM SET wal_level = logical, then restart the server")
    if settings.get("max_slot_wal_keep_size") == "-1":
        message = "max_slot_wal_keep_size is -1: a slot that nobody reads keeps WAL until the disk is full"
        yield found("warning", "wal-unlimited", message, "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB', or what the disk can spare")


def _room(connection: psycopg.Connection[Any], config: Config, found: Found) -> Iterator[Finding]:
    """For one more slot, unless ours is there, and for one more reader."""
    settings = _settings(connection, "max_replication_slots", "max_wal_senders")
    slots = "SELECT count(*) FILTER (WHERE slot_name <> %s) FROM pg_replication_slots"
    for setting, query, what in (
        ("max_replication_slots", slots, "replication slots"),
        ("max_wal_senders", "SELECT count(*) FROM pg_stat_replication", "WAL senders"),
    ):
        row = connection.execute(query.encode(), (slot_of(config),) if query == slots else ()).fetchone()
        used, most = int(row[0]) if row else 0, int(settings.get(setting, 0))
        if used >= most:
            yield found("error", "slots-used-up", f"{used} of {most} {what} are in use", f"drop one that nobody needs, or raise {setting}")


def _role(connection: psycopg.Connection[Any], found: Found) -> Iterator[Finding]:
    row = connection.execute(
        "SELECT rolsuper OR rolreplication OR EXISTS"
        " (SELECT FROM pg_roles g WHERE g.rolname = 'rds_replication' AND pg_has_role(current_user, g.oid, 'member'))"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row and not row[0]:
        user = connection.info.user
        message = f"role {user} may not replicate"
        yield found("error", "replication-right", message, f'ALTER ROLE "{user}" REPLICATION', "database.user")


# --- tables


def _include_list(config: Config, names: Sequence[Table], captured: Sequence[Table], found: Found) -> Iterator[Finding]:
    field, patterns = "table.include.list", config.get("table.include.list", "")
    for part in (part.strip() for part in patterns.split(",")):
        if not part or any(sources.matches(part, ".".join(table)) for table in names):
            continue
        if PLAIN_NAME.fullmatch(part):
            yield found("error", "table-missing", f"there is no table {part}", "correct the name, or make the table first", field)
        else:
            yield found("warning", "pattern-unmatched", f"{part} matches no table", "it is matched against schema.table", field)
    if not captured and not patterns:
        yield found("warning", "nothing-captured", "no table of this database is captured", "look at the include and exclude lists", field)


def _tables(facts: Sequence[TableFacts], found: Found) -> Iterator[Finding]:
    def those(which: Callable[[TableFacts], bool]) -> str:
        return listed([fact.table for fact in facts if which(fact)])

    if schemas := sorted({fact.table[0] for fact in facts if not fact.may_use}):
        message = f"no right to use schema {', '.join(schemas)}"
        yield found("error", "schema-right", message, "GRANT USAGE ON SCHEMA ... TO the connector's role", "database.user")
    if names := those(lambda f: not f.may_select):
        message = f"no right to read {names}"
        yield found("error", "select-right", message, "GRANT SELECT ON ... TO the connector's role", "database.user")
    if names := those(lambda f: f.identity == "n" or (f.identity == "d" and f.key != "plain")):
        message = f"{names}: nothing identifies a row, so UPDATE and DELETE fail in the application once the table is published"
        yield found("error", "replica-identity-none", message, "ALTER TABLE ... REPLICA IDENTITY FULL", "table.include.list")
    if names := those(lambda f: f.identity == "i" or (f.identity == "d" and f.key == "plain")):
        message = (
            f"{names}: REPLICA IDENTITY is not FULL, so `before` is missing, and large values that an update leaves alone are not sent"
        )
        yield found("warning", "replica-identity-default", message, "ALTER TABLE ... REPLICA IDENTITY FULL", "table.include.list")
    if names := those(lambda f: not f.key):
        message = f"{names}: no primary key, so messages have no key and no order, and there is no incremental snapshot"
        yield found("warning", "primary-key-missing", message, "add a primary key, or set message.key.columns", "table.include.list")
    if names := those(lambda f: f.key == "deferrable"):
        message = f"{names}: the primary key is deferrable, so keys that swap in one transaction arrive in an order that loses a row"
        yield found("error", "primary-key-deferrable", message, "make the constraint NOT DEFERRABLE", "table.include.list")


def listed(tables: Sequence[Table]) -> str:
    """The first names, and how many more there are."""
    names = [".".join(table) for table in tables]
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


# --- publication


def _publication(
    connection: psycopg.Connection[Any], config: Config, captured: Sequence[Table], facts: Mapping[Table, TableFacts], found: Found
) -> Iterator[Finding]:
    name, field = publication_of(config), "publication.name"
    row = connection.execute(
        "SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot FROM pg_publication WHERE pubname = %s", (name,)
    ).fetchone()
    if row is None:
        yield from _no_publication(connection, config, name, captured, found)
        return
    published = published_tables(connection, name)
    if missing := [table for table in captured if table not in published]:
        yield _unpublished(config, name, missing, found)
    yield from _operations(config, dict(zip(("insert", "update", "delete", "truncate"), row[1:5], strict=True)), name, found)
    if not row[5]:
        roots = [table for table in captured if table in facts and facts[table].kind == "p"]
        yield from _partitioned(connection, config, roots, name, found)
    yield from _filters(connection, name, captured, found)
    signal = _signal_name(config)
    if signal and signal in facts and signal not in published:
        message = f"signal table {'.'.join(signal)} is not in publication {name}: signals are never seen"
        level = "warning" if _autocreate(config) == "filtered" else "error"
        yield found(level, "publication-signal", message, f"ALTER PUBLICATION {name} ADD TABLE {'.'.join(signal)}", field)
    heartbeat = _heartbeat_table(connection, config)
    if heartbeat and heartbeat[1] and heartbeat[1] not in published:
        table = ".".join(heartbeat[1])
        message = f"heartbeat table {table} is not in publication {name}: in an idle database the slot does not move on"
        yield found("warning", "publication-heartbeat", message, f"ALTER PUBLICATION {name} ADD TABLE {table}", field)


def _autocreate(config: Config) -> str:
    return config.get("publication.autocreate.mode", "all_tables").lower()


def _unpublished(config: Config, name: str, missing: Sequence[Table], found: Found) -> Finding:
    """With filtered Debezium sets the publication's tables itself at each start; all_tables only makes one that is missing."""
    field, mode, tables = "publication.name", _autocreate(config), listed(missing)
    hint = f"ALTER PUBLICATION {name} ADD TABLE {', '.join('.'.join(t) for t in missing[:SHOWN_NAMES])}"
    if mode == "filtered":
        message = f"{tables}: not in publication {name} yet; the connector adds it at its start if its role owns publication and tables"
        return found("warning", "publication-tables", message, f"or add it by hand: {hint}", field)
    if mode == "all_tables":
        message = f"{tables}: not in publication {name}, which is there: autocreate makes a missing one and adds nothing to this"
        return found("error", "publication-tables", message, f"{hint}; a publication FOR ALL TABLES needs a superuser", field)
    return found("error", "publication-tables", f"{tables}: not in publication {name}, so no change of it is ever sent", hint, field)


def _partitioned(
    connection: psycopg.Connection[Any], config: Config, roots: Sequence[Table], publication: str, found: Found
) -> Iterator[Finding]:
    """Debezium compares its lists with the partition's name: what they leave out never arrives."""
    lost = [root for root in roots if not all(sources.is_included(config, leaf) for leaf in leaves_of(connection, root))]
    hint = f"ALTER PUBLICATION {publication} SET (publish_via_partition_root = true)"
    if lost:
        message = f"{listed(lost)}: {publication} sends changes under the partitions' names, which the lists leave out, so they are lost"
        yield found("error", "partitions-lost", message, hint, "publication.name")
    if named := [root for root in roots if root not in lost]:
        message = f"{listed(named)}: {publication} sends changes under the partitions' names, each with a topic of its own"
        yield found("warning", "table-partitioned", message, hint, "publication.name")


def _no_publication(
    connection: psycopg.Connection[Any], config: Config, name: str, captured: Sequence[Table], found: Found
) -> Iterator[Finding]:
    mode = _autocreate(config)
    if mode == "disabled":
        message = f"there is no publication {name}, and publication.autocreate.mode is disabled: the task fails"
        hint = f"CREATE PUBLICATION {name} FOR TABLE {listed(captured) or '...'}, with the signal and heartbeat tables"
        yield found("error", "publication-missing", message, hint, "publication.name")
        return
    row = connection.execute(
        "SELECT rolsuper, has_database_privilege(current_database(), 'CREATE') FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    may = row and (row[0] or (mode != "all_tables" and row[1]))
    if not may:
        needed = "CREATE on the database, and to own the tables" if mode != "all_tables" else "a superuser"
        message = f"there is no publication {name}, and making it ({mode}) needs {needed}"
        yield found(
            "error", "publication-right", message, "make it by hand, and set publication.autocreate.mode to disabled", "database.user"
        )


def _operations(config: Config, published: Mapping[str, bool], name: str, found: Found) -> Iterator[Finding]:
    skipped = parts_of(config.get("skipped.operations", "t"))
    lost = [operation for operation, is_sent in published.items() if not is_sent and not (operation == "truncate" and "t" in skipped)]
    if lost:
        hint = f"ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate')"
        level = "warning" if lost == ["truncate"] else "error"
        yield found(level, "publication-operations", f"publication {name} leaves out every {', '.join(lost)}", hint, "publication.name")


def _filters(connection: psycopg.Connection[Any], name: str, captured: Sequence[Table], found: Found) -> Iterator[Finding]:
    if connection.info.server_version < 150_000:
        return
    rows = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid"
        " JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE p.pubname = %s AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL) ORDER BY 1, 2",
        (name,),
    ).fetchall()
    if tables := [table for table in rows if table in captured]:
        message = f"{listed(tables)}: publication {name} has a row filter or a column list, so changes or columns are left out"
        yield found("warning", "publication-filtered", message, "publish the whole table; leave out later", "publication.name")


# --- slot


def _slot(connection: psycopg.Connection[Any], config: Config, found: Found, deployed: bool) -> Iterator[Finding]:
    name, field = slot_of(config), "slot.name"
    wal_status = "wal_status" if connection.info.server_version >= 130_000 else "NULL"
    query = f"SELECT slot_type, plugin, database, active, {wal_status} FROM pg_replication_slots WHERE slot_name = %s"
    row = connection.execute(query.encode(), (name,)).fetchone()
    if row is None:
        return
    kind, plugin, database, active, status = row
    if kind != "logical" or plugin != _decoder(config) or database != connection.info.dbname:
        message = f"slot {name} is {kind}, of database {database} with plugin {plugin}: the connector cannot use it"
        yield found("error", "slot-foreign", message, "choose another slot.name", field)
    elif active and not deployed:
        yield found(
            "error", "slot-taken", f"slot {name} is in use by somebody else", "choose another slot.name, or stop who reads it", field
        )
    elif not deployed:
        message = f"slot {name} exists already: the connector goes on from where it stands, not from now"
        yield found("warning", "slot-there", message, f"if that is not meant: SELECT pg_drop_replication_slot('{name}')", field)
    elif not active:
        hint = "`c360 connect status` says why; a stopped connector keeps WAL"
        yield found("warning", "slot-idle", f"nobody reads from slot {name} of this connector", hint, field)
    if status in ("lost", "unreserved"):
        what = "WAL that it needs is gone" if status == "lost" else "WAL that it needs goes at the next checkpoint"
        level = "error" if status == "lost" or not active else "warning"
        message = f"slot {name} is {status}: {what}"
        yield found(level, "slot-lost", message, "raise max_slot_wal_keep_size; a lost slot: drop it, and load the rows again", field)


# --- signal and heartbeat tables


def _signal_name(config: Config) -> Table | None:
    parts = config.get("signal.data.collection", "").split(".")
    return (parts[0], parts[1]) if len(parts) == 2 else None


def _signal(config: Config, facts: TableFacts | None, found: Found) -> Iterator[Finding]:
    name, field = config.get("signal.data.collection", ""), "signal.data.collection"
    if not _signal_name(config):
        return
    if facts is None:
        hint = f"CREATE TABLE {name} (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data text)"
        yield found("error", "signal-table", f"there is no signal table {name}", hint, field)
        return
    if missing := [column for column in SIGNAL_COLUMNS if column not in facts.columns]:
        yield found("error", "signal-table", f"signal table {name} has no column {', '.join(missing)}", "it needs id, type, data", field)
    if not (facts.may_insert and facts.may_use):
        message = f"no right to write to signal table {name}: incremental snapshots fail"
        yield found("error", "signal-right", message, f"GRANT INSERT ON {name} TO the connector's role, and USAGE on its schema", field)


def _heartbeat_table(connection: psycopg.Connection[Any], config: Config) -> tuple[str, Table | None] | None:
    """The privilege that the query needs, and the table; None for a query that is not understood."""
    if not (match := CHANGES.match(config.get("heartbeat.action.query", ""))):
        return None
    row = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)",
        (match[4],),
    ).fetchone()
    return (match[1] or match[2] or match[3]).upper(), (str(row[0]), str(row[1])) if row else None


def _heartbeat(connection: psycopg.Connection[Any], config: Config, found: Found) -> Iterator[Finding]:
    field = "heartbeat.action.query"
    if not (understood := _heartbeat_table(connection, config)):
        return
    verb, table = understood
    if table is None:
        message = "the heartbeat query names a table that is not there, or whose schema may not be used"
        yield found("error", "heartbeat-table", message, "make the table; name it with its schema", field)
    elif not facts_of(connection, [table])[table].may(verb):
        name = ".".join(table)
        message = f"no right to {verb} {name}, as the heartbeat query does"
        yield found("error", "heartbeat-right", message, f"GRANT SELECT, {verb} ON {name} TO the connector's role", field)
