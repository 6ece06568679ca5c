"""Deleting a connector, and what Connect leaves behind: offsets, replication slot, publication, topics.

A connector of the same name would go on from left offsets; a left slot keeps WAL until the disk is full.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from commerce360.errors import C360Error
from connect_configs import sources
from connect_configs.client import known
from connect_configs.cluster import Cluster
from connect_configs.model import Config
from connect_configs.plans import first_load
from connect_configs.sources import SourceError, SourceUnavailableError, publication_of, slot_of

Kind = Literal["offsets", "slot", "publication"]
Note = Callable[[str], None]
SLOT_TIMEOUT_S = 30.0  # wal_sender_timeout of most servers is longer, but a connector that stops closes its connection


@dataclass(frozen=True)
class Left:
    """One thing that stays when only the connector is deleted; `text` says what it is and why it matters.

    `is_kept`: it serves something else too, as the text says, so a purge must not touch it.
    """

    kind: Kind
    name: str
    text: str
    is_kept: bool = False


@dataclass(frozen=True)
class _Source:
    """What is there at the source. `unseen`: why nobody could look; then all that is configured counts as there."""

    unseen: str = ""
    has_slot: bool = True
    slot_database: str = ""  # empty: that of the connector
    held_bytes: int = 0
    has_publication: bool = True


def configs_of(cluster: Cluster) -> dict[str, Config]:
    """Of every deployed connector, also of one that was just made and has no status yet: it may share a slot, too."""
    return {name: config for name in cluster.client.names() if (config := cluster.client.config(name)) is not None}


def left_behind(cluster: Cluster, name: str, config: Config, others: Mapping[str, Config]) -> list[Left]:
    """`others`: all deployed connectors, see `configs_of`. A source that cannot be seen gives what is configured."""
    found = []
    if offsets := cluster.client.offsets(name):
        found.append(Left("offsets", name, f"offsets of {len(offsets)} partitions: a connector named {name} would go on from them"))
    if sources.kind_of(config) != "postgres":
        return found
    rest = {n: c for n, c in others.items() if n != name and sources.kind_of(c) == "postgres"}
    seen = _look(cluster, config)
    if seen.has_slot:
        found.append(_slot(cluster, config, seen, rest))
    if seen.has_publication:
        found.append(_publication(cluster, config, rest))
    return found


def _slot(cluster: Cluster, config: Config, seen: _Source, rest: Mapping[str, Config]) -> Left:
    slot = slot_of(config)
    what = f"replication slot {slot}"
    if seen.slot_database:
        return Left("slot", slot, f"{what}: stays, as it is of database {seen.slot_database}", is_kept=True)
    same_name = {n: c for n, c in rest.items() if slot_of(c) == slot}
    if users := [n for n, c in same_name.items() if not _are_apart(cluster, config, c)]:
        return Left("slot", slot, f"{what}: stays, as {', '.join(users)} reads it too", is_kept=True)
    now = f"cannot be looked at: {seen.unseen}" if seen.unseen else f"{seen.held_bytes / 2**20:.1f} MiB now"
    return Left("slot", slot, f"{what}: keeps WAL ({now}) until it is dropped")


def _publication(cluster: Cluster, config: Config, rest: Mapping[str, Config]) -> Left:
    name = publication_of(config)
    same_name = {n: c for n, c in rest.items() if publication_of(c) == name}
    if users := [n for n, c in same_name.items() if not _are_apart(cluster, config, c, by_database=True)]:
        return Left("publication", name, f"publication {name}: stays, as {', '.join(users)} uses it too", is_kept=True)
    return Left("publication", name, f"publication {name}: costs nothing, and is needed to make the connector again")


def delete(cluster: Cluster, name: str, purge: Collection[Left], note: Note = lambda _: None, timeout_s: float = 60.0) -> list[str]:
    """Delete it with what `purge` names; what was done, a line each, and `note` hears of each as soon as it is done.

    The connector goes last, so wherever this ends it can be called again: what is gone already is passed over. Offsets can only be reset
    while the connector is there and stopped, the slot only be dropped once nobody reads it. Raises before anything is changed when the
    source cannot be reached or does not let us remove what was asked for, and when there is no such connector.
    """
    known(cluster.client, name)
    config = cluster.client.config(name) or {}
    kinds = {left.kind for left in purge if not left.is_kept}
    _check_access(cluster, config, kinds)
    done: list[str] = []

    def step(text: str) -> None:
        done.append(text)
        note(text)

    if kinds:
        cluster.client.stop(name)
        cluster.client.wait_stopped(name, timeout_s)
        step("stopped")
    if "slot" in kinds:
        _wait_unread(cluster, config, name)
        step(_forget(cluster, config, name))
    if "offsets" in kinds:
        cluster.client.reset_offsets(name)
        step("offsets reset")
    if "slot" in kinds:
        _drop_slot(cluster, config)
        step(f"slot {slot_of(config)} dropped")
    if "publication" in kinds:
        _drop_publication(cluster, config)
        step(f"publication {publication_of(config)} dropped")
    cluster.client.delete(name)
    cluster.client.wait_gone(name, timeout_s)
    step(f"connector {name} deleted")
    return done


def _look(cluster: Cluster, config: Config) -> _Source:
    slots = (
        "SELECT CASE WHEN database = current_database() THEN '' ELSE coalesce(database, '(none)') END,"
        " coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint FROM pg_replication_slots WHERE slot_name = %s"
    )
    try:
        with sources.postgres(cluster, config) as connection, sources.answering(config):
            slot = connection.execute(slots, (slot_of(config),)).fetchone()
            publications = connection.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", (publication_of(config),)).fetchall()
    except C360Error as error:
        return _Source(unseen=error.message)
    database, held = slot or ("", 0)
    return _Source("", slot is not None, str(database), int(held), bool(publications))


def _are_apart(cluster: Cluster, a: Config, b: Config, by_database: bool = False) -> bool:
    """Surely not on the same server (or, `by_database`, not in the same database). A server has many names: it is asked who it is.

    What cannot be resolved or reached from here may be the same.
    """
    get = cluster.variables.get
    try:
        if by_database and get(a, "database.dbname") != get(b, "database.dbname"):
            return True
        places = {(get(c, "database.hostname"), get(c, "database.port", sources.DEFAULT_PORT)) for c in (a, b)}
        return len(places) > 1 and _system(cluster, a) != _system(cluster, b)
    except C360Error:
        return False


def _system(cluster: Cluster, config: Config) -> int:
    """The server's identity, which a copy and a standby share."""
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        (found,) = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone() or (0,)
        return int(found)


def _check_access(cluster: Cluster, config: Config, kinds: Collection[Kind]) -> None:
    """Raises SourceError, SourceUnavailableError or UnresolvedError when the slot or the publication cannot be dropped from here."""
    if "slot" in kinds:
        with sources.postgres(cluster, config) as connection, sources.answering(config):
            query = "SELECT current_user, rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user"
            user, may = connection.execute(query).fetchone() or ("?", False)
        if not may:
            hint = f"let somebody else: SELECT pg_drop_replication_slot('{slot_of(config)}'), and purge what is left"
            raise SourceError(f"{user} has no REPLICATION and may not drop slot {slot_of(config)}", hint)
    if "publication" in kinds:
        name = publication_of(config)
        with sources.postgres(cluster, config, as_admin=cluster.admin is not None) as connection, sources.answering(config):
            query = "SELECT current_user, pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = %s"
            user, may = connection.execute(query, (name,)).fetchone() or ("", True)
        if not may:
            raise SourceError(f"{user} may not drop publication {name}: nothing was changed", _by_owner(name))


def _wait_unread(cluster: Cluster, config: Config, name: str) -> None:
    slot, deadline = slot_of(config), time.monotonic() + SLOT_TIMEOUT_S
    query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        while (found := connection.execute(query, (slot,)).fetchone()) and found[0]:
            if time.monotonic() > deadline:
                hint = f"nothing was removed; go on with `c360 connect resume {name}`"
                raise SourceUnavailableError(f"{name} is stopped, and slot {slot} is still read by somebody", hint)
            time.sleep(0.2)


def _forget(cluster: Cluster, config: Config, name: str) -> str:
    """Without the slot, rows have to be asked for again. Before it goes, so that whoever calls again still knows that they have to be."""
    try:
        first_load.forget(cluster, config, [first_load.load_id(name, config), first_load.pending_id(name, config)])
    except SourceError as error:
        return f"the notes of its first load stay: {error.message}"
    return "notes of its first load removed"


def _drop_slot(cluster: Cluster, config: Config) -> None:
    """By the connector's own account: it has REPLICATION. Slots are of the whole server: one of another database is not ours."""
    slot = slot_of(config)
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        query = "SELECT database, database = current_database() FROM pg_replication_slots WHERE slot_name = %s"
        found = connection.execute(query, (slot,)).fetchone()
        if found and not found[1]:
            raise SourceError(f"slot {slot} is of database {found[0]}, not of this connector's", "it was not dropped")
        if found:
            connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))


def _drop_publication(cluster: Cluster, config: Config) -> None:
    """Only its owner or a superuser may. Raises SourceError with the statement for them."""
    from psycopg import sql

    name = publication_of(config)
    statement = sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name))
    try:
        with sources.postgres(cluster, config, as_admin=cluster.admin is not None) as connection, sources.answering(config):
            connection.execute(statement)
    except SourceError as error:
        raise SourceError(error.message, _by_owner(name)) from error


def _by_owner(publication: str) -> str:
    return f"as its owner: DROP PUBLICATION {publication}, then again; or give the context --admin-user"
