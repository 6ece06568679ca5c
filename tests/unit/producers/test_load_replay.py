"""Replays by real processes to the broker that librdkafka brings for tests: real protocol, no Java."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.settings import Kafka, Settings
from producers import load_replay, recorded, recording, wire
from producers.baskets import Basket
from producers.closing import Closing
from producers.latency import Latencies, line
from producers.ledger import Ledger
from producers.load_replay import Outcome, Replay
from producers.orders import OrderProducer
from producers.profile import Constant, Profile, Speed, Unlimited, parse_phases
from producers.recording import Recording
from producers.sinks import PACED, UNPACED, BulkKafkaSink, KafkaSink, open_sink
from producers.tally import Tally
from producers.wire import OrderCodec, order_schema
from producers.world import World

ROOT = Path(__file__).parents[3]
CODEC = OrderCodec(order_schema(), 3)
HOST = """
import sys, time
from confluent_kafka import Producer
host = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 0})
broker = next(iter(host.list_topics(timeout=5).brokers.values()))
print(f"{broker.host}:{broker.port}", flush=True)
time.sleep(600)
"""


@contextmanager
def broker() -> Iterator[tuple[Settings, subprocess.Popen[str]]]:
    """In a process of its own, which may be stopped or killed."""
    with subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        try:
            yield Settings(kafka=Kafka(bootstrap=host.stdout.readline().strip())), host
        finally:
            host.kill()


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with broker() as (found, _):
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "orders.rec"
    recorded.generated(path, 1_500, 1_000.0, 1, 40, 8)
    return path


def records(settings: Settings, topic: str, count: int) -> list[Message]:
    """Each partition's in their order; waits for so many, and a moment for more."""
    consumer = Consumer({**settings.kafka.client(), "group.id": "test"})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        found: list[Message] = []
        deadline = time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            found += [m for m in consumer.consume(1_000, timeout=0.2) if not m.error()]
        return found + [m for m in consumer.consume(10, timeout=0.3) if not m.error()]
    finally:
        consumer.close()


def samples(outcome: Outcome, name: str) -> int:
    total = Latencies.decode(outcome.result[name]).count
    assert total == sum(Latencies.decode(second[name]).count for second in outcome.result["by_second"])
    return total


def soak(rate: int, total: int) -> Profile:
    return Constant(total, Fraction(rate))


def test_restamped_events_are_new_ones_at_their_intended_times_and_each_is_accounted_for(settings: Settings, file: Path) -> None:
    job = Replay(settings, file, parse_phases("ramp:0-2000:1s,spike:3000:0.5s,soak:500:1s"), "new", 3, processes=3)
    outcome = load_replay.replay(job)
    result = outcome.result
    assert outcome.problems == []
    assert result["complete"]
    assert [result[n] for n in ("planned", "intended", "sent", "acked", "failed", "open")] == [3_000, 3_000, 3_000, 3_000, 0, 0]
    assert samples(outcome, "lateness_us") == samples(outcome, "ack_us") == 3_000
    by_second = result["by_second"]
    assert [s["intended"] for s in by_second] == [s["sent"] for s in by_second]
    assert [s["intended"] for s in by_second if s["intended"]] == [1_000, 1_750, 250]  # an ack may come in a later second
    assert sum(s["acked"] for s in by_second) == 3_000
    found = records(settings, "new", 3_000)
    events = [CODEC.decode(m.value() or b"") for m in found]
    assert all((m.value() or b"").startswith(wire.head(3)) for m in found)
    ids = Counter(e["event_id"] for e in events)
    assert len(ids) == len(found) == 3_000
    tag = result["tag"]
    assert {i.removeprefix(f"{tag}-000") for i in ids} == {f"{r}-G-1-{n}/placed" for r in (0, 1) for n in range(1, 1_501)}
    assert all(m.key() == e["order_id"].encode() and e["event_id"] == f"{e['order_id']}/placed" for m, e in zip(found, events, strict=True))
    times = sorted(e["event_ts"].timestamp() - result["started_at"] for e in events)
    due = job.profile.due_us(np.arange(3_000), np.arange(3_000)) / 1e6
    assert all(abs(a - b) < 1e-4 for a, b in zip(times, due.tolist(), strict=True))


def test_the_order_of_a_key_is_kept_over_processes(settings: Settings, tmp_path: Path) -> None:
    """Orders with several events each, which a shop does not have yet."""
    lines: dict[str, Any] = {"customer_id": None, "currency": "EUR", "campaign_id": None, "visitor_id": None, "lines": []}
    made = [
        recording.split(CODEC.encode({"event_id": f"e{n}", "order_id": f"o{n % 37}", "event_ts": 1_700_000_000_000_000 + n, **lines}))
        for n in range(2_000)
    ]
    recording.write(tmp_path / "keys.rec", made, order_schema(), {})
    for topic, profile in (("paced", Speed(4_000)), ("flood", Unlimited(4_000))):
        outcome = load_replay.replay(Replay(settings, tmp_path / "keys.rec", profile, topic, 3, processes=3))
        assert outcome.problems == []
        by_key = defaultdict(list)
        for message in records(settings, topic, 4_000):
            by_key[message.key()].append(int(CODEC.decode(message.value() or b"")["event_id"].partition("-e")[2]))
        assert len(by_key) == 74
        assert all(numbers == sorted(numbers) for numbers in by_key.values())
        assert sum(map(len, by_key.values())) == 4_000


def test_as_is_keeps_every_byte_and_the_ledger_enters_what_it_does_not_know(settings: Settings, file: Path, tmp_path: Path) -> None:
    job = Replay(settings, file, Speed(1_500, Fraction(10)), "as-is", 3, processes=2, as_is=True, ledger=tmp_path / "ledger")
    original = [v for b in Recording.open(file).read() for v in b.as_recorded(wire.head(3))[1]]
    with Ledger.open(tmp_path / "ledger", order_schema()) as shop:
        for intent in shop.intend(original[::2]):
            shop.acknowledge(intent, 0, intent.seq)
    for _ in range(2):
        assert load_replay.replay(job).problems == []
    assert Counter(m.value() for m in records(settings, "as-is", 3_000)) == dict.fromkeys(original, 2)
    assert sorted(Ledger.values(tmp_path / "ledger")) == sorted(original)
    view = Ledger.read(tmp_path / "ledger")
    assert len(view.acked) == len(view.intended) == 1_500


def test_as_is_is_refused_for_events_of_another_shop_and_for_more_than_there_are(settings: Settings, file: Path, tmp_path: Path) -> None:
    first = next(Recording.open(file).read()).as_recorded(wire.head(3))[1][0]
    with Ledger.open(tmp_path / "ledger", order_schema()) as shop:
        shop.intend([recording.split(first)._replace(event_ts=1_700_000_000_000_000).value(wire.head(3))])
    with pytest.raises(ConfigError, match="of another shop"):
        load_replay.replay(Replay(settings, file, Speed(1_500), "refused", 3, as_is=True, ledger=tmp_path / "ledger"))
    with pytest.raises(ConfigError, match="1,501 events are asked for"):
        load_replay.replay(Replay(settings, file, Speed(1_501), "refused", 3, as_is=True))
    assert records(settings, "refused", 0) == []


def test_the_ledger_and_the_topic_agree_after_a_replay_by_several(settings: Settings, file: Path, tmp_path: Path) -> None:
    job = Replay(settings, file, soak(3_000, 2_000), "ledger", 3, processes=2, ledger=tmp_path)
    outcome = load_replay.replay(job)
    assert outcome.result["tag"] == "L000001"
    view = Ledger.read(tmp_path)
    places = {(m.partition(), m.offset()): CODEC.decode(m.value() or b"") for m in records(settings, "ledger", 2_000)}
    assert len(view.acked) == len(view.intended) == len(places) == 2_000
    assert all(places[e["partition"], e["offset"]]["event_id"] == event_id for event_id, e in view.acked.items())
    assert load_replay.replay(job).result["tag"] == "L000004"  # the run of the replay, then those of its processes
    assert len(Ledger.read(tmp_path).acked) == 4_000


def test_a_damaged_file_is_refused_before_anything_is_sent(settings: Settings, file: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.rec"
    torn.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(C360Error, match="damaged"):
        load_replay.replay(Replay(settings, torn, Speed(1_500), "damaged", 3))
    assert records(settings, "damaged", 0) == []


def test_nobody_answers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producers.sinks.CONNECT_S", 0.2)
    nobody = Settings(kafka=Kafka(bootstrap="127.0.0.1:1"))
    with pytest.raises(UnavailableError, match="does not answer"):
        open_sink("kafka", nobody, "x")
    with pytest.raises(C360Error, match="does not answer"):  # the words of the process that could not begin
        load_replay.replay(Replay(nobody, file, Speed(10), "x", 3, processes=2))


def when_sent(count: int, act: Callable[[], None]) -> Callable[[str, float], None]:
    """A note that acts once, when so many are sent."""
    done: list[int] = []

    def note(text: str, share: float) -> None:
        if not done and " sent, " in text and int(text.split(" of ")[0].replace(",", "")) >= count:
            done.append(1)
            act()

    return note


def the(name: str) -> int:
    (found,) = [p.pid for p in multiprocessing.active_children() if p.name == name]
    assert found is not None
    return found


def test_a_stopped_process_shows_as_lateness_and_not_as_missing_samples(settings: Settings, file: Path) -> None:
    def pause() -> None:
        pid = the("replay-0")
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(2.0, os.kill, (pid, signal.SIGCONT)).start()

    outcome = load_replay.replay(Replay(settings, file, soak(500, 2_500), "paused", 3), when_sent(300, pause))
    assert outcome.problems == []
    late = Latencies.decode(outcome.result["lateness_us"])
    assert samples(outcome, "lateness_us") == samples(outcome, "ack_us") == 2_500
    assert late.max_us >= 2_000_000 * 0.999
    assert late.percentile_us(70) >= 400_000  # a thousand of 2,500 were due meanwhile, most of them half a second or more before its end
    assert [s["intended"] for s in outcome.result["by_second"]][:5] == [500] * 5


def test_a_killed_process_is_told_with_what_it_had_handed_over(settings: Settings, file: Path, tmp_path: Path) -> None:
    kill = when_sent(300, lambda: os.kill(the("replay-1"), signal.SIGKILL))
    outcome = load_replay.replay(Replay(settings, file, soak(500, 50_000), "killed", 3, processes=2, ledger=tmp_path), kill)
    assert any("process 1 died: signal SIGKILL (it had handed over " in p for p in outcome.problems)
    assert not outcome.result["complete"]
    assert 300 <= outcome.result["sent"] < 50_000
    assert len(Ledger.read(tmp_path).intended) >= outcome.result["sent"]
    assert multiprocessing.active_children() == []


def test_what_a_killed_replay_left_open_is_sent_by_the_next_start_of_the_shop(file: Path, world: World, tmp_path: Path) -> None:
    with broker() as (found, host):

        def kill() -> None:
            host.send_signal(signal.SIGSTOP)  # from now on nothing is acknowledged
            time.sleep(1)
            os.kill(the("replay-0"), signal.SIGKILL)

        load_replay.replay(Replay(found, file, soak(500, 50_000), "left", 3, ledger=tmp_path), when_sent(300, kill))
        host.send_signal(signal.SIGCONT)
        before = Ledger.read(tmp_path)
        assert len(before.intended) > len(before.acked) > 0
        stop, visits = threading.Event(), SimpleQueue[Basket]()
        with Ledger.open(tmp_path, order_schema()) as shop:
            producer = OrderProducer(found.kafka, CODEC, shop, Tally(time.monotonic()), Closing(stop), topic="left")
            threading.Timer(2, stop.set).start()
            producer.run(world, Random(1), visits, 5)
        after = Ledger.read(tmp_path)
        assert before.intended.keys() <= after.acked.keys() == after.intended.keys()
        topic = {CODEC.decode(m.value() or b"")["event_id"] for m in records(found, "left", len(after.acked))}
        assert topic == after.acked.keys()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_flushes_and_tells_what_was_sent(settings: Settings, file: Path, tmp_path: Path, sent: int) -> None:
    topic = f"interrupted-{sent}"
    KafkaSink(settings, topic).close()  # a producer that asks for a topic makes it
    into = ["--bootstrap", settings.kafka.bootstrap, "--topic", topic, "--schema-id", "3", "--json", str(tmp_path / "r.json")]
    args = ["load", "replay", str(file), "--rate", "300", "--for", "10m", "--processes", "2", *into]
    command = [sys.executable, "-m", "commerce360.cli.main", *args]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        while len(records(settings, topic, 200)) < 200:
            assert run.poll() is None, run.stderr and run.stderr.read()
        os.killpg(run.pid, sent) if sent == signal.SIGINT else run.send_signal(sent)  # a terminal's Ctrl-C reaches all of them
        out, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "events sent" in out
    assert err.strip() == "stopped"
    result = json.loads((tmp_path / "r.json").read_text())
    assert not result["complete"]
    assert result["interrupted"]
    assert 200 <= result["sent"] == result["acked"] <= result["intended"] < result["planned"]
    assert len(records(settings, topic, result["sent"])) == result["sent"]


def test_idle_lateness_is_printed(settings: Settings, file: Path) -> None:
    """Not asserted: machines are shared. `benchmarks/replay.py` measures it."""
    outcome = load_replay.replay(Replay(settings, file, soak(50, 100), "idle", 3))
    print(f"idle at 50/s: {line(Latencies.decode(outcome.result['lateness_us']).told())}; {outcome.result['cpu_s']} s of processor")
    assert samples(outcome, "lateness_us") == 100


def test_without_a_limit_everything_is_due_at_once_and_counted(settings: Settings, file: Path, tmp_path: Path) -> None:
    for ledger, acks in ((None, 0), (tmp_path, 5_000)):
        outcome = load_replay.replay(Replay(settings, file, Unlimited(5_000), "unlimited", 3, ledger=ledger))
        assert outcome.problems == []
        assert outcome.result["unlimited"]
        assert [outcome.result[n] for n in ("intended", "sent", "acked", "failed")] == [5_000, 5_000, 5_000, 0]
        assert samples(outcome, "lateness_us") == 5_000
        assert samples(outcome, "ack_us") == acks
        assert sum(s["acked"] for s in outcome.result["by_second"]) == 5_000
    assert len(records(settings, "unlimited", 10_000)) == 10_000
    assert len(Ledger.read(tmp_path).acked) == 5_000


def test_what_the_client_gives_up_is_told_with_its_reason() -> None:
    told: list[tuple[int, int, int, str | None]] = []
    with broker() as (found, host):
        sink = KafkaSink(found, "lost", {**PACED, "message.timeout.ms": 1_500})
        bulk = BulkKafkaSink(found, "lost", {**UNPACED, "message.timeout.ms": 1_500})
        sink.on_ack = lambda *ack: told.append(ack)
        sink.send(b"k", b"v", 1)
        sink.send(b"k", b"v" * 2_000_000, 2)
        assert bulk.send_all([b"k"] * 3, [b"v", b"v" * 2_000_000, b"v"]) == 1  # the next call meets the one that is too large
        assert bulk.send_all([b"k"] * 2, [b"v" * 2_000_000, b"v"]) == 1
        assert sink.flush(10) == bulk.flush(10) == 0
        host.kill()
        host.wait()
        for token in range(3, 10):
            sink.send(b"k", b"v", token)
        assert bulk.send_all([b"k"] * 20, [b"v"] * 20) == 20
        deadline = time.monotonic() + 30
        while (sink.flush(0.5) or bulk.flush(0.5)) and time.monotonic() < deadline:
            pass
        sink.close()
        bulk.close()
    assert sorted(token for token, *_ in told) == list(range(1, 10))
    assert [error for token, _, offset, error in sorted(told) if offset >= 0] == [None]
    assert all(error for token, _, _, error in told if token > 1)
    assert bulk.failures.total() == 21
    assert bulk.waiting == 0


def test_a_full_queue_is_a_buffer_error(settings: Settings) -> None:
    sink = KafkaSink(settings, "full", {**PACED, "queue.buffering.max.messages": 5, "linger.ms": 1_000})
    bulk = BulkKafkaSink(settings, "full", {**UNPACED, "queue.buffering.max.messages": 5, "linger.ms": 1_000})
    for token in range(5):
        sink.send(b"k", b"v", token)
    with pytest.raises(BufferError):
        sink.send(b"k", b"v", 5)
    assert bulk.send_all([b"k"] * 10, [b"v"] * 10) == 5
    assert bulk.send_all([b"k"], [b"v"]) == 0
    assert sink.flush(10) == bulk.flush(10) == 0


def test_the_sink_of_another_package_is_asked_for_by_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "producers.eventhubs", None)
    with pytest.raises(ConfigError, match="eventhubs cannot be used") as caught:
        open_sink("eventhubs", settings, "x")
    assert "commerce360[eventhubs]" in caught.value.hint
