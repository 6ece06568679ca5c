"""The Java services: Kafka (KRaft), the schema registry, Kafka Connect."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from string import Template

import requests

from commerce360.errors import ConfigError
from commerce360.local.bootstrap import jars
from commerce360.local.process import Command
from commerce360.local.state import CONNECT_USER, State, write_private

# C1 only: halves the start under contention and lowers latency on two cores; these are I/O-bound services.
SMALL_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")  # its counters would be files in /tmp
TEMPLATES = Path(__file__).parent / "config"


def render(name: str, target: Path, **values: object) -> Path:
    """Fill a template of `config/`; only `$name` marks are replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(Template((TEMPLATES / name).read_text()).substitute({k: str(v) for k, v in values.items()}))
    return target


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.3).close()
    except OSError:
        return False
    return True


class JavaService:
    """A service that is a JVM with a class path of ours."""

    name = ""
    stop_signal = signal.SIGTERM
    ready_timeout_s = 120.0
    heap = "256m"

    def __init__(self, state: State, java_home: Path) -> None:
        self.state = state
        self.java = java_home / "bin" / "java"
        self.home = state.data(self.name)

    @property
    def port(self) -> int:
        return self.state.ports[self.name]

    def jvm(self, heap: str | None = None) -> list[str]:
        temp = self.home / "tmp"
        temp.mkdir(parents=True, exist_ok=True)
        return [str(self.java), f"-Xmx{heap or self.heap}", *SMALL_JVM, f"-Djava.io.tmpdir={temp}", "-Djava.net.preferIPv4Stack=true"]

    def logged(self) -> str:
        return f"-Dlog4j2.configurationFile={TEMPLATES / 'log4j2.properties'}"

    def env(self) -> dict[str, str]:
        return {k: v for k, v in os.environ.items() if k not in {"JAVA_TOOL_OPTIONS", "CLASSPATH"}}


class Kafka(JavaService):
    name = "kafka"

    def prepare(self) -> None:
        ports = self.state.ports
        properties = render(
            "kafka.properties",
            self.home / "server.properties",
            port=ports["kafka"],
            controller=ports["kafka_controller"],
            log_dir=self.home / "logs",
        )
        if not (self.home / "logs" / "meta.properties").exists():
            tool = ["kafka.tools.StorageTool", "format", "-t", self.state.ids["cluster"], "-c", str(properties)]
            args = [*self.jvm("128m"), "-cp", jars.classpath("kafka"), self.logged(), *tool]
            done = subprocess.run(args, capture_output=True, text=True, check=False, cwd=self.home, env=self.env())
            if done.returncode:
                raise ConfigError(f"cannot format Kafka's storage: {done.stderr.strip()[-300:]}", "see `c360 doctor`")

    def command(self) -> Command:
        args = [*self.jvm(), "-cp", jars.classpath("kafka"), self.logged(), "kafka.Kafka", str(self.home / "server.properties")]
        return Command(args, self.env(), self.home)

    def ready(self) -> bool:
        """Answers metadata, and is our broker: another stack may have taken the port since it was looked at."""
        if not listening(self.state.ports["kafka"]):
            return False
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self.state.ports['kafka']}", "log_level": 0})
        try:
            found = admin.list_topics(timeout=3)
            return bool(found.brokers) and found.cluster_id == self.state.ids["cluster"]
        except KafkaException:
            return False


class Registry(JavaService):
    name = "registry"

    def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        unpacked = jars.group_dir("registry")
        (runner,) = unpacked.glob("*-runner.jar")
        env = {
            **self.env(),
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(self.state.ports["registry"]),
            # In memory, ids would be given anew after a restart and old records could not be read.
            "REGISTRY_DATASOURCE_URL": f"jdbc:h2:file:{self.home}/db;DB_CLOSE_ON_EXIT=FALSE",
        }
        return Command([*self.jvm(), "-jar", str(runner)], env, unpacked)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.state.ports['registry']}/apis/ccompat/v7"

    def ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/subjects", timeout=2).status_code == 200
        except requests.RequestException:
            return False


class Connect(JavaService):
    name = "connect"

    def __init__(self, state: State, java_home: Path, sources: dict[str, str]) -> None:
        super().__init__(state, java_home)
        self.sources = sources  # C360_SOURCE_*: what connector JSON refers to; secrets among them

    def prepare(self) -> None:
        ports = self.state.ports
        render(
            "connect.properties",
            self.home / "connect.properties",
            bootstrap=f"127.0.0.1:{ports['kafka']}",
            listen="127.0.0.1",
            host="127.0.0.1",
            port=ports["connect"],
            registry=f"http://127.0.0.1:{ports['registry']}/apis/ccompat/v7",
            replication=1,
            plugins=jars.group_dir("plugins"),
            extensions="org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
        )
        passwords = self.home / "passwords.properties"
        write_private(passwords, f"{CONNECT_USER}={self.state.secret('connect')}\n")
        render("connect.jaas", self.home / "jaas.conf", passwords=str(passwords).replace("\\", "\\\\").replace('"', '\\"'))

    def jvm(self, heap: str | None = None) -> list[str]:
        return [*super().jvm(heap), f"-Djava.security.auth.login.config={self.home / 'jaas.conf'}"]

    def command(self) -> Command:
        main = "org.apache.kafka.connect.cli.ConnectDistributed"
        args = [*self.jvm(), "-cp", jars.classpath("kafka"), self.logged(), main, str(self.home / "connect.properties")]
        return Command(args, {**self.env(), **self.sources}, self.home)

    def ready(self) -> bool:
        """`/connectors` answers JSON only once the herder works; the port opens much earlier."""
        try:
            login = (CONNECT_USER, self.state.secret("connect"))
            reply = requests.get(f"http://127.0.0.1:{self.port}/connectors", timeout=2, auth=login)
            return reply.status_code == 200 and isinstance(reply.json(), list)
        except (requests.RequestException, ValueError):
            return False
