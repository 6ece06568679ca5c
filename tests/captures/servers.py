"""PostgreSQL, Kafka, a registry and Connect with Debezium: the local stack's own services, without the shop, at least once."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import requests

from commerce360.local import addresses, environment
from commerce360.local.bootstrap import java
from commerce360.local.services.java import Connect, Kafka, Registry
from commerce360.local.services.postgres import Postgres
from commerce360.local.state import PORT_SHIFT, State
from commerce360.local.supervisor import Supervisor
from commerce360.reconcile import topics
from commerce360.settings import Settings
from connect_configs.client import Connect as Client
from connect_configs.http import Access
from stream_jobs.entity import Record

WORKER = {  # at least once, and offsets stored so seldom that a killed worker sends again
    "exactly.once.source.support=enabled": "exactly.once.source.support=disabled",
    "offset.flush.interval.ms=2000": "offset.flush.interval.ms=4000",
}
SHIFT = "3700"  # away from the ports of a stack that somebody uses


class RepeatingConnect(Connect):
    """A worker that sends again what it had sent since the last stored offset."""

    def prepare(self) -> None:
        super().prepare()
        file = self.home / "connect.properties"
        text = file.read_text()
        for ours, wanted in WORKER.items():
            assert ours in text, f"the worker's properties have no {ours}"
            text = text.replace(ours, wanted)
        file.write_text(text)


class Servers:
    def __init__(self, root: Path) -> None:
        os.environ.setdefault(PORT_SHIFT, SHIFT)
        addresses.isolate()
        self.state = State.open(root)
        self.settings: Settings = environment.settings_of(self.state)
        home = java.find_java(17)
        self.postgres = Postgres(self.state)
        worker = RepeatingConnect(self.state, home, addresses.source_variables(self.state))
        services = [self.postgres, Kafka(self.state, home), Registry(self.state, home), worker]
        self.supervisor = Supervisor(root / "run", root / "logs", services, print)
        self.client = Client(self.settings.connect.url, access=Access.of(self.settings.connect))

    def start(self) -> None:
        for name in ("postgres", "kafka", "registry"):
            self.supervisor.start(name)
        for name in ("postgres", "kafka", "registry"):
            self.supervisor.wait_ready(name)
        self.supervisor.start("connect")
        with self.connect("postgres") as admin:
            admin.execute("CREATE ROLE debezium LOGIN REPLICATION")
            admin.execute(f"ALTER ROLE debezium PASSWORD '{self.state.secret('postgres_debezium')}'")
        self.supervisor.wait_ready("connect")

    def stop(self) -> None:
        self.supervisor.stop_all()

    def connect(self, dbname: str, autocommit: bool = True) -> psycopg.Connection[Any]:
        return psycopg.connect(self.postgres.conninfo(dbname), autocommit=autocommit)

    def forget(self, connector: str) -> None:
        url, http = self.settings.connect.url, self.settings.connect.http()
        requests.delete(f"{url}/connectors/{connector}", timeout=30, **http).raise_for_status()
        wait(f"{connector} is gone", lambda: self.client.config(connector) is None)

    def kill_worker(self) -> None:
        """SIGKILL, and back only once it is gone; its next life starts its connectors by itself."""
        pid = self.supervisor.kill("connect", signal.SIGKILL)
        wait("the worker is dead", lambda: not Path(f"/proc/{pid}").exists())

    def records(self, topic: str) -> list[Record]:
        """In the order of partitions and offsets; none while the topic is not there."""
        from confluent_kafka.admin import AdminClient

        if topic not in AdminClient(self.settings.kafka.client()).list_topics(timeout=20).topics:
            return []
        return sorted(topics.read_all(self.settings.kafka, [topic], timeout_s=20), key=lambda r: r[:3])

    @contextmanager
    def tail(self, topic: str) -> Iterator[Iterator[Any]]:
        """Messages that come from now on, each as soon as it is there."""
        from confluent_kafka import Consumer, TopicPartition

        settings = self.settings.kafka.client(**{"group.id": "captures-tail", "enable.auto.commit": False, "fetch.wait.max.ms": 5})
        consumer = Consumer(settings)
        try:
            partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
            ends = [(p, consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1]) for p in partitions]
            consumer.assign([TopicPartition(topic, p, end) for p, end in ends])
            yield iter(lambda: wait(f"a record of {topic}", lambda: consumer.poll(0.05), pause_s=0.0), None)
        finally:
            consumer.close()


def wait(what: str, until: Callable[[], Any], timeout_s: float = 90.0, pause_s: float = 0.1) -> Any:
    """What `until` answers once that is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := until()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(pause_s)
    return found


def base_config() -> dict[str, str]:
    """The project's own connector, byte for byte, before a scene changes what it is about."""
    folder = Path(__file__).parents[2] / "connect_configs"
    config: dict[str, str] = json.loads((folder / "oltp-postgres.json").read_text())
    del config["exactly.once.support"]
    return config
