"""How settings and stored offsets are read, and that a look never takes longer than its time."""

from __future__ import annotations

import threading
import time

import pytest
import typer

from commerce360.cli.connect.duration import seconds
from commerce360.errors import C360Error, ConfigError
from connect_configs.client import Connect
from connect_configs.http import ConnectError, ConnectUnavailableError
from connect_configs.watching.liveness import (
    Activity,
    Once,
    _facts,
    _is_closed,
    heartbeat_interval_s,
    heartbeat_topic,
    in_parallel,
    position_s,
    topics_of,
)

POSTGRES = {"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": "oltp"}
MONGO = {"connector.class": "com.mongodb.kafka.connect.MongoSourceConnector"}
REAL = '{"_data": "826745F1C2000000012B042C0100296E5A1004"}'
STAND_IN = '{"_data": "3300000010730038000000117400010000007e4f066b026e000d"}'


def test_where_heartbeats_go() -> None:
    on = {"heartbeat.interval.ms": "3000"}
    assert heartbeat_topic({**POSTGRES, **on}) == "__debezium-heartbeat.oltp"
    assert heartbeat_topic({**POSTGRES, **on, "topic.heartbeat.prefix": "beat"}) == "beat.oltp"
    assert heartbeat_topic({**MONGO, **on}) == "__mongodb_heartbeats"
    assert heartbeat_topic({**MONGO, **on, "heartbeat.topic.name": "mine"}) == "mine"
    assert [heartbeat_topic(POSTGRES), heartbeat_topic({"connector.class": "x", **on})] == ["", ""]
    assert [heartbeat_interval_s(c) for c in (on, {}, {"heartbeat.interval.ms": "${env:X}"})] == [3.0, None, None]


def test_positions_of_both_sources() -> None:
    debezium = {"partition": {"server": "oltp"}, "offset": {"lsn": 26698680, "ts_usec": 1795575820768175}}
    assert position_s([debezium]) == 1795575820.768175
    assert position_s([{"partition": {}, "offset": {"_id": REAL, "HEARTBEAT": "true"}}]) == float(0x6745F1C2)
    assert position_s([{"partition": {}, "offset": None}, debezium]) == 1795575820.768175


@pytest.mark.parametrize("token", [STAND_IN, None, "", "{}", "[]", '{"_data": 5}', '{"_data": "82zzzzzzzz00"}', '{"_data": "82"}', 7])
def test_a_token_of_another_shape_holds_no_time(token: object) -> None:
    assert position_s([{"partition": {}, "offset": {"_id": token}}]) is None


def test_a_job_that_hangs_is_left_out_and_a_refusal_is_an_answer() -> None:
    never = threading.Event()

    def refused() -> None:
        raise ConfigError("no")

    began = time.monotonic()
    found = in_parallel({("hangs", ""): never.wait, ("is", "done"): lambda: 5, ("is", "refused"): refused}, budget_s=0.3)
    assert time.monotonic() - began < 5
    assert found["is", "done"] == 5
    assert isinstance(found["is", "refused"], ConfigError)
    assert ("hangs", "") not in found


def test_a_mistake_of_ours_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        in_parallel({("a", "b"): lambda: 1 / 0}, budget_s=5)


def test_a_question_is_put_once_also_when_it_is_refused() -> None:
    asked: list[int] = []

    def refused() -> None:
        asked.append(1)
        raise ConfigError("no")

    once = Once(refused)
    for _ in range(2):
        with pytest.raises(C360Error):
            once()
    assert asked == [1]


class Topics(Connect):
    """Answers as a worker does that takes no slash in an address."""

    def topics(self, name: str) -> list[str]:
        if "/" in name:
            raise ConnectError("this worker takes no such name in an address", "", 400)
        return [f"topic-of-{name}"]


class Away(Connect):
    def topics(self, name: str) -> list[str]:
        raise ConnectUnavailableError("nothing listens there")


def test_one_name_that_no_address_takes_blinds_nobody_for_the_others() -> None:
    topics, refused = topics_of(Topics("http://127.0.0.1:1"), ["a", "a/b", "c"])
    assert topics == {"a": ["topic-of-a"], "a/b": [], "c": ["topic-of-c"]}
    assert refused == {"a/b": "this worker takes no such name in an address"}
    with pytest.raises(ConnectUnavailableError):
        topics_of(Away("http://127.0.0.1:1"), ["a", "b"])


def test_and_of_itself_the_reason_is_told() -> None:
    activity = {"a": Activity(1.0, 2.0, 3.0), "a/b": Activity(heartbeat_age_s=4.0, refused="no such name")}
    done = {("kafka", ""): activity, ("offsets", "a"): [], ("offsets", "a/b"): []}
    fine, odd = (_facts(name, {"heartbeat.interval.ms": "1000", **MONGO}, True, done) for name in ("a", "a/b"))
    assert (fine.heartbeat_age_s, fine.record_age_s, fine.records_per_s) == (1.0, 2.0, 3.0)
    assert (odd.heartbeat_age_s, odd.record_age_s, odd.records_per_s) == (4.0, None, None)
    assert {k: v for k, v in odd.unseen.items() if "record" in k} == {"record_age_s": "no such name", "records_per_s": "no such name"}


def test_hosts_of_a_mongodb_address() -> None:
    assert _is_closed("mongodb://u:p@127.0.0.1:1,127.0.0.1:2/db?replicaSet=x")
    assert not _is_closed("mongodb+srv://u:p@cluster.example.invalid/db")
    assert not _is_closed("mongodb://%2Ftmp%2Fmongodb.sock/db")


@pytest.mark.parametrize(("text", "value"), [("500ms", 0.5), ("10s", 10.0), ("2m", 120.0), ("1h", 3600.0), ("7", 7.0), ("1.5 S", 1.5)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "5x", "-1s", "s", "1m30s", "nan", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        seconds(text)
