"""One capture's stage: a database of its own, a connector on it, sessions that write, and what came of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import servers as running
import truth
import yaml
from servers import Servers, wait

from connect_configs.snapshot import loaded
from stream_jobs import capture
from stream_jobs.entity import Record
from stream_jobs.wire import Decoder, RegistrySchemas

ITEMS = "CREATE TABLE items (id integer PRIMARY KEY, name text, qty integer); ALTER TABLE items REPLICA IDENTITY FULL"
DEBEZIUM = """
CREATE TABLE dbz_signal (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data text);
CREATE TABLE dbz_heartbeat (id integer PRIMARY KEY, ts timestamptz);
INSERT INTO dbz_heartbeat VALUES (1, now());
CREATE PUBLICATION dbz_publication FOR TABLE items, dbz_signal, dbz_heartbeat;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO debezium;
GRANT INSERT, UPDATE, DELETE ON dbz_signal, dbz_heartbeat TO debezium
"""
ROLES: dict[str, Any] = {"key": ["id"], "tracked": ["name", "qty"]}


class Scene:
    """`db` commits each statement by itself; `session()` is a transaction that stays open until it is told."""

    def __init__(self, servers: Servers, name: str) -> None:
        self.servers = servers
        self.name = name
        self.topic = f"{name}.public.items"
        self.roles: dict[str, Any] = dict(ROLES)
        self.told: tuple[str, ...] | None = None  # columns of the states, None for all
        self.final_query = "SELECT to_jsonb(items) FROM items ORDER BY id"
        self.connector = ""
        self._decoder = Decoder(RegistrySchemas(servers.settings.registry))
        self._sessions: list[psycopg.Connection[Any]] = []
        with servers.connect("postgres") as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
        self.db = self.session(autocommit=True)

    def tables(self, items: str = ITEMS) -> None:
        """The tables, and the slot that will tell the truth, before any row is there."""
        self.db.execute(items)
        self.db.execute(DEBEZIUM)
        truth.open_slot(self.db, self.name)

    def session(self, autocommit: bool = False) -> psycopg.Connection[Any]:
        made = self.servers.connect(self.name, autocommit)
        self._sessions.append(made)
        return made

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.db.execute(statement)

    def begin(self, *statements: str) -> psycopg.Connection[Any]:
        """A transaction that has done these statements and is left open."""
        session = self.session()
        for statement in statements:
            session.execute(statement)
        return session

    def blocked(self, session: psycopg.Connection[Any], statement: str) -> threading.Thread:
        """Run a statement that waits for somebody; returns once it waits."""
        thread = threading.Thread(target=session.execute, args=(statement,), daemon=True)
        thread.start()
        pid = session.info.backend_pid
        query = "SELECT cardinality(pg_blocking_pids(%s))"
        wait(f"{statement} waits", lambda: self.db.execute(query, (pid,)).fetchone() != (0,))
        return thread

    def deploy(self, suffix: str = "", **changed: str) -> None:
        """The project's connector on this database, with `changed` settings (an empty one is left out); returns at once."""
        self.connector = f"{self.name}{suffix}"
        config = {
            **running.base_config(),
            "database.dbname": self.name,
            "topic.prefix": self.name,
            "slot.name": f"dbz_{self.name}",
            "table.include.list": "public.items",
            "signal.data.collection": "public.dbz_signal",
            "heartbeat.interval.ms": "1000",
            "heartbeat.action.query": "UPDATE dbz_heartbeat SET ts = now() WHERE id = 1",
            **{name.replace("_", "."): value for name, value in changed.items()},
        }
        self.servers.client.deploy(self.connector, {name: value for name, value in config.items() if value})

    def start(self, suffix: str = "", **changed: str) -> None:
        """As `deploy`; returns once the slot streams, so that nothing written from now on can be missed."""
        self.deploy(suffix, **changed)
        self.servers.client.wait_running(self.connector, restarts=3)
        self.wait_streaming()

    def wait_streaming(self) -> None:
        query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
        wait("the slot streams", lambda: self.db.execute(query, (f"dbz_{self.name}",)).fetchone() == (True,))

    def remove_connector(self) -> None:
        self.servers.forget(self.connector)
        slot = f"dbz_{self.name}"
        query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
        wait("nobody reads the slot", lambda: self.db.execute(query, (slot,)).fetchone() == (False,))
        self.db.execute("SELECT pg_drop_replication_slot(%s)", (slot,))

    def signal_snapshot(self) -> None:
        data = json.dumps({"type": "incremental", "data-collections": ["public.items"]})
        count = self.db.execute("SELECT count(*) FROM dbz_signal").fetchone()
        self.db.execute("INSERT INTO dbz_signal VALUES (%s, 'execute-snapshot', %s)", (f"snapshot-{count}", data))

    def seen(self) -> int:
        """Records of the topic so far."""
        return len(self.servers.records(self.topic))

    def line(self, record: Record) -> capture.Captured:
        return capture.decoded(record, self._decoder)

    def wait_stored(self) -> None:
        """Until the worker has stored an offset behind everything that is committed now, and no snapshot is open."""
        row = self.db.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
        position = int(row[0]) if row else 0

        def stored() -> bool:
            self.db.execute("UPDATE dbz_heartbeat SET ts = now()")  # there must be something behind it
            return loaded(self.servers.client.offsets(self.connector), position, self.name)

        wait("everything is sent", stored, pause_s=0.5)

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def save(self, folder: Path, more: dict[str, Any]) -> str:
        """The three files of the capture; a line that sums it up."""
        self.wait_stored()
        self.remove_connector()
        lines = truth.decoded(self.db, self.name)
        rows = [row[0] for row in self.db.execute(self.final_query).fetchall()]  # type: ignore[arg-type]
        records = [self.line(record) for record in self.servers.records(self.topic)]
        told = [_told(record) for record in records if record.value is not None]
        doubles = len(told) - len(set(told))
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "records.jsonl").open("w", encoding="utf-8") as out:
            capture.write(records, out)
        found = {"doubles": doubles, "changes": truth.changes(lines), **more, "final": rows, "states": truth.states(lines, self.told)}
        (folder / "truth.json").write_text(_compact(found), encoding="utf-8")
        (folder / "roles.yaml").write_text(yaml.safe_dump(self.roles, sort_keys=False), encoding="utf-8")
        return f"{self.name}: {len(records)} records, {found['changes']} changes, {doubles} doubles, {len(rows)} rows at the end"


def _told(record: capture.Captured) -> str:
    """What a repetition says again; the clock and the run of the sender differ."""
    source = record.value["source"]
    return json.dumps([record.key, record.value["op"], source["lsn"], source["sequence"], record.value["after"]])


def _compact(found: dict[str, Any]) -> str:
    """One line a row and a state: a difference between two runs can be read."""

    def block(name: str) -> str:
        part = found[name]
        if not part or not isinstance(part, dict | list):
            return f'"{name}": {json.dumps(part)}'
        if isinstance(part, list):
            return f'"{name}": [\n' + ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in part) + "\n]"
        keyed = [
            f"  {json.dumps(key)}: [\n" + ",\n".join(f"    {json.dumps(s, ensure_ascii=False)}" for s in row) + "\n  ]"
            for key, row in part.items()
        ]
        return f'"{name}": {{\n' + ",\n".join(keyed) + "\n}"

    return "{\n" + ",\n".join(block(name) for name in found) + "\n}\n"


Act = Callable[[Scene], dict[str, Any]]
