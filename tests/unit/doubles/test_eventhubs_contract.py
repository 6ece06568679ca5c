"""What holds for Event Hubs, with the real SDK: on the local one, and on a real namespace when there is one.

For a real one: C360_EVENTHUBS__CONNECTION_STRING_FILE with a key that may send, listen and manage, C360_EVENTHUBS__NAME of a hub for tests
with at least two partitions. What the local one cannot do is a strict xfail on it.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass

import pytest
from azure.eventhub import EventData
from azure.eventhub.exceptions import AuthenticationError, EventDataSendError, EventHubError
from event_hubs import HUB, Reading, local_hubs, producer

from commerce360.settings import Settings, read_secret
from producers.partition_key import partition_of

REAL = Settings().eventhubs
NO_REAL = "no real namespace: C360_EVENTHUBS__CONNECTION_STRING_FILE and C360_EVENTHUBS__NAME are not set"


@dataclass
class Namespace:
    connection_string: str
    hub: str
    is_local: bool

    def producer(self, **options):
        return producer(self.connection_string, self.hub, **options)

    def deviates(self, request, reason):
        if self.is_local:
            request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    with local_hubs(tmp_path_factory.mktemp("hubs"), hub=f"{HUB}:2") as hubs:
        yield Namespace(hubs.connection_string, HUB, True)


@pytest.fixture(
    params=[
        "local",
        pytest.param(
            "real", marks=[pytest.mark.cloud, pytest.mark.skipif(not (REAL.connection_string_file and REAL.name), reason=NO_REAL)]
        ),
    ]
)
def namespace(request):
    if request.param == "local":
        return request.getfixturevalue("local")
    return Namespace(read_secret(REAL.connection_string_file, "connection string").get_secret_value(), REAL.name, False)


def end(namespace, partition):
    """The sequence number of a partition's last event."""
    with namespace.producer() as client:
        return client.get_partition_properties(partition)["last_enqueued_sequence_number"]


def since(namespace, partition, last, count):
    """What came to a partition after that event: as many as were sent."""
    with Reading(namespace.connection_string, namespace.hub, last, partition_id=partition) as reading:
        reading.wait(count)
        reading.wait(count + 1, timeout_s=0.3)  # none too many
        return [event for _, event in reading.events]


def send(client, bodies, **where):
    batch = client.create_batch(**where)
    for body in bodies:
        batch.add(EventData(body))
    client.send_batch(batch)


class TestContract:
    def test_a_hub_says_what_it_has(self, namespace):
        with namespace.producer() as client:
            found = client.get_eventhub_properties()
        assert found["eventhub_name"] == namespace.hub
        assert found["partition_ids"] == [str(n) for n in range(len(found["partition_ids"]))]

    def test_nothing_is_lost_or_doubled_and_a_key_keeps_its_order(self, namespace):
        run, sent = uuid.uuid4().hex, defaultdict(list)
        with namespace.producer() as client:
            places = {p: client.get_partition_properties(p)["last_enqueued_sequence_number"] for p in client.get_partition_ids()}
            for n in range(60):
                key, bodies = f"{run}-{n % 6}", [f"{n}-{i}" for i in range(5)]
                send(client, bodies, partition_key=key)
                sent[key] += bodies
        got, partitions = defaultdict(list), defaultdict(set)
        with Reading(namespace.connection_string, namespace.hub, places) as reading:
            reading.wait(300, timeout_s=60)
        for partition, event in reading.events:
            got[event.partition_key.decode()].append(event.body_as_str())
            partitions[event.partition_key.decode()].add(int(partition))
        assert got == sent
        assert partitions == {key: {partition_of(key.encode(), len(places))} for key in sent}

    def test_properties_and_large_bodies_arrive_as_they_were_sent(self, namespace):
        last = end(namespace, "0")
        large = EventData(bytes(range(256)) * 2000)  # many frames
        large.properties, large.content_type = {"schema_id": 7, "name": "ü"}, "avro/binary"
        with namespace.producer() as client:
            client.send_event(large, partition_id="0")
        (event,) = since(namespace, "0", last, 1)
        assert b"".join(event.body) == bytes(range(256)) * 2000
        assert event.properties == {b"schema_id": 7, b"name": "ü".encode()}
        assert event.content_type == "avro/binary"

    def test_a_reader_goes_on_after_an_offset_or_with_a_number(self, namespace):
        last = end(namespace, "0")
        with namespace.producer() as client:
            send(client, ["a", "b", "c", "d"], partition_id="0")
        events = since(namespace, "0", last, 4)
        assert [e.body_as_str() for e in events] == ["a", "b", "c", "d"]
        assert [e.sequence_number for e in events] == [last + n for n in (1, 2, 3, 4)]
        assert sorted({int(e.offset) for e in events}) == [int(e.offset) for e in events]
        assert all(e.enqueued_time is not None for e in events)
        for start, inclusive, expected in ((events[1].offset, False, ["c", "d"]), (events[1].sequence_number, True, ["b", "c", "d"])):
            where = {"partition_id": "0", "starting_position_inclusive": inclusive}
            with Reading(namespace.connection_string, namespace.hub, start, **where) as reading:
                reading.wait(len(expected))
                assert [event.body_as_str() for _, event in reading.events] == expected

    def test_latest_is_what_comes_from_now_on(self, namespace):
        with namespace.producer() as client:
            client.send_event(EventData("before"), partition_id="1")
            with Reading(namespace.connection_string, namespace.hub, "@latest", partition_id="1") as reading:
                for n in range(30):  # until the reader is there
                    client.send_event(EventData(str(n)), partition_id="1")
                    reading.wait(1, timeout_s=0.6)  # the SDK hands events out when none came for 0.2 s
                    if reading.events:
                        break
                reading.wait(n + 1, timeout_s=0.3)
        got = [event.body_as_str() for _, event in reading.events]
        assert got == [str(i) for i in range(n + 1)][-len(got) :] != []

    def test_an_offset_that_is_not_there_is_refused(self, namespace):
        with Reading(namespace.connection_string, namespace.hub, str(10**15), partition_id="0") as reading:
            reading.wait(for_error=True)
        assert "invalid" in str(reading.errors[0])

    def test_a_higher_owner_level_takes_a_partition_over(self, namespace):
        where = {"partition_id": "1"}
        with Reading(namespace.connection_string, namespace.hub, "@latest", owner_level=0, **where) as first:
            first.wait(1, timeout_s=0.8)
            with Reading(namespace.connection_string, namespace.hub, "@latest", owner_level=1, **where):
                first.wait(for_error=True)
        assert "stolen" in str(first.errors[0])

    def test_a_batch_is_no_larger_than_the_link_says(self, namespace):
        with namespace.producer() as client, pytest.raises(ValueError, match="size limit"):
            client.create_batch().add(EventData(b"x" * (1024 * 1024)))

    def test_a_wrong_key_is_refused(self, namespace):
        wrong = namespace.connection_string.replace("SharedAccessKey=", "SharedAccessKey=x")
        with producer(wrong, namespace.hub) as client, pytest.raises(AuthenticationError):
            client.get_partition_ids()

    def test_a_hub_that_is_not_there_is_refused(self, namespace):
        with producer(namespace.connection_string, "no-such-hub") as client, pytest.raises(EventHubError):
            client.send_event(EventData("x"))

    def test_a_consumer_group_that_is_not_there_is_refused(self, namespace):
        with Reading(namespace.connection_string, namespace.hub, group="no-such-group", partition_id="0") as reading:
            reading.wait(for_error=True)
        assert reading.errors

    def test_the_last_number_of_a_partition_comes_with_each_event(self, namespace, request):
        namespace.deviates(request, "properties of the last event are not sent")
        last = end(namespace, "0")
        with namespace.producer() as client:
            send(client, ["a", "b"], partition_id="0")
        where = {"partition_id": "0", "track_last_enqueued_event_properties": True}
        with Reading(namespace.connection_string, namespace.hub, last, **where) as reading:
            reading.wait(1)
            (_, event), *_ = reading.events
        assert event._message.delivery_annotations

    def test_the_kafka_protocol_is_spoken(self, namespace, request, tmp_path):
        """From the tier Standard up."""
        namespace.deviates(request, "AMQP alone")
        from confluent_kafka.admin import AdminClient

        from commerce360.settings import Kafka

        password = tmp_path / "password"
        password.write_text(namespace.connection_string)
        host = namespace.connection_string.partition("sb://")[2].partition("/")[0]
        sasl = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "$ConnectionString"}
        kafka = Kafka(bootstrap=f"{host.partition(':')[0]}:9093", config=sasl, sasl_password_file=password)
        assert namespace.hub in AdminClient({**kafka.client(), "log_level": 0}).list_topics(timeout=2 if namespace.is_local else 20).topics


def test_a_publication_that_is_too_large_is_refused_and_the_next_is_not(local):
    with local.producer() as client:
        with pytest.raises(EventDataSendError, match="exceeds the limit"):
            client.send_event(EventData(b"x" * 1_100_000), partition_id="1")
        client.send_event(EventData("y"), partition_id="1")
