"""The profile of Event Hubs against a real broker that wants TLS and a signing in: its clients get in, and nobody else does."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from lake_servers import jars
from signed_broker import SignedBroker, unsigned_token

from commerce360.reconcile import topics
from commerce360.settings import Kafka
from producers.orders import PRODUCER
from schemas.topics import ORDER_EVENTS
from stream_jobs.inputs import Inputs

pytestmark = pytest.mark.stack


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


def send(kafka: Kafka, value: bytes) -> list[KafkaError]:
    """Errors of delivery."""
    failed: list[KafkaError] = []
    producer = Producer(kafka.producer(**{**PRODUCER, "message.timeout.ms": 20_000}))
    producer.produce(ORDER_EVENTS.name, value, b"k", on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(30) == 0
    return failed


def values(kafka: Kafka) -> list[bytes | None]:
    return [r.value for r in topics.read_all(kafka, [ORDER_EVENTS.name], timeout_s=20)]


def test_producer_consumer_and_admin_get_in_by_the_profile(broker: SignedBroker) -> None:
    kafka = broker.settings()
    assert send(kafka, b"by profile") == []
    assert b"by profile" in values(kafka)
    assert Inputs(kafka, None, [ORDER_EVENTS.name]).lag({ORDER_EVENTS.name: {0: 0, 1: 0, 2: 0}})[ORDER_EVENTS.name] >= 1  # type: ignore[arg-type]


def test_the_order_producers_compression_gives_way_to_the_profiles(broker: SignedBroker) -> None:
    assert broker.settings().producer(**PRODUCER)["compression.type"] == "none"


def test_another_password_is_refused(broker: SignedBroker, tmp_path: Any) -> None:
    (tmp_path / "other").write_text("Endpoint=sb://127.0.0.1/;SharedAccessKeyName=all;SharedAccessKey=b3RoZXI=")
    with pytest.raises(KafkaException):
        AdminClient({**broker.settings(tmp_path / "other").client(), "log_level": 0}).list_topics(timeout=5)


def test_a_server_of_an_unknown_authority_is_refused(broker: SignedBroker) -> None:
    kafka = Kafka(profile="eventhubs", bootstrap=broker.signed, sasl_password_file=broker.secret)
    with pytest.raises(KafkaException):
        AdminClient({**kafka.client(), "log_level": 0}).list_topics(timeout=5)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """azure-identity's credential, as far as it is used here: the scopes that it was asked for."""
    scopes: list[str] = []

    class Credential:
        def get_token(self, scope: str) -> Any:
            scopes.append(scope)
            token, ends = unsigned_token()
            return types.SimpleNamespace(token=token, expires_on=ends)

    identity = types.ModuleType("azure.identity")
    identity.DefaultAzureCredential = Credential  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure.identity", identity)
    return scopes


def test_tokens_of_entra_id_let_producer_consumer_and_admin_in(broker: SignedBroker, asked: list[str]) -> None:
    kafka = Kafka(profile="eventhubs", auth="entra", bootstrap=broker.signed, config={"ssl.ca.location": str(broker.ca)})
    assert ORDER_EVENTS.name in AdminClient(kafka.client()).list_topics(timeout=20).topics
    assert send(kafka, b"by token") == []
    assert b"by token" in values(kafka)
    assert set(asked) == {"https://127.0.0.1/.default"}
