"""A server that is not there, or lacks what it must have, is an error with a hint and no traceback."""

import pytest
from confluent_kafka import Producer

from commerce360.errors import UnavailableError
from commerce360.reconcile import sources, topics
from commerce360.reconcile.run import Reconciler
from commerce360.settings import Kafka, Postgres, Settings
from commerce360.settings import Lake as LakeSettings

NOBODY = 9  # the discard port: nothing listens there


@pytest.fixture(scope="module")
def broker():
    """librdkafka's own broker, with one topic."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    port = next(iter(producer.list_topics(timeout=10).brokers.values())).port
    kafka = Kafka(bootstrap=f"127.0.0.1:{port}")
    other = Producer(kafka.client())
    for n in range(3):
        other.produce("there", value=b"%d" % n, partition=0)
    assert other.flush(20) == 0
    yield kafka
    del other, producer


def test_postgres(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("x")
    postgres = Postgres(port=NOBODY, password_file=secret)
    for ask in (lambda: sources.wal_position(postgres), lambda: sources.postgres_rows(postgres, ["orders"])):
        with pytest.raises(UnavailableError, match="PostgreSQL does not answer") as caught:
            ask()
        assert caught.value.hint


def test_kafka():
    with pytest.raises(UnavailableError, match=f"Kafka at 127.0.0.1:{NOBODY} does not answer") as caught:
        topics.end_offsets(Kafka(bootstrap=f"127.0.0.1:{NOBODY}"), ["there"], timeout_s=0.2)
    assert caught.value.hint


def test_a_topic_that_is_missing_is_not_an_empty_one(broker):
    assert [r.value for r in topics.read_all(broker, ["there"])] == [b"0", b"1", b"2"]
    assert topics.end_offsets(broker, ["there"])["there"][0] == 3
    for ask in (lambda: list(topics.read_all(broker, ["there", "gone"])), lambda: topics.end_offsets(broker, ["gone", "there"])):
        with pytest.raises(UnavailableError, match="has no topic gone"):
            ask()


def test_the_lake(tmp_path):
    settings = Settings(state=tmp_path, lake=LakeSettings(root=str(tmp_path / "lake")))
    with pytest.raises(UnavailableError, match=r"the lake has no table bronze\.records") as caught:
        Reconciler(settings).run()
    assert caught.value.hint
