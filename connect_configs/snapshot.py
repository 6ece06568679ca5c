"""Incremental snapshots of Debezium PostgreSQL: asked for by a row in the signal table, followed by the stored offsets, cleaned up after.

As Debezium 3.7 does it: a signal that is committed before the slot streams is never seen; each chunk leaves an `open` and a `close` row
in the signal table; offsets carry `incremental_snapshot_*` while one runs, whose collections are the tables still to read, the one
in work first; a second request is appended, and the correlation id becomes that of the newest.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error, ConfigError, UnavailableError
from connect_configs import sources
from connect_configs.client import known
from connect_configs.cluster import Cluster
from connect_configs.java_keys import UnreadableKeyError, decode
from connect_configs.model import Config
from connect_configs.sources import Table

if TYPE_CHECKING:
    import psycopg

ASK, STOP = "execute-snapshot", "stop-snapshot"
WINDOWS = ("snapshot-window-open", "snapshot-window-close")
OWN = "c360-snapshot-"  # ids of signals that may go once they are served
COLLECTIONS = "incremental_snapshot_collections"
CHUNK_SIZE = 1024  # Debezium's default
MOVES_S = 60.0  # of a connector or a task to another worker
PLAIN = re.compile(r"\w+")
POLL_S, STATUS_EVERY_S = 0.3, 2.0


@dataclass(frozen=True)
class Progress:
    """`rows` are about: what the planner knows, and chunks times their size. `left`: tables still to read, the one in work first."""

    left: tuple[str, ...] = ()
    key: tuple[Any, ...] = ()  # the last one that was read of the table in work; empty where it cannot be told
    last_key: tuple[Any, ...] = ()
    chunks: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    estimates: Mapping[str, int] = field(default_factory=dict)
    done: bool = False

    @property
    def percent(self) -> int | None:
        """None while nothing is known."""
        if self.done:
            return 100
        total = sum(max(self.estimates[t], self.rows.get(t, 0)) for t in self.estimates)
        return min(99, 100 * sum(self.rows.get(t, 0) for t in self.estimates) // total) if total else None

    @property
    def summary(self) -> str:
        """Such as `public.items: about 45 %, key 450 of 1000, then 2 more tables`."""
        if self.done:
            return "all rows are read"
        if not self.left:
            return "asked for, not begun"
        parts = [f"about {self.percent} %"] if self.percent is not None else []
        if self.key:
            parts.append(f"key {_key(self.key)}" + (f" of {_key(self.last_key)}" if self.last_key else ""))
        more = len(self.left) - 1
        parts += [f"then {more} more table{'s' if more > 1 else ''}"] if more else []
        return f"{self.left[0]}: {', '.join(parts) or 'begun'}"


def _key(key: tuple[Any, ...]) -> str:
    text = ", ".join(map(str, key))
    return text if len(text) <= 40 else f"{text[:37]}..."


# --- what may be asked for


def parse_table(text: str) -> Table:
    """Raises ConfigError."""
    schema, _, name = text.partition(".")
    if not schema or not name:
        raise ConfigError(f"{text} is no table", "write schema.table")
    return schema, name


def connector_of(cluster: Cluster, tables: Sequence[Table], name: str = "") -> tuple[str, Config]:
    """The connector of that name, else the one that captures all the tables. Raises ConfigError unless it is one."""
    if name:
        known(cluster.client, name)
        return name, cluster.client.config(name) or {}
    found = {n: c.config for n, c in cluster.client.overview().items() if sources.kind_of(c.config) == "postgres"}
    fit = [n for n, config in found.items() if all(sources.is_included(config, t) for t in tables)]
    if len(fit) == 1:
        return fit[0], found[fit[0]]
    what = ", ".join(".".join(t) for t in tables) or "tables"
    if not fit:
        raise ConfigError(f"no Debezium PostgreSQL connector captures {what}", f"there are {', '.join(found) or 'none'}; see --connector")
    raise ConfigError(f"several connectors capture {what}: {', '.join(fit)}", "say which: --connector NAME")


def check(cluster: Cluster, name: str, config: Config, tables: Sequence[Table], where: str = "") -> dict[Table, int]:
    """Rows of each table by the planner's word; raises C360Error that says why a table, or the connector, cannot do it."""
    signals = _signals(name, config)
    running(cluster, name)
    for table in tables:
        if not sources.is_included(config, table):
            raise ConfigError(f"{name} does not capture {'.'.join(table)}", "see its table.include.list and schema.include.list")
        if table == signals:
            raise ConfigError(f"{'.'.join(table)} is the table of signals", "name tables whose rows are data")
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        for table in (signals, *tables):
            if problem := _unfit(connection, config, table, needs_key=table != signals):
                raise ConfigError(*problem)
        if where:
            return {table: _planned(connection, table, where) for table in tables}
        return sources.row_estimates(connection, list(tables))


def all_tables(cluster: Cluster, config: Config) -> list[Table]:
    """Captured tables that hold data: not those of signals and heartbeats."""
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        return sources.data_tables(connection, config)


def running(cluster: Cluster, name: str) -> None:
    """Raises C360Error unless its tasks run: nobody would read the signal. Waits a while for one that moves to another worker."""
    deadline = time.monotonic() + MOVES_S
    while "UNASSIGNED" in (found := known(cluster.client, name)).summary and time.monotonic() < deadline:
        time.sleep(0.5)
    if found.failed:
        hint = f"repair it, then `c360 connect restart {name} --failed`, and ask again"
        raise C360Error(f"connector {name} has failed, it would not see the request: {found.cause}", hint)
    if not found.running:
        raise C360Error(
            f"connector {name} is {found.summary}: it would not see the request", f"`c360 connect resume {name}`, and ask again"
        )


def _signals(name: str, config: Config) -> Table:
    if sources.kind_of(config) != "postgres":
        raise ConfigError(f"{name} is no Debezium PostgreSQL connector", "only those take incremental snapshots here")
    if (table := sources.signal_table(config)) is None:
        raise ConfigError(f"{name} has no signal table", "set signal.data.collection, with `source` among signal.enabled.channels")
    return table


def _unfit(connection: psycopg.Connection[Any], config: Config, table: Table, needs_key: bool) -> tuple[str, str] | None:
    query = """
        SELECT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),
               EXISTS (SELECT FROM pg_publication_tables p WHERE p.pubname = %s AND (p.schemaname, p.tablename) IN (
                   SELECT n.nspname, c.relname UNION
                   SELECT m.nspname, l.relname FROM pg_partition_tree(c.oid) t
                   JOIN pg_class l ON l.oid = t.relid JOIN pg_namespace m ON m.oid = l.relnamespace))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')"""
    publication, text = sources.publication_of(config), ".".join(table)
    row = connection.execute(query, (publication, *table)).fetchone()
    if row is None:
        return f"there is no table {text}", "see the spelling; upper and lower case count"
    if not row[1]:
        return f"{text} is not in the publication {publication}", f"ALTER PUBLICATION {publication} ADD TABLE {text}"
    if needs_key and not row[0]:
        return f"{text} has no primary key: Debezium cannot read it in chunks", "give it one"
    return None


def _planned(connection: psycopg.Connection[Any], table: Table, where: str) -> int:
    """Rows that the planner expects; PostgreSQL refuses a condition that Debezium could not use either."""
    from psycopg import Error, sql

    text = sql.SQL("EXPLAIN (FORMAT JSON) SELECT 1 FROM {} WHERE ({}\n)").format(sql.Identifier(*table), sql.SQL(where))
    try:
        row = connection.execute(text, prepare=True).fetchone()  # prepared: one statement only
    except Error as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"PostgreSQL takes no such condition on {'.'.join(table)}: {said}", "see --where") from error
    return int(row[0][0]["Plan"]["Plan Rows"]) if row else 0


# --- asking


def request(cluster: Cluster, config: Config, tables: Sequence[Table], signal_id: str, where: str = "") -> int:
    """Ask for the rows of `tables` once per `signal_id`; the position in the log behind the request, for `wait`.

    `where`: a condition in SQL that holds for all of them. Returns once it is committed. Raises UnavailableError when Debezium does not
    read its slot.
    """
    wait_streaming(cluster, config)
    names = [pattern(table) for table in tables]
    data: dict[str, Any] = {"type": "incremental", "data-collections": names}
    if where:
        data["additional-conditions"] = [{"data-collection": name, "filter": where} for name in names]
    return _signal(cluster, config, signal_id, ASK, data)


def cancel(cluster: Cluster, config: Config, signal_id: str, tables: Sequence[Table] = ()) -> int:
    """End the snapshot of `tables`, or of all of them; rows that were read stay read."""
    data: dict[str, Any] = {"type": "incremental"}
    if tables:
        data["data-collections"] = [pattern(table) for table in tables]
    return _signal(cluster, config, signal_id, STOP, data)


def pattern(table: Table) -> str:
    """Debezium takes regular expressions; plain names stand as they are."""
    return ".".join(part if PLAIN.fullmatch(part) else re.escape(part) for part in table)


def _signal(cluster: Cluster, config: Config, signal_id: str, kind: str, data: Mapping[str, Any]) -> int:
    from psycopg import sql

    target = sql.Identifier(*_signals("the connector", config))
    ask = sql.SQL("INSERT INTO {} (id, type, data) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING").format(target)
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        connection.execute(ask, (signal_id, kind, json.dumps(data)))
        found = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
    return int(found[0]) if found else 0


def wait_streaming(cluster: Cluster, config: Config, timeout_s: float = 60.0) -> None:
    """Until somebody reads the connector's slot. Raises UnavailableError."""
    slot, deadline = sources.slot_of(config), time.monotonic() + timeout_s
    query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        while connection.execute(query, (slot,)).fetchone() != (True,):
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"Debezium does not read its replication slot {slot}", "see the connector's status and the worker's log"
                )
            time.sleep(0.1)


# --- following


def position(offsets: Iterable[Mapping[str, Any]], prefix: str) -> int:
    """Where the stored offset of `prefix` stands, 0 for none. Those of an earlier topic.prefix stay, and never move."""
    return max((int(o.get("lsn") or 0) for o in _stored(offsets, prefix)), default=0)


def loaded(offsets: Iterable[Mapping[str, Any]], position: int, prefix: str) -> bool:
    """Has Debezium, by its stored offsets of `prefix`, passed `position` with no incremental snapshot open?"""
    stored = _stored(offsets, prefix)
    return bool(stored) and all(o.get("lsn", 0) >= position and COLLECTIONS not in o for o in stored)


def _stored(offsets: Iterable[Mapping[str, Any]], prefix: str) -> list[dict[str, Any]]:
    return [entry["offset"] for entry in offsets if entry["partition"].get("server") == prefix and entry["offset"]]


def left(offsets: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Tables that a running snapshot still has to read, the one in work first; empty when none runs."""
    found: list[str] = []
    for entry in offsets:
        try:
            listed = json.loads(entry["offset"].get(COLLECTIONS, "[]"))
            found += [str(c[f"{COLLECTIONS}_id"]).replace('"', "") for c in listed]
        except (ValueError, KeyError, TypeError):
            found.append("a table that cannot be told")
    return tuple(dict.fromkeys(found))


def wait(
    cluster: Cluster,
    name: str,
    config: Config,
    position: int,
    on_progress: Callable[[Progress], None],
    timeout_s: float = 600.0,
    estimates: Mapping[Table, int] | None = None,
) -> Progress:
    """Until the topics hold the rows that were asked for before `position`; the last Progress, with what was read of each table.

    `on_progress` is told what changed. Raises UnavailableError when time is up (it goes on in Debezium), C360Error when the
    connector fails.
    """
    watch = _Watch(cluster, config, {".".join(t): n for t, n in (estimates or {}).items()})
    deadline, told, look = time.monotonic() + timeout_s, "", time.monotonic() + STATUS_EVERY_S
    while True:
        offsets = cluster.client.offsets(name)
        done = loaded(offsets, position, config.get("topic.prefix", ""))
        found = watch.progress(offsets, done)
        if found.summary != told:
            on_progress(found)
            told = found.summary
        if done:
            return found
        if time.monotonic() > deadline:
            hint = f"it goes on in Debezium; look again: `c360 connect snapshot --status --connector {name}`"
            raise UnavailableError(f"not all rows are read after {timeout_s:.0f} s: {found.summary}", hint)
        if time.monotonic() > look:
            look = time.monotonic() + STATUS_EVERY_S
            running(cluster, name)
            watch.nudge(found)
        time.sleep(POLL_S)


def progress(cluster: Cluster, name: str, config: Config) -> Progress:
    """As it stands now; `left` is empty when none runs."""
    return _Watch(cluster, config, {}).progress(cluster.client.offsets(name), done=False)


class _Watch:
    """Looks at the signal table's windows as well, where it may; without them there are no percents."""

    def __init__(self, cluster: Cluster, config: Config, estimates: dict[str, int]) -> None:
        self.cluster, self.config, self.estimates = cluster, config, estimates
        self.size = int(config.get("incremental.snapshot.chunk.size", CHUNK_SIZE))

    def progress(self, offsets: Iterable[Mapping[str, Any]], done: bool) -> Progress:
        offsets = list(offsets)
        now = left(offsets)
        chunks = self._chunks(now)
        rows = {t: self._rows(t, n, done or t not in now) for t, n in chunks.items() if t in self.estimates}
        stored: Mapping[str, Any] = next((e["offset"] for e in offsets if COLLECTIONS in e["offset"]), {})
        keys = [_decoded(stored.get(f"incremental_snapshot_{part}_key", "")) for part in ("primary", "maximum")]
        return Progress(now, keys[0], keys[1], chunks, rows, dict(self.estimates), done)

    def _rows(self, table: str, chunks: int, done: bool) -> int:
        """The last chunk is not full; the planner's number may be an old one."""
        upper, estimate = chunks * self.size, self.estimates[table]
        if not done:
            return min(upper, estimate) if estimate > upper - self.size else upper
        return estimate if upper - 2 * self.size < estimate <= upper else upper

    def _chunks(self, now: Sequence[str]) -> dict[str, int]:
        from psycopg import Error, sql

        table = sources.signal_table(self.config)
        query = sql.SQL("SELECT data FROM {} WHERE type = %s").format(sql.Identifier(*(table or ("", ""))))
        found: dict[str, int] = {}
        try:
            with sources.postgres(self.cluster, self.config) as connection:
                for (data,) in connection.execute(query, (WINDOWS[1],)):
                    name = _collection(data)
                    found[name] = found.get(name, 0) + 1
                for unknown in [parse_table(t) for t in now if t not in self.estimates and "." in t]:
                    self.estimates[".".join(unknown)] = sources.row_estimates(connection, [unknown])[unknown]
        except (C360Error, Error):
            return {}
        return found

    def nudge(self, found: Progress) -> None:
        """Without heartbeats nothing may come behind the request, and the stored position would never pass it."""
        from psycopg import Error, sql

        table = sources.signal_table(self.config)
        if found.left or table is None or self.config.get("heartbeat.action.query"):
            return
        ask = sql.SQL("UPDATE {} SET type = type WHERE type = %s").format(sql.Identifier(*table))
        try:
            with sources.postgres(self.cluster, self.config) as connection:
                connection.execute(ask, (ASK,))
        except (C360Error, Error):
            return


def _collection(data: str) -> str:
    try:
        return str(json.loads(data)["dataCollectionId"]).replace('"', "")
    except (ValueError, KeyError, TypeError):
        return ""


def _decoded(text: Any) -> tuple[Any, ...]:
    try:
        return decode(str(text)) if text else ()
    except UnreadableKeyError:
        return ()


# --- afterwards


def clean(cluster: Cluster, name: str, config: Config, keep_ids: Iterable[str] = ()) -> int:
    """Take finished windows and our own served signals out of the signal table; how many rows went, 0 while a snapshot runs.

    Rows that remember that a connector's rows were loaded (`c360-load-*` and the like), rows of others and
    `keep_ids` stay.
    """
    from psycopg import sql

    table = _signals(name, config)
    if left(cluster.client.offsets(name)):
        return 0
    by_deletes = config.get("incremental.snapshot.watermarking.strategy", "").lower() == "insert_delete"
    windows = [] if by_deletes else list(WINDOWS)  # there a delete closes a window, and none is left behind
    ask = sql.SQL("DELETE FROM {} WHERE (type = ANY(%s) OR starts_with(id, %s)) AND NOT id = ANY(%s)").format(sql.Identifier(*table))
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        return connection.execute(ask, (windows, OWN, list(keep_ids))).rowcount
