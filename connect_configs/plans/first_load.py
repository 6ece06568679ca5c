"""The rows that were there before a connector: read once, whatever is interrupted.

Debezium with `snapshot.mode=no_data` reads none by itself; an incremental snapshot does, asked for by a row in the signal table. Two rows
there remember how far that is: `c360-pending-*` before the connector is made or moved, with what is left to do in its data, and
`c360-load-*` (the signal itself, which names the tables) once it was asked for. Both are of one connector and one topic prefix.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from connect_configs import sources
from connect_configs.cluster import Cluster
from connect_configs.model import Config
from connect_configs.plans.changes import Pending
from connect_configs.sources import signal_table

if TYPE_CHECKING:
    import psycopg

LONGEST_ID = 42  # of a signal, in Debezium's own definition of the table
LOAD, PENDING = "c360-load-", "c360-pending-"
PENDING_TYPE = "c360-load-pending"  # a signal type that Debezium does not know, and skips


@dataclass(frozen=True)
class Marks:
    """`asked`: patterns of the tables whose rows were asked for; None if none ever were."""

    asked: frozenset[str] | None = None
    pending: Pending | None = None


def load_id(name: str, config: Config) -> str:
    return _id(LOAD, name, config)


def pending_id(name: str, config: Config) -> str:
    return _id(PENDING, name, config)


def _id(kind: str, name: str, config: Config) -> str:
    digest = hashlib.sha256(f"{name}|{config.get('topic.prefix', '')}".encode()).hexdigest()[:8]
    return f"{kind}{name[: LONGEST_ID - len(kind) - len(digest) - 1]}-{digest}"


def marks(connection: psycopg.Connection[Any], config: Config, name: str) -> Marks:
    """Empty where the table cannot be read."""
    from psycopg import Error, sql

    if (table := signal_table(config)) is None:
        return Marks()
    query = sql.SQL("SELECT id, data FROM {} WHERE id = ANY(%s)").format(sql.Identifier(*table))
    try:
        rows = dict(connection.execute(query, ([load_id(name, config), pending_id(name, config)],)).fetchall())
    except Error:
        return Marks()
    asked, pending = (_data(rows.get(i)) for i in (load_id(name, config), pending_id(name, config)))
    return Marks(None if asked is None else frozenset(map(str, asked.get("data-collections", []))), _pending(pending))


def _pending(data: dict[str, Any] | None) -> Pending | None:
    if data is None:
        return None
    return Pending(str(data.get("state", "RUNNING")), bool(data.get("reset")), bool(data.get("load", True)))


def _data(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def begin(cluster: Cluster, config: Config, name: str, pending: Pending) -> None:
    """Remember what is left to do. That the rows ever were asked for is forgotten, once there is no offset to be reset before."""
    from psycopg import sql

    if (table := signal_table(config)) is None:
        return
    with sources.postgres(cluster, config) as connection, sources.answering(config), connection.transaction():
        target, own = sql.Identifier(*table), pending_id(name, config)
        old = [own] if pending.reset else [own, load_id(name, config)]
        connection.execute(sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(target), (old,))
        row = (own, PENDING_TYPE, json.dumps(asdict(pending)))
        connection.execute(sql.SQL("INSERT INTO {} (id, type, data) VALUES (%s, %s, %s)").format(target), row)


def end(cluster: Cluster, config: Config, name: str) -> None:
    """Nothing is left to do."""
    forget(cluster, config, [pending_id(name, config)])


def forget(cluster: Cluster, config: Config, ids: Iterable[str]) -> None:
    from psycopg import sql

    if (table := signal_table(config)) is None:
        return
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        connection.execute(sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(sql.Identifier(*table)), (list(ids),))
