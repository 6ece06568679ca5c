"""How far topics reach: what comes back, and that a client that failed is not asked again."""

import confluent_kafka.admin
import pytest
from confluent_kafka import KafkaError, KafkaException

from commerce360.end_offsets import EndOffsets
from commerce360.errors import UnavailableError
from commerce360.settings import Kafka


class Answer:
    def __init__(self, offset):
        self.offset = offset

    def result(self):
        if self.offset is None:
            raise KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH))
        return self


class Client:
    """Librdkafka's, as it stays behind a broker that was halted: each question is answered with an older epoch's error."""

    made, answering = 0, True

    def __init__(self, *_, **__):
        Client.made += 1
        self.fenced = not Client.answering

    def list_offsets(self, wanted, **_):
        return {place: Answer(None if self.fenced else 10 * place.partition) for place in wanted}


@pytest.fixture
def ends(monkeypatch):
    monkeypatch.setattr(confluent_kafka.admin, "AdminClient", Client)
    monkeypatch.setattr(Client, "made", 0)
    monkeypatch.setattr(Client, "answering", True)
    return EndOffsets(Kafka(bootstrap="127.0.0.1:1"))


def test_by_topic_and_partition_by_one_client(ends):
    for _ in range(2):
        assert ends.of({"a": (0, 2), "b": [1]}) == {"a": {0: 0, 2: 20}, "b": {1: 10}}
    assert Client.made == 1


def test_nothing_is_asked_for_no_partitions(ends):
    assert ends.of({}) == {}
    assert Client.made == 0


def test_a_client_that_failed_is_replaced(ends, monkeypatch):
    monkeypatch.setattr(Client, "answering", False)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1 tells no end of a: .*FENCED_LEADER_EPOCH"):
        ends.of({"a": [1]})
    monkeypatch.setattr(Client, "answering", True)
    assert ends.of({"a": [1]}) == {"a": {1: 10}}
    assert Client.made == 2
