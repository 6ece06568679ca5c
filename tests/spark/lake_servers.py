"""A real Kafka broker and a small schema registry for the tests of the lake job, on free loopback ports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import TOPICS

BROKER_OPTIONS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "log.cleaner.dedupe.buffer.size": "16777216",
}


def java() -> str:
    from commerce360.local.bootstrap.java import find_java

    return str(find_java() / "bin" / "java")


def jars(group: str) -> list[Path]:
    """Jars of a group as the bootstrap laid them out; C360_TEST_JARS names another folder of groups."""
    given = os.environ.get("C360_TEST_JARS")
    if given:
        return sorted(Path(given, group).glob("*.jar"))
    from commerce360.local.bootstrap.jars import group_dir

    return sorted(Path(group_dir(group)).glob("*.jar"))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Broker:
    """One-node KRaft broker with all topics of the contract."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bootstrap = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.used = False

    def start(self) -> None:
        port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            **BROKER_OPTIONS,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.folder / "data"),
        }
        self.configure(options)
        config = self.folder / "server.properties"
        config.write_text("".join(f"{k}={v}\n" for k, v in options.items()))
        path = os.pathsep.join(str(j) for j in jars("kafka"))
        flags = [java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", path]
        with (self.folder / "kafka.log").open("wb") as log:
            form = ["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(config)]
            subprocess.run([*flags, *form], check=True, stdout=log, stderr=log)
            self.process = subprocess.Popen([*flags, "kafka.Kafka", str(config)], stdout=log, stderr=log)
        self._create_topics()

    def configure(self, options: dict[str, str]) -> None:
        """More of server.properties, where a test needs it."""

    def empty_topics(self) -> None:
        """Make all topics anew where a test used them. A topic that was deleted is gone a moment later."""
        if not self.used:
            self.used = True
            return
        admin = self._admin()
        for future in admin.delete_topics([t.name for t in TOPICS]).values():
            future.result()
        deadline = time.monotonic() + 30
        while set(admin.list_topics(timeout=5).topics) & {t.name for t in TOPICS}:
            assert time.monotonic() < deadline, "the topics do not go away"
            time.sleep(0.1)
        self._create_topics()

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def _create_topics(self) -> None:
        """A request that came too early or whose answer came too late is repeated; it may have made some topics already."""
        admin, deadline = self._admin(), time.monotonic() + 90
        missing = list(TOPICS)
        while missing:
            made = admin.create_topics([NewTopic(t.name, t.partitions, 1, config=t.config()) for t in missing], request_timeout=5)
            missing = [t for t in missing if not self._made(made[t.name], deadline)]

    def _made(self, answer: Future[None], deadline: float) -> bool:
        try:
            answer.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return True
            if time.monotonic() > deadline or self.process is None or self.process.poll() is not None:
                raise
            time.sleep(0.3)
            return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Registry:
    """The Confluent-compatible calls that a decoder makes, over a dict."""

    def __init__(self, schemas: dict[int, dict]) -> None:
        known = self.schemas = schemas

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = self.path.strip("/").split("?")[0].split("/")
                if parts == ["subjects"]:
                    self.reply(200, [])
                elif parts[:2] == ["schemas", "ids"] and parts[2].isdigit() and int(parts[2]) in known:
                    self.reply(200, {"schema": json.dumps(known[int(parts[2])])})
                else:
                    self.reply(404, {"error_code": 40403, "message": "Schema not found"})

            def reply(self, status: int, body: object) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
