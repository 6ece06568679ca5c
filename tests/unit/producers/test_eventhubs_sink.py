"""EventHubsSink with the real SDK against the local Event Hubs as a process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter, defaultdict

import pytest
from event_hubs import HUB, local_hubs, read

from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.settings import EventHubs
from producers import eventhubs
from producers.eventhubs import EventHubsSink
from producers.partition_key import partition_of

HEAD = b"\0\0\0\0\x07"  # the registry's wire format, schema 7


class Acks(dict):
    """By token: partition and error. Each token once."""

    def __call__(self, token, partition, offset, error):
        assert token not in self
        assert offset == eventhubs.NOWHERE
        self[token] = (partition, error)

    @property
    def errors(self):
        return {token: error for token, (_, error) in self.items() if error is not None}


def opened(settings, acks, hub=HUB):
    sink = EventHubsSink(settings, hub)
    sink.on_ack = acks
    return sink


def value(token):
    return HEAD + b"event-%d" % token


def key(token):
    return b"order-%d" % (token % 40)


def send(sink, tokens):
    for token in tokens:
        sink.send(key(token), value(token), token)


def arrived(hubs, count, partitions=2):
    """Event ids in the order in which they came to each key; every copy."""
    by_key = defaultdict(list)
    for partition, event in read(hubs.connection_string, count):
        assert event.properties == {b"schema_id": 7}
        assert int(partition) == partition_of(event.partition_key, partitions)
        by_key[event.partition_key].append(int(b"".join(event.body).partition(b"-")[2]))
    return by_key


def first_appearances(found):
    """A reader's deduplication by event_id."""
    return {key: list(dict.fromkeys(ids)) for key, ids in found.items()}


def expected(tokens):
    wanted = defaultdict(list)
    for token in tokens:
        wanted[key(token)].append(token)
    return wanted


@pytest.fixture(scope="module")
def hubs(tmp_path_factory):
    with local_hubs(tmp_path_factory.mktemp("hubs")) as made:
        yield made


def test_every_event_arrives_once_in_the_order_of_its_key(tmp_path):
    acks = Acks()
    with local_hubs(tmp_path) as hubs:
        with opened(hubs.settings(), acks) as sink:
            send(sink, range(1000))
            assert sink.flush(60) == 0
        assert arrived(hubs, 1000) == expected(range(1000))
    assert acks == {token: (partition_of(key(token), 2), None) for token in range(1000)}


def test_an_event_that_cannot_be_sent_fails_alone(hubs):
    acks, long, other = Acks(), "k" * 129, b"\xff"
    with opened(hubs.settings(), acks) as sink:
        send(sink, range(10))
        sink.send(key(0), b"x" * 1_200_000, 100)
        sink.send(long.encode(), b"x", 101)
        sink.send(other, b"x", 102)
        send(sink, range(10, 20))
        assert sink.flush(30) == 0
    assert acks.errors == {
        100: "too large: a publication has 1048576 bytes at most",
        101: "the key has 129 characters; a partition key has 128 at most",
        102: "the key is not UTF-8: a partition key is text",
    }
    assert sorted(acks) == [*range(20), 100, 101, 102]


@pytest.mark.parametrize(
    ("options", "may_double"),
    [
        (["--busy-every", "2"], False),
        (["--detach-every", "2"], False),
        (["--cut-every", "2", "--cut-when", "before"], False),
        (["--cut-every", "2", "--cut-when", "after"], True),
    ],
)
def test_no_fault_loses_an_event_or_breaks_the_order_of_a_key(tmp_path, options, may_double):
    acks, tokens = Acks(), range(120)
    with local_hubs(tmp_path, *options, hub=f"{HUB}:1") as hubs:
        with opened(hubs.settings(), acks) as sink:
            for start in range(0, 120, 40):  # several publications
                send(sink, range(start, start + 40))
                assert sink.flush(60) == 0
        found = arrived(hubs, 120, partitions=1)
    assert sorted(acks) == list(tokens)
    assert not acks.errors
    assert first_appearances(found) == expected(tokens)
    copies = Counter(token for ids in found.values() for token in ids)
    assert (max(copies.values()) > 1) == may_double


def test_what_is_refused_for_too_long_fails_with_the_reason(tmp_path):
    acks = Acks()
    with local_hubs(tmp_path, "--busy-every", "1") as hubs, opened(hubs.settings(delivery_timeout_s=0.5), acks) as sink:
        send(sink, range(10))
        assert sink.flush(30) == 0
    assert sorted(acks.errors) == list(range(10))
    assert any("server-busy" in error for error in acks.errors.values())
    assert all("server-busy" in error or "time was up" in error for error in acks.errors.values())


def test_a_full_sink_takes_nothing_and_holds_no_more_than_it_may(tmp_path):
    acks, token, most, refused = Acks(), 0, 0, 0
    slow = local_hubs(tmp_path, "--answer-after-s", "0.2", hub=f"{HUB}:1")
    with slow as hubs, opened(hubs.settings(max_open_events=10), acks) as sink:
        while token < 30:
            try:
                sink.send(key(token), value(token), token)
                token += 1
            except BufferError:
                refused += 1
                sink.poll(0.1)
            most = max(most, token - len(acks))
        assert sink.flush(30) == 0
    assert most == 10
    assert refused
    assert sorted(acks) == list(range(30))


def test_bytes_are_bounded_but_one_event_always_finds_room(hubs):
    acks = Acks()
    with opened(hubs.settings(max_open_bytes=100), acks) as sink:
        sink.send(b"k", b"x" * 500, 0)
        with pytest.raises(BufferError):
            sink.send(b"k", b"x", 1)
        assert sink.flush(30) == 0
        sink.send(b"k", b"x", 1)
        assert sink.flush(30) == 0
    assert sorted(acks) == [0, 1]


@pytest.fixture
def silent(tmp_path):
    """A namespace that stops to answer when it is told to, and answers again at the end."""
    with local_hubs(tmp_path) as hubs:
        yield hubs, lambda: os.kill(hubs.process.pid, signal.SIGSTOP), lambda: os.kill(hubs.process.pid, signal.SIGCONT)


def test_a_silent_namespace_is_waited_for_no_longer_than_was_asked(silent):
    hubs, stop, go_on = silent
    acks = Acks()
    with opened(hubs.settings(), acks) as sink:
        send(sink, range(5))
        assert sink.flush(30) == 0
        stop()
        send(sink, range(5, 20))
        assert sink.flush(0.3) == 15
        assert sorted(acks) == list(range(5))
        go_on()
        assert sink.flush(30) == 0
    assert sorted(acks) == list(range(20))
    assert not acks.errors


def test_what_is_open_when_a_sink_is_closed_is_reported_as_uncertain(silent, monkeypatch):
    hubs, stop, _ = silent
    monkeypatch.setattr(eventhubs, "CLOSE_S", 0.3)
    acks = Acks()
    sink = opened(hubs.settings(), acks)
    stop()
    send(sink, range(8))
    sink.close()
    assert sorted(acks.errors) == list(range(8))
    assert set(acks.errors.values()) == {"closed before an acknowledgement; it may have been stored"}
    with pytest.raises(C360Error, match="closed"):
        sink.send(b"k", b"v", 9)


def test_silence_ends_in_a_failure(silent, monkeypatch):
    hubs, stop, _ = silent
    monkeypatch.setattr(eventhubs, "GRACE_S", 0.1)
    monkeypatch.setattr(eventhubs, "CLOSE_S", 0.1)
    acks = Acks()
    with opened(hubs.settings(delivery_timeout_s=0.3), acks) as sink:
        stop()
        send(sink, range(8))
        assert sink.flush(10) == 0
    assert sorted(acks.errors) == list(range(8))


def test_a_namespace_that_cannot_be_used_is_said_before_anything_is_taken(hubs, tmp_path):
    with pytest.raises(C360Error, match=r"no-such-hub cannot be used: .*404"):
        EventHubsSink(hubs.settings(name="no-such-hub"), HUB)
    wrong = hubs.settings()
    wrong.eventhubs.connection_string_file.write_text(hubs.connection_string.replace("SharedAccessKey=", "SharedAccessKey=x"))
    with pytest.raises(C360Error, match="401") as caught:
        EventHubsSink(wrong, HUB)
    assert not caught.value.transient
    wrong.eventhubs.connection_string_file.write_text(hubs.connection_string.replace(f":{hubs.port}/", ":1/"))
    with pytest.raises(UnavailableError):
        EventHubsSink(wrong, HUB)


def test_a_connection_string_may_name_the_hub(hubs, tmp_path):
    named = tmp_path / "named"
    named.write_text(f"{hubs.connection_string};EntityPath={HUB}")
    assert eventhubs.client_of(EventHubs(connection_string_file=named), "a.topic").eventhub_name == HUB
    assert eventhubs.client_of(hubs.settings().eventhubs, "a.topic").eventhub_name == "a.topic"
    assert eventhubs.client_of(hubs.settings(name="other").eventhubs, "a.topic").eventhub_name == "other"


def test_settings_that_are_missing_or_wrong_say_what_to_do(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey")
    for settings, hint in (
        (EventHubs(), "C360_EVENTHUBS__CONNECTION_STRING_FILE"),
        (EventHubs(connection_string_file=tmp_path / "none"), "_FILE"),
        (EventHubs(connection_string_file=secret), "Endpoint=sb://"),
    ):
        with pytest.raises(ConfigError) as caught:
            eventhubs.client_of(settings, HUB)
        assert hint in caught.value.hint
        assert "SharedAccessKeyName=a" not in caught.value.message


def test_packages_that_are_missing_are_named(hubs, monkeypatch):
    for module in ("azure.identity", "websocket"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match="azure-identity") as caught:
        eventhubs.client_of(EventHubs(namespace="x.servicebus.windows.net"), HUB)
    assert "pip install" in caught.value.hint
    with pytest.raises(ConfigError, match="websocket-client"):
        EventHubsSink(hubs.settings(transport="websocket"), HUB)


def test_the_time_between_sending_and_giving_up_is_bounded_without_a_server(tmp_path):
    acks = Acks()
    with local_hubs(tmp_path) as hubs, opened(hubs.settings(delivery_timeout_s=0.6), acks) as sink:
        send(sink, range(4))
        assert sink.flush(30) == 0
        hubs.process.kill()
        hubs.process.wait()
        send(sink, range(4, 12))
        began = time.monotonic()
        assert sink.flush(60) == 0
        assert time.monotonic() - began < 30
    assert sorted(acks.errors) == list(range(4, 12))
