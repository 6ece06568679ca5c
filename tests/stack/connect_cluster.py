"""A real Connect cluster of the local stack, with databases and connectors of a test's own, and the command as users run it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from in_process import c360
from local_ports import free_port, new_state

from commerce360.cli.connect.session import Choice
from commerce360.local import addresses
from commerce360.local.bootstrap import java
from commerce360.local.services.java import Connect as ConnectService
from commerce360.local.stack import INGEST, Stack
from commerce360.local.supervisor import Supervisor
from connect_configs.contexts import FILE_VARIABLE, Context, Contexts
from connect_configs.files import CONFIGS
from connect_configs.http import Access

SHOP = {"customers": 30, "products": 5, "past_orders": 10, "past_clicks": 10, "past_reviews": 10}
ITEMS = "CREATE TABLE items (id integer PRIMARY KEY, name text, qty integer); ALTER TABLE items REPLICA IDENTITY FULL"
DEBEZIUM = """
CREATE TABLE dbz_signal (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data text);
CREATE TABLE dbz_heartbeat (id integer PRIMARY KEY, ts timestamptz);
INSERT INTO dbz_heartbeat VALUES (1, now());
CREATE PUBLICATION dbz_publication FOR TABLE items, dbz_signal, dbz_heartbeat;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO debezium;
GRANT INSERT, UPDATE, DELETE ON dbz_signal, dbz_heartbeat TO debezium
"""


@dataclass(frozen=True)
class Done:
    """How the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class ConnectCluster:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.root = stack.state.root
        self.cluster = Choice(state=self.root).cluster()
        self.client = self.cluster.client

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "commerce360.cli.main", "connect", "--state", str(self.root), *args]

    def cli(self, *args: str, stdin: str = "", **env: str) -> Done:
        """Run `c360 connect ARGS` without a terminal."""
        done = c360("connect", "--state", str(self.root), *args, stdin=stdin, **env)
        return Done(done.returncode, done.stdout, done.stderr)

    @property
    def access(self) -> Access:
        """What a client of one's own needs."""
        return Access.of(self.stack.settings().connect)

    @property
    def login(self) -> dict[str, str]:
        """The same as variables of a command that names the address by itself."""
        connect = self.stack.settings().connect
        return {"C360_CONNECT__USER": connect.user, "C360_CONNECT__PASSWORD_FILE": str(connect.password_file)}

    def context(self, file: Path, url: str) -> list[str]:
        """The command with a context of its own: these workers, and all else as the stack's own cluster has it."""
        variables, secret = file.with_suffix(".env"), file.with_suffix(".secret")
        variables.write_text("".join(f"{k}={v}\n" for k, v in self.cluster.variables.env.items()))
        assert self.cluster.admin
        secret.write_text(self.cluster.admin.password)
        kafka = self.cluster.kafka["bootstrap.servers"]
        worker = self.stack.settings().connect
        own = {"user": worker.user, "password": f"file:{worker.password_file}", "variables": str(variables), "kafka": kafka}
        Contexts(file).add(Context("rolling", url, **own, admin_user="postgres", admin_password=f"file:{secret}"), use=True)
        return ["env", f"{FILE_VARIABLE}={file}", sys.executable, "-m", "commerce360.cli.main", "connect"]

    def database(self, name: str, items: str = ITEMS, debezium: str = DEBEZIUM) -> psycopg.Connection[Any]:
        """A new database with a table `items` and what Debezium needs; a superuser's connection to it, autocommit."""
        conninfo = self.stack._postgres.conninfo
        with psycopg.connect(conninfo("postgres"), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"'.encode())
        made = psycopg.connect(conninfo(name), autocommit=True)
        made.execute(items.encode())
        made.execute(debezium.encode())
        return made

    def config(self, database: str, **changes: str) -> dict[str, str]:
        """The project's own connector, on that database; `changes` name settings with `__` for dots, an empty value removes one."""
        config: dict[str, str] = json.loads((CONFIGS / "oltp-postgres.json").read_text())
        config |= {
            "database.dbname": database,
            "topic.prefix": database,
            "slot.name": f"c360_{database}",
            "table.include.list": "public.items",
            "signal.data.collection": "public.dbz_signal",
            "heartbeat.action.query": "UPDATE dbz_heartbeat SET ts = now() WHERE id = 1",
        }
        config |= {key.replace("__", "."): value for key, value in changes.items()}
        return {key: value for key, value in config.items() if value}

    def folder(self, path: Path, **configs: dict[str, str]) -> Path:
        """A folder with one file a connector; `_` in a name stands for a dash."""
        path.mkdir(parents=True, exist_ok=True)
        for old in path.glob("*.json"):
            old.unlink()
        for name, config in configs.items():
            (path / f"{name.replace('_', '-')}.json").write_text(json.dumps(config, indent=2))
        return path


class SecondWorker(ConnectService):
    """Another worker of the same group, on a port of its own."""

    name = "connect2"

    def prepare(self) -> None:
        super().prepare()
        file = self.home / "connect.properties"
        file.write_text(file.read_text().replace(str(self.state.ports["connect"]), str(self.port)))


class Workers:
    """The stack's worker and a second one, each of which can be restarted while the other goes on."""

    def __init__(self, stack: Stack) -> None:
        state, port = stack.state, free_port()
        state.ports[SecondWorker.name] = port
        self.stack = stack
        self.second = SecondWorker(state, java.find_java(17), addresses.source_variables(state))
        self.supervisor = Supervisor(state.root / "run", state.root / "logs", [self.second])
        self.url = f"http://127.0.0.1:{state.ports['connect']},http://127.0.0.1:{port}"

    def __enter__(self) -> Workers:
        self.supervisor.start(SecondWorker.name)
        self.supervisor.wait_ready(SecondWorker.name)
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop_all()

    def stop_first(self) -> None:
        self.stack.stop_service("connect")

    def roll(self) -> None:
        """The first one comes back, then the second goes and comes back, as in a rolling restart."""
        self.stack.start_service("connect")
        self.supervisor.stop(SecondWorker.name)
        self.supervisor.start(SecondWorker.name)
        self.supervisor.wait_ready(SecondWorker.name)


def wait(what: str, until: Callable[[], Any], timeout_s: float = 90.0) -> Any:
    """What `until` answers once that is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := until()):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.1)
    return found


@contextmanager
def connect_cluster(folder: Path) -> Iterator[ConnectCluster]:
    """The ingest part of a stack, with the project's three connectors running. For a module-scoped fixture."""
    stack = Stack.open(new_state(folder / "state"), shop=SHOP)
    try:
        stack.start(services=INGEST)
        yield ConnectCluster(stack)
    finally:
        stack.stop()
