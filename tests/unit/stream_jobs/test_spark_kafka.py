"""What Spark's Kafka source is told follows from what librdkafka is told; nothing that protects is dropped silently."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce360 import kafka
from commerce360.errors import ConfigError
from commerce360.settings import Kafka
from schemas.topics import TOPICS
from stream_jobs.inputs import kafka_options

SECRET = "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=c2VjcmV0"


@pytest.fixture
def eventhubs(tmp_path: Path) -> Kafka:
    (tmp_path / "cs").write_text(SECRET + "\n")
    return Kafka(profile="eventhubs", bootstrap="x.servicebus.windows.net:9093", sasl_password_file=tmp_path / "cs")


def test_a_plain_broker_needs_nothing_but_its_address() -> None:
    assert Kafka(bootstrap="h:1").spark() == {"kafka.bootstrap.servers": "h:1"}


def test_event_hubs(eventhubs: Kafka) -> None:
    assert eventhubs.spark() == {
        "kafka.bootstrap.servers": "x.servicebus.windows.net:9093",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "PLAIN",
        "kafka.sasl.jaas.config": (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required username="$ConnectionString" password="{SECRET}";'
        ),
        "kafka.request.timeout.ms": "60000",
        "kafka.session.timeout.ms": "30000",
        "kafka.connections.max.idle.ms": "180000",
    }


def test_the_source_is_told_that_and_what_the_lake_needs(eventhubs: Kafka) -> None:
    made = kafka_options(eventhubs, [t.name for t in TOPICS], 10)
    assert eventhubs.spark().items() <= made.items()
    assert made["kafka.isolation.level"] == "read_committed"
    assert made["failOnDataLoss"] == "true"


def test_on_databricks_the_classes_have_another_name(eventhubs: Kafka) -> None:
    made = eventhubs.model_copy(update={"shaded": "kafkashaded."}).spark()
    assert made["kafka.sasl.jaas.config"].startswith("kafkashaded.org.apache.kafka.common.security.plain.PlainLoginModule required")


def test_another_kafka_with_a_ca_and_scram(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("p")
    config = {"security.protocol": "SASL_SSL", "sasl.mechanisms": "SCRAM-SHA-512", "sasl.username": "u", "ssl.ca.location": "/ca.pem"}
    made = Kafka(config=config, sasl_password_file=tmp_path / "pw").spark()
    assert made["kafka.sasl.mechanism"] == "SCRAM-SHA-512"
    assert "scram.ScramLoginModule" in made["kafka.sasl.jaas.config"]
    assert (made["kafka.ssl.truststore.type"], made["kafka.ssl.truststore.location"]) == ("PEM", "/ca.pem")


def test_what_was_configured_is_stronger_than_the_profile(eventhubs: Kafka) -> None:
    own = eventhubs.model_copy(update={"config": {"request.timeout.ms": "90000"}})
    assert own.spark()["kafka.request.timeout.ms"] == "90000"
    assert own.client()["request.timeout.ms"] == "90000"


@pytest.mark.parametrize("name", ["ssl.certificate.location", "ssl.keystore.location", "sasl.kerberos.keytab", "ssl.ciphers"])
def test_protection_that_spark_cannot_be_told_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Kafka(config={"security.protocol": "SSL", name: "x"}).spark()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI"}, "cannot sign in with GSSAPI"),
        ({"security.protocol": "sasl_plaintext"}, "no mechanism"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "u"}, "a user name and a password"),
    ],
)
def test_a_sign_in_that_cannot_be_is_said(config: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Kafka(config=config).spark()


def test_tokens_are_librdkafkas_alone() -> None:
    with pytest.raises(ConfigError, match="OAUTHBEARER"):
        Kafka(profile="eventhubs", auth="entra").spark()


def read(line: str) -> list[str]:
    """The quoted texts of a JAAS line, by the rules of Java's StreamTokenizer."""
    found, text, inside, escaped = [], "", False, False
    for c in line:
        if not inside:
            inside = c == '"'
        elif escaped:
            text, escaped = text + c, False
        elif c == "\\":
            escaped = True
        elif c == '"':
            found, text, inside = [*found, text], "", False
        else:
            text += c
    return found


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1))
def test_every_password_survives_the_quotes(password: str) -> None:
    made = kafka.java({"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": password})
    assert read(made["sasl.jaas.config"]) == ["u", password]


def test_a_password_of_two_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("a\nb\n")
    with pytest.raises(ConfigError, match="line break") as caught:
        Kafka(profile="eventhubs", sasl_password_file=tmp_path / "pw").spark()
    assert "a\nb" not in caught.value.message


def test_a_name_in_a_certificate_that_is_not_checked_is_no_text_to_java() -> None:
    name = "ssl.endpoint.identification.algorithm"
    assert Kafka(config={name: "none"}).spark()[f"kafka.{name}"] == ""
    assert Kafka(config={name: "https"}).spark()[f"kafka.{name}"] == "https"
