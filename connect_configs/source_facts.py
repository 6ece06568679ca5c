"""What a plan needs to know of the sources, asked of all of them at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error
from connect_configs import first_load, sources
from connect_configs.changes import Facts, Slot
from connect_configs.cluster import Cluster
from connect_configs.model import Config, Connector
from connect_configs.sources import Table

if TYPE_CHECKING:
    import psycopg

THREADS = 8
PLACE = ("database.hostname", "database.port", "database.dbname")


def gather(cluster: Cluster, desired: Mapping[str, Config], deployed: Mapping[str, Connector]) -> dict[str, Facts]:
    """By connector; one whose source does not let us look has the reason in `unseen`. Raises nothing but what Connect raises."""
    with ThreadPoolExecutor(THREADS) as pool:
        futures = {name: pool.submit(_of, cluster, name, config, deployed.get(name)) for name, config in desired.items()}
        return {name: future.result() for name, future in futures.items()}


def _of(cluster: Cluster, name: str, config: Config, deployed: Connector | None) -> Facts:
    is_same = deployed is not None and deployed.config == config
    topics = tuple(cluster.client.topics(name)) if deployed and not is_same else ()
    kind = sources.kind_of(config)
    try:
        if kind == "postgres":
            with sources.postgres(cluster, config) as connection, sources.answering(config):
                return _load_only(connection, name, config) if is_same else _of_postgres(connection, name, config, deployed, topics)
        if kind == "mongo" and not is_same:
            return Facts(topics=topics, documents=_documents(cluster, config))
    except C360Error as error:
        return Facts(unseen=error.message, topics=topics)
    return Facts(topics=topics)


def _load_only(connection: psycopg.Connection[Any], name: str, config: Config) -> Facts:
    marks = first_load.marks(connection, config, name)
    if first_load.pending_id(name) not in marks:
        return Facts()
    return Facts(rows=_rows(connection, config), load_is_pending=True)


def _of_postgres(
    connection: psycopg.Connection[Any], name: str, config: Config, deployed: Connector | None, topics: tuple[str, ...]
) -> Facts:
    marks = first_load.marks(connection, config, name)
    has_same_place = deployed is not None and all(deployed.config.get(k) == config.get(k) for k in PLACE)
    return Facts(
        rows=_rows(connection, config),
        was=tuple(captured(connection, deployed.config)) if deployed and has_same_place else (),
        published=_published(connection, sources.publication_of(config)),
        slots=slots(connection),
        is_loaded=bool(marks.intersection(first_load.is_loaded(name))),
        load_is_pending=first_load.pending_id(name) in marks,
        topics=topics,
    )


def captured(connection: psycopg.Connection[Any], config: Config) -> list[Table]:
    """Tables whose rows are somebody's data: not the one of signals."""
    signals = first_load.signal_table(config)
    return [t for t in sources.captured_tables(connection, config) if t != signals]


def _rows(connection: psycopg.Connection[Any], config: Config) -> dict[Table, int]:
    return sources.row_estimates(connection, captured(connection, config))


def _published(connection: psycopg.Connection[Any], name: str) -> frozenset[Table] | None:
    if not connection.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", (name,)).fetchone():
        return None
    rows = connection.execute("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s", (name,)).fetchall()
    return frozenset((str(schema), str(table)) for schema, table in rows)


def slots(connection: psycopg.Connection[Any]) -> dict[str, Slot]:
    held = "coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint"
    rows = connection.execute(f"SELECT slot_name, active, {held} FROM pg_replication_slots".encode()).fetchall()
    return {str(name): Slot(bool(active), int(size)) for name, active, size in rows}


def _documents(cluster: Cluster, config: Config) -> int | None:
    from pymongo.errors import PyMongoError

    database, collection = config.get("database", ""), config.get("collection", "")
    if not database or not collection:
        return None
    try:
        with sources.mongo(cluster, config) as client:
            return int(client[database][collection].estimated_document_count())
    except PyMongoError as error:
        raise sources.SourceUnavailableError(f"MongoDB: {type(error).__name__}", "") from error
