"""What is seen of topics, and that a client whose answers were errors is not asked by the next look."""

from __future__ import annotations

import time
from types import SimpleNamespace

import confluent_kafka.admin
import pytest
from confluent_kafka import KafkaError, KafkaException

from connect_configs.watching.liveness import KafkaLook, TroubleError


class Answer:
    def __init__(self, fenced):
        self.fenced, self.offset, self.timestamp = fenced, 60, int(time.time() * 1000) - 5000

    def result(self):
        if self.fenced:
            raise KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH))
        return self


class Client:
    """Librdkafka's, as it stays behind a broker that was halted: it goes on asking for these partitions with an older epoch."""

    made, fenced_of_the_next = 0, ()

    def __init__(self, *_, **__):
        Client.made += 1
        self.fenced = Client.fenced_of_the_next

    def list_topics(self, **_):
        return SimpleNamespace(topics={"rows": SimpleNamespace(partitions=[0, 1])})

    def list_offsets(self, wanted, **_):
        return {place: Answer(place.partition in self.fenced) for place in wanted}


@pytest.fixture
def look(monkeypatch):
    monkeypatch.setattr(confluent_kafka.admin, "AdminClient", Client)
    monkeypatch.setattr(Client, "made", 0)
    monkeypatch.setattr(Client, "fenced_of_the_next", ())
    return KafkaLook({"bootstrap.servers": "127.0.0.1:1"})


def age_s(look):
    return look.activity({"c": ["rows"]}, {})["c"].record_age_s


def test_one_client_for_looks_that_are_answered(look):
    assert [age_s(look) == pytest.approx(5, abs=60) for _ in range(3)] == [True] * 3
    assert Client.made == 1


@pytest.mark.parametrize("fenced", [(0,), (1,)])
def test_behind_a_part_without_an_answer_the_next_look_has_a_new_client(look, monkeypatch, fenced):
    monkeypatch.setattr(Client, "fenced_of_the_next", fenced)
    assert age_s(look) is not None
    monkeypatch.setattr(Client, "fenced_of_the_next", ())
    assert age_s(look) is not None
    assert age_s(look) is not None
    assert Client.made == 2


def test_behind_no_answer_at_all_too(look, monkeypatch):
    monkeypatch.setattr(Client, "fenced_of_the_next", (0, 1))
    with pytest.raises(TroubleError, match=r"127\.0\.0\.1:1 does not answer: fenced_leader_epoch"):
        age_s(look)
    monkeypatch.setattr(Client, "fenced_of_the_next", ())
    assert age_s(look) is not None
    assert Client.made == 2
