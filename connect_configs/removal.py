"""Deleting a connector, and what Connect leaves behind: offsets, replication slot, publication, topics.

A connector of the same name would go on from left offsets; a left slot keeps WAL until the disk is full.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from commerce360.errors import C360Error
from connect_configs import first_load, sources
from connect_configs.changes import Slot
from connect_configs.cluster import Cluster
from connect_configs.model import Config, Connector
from connect_configs.source_facts import slots as slots_of
from connect_configs.sources import SourceUnavailableError, publication_of, slot_of

Kind = Literal["offsets", "slot", "publication"]
SLOT_TIMEOUT_S = 30.0  # wal_sender_timeout of most servers is longer, but a deleted connector closes its connection


@dataclass(frozen=True)
class Left:
    """One thing that stays when only the connector is deleted; `text` says what it is and why it matters."""

    kind: Kind
    name: str
    text: str


def left_behind(cluster: Cluster, name: str, config: Config, others: Mapping[str, Connector]) -> list[Left]:
    """`others`: all deployed connectors; what another one uses is not named. A source that cannot be seen gives what is configured."""
    found = []
    if offsets := cluster.client.offsets(name):
        found.append(Left("offsets", name, f"offsets of {len(offsets)} partitions: a connector named {name} would go on from them"))
    if sources.kind_of(config) != "postgres":
        return found
    rest = [c.config for other, c in others.items() if other != name and _same_place(c.config, config)]
    slot = slot_of(config)
    if slot not in map(slot_of, rest) and (known := _slot(cluster, config)) is not None:
        found.append(Left("slot", slot, f"replication slot {slot}: keeps WAL ({known.held_bytes / 2**20:.1f} MiB now) until it is dropped"))
    publication = publication_of(config)
    if publication not in map(publication_of, rest):
        found.append(Left("publication", publication, f"publication {publication}: harmless, and needed to make the connector again"))
    return found


def delete(cluster: Cluster, name: str, purge: list[Left], timeout_s: float = 60.0) -> list[str]:
    """Delete it with what `purge` names; what was done, a line each. Repeatable: what is gone already is passed over.

    Offsets can only be reset while the connector is there and stopped, the slot only be dropped once nobody reads it.
    """
    config = cluster.client.config(name)
    done: list[str] = []
    if config is not None:
        if any(left.kind == "offsets" for left in purge):
            cluster.client.stop(name)
            cluster.client.wait_stopped(name, timeout_s)
            cluster.client.reset_offsets(name)
            done.append("offsets reset")
        cluster.client.delete(name)
        cluster.client.wait_gone(name, timeout_s)
        done.append(f"connector {name} deleted")
    for left in purge:
        if left.kind == "slot" and config is not None:
            _drop_slot(cluster, config, left.name)
            first_load.forget(cluster, config, [first_load.load_id(name, config), first_load.pending_id(name, config)])
            done.append(f"slot {left.name} dropped")
        if left.kind == "publication" and config is not None:
            _drop_publication(cluster, config, left.name)
            done.append(f"publication {left.name} dropped")
    return done


def _slot(cluster: Cluster, config: Config) -> Slot | None:
    """A slot that cannot be looked at counts as there."""
    try:
        with sources.postgres(cluster, config) as connection, sources.answering(config):
            return slots_of(connection).get(slot_of(config))
    except C360Error:
        return Slot(False, 0)


def _drop_slot(cluster: Cluster, config: Config, slot: str) -> None:
    """By the connector's own account: it has REPLICATION. Raises SourceUnavailableError while somebody reads the slot."""
    deadline = time.monotonic() + SLOT_TIMEOUT_S
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
        while (found := connection.execute(query, (slot,)).fetchone()) and found[0]:
            if time.monotonic() > deadline:
                later = f"drop it later: SELECT pg_drop_replication_slot('{slot}')"
                raise SourceUnavailableError(f"slot {slot} is still read by somebody", later)
            time.sleep(0.2)
        if found:
            connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))


def _drop_publication(cluster: Cluster, config: Config, name: str) -> None:
    """Only its owner or a superuser may. Raises SourceError with the statement for them."""
    from psycopg import sql

    statement = sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name))
    try:
        with sources.postgres(cluster, config, as_admin=cluster.admin is not None) as connection, sources.answering(config):
            connection.execute(statement)
    except sources.SourceError as error:
        raise sources.SourceError(error.message, f"as its owner: DROP PUBLICATION {name}; or give the context --admin-user") from error


def _same_place(a: Config, b: Config) -> bool:
    keys = ("database.hostname", "database.port", "database.dbname")
    return sources.kind_of(a) == sources.kind_of(b) and all(a.get(k) == b.get(k) for k in keys)
