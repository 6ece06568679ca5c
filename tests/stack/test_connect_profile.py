"""infra/connect/eventhubs.properties in a real worker, whose Kafka wants TLS and a signing in as `$ConnectionString`."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from lake_servers import free_port, jars, java
from signed_broker import CONNECTION_STRING, SignedBroker

from commerce360.local.bootstrap.paths import ROOT
from commerce360.local.services.java import TEMPLATES, render

pytestmark = pytest.mark.stack
INTERNAL = ("connect-configs", "connect-offsets", "connect-status")
OVERLAY = ROOT / "infra" / "connect" / "eventhubs.properties"
JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="$ConnectionString" password="{}";'


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedBroker]:
    if not jars("kafka"):
        pytest.skip("the Kafka jars are not here: run `c360 setup`")
    server = SignedBroker(tmp_path_factory.mktemp("signed"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def properties(folder: Path, broker: SignedBroker, port: int) -> Path:
    """A local worker's properties with those of Event Hubs behind them, and an authority that only this broker has."""
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "kafka-jaas").write_text(JAAS.format(CONNECTION_STRING.replace("\\", "\\\\").replace('"', '\\"')))
    (folder / "none").mkdir()
    here = "127.0.0.1"
    marks = {"bootstrap": f"{here}:1", "listen": here, "host": here, "registry": f"http://{here}:1", "replication": 1, "extensions": ""}
    file = render("connect.properties", folder / "worker.properties", port=port, plugins=folder / "none", **marks)
    trust = [f"{p}ssl.truststore.{k}" for p in ("", "producer.", "admin.") for k in ("type=PEM", f"location={broker.ca}")]
    known = (line for line in file.read_text().splitlines() if "converter" not in line)
    converters = [f"{part}.converter=org.apache.kafka.connect.converters.ByteArrayConverter" for part in ("key", "value")]
    overlay = OVERLAY.read_text().replace("/run/secrets/c360", str(secrets))
    file.write_text("\n".join([*known, *converters, overlay, *trust]) + "\n")
    return file


def test_a_worker_signs_in_and_keeps_its_topics_there(broker: SignedBroker, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "worker.log"
    path = os.pathsep.join(str(j) for j in jars("kafka"))
    main = "org.apache.kafka.connect.cli.ConnectDistributed"
    flags = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={TEMPLATES / 'log4j2.properties'}"]
    command = [java(), *flags, "-cp", path, main, str(properties(tmp_path, broker, port))]
    with log.open("wb") as out:
        worker = subprocess.Popen(command, env={**os.environ, "C360_SOURCE_EVENTHUBS": broker.signed}, stdout=out, stderr=out)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    try:
        wait(worker, lambda: set(INTERNAL) <= set(admin.list_topics(timeout=5).topics))
        wait(worker, lambda: requests.get(f"http://127.0.0.1:{port}/connectors", timeout=2).json() == [])
    finally:
        worker.kill()
        worker.wait()
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in INTERNAL])
    assert {found.result()["cleanup.policy"].value for found in asked.values()} == {"compact"}
    assert "aGVyZSBpcy" not in log.read_text()


def wait(worker: subprocess.Popen[bytes], until: Callable[[], bool]) -> None:
    """Until that is true; what the worker does not answer yet is not. Raises AssertionError."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert worker.poll() is None, "the worker ended"
        try:
            if until():
                return
        except (requests.RequestException, ValueError):
            pass
        time.sleep(0.5)
    raise AssertionError("the worker does not get ready")
