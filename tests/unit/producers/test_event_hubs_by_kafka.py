"""Event Hubs by Kafka's protocol is configuration alone: what docs/event-hubs.md says, librdkafka takes, and no secret shows."""

import json
import re
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from commerce360.errors import ConfigError
from commerce360.settings import Kafka, Settings
from producers.orders import PRODUCER

DOC = Path(__file__).parents[3] / "docs" / "event-hubs.md"
SECRET = "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=c2VjcmV0"


@pytest.fixture
def documented(monkeypatch, tmp_path):
    """Settings made from the lines of the page, as a shell would hand them over."""
    file = tmp_path / "connection-string"
    file.write_text(SECRET + "\n")
    exports = dict(re.findall(r"^    export (C360_KAFKA__\w+)=('[^']*'|\S+)$", DOC.read_text(), re.M))
    for name, value in exports.items():
        monkeypatch.setenv(name, value.strip("'"))
    monkeypatch.setenv("C360_KAFKA__SASL_PASSWORD_FILE", str(file))
    monkeypatch.setenv("C360_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    assert exports.keys() == {"C360_KAFKA__BOOTSTRAP", "C360_KAFKA__PROFILE", "C360_KAFKA__SASL_PASSWORD_FILE"}
    return Settings()


def test_librdkafka_takes_each_property(documented):
    wanted = documented.kafka.producer(**PRODUCER)
    assert wanted["sasl.password"] == SECRET
    assert wanted["sasl.username"] == "$ConnectionString"
    Producer({**wanted, "log_level": 0})
    Consumer({**documented.kafka.client(), "group.id": "g", "log_level": 0}).close()
    AdminClient({**documented.kafka.client(), "log_level": 0})


def test_a_property_that_is_not_there_would_be_noticed(documented):
    from confluent_kafka import KafkaException

    with pytest.raises(KafkaException, match="No such configuration property"):
        Producer({**documented.kafka.client(), "no.such.property": "1"})


def test_what_was_configured_is_stronger_than_a_producers_defaults(documented):
    assert documented.kafka.producer(**PRODUCER)["compression.type"] == "none"
    assert Kafka().producer(**PRODUCER)["compression.type"] == PRODUCER["compression.type"]
    assert Kafka().producer(**PRODUCER)["log_level"] == PRODUCER["log_level"]


def test_what_the_operator_adds_is_stronger_than_the_profile(documented, monkeypatch):
    monkeypatch.setenv("C360_KAFKA__CONFIG", '{"compression.type": "gzip", "client.id": "mine"}')
    own = Settings().kafka.producer(**PRODUCER)
    assert (own["compression.type"], own["client.id"], own["security.protocol"]) == ("gzip", "mine", "SASL_SSL")


def test_without_a_profile_nothing_is_added():
    assert Kafka(bootstrap="h:1").client() == {"bootstrap.servers": "h:1", "log_level": 3}


def test_event_hubs_without_a_connection_string_is_said():
    with pytest.raises(ConfigError, match="SASL password"):
        Kafka(profile="eventhubs").client()


def test_entra_id_without_its_library_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ConfigError, match="azure-identity") as caught:
        Kafka(profile="eventhubs", auth="entra").client()
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize("other", [{"profile": "plain"}, {"profile": "eventhubs", "sasl_password_file": "/x"}])
def test_entra_id_where_it_makes_no_sense_is_refused(other):
    with pytest.raises(ValueError, match="entra is of the profile eventhubs"):
        Kafka(auth="entra", **other)


def test_no_secret_shows(documented):
    kafka = Kafka(config={"sasl.password": SECRET})
    for shown in (repr(documented), str(documented), json.dumps(documented.model_dump(mode="json")), repr(kafka), str(kafka)):
        assert "c2VjcmV0" not in shown


def test_a_password_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="SASL password"):
        Kafka(sasl_password_file=tmp_path / "none").client()
