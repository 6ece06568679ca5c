"""`c360 scd2 record` on a real broker and registry."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
import requests
import typer
from click.testing import Result
from local_ports import new_state
from typer.testing import CliRunner

from commerce360.cli.scd2_capture import record, replay
from commerce360.errors import ConfigError
from commerce360.local import addresses, environment
from commerce360.local.bootstrap import java
from commerce360.local.services.java import Kafka, Registry
from commerce360.local.state import State
from commerce360.local.supervisor import Supervisor
from commerce360.settings import Settings

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1500)]
TOPIC = "made.public.items"
SOURCE = {"type": "record", "name": "Source", "fields": [{"name": n, "type": "long"} for n in ("lsn", "ts_us")]}
ROW = {
    "type": "record",
    "name": "Row",
    "fields": [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}, {"name": "photo", "type": ["null", "bytes"]}],
}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "fields": [{"name": "op", "type": "string"}, {"name": "after", "type": ["null", ROW]}, {"name": "source", "type": SOURCE}],
}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}

app = typer.Typer()
app.command()(record)
app.command()(replay)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    addresses.isolate()
    state = State.open(new_state(tmp_path_factory.mktemp("capture") / "state"))
    home = java.find_java(17)
    supervisor = Supervisor(state.root / "run", state.root / "logs", [Kafka(state, home), Registry(state, home)])
    try:
        for name in supervisor.order:
            supervisor.start(name)
        for name in supervisor.order:
            supervisor.wait_ready(name)
        yield environment.settings_of(state)
    finally:
        supervisor.stop_all()


class Writer:
    """Puts records into the topic, in transactions."""

    def __init__(self, settings: Settings) -> None:
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient, NewTopic

        self.url = settings.registry.url
        admin = AdminClient(settings.kafka.client())  # whose end would end its call
        admin.create_topics([NewTopic(TOPIC, 3, 1)], operation_timeout=30)[TOPIC].result()
        self.producer = Producer(settings.kafka.client(**{"transactional.id": "made"}))
        self.producer.init_transactions(30)

    def avro(self, part: str, schema: dict[str, Any], value: Any) -> bytes:
        reply = requests.post(f"{self.url}/subjects/{TOPIC}-{part}/versions", json={"schema": json.dumps(schema)}, timeout=20)
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(dict(schema)), value)
        return b"\0" + int(reply.json()["id"]).to_bytes(4, "big") + out.getvalue()

    def change(self, key: int, lsn: int, op: str, name: str, photo: bytes | None = None) -> None:
        value = {"op": op, "after": {"id": key, "name": name, "photo": photo}, "source": {"lsn": lsn, "ts_us": lsn * 1000}}
        self.put(self.avro("key", KEY, {"id": key}), self.avro("value", ENVELOPE, value))

    def put(self, key: bytes | None, value: bytes | None) -> None:
        self.producer.produce(TOPIC, key=key, value=value, headers=[("run", b"1")])

    def end(self, commit: bool = True) -> None:
        self.producer.flush(30)
        (self.producer.commit_transaction if commit else self.producer.abort_transaction)(30)


@pytest.fixture(scope="module")
def written(settings: Settings) -> Settings:
    writer = Writer(settings)
    writer.producer.begin_transaction()
    writer.change(1, 100, "c", "Ada", b"\xc0\xff\xee")
    writer.change(1, 120, "u", "Ada B", b"__debezium_unavailable_value")
    writer.change(2, 130, "c", "Bob")
    writer.put(writer.avro("key", KEY, {"id": 2}), None)
    writer.put(b'{"id": 3}', b'{"op": "c", "after": {"id": 3, "name": "JSON"}, "source": {"lsn": 140, "ts_us": 140000}}')
    writer.put(None, b"\xff\xfe no Avro")
    writer.end()
    writer.producer.begin_transaction()
    writer.change(1, 200, "u", "never committed")
    writer.end(commit=False)
    return settings


@pytest.fixture
def c360(written: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(*args: object) -> Result:
        for name, value in environment.variables(written).items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)

    return call


def test_a_recorded_topic_replays_as_its_history(c360: Any, tmp_path: Path) -> None:
    file, roles = tmp_path / "made.jsonl", tmp_path / "roles.yaml"
    roles.write_text("{key: [id], tracked: [name, photo]}")
    assert f"6 records of {TOPIC}" in c360("record", TOPIC, "--out", file).stderr
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["topic"] for line in lines} == {TOPIC}
    assert all(line["headers"] == [["run", "1"]] and line["timestamp"] > 1_700_000_000_000 for line in lines)
    found = json.loads(c360("replay", file, "--roles", roles, "--json").stdout)
    shown = [(row["id"], row["name"], row["photo"], row["is_current"]) for row in found["rows"]]
    assert shown == [(1, "Ada", "wP/u", False), (1, "Ada B", "wP/u", True), (2, "Bob", None, True), (3, "JSON", None, True)]
    assert [(r["reason"], r["topic"]) for r in found["rejected"]] == [("undecodable", TOPIC)]
    assert list(tmp_path.glob("*.part")) == []


def test_a_limit_and_the_terminal(c360: Any) -> None:
    lines = c360("record", TOPIC, "--limit", 2).stdout.splitlines()
    assert [json.loads(line)["topic"] for line in lines] == [TOPIC, TOPIC]


def test_a_topic_that_is_not_there_names_those_that_are(c360: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no topic nope") as caught:
        c360("record", "nope", "--out", tmp_path / "x.jsonl")
    assert TOPIC in caught.value.hint
    assert list(tmp_path.iterdir()) == []
