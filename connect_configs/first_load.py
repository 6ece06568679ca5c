"""The rows that were there before a connector: read once, whatever is interrupted.

Debezium with `snapshot.mode=no_data` reads none by itself; an incremental snapshot does, asked for by a row in the signal table. Two rows
there remember how far that is: `c360-pending-*` before the connector is made, `c360-load-*` (the signal itself) once it was asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from connect_configs import sources
from connect_configs.cluster import Cluster
from connect_configs.model import Config
from connect_configs.sources import Table

if TYPE_CHECKING:
    import psycopg

LONGEST_ID = 42  # of a signal, in Debezium's own definition of the table
EARLIER = "c360-first-load"  # what stood for `c360-load-*` in databases of version 0.1.0
PENDING = "c360-load-pending"  # a signal type that Debezium does not know, and skips


def load_id(name: str) -> str:
    return _id("c360-load-", name)


def pending_id(name: str) -> str:
    return _id("c360-pending-", name)


def _id(prefix: str, name: str) -> str:
    if len(prefix + name) <= LONGEST_ID:
        return prefix + name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{prefix}{name[: LONGEST_ID - len(prefix) - 9]}-{digest}"


def signal_table(config: Config) -> Table | None:
    """Schema and name; None where the connector has none that a row could be written to."""
    if "source" not in config.get("signal.enabled.channels", "source").split(","):
        return None
    schema, _, name = config.get("signal.data.collection", "").rpartition(".")
    return (schema, name) if schema and name else None


def is_loaded(name: str) -> tuple[str, str]:
    """Ids of which one says that its rows were asked for."""
    return load_id(name), EARLIER


def marks(connection: psycopg.Connection[Any], config: Config, name: str) -> set[str]:
    """Ids of ours in the signal table, empty where it cannot be read."""
    from psycopg import Error, sql

    if (table := signal_table(config)) is None:
        return set()
    query = sql.SQL("SELECT id FROM {} WHERE id = ANY(%s)").format(sql.Identifier(*table))
    try:
        return {str(row[0]) for row in connection.execute(query, ([*is_loaded(name), pending_id(name)],)).fetchall()}
    except Error:
        return set()


def begin(cluster: Cluster, config: Config, name: str) -> None:
    """Remember that its rows have to be asked for, and forget that they ever were. Before the connector is made or moved."""
    from psycopg import sql

    table = signal_table(config)
    if table is None:
        return
    with sources.postgres(cluster, config) as connection, sources.answering(config), connection.transaction():
        target = sql.Identifier(*table)
        connection.execute(sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(target), (list(is_loaded(name)),))
        ask = sql.SQL("INSERT INTO {} (id, type) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING").format(target)
        connection.execute(ask, (pending_id(name), PENDING))


def end(cluster: Cluster, config: Config, name: str) -> None:
    """The rows were asked for."""
    forget(cluster, config, [pending_id(name)])


def forget(cluster: Cluster, config: Config, ids: Iterable[str]) -> None:
    from psycopg import sql

    if (table := signal_table(config)) is None:
        return
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        connection.execute(sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(sql.Identifier(*table)), (list(ids),))
