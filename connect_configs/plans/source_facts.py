"""What a plan needs to know of the sources, asked of all of them at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error
from connect_configs import sources
from connect_configs.cluster import Cluster
from connect_configs.model import Config, Connector
from connect_configs.plans import first_load
from connect_configs.plans.changes import Facts, Slot
from connect_configs.plans.plan import renamed_from
from connect_configs.snapshot import pattern
from connect_configs.sources import Table

if TYPE_CHECKING:
    import psycopg

THREADS = 8


def gather(cluster: Cluster, desired: Mapping[str, Config], deployed: Mapping[str, Connector]) -> dict[str, Facts]:
    """By connector; one whose source does not let us look has the reason in `unseen`. Raises nothing but what Connect raises."""

    def look(name: str) -> Facts:
        before = deployed.get(name) or deployed.get(renamed_from(name, desired[name], desired, deployed))
        return _of(cluster, name, desired[name], before)

    with ThreadPoolExecutor(THREADS) as pool:
        futures = {name: pool.submit(look, name) for name in desired}
        return {name: future.result() for name, future in futures.items()}


def _of(cluster: Cluster, name: str, config: Config, before: Connector | None) -> Facts:
    """`before`: what is deployed under this name, or under the name that it had."""
    is_same = before is not None and before.name == name and before.config == config
    topics = tuple(cluster.client.topics(before.name)) if before and not is_same else ()
    kind = sources.kind_of(config)
    try:
        if kind == "postgres":
            with sources.postgres(cluster, config) as connection, sources.answering(config):
                if is_same:
                    return _load_only(connection, name, config)
                return _of_postgres(cluster, connection, name, config, before, topics)
        if kind == "mongo" and not is_same:
            return Facts(topics=topics, documents=_documents(cluster, config))
    except C360Error as error:
        return Facts(unseen=error.message, topics=topics)
    return Facts(topics=topics)


def _load_only(connection: psycopg.Connection[Any], name: str, config: Config) -> Facts:
    pending = first_load.marks(connection, config, name).pending
    return Facts(rows=_rows(connection, config), pending=pending) if pending else Facts()


def _of_postgres(
    cluster: Cluster, connection: psycopg.Connection[Any], name: str, config: Config, before: Connector | None, topics: tuple[str, ...]
) -> Facts:
    marks, rows = first_load.marks(connection, config, name), _rows(connection, config)
    is_same_place = sources.same_database(cluster, before.config, config) if before else None
    return Facts(
        rows=rows,
        was=tuple(sources.data_tables(connection, before.config)) if before and is_same_place else (),
        published=_published(connection, sources.publication_of(config)),
        slots=_slots(connection),
        is_loaded=marks.pending is None and marks.asked is not None and marks.asked.issuperset(map(pattern, rows)),
        pending=marks.pending,
        is_same_place=is_same_place,
        topics=topics,
    )


def _rows(connection: psycopg.Connection[Any], config: Config) -> dict[Table, int]:
    return sources.row_estimates(connection, sources.data_tables(connection, config))


def _published(connection: psycopg.Connection[Any], name: str) -> frozenset[Table] | None:
    if not connection.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", (name,)).fetchone():
        return None
    rows = connection.execute("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s", (name,)).fetchall()
    return frozenset((str(schema), str(table)) for schema, table in rows)


def _slots(connection: psycopg.Connection[Any]) -> dict[str, Slot]:
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
