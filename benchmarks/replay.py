"""A replay at full speed against Kafka's own producer-perf-test, and how late an idle sender is: `python benchmarks/replay.py`.

Both send to one real broker, one process each, in turn, several rounds, each round to topics of its own: `c360 load replay --rate max` from
a recording, with new ids and times; and ProducerPerformance with a file of the same values. Same acks, compression, linger and
batch size. The ratio is that of the medians; at least 1 is wanted. Rates are those that each tells of itself: from its first event to the
last acknowledgement, without the start of its process.

| not the same | because |
|---|---|
| the bytes of perf-test's values are below 128 | it reads them as text; lengths are the same, and compressed sizes are told |
| ours have keys, so that they go to a partition by hash | perf-test has none, and fills one partition's batch after the other |

What a replay takes of Python is told as well: to read and re-stamp an event. librdkafka's own threads compress and send beside it.
`--bootstrap` measures against a broker that runs; otherwise one is started. `--quick` is for a try.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from commerce360.local import addresses, environment
from commerce360.local.bootstrap import jars, java
from commerce360.local.services.java import Kafka as KafkaService
from commerce360.local.state import State
from commerce360.local.supervisor import Supervisor
from commerce360.settings import Kafka, Settings
from producers import load_replay, recorded, wire
from producers.latency import Latencies, line
from producers.load_plan import Stamp, chunks
from producers.load_replay import Replay
from producers.profile import Constant, Unlimited
from producers.recording import Recording
from producers.sinks import UNPACED
from schemas.topics import ORDER_EVENTS

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "stack"))
from local_ports import new_state

DELIMITER = "@#@#@"
SAME = ("acks", "compression.type", "linger.ms", "batch.size", "enable.idempotence")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", default="")
    parser.add_argument("--count", type=int, default=2_000_000, help="events of a round, of each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle-s", type=float, default=30.0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/bench/replay.json"))
    given = parser.parse_args(arguments)
    if given.quick:
        given.count, given.rounds, given.idle_s = 500_000, 3, 8.0
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0], "count": given.count, "rounds": given.rounds}
    with tempfile.TemporaryDirectory() as folder, serving(given.bootstrap, Path(folder) / "state") as settings:
        recording = recorded.generated(Path(folder) / "orders.rec", 50_000, 1_000.0, 1, 2_000, 200)
        payload = Path(folder) / "payload"
        found["value_bytes"] = write_payload(recording, payload)
        found["prepare_us"] = prepare_us(recording)
        found |= throughput(settings, recording, payload, given.count, given.rounds)
        found["idle"] = {str(rate): idle(settings, recording, rate, given.idle_s) for rate in (10, 1_000)}
    found["load_after"] = os.getloadavg()[0]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))


def table(found: dict[str, Any]) -> str:
    lines = [
        f"{found['rounds']} rounds of {found['count']:,} events of {found['value_bytes']:.0f} bytes, load {found['load_before']:.1f}",
        f"replay      {found['replay_per_s']:>9,} events/s   {found['replay_bytes']:.0f} bytes an event in the log",
        f"perf-test   {found['perf_per_s']:>9,} events/s   {found['perf_bytes']:.0f} bytes an event in the log",
        f"ratio       {found['ratio']:>9.2f}   (rounds {', '.join(f'{r:.2f}' for r in found['ratios'])}; at least 1 is wanted)",
        f"of a replay's event Python prepares {found['prepare_us']:.2f} µs; its process takes {found['replay_cpu_us']:.2f} µs in all",
    ]
    for rate, idle_ in found["idle"].items():
        lines.append(f"idle at {rate}/s: late by {line(idle_['late_us'])}; {idle_['cores']:.1%} of a core")
    return "\n".join(lines)


@contextmanager
def serving(bootstrap: str, root: Path) -> Iterator[Settings]:
    if bootstrap:
        yield Settings(kafka=Kafka(bootstrap=bootstrap))
        return
    addresses.isolate()
    state = State.open(new_state(root))
    supervisor = Supervisor(state.root / "run", state.root / "logs", [KafkaService(state, java.find_java(17))])
    try:
        supervisor.start("kafka")
        supervisor.wait_ready("kafka")
        yield environment.settings_of(state)
    finally:
        supervisor.stop_all()


def write_payload(recording: Recording, path: Path) -> float:
    """The values of a replay as perf-test can read them; their mean length."""
    values = [v for chunk in chunks(recording, Unlimited(recording.count), Stamp("Xaaaaaa", wire.head(1), 10**15)) for v in chunk.values]
    plain = [bytes(byte & 0x7F for byte in value) for value in values]
    assert not any(DELIMITER.encode() in value for value in plain)
    path.write_bytes(DELIMITER.encode().join(plain))
    return sum(map(len, values)) / len(values)


def prepare_us(recording: Recording) -> float:
    """Of one event, nothing else done: the least of some rounds."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in chunks(recording, Unlimited(recording.count), Stamp("Xaaaaaa", wire.head(1), 10**15)):
            pass
        taken.append((time.perf_counter() - began) / recording.count * 1e6)
    return round(min(taken), 3)


def throughput(settings: Settings, recording: Recording, payload: Path, count: int, rounds: int) -> dict[str, Any]:
    ours, theirs, cpu_us, sizes = [], [], [], []
    for number in range(rounds + 1):
        with topic(settings, f"bench.replay.{number}") as (name, size_of):
            result = replayed(settings, recording, name, Unlimited(count if number else count // 10))
            mine, my_size = result["acked"] / result["took_s"], size_of()
        with topic(settings, f"bench.perf.{number}") as (name, size_of):
            yours, your_size = perf_test(settings, payload, name, count if number else count // 10), size_of()
        if number:  # the first round is for the broker's code to become warm
            ours.append(mine)
            theirs.append(yours)
            cpu_us.append(result["cpu_s"] / count * 1e6)
            sizes.append((my_size / count, your_size / count))
    return {
        "replay_per_s": round(median(ours)),
        "perf_per_s": round(median(theirs)),
        "ratio": round(median(ours) / median(theirs), 3),
        "ratios": [round(a / b, 3) for a, b in zip(ours, theirs, strict=True)],
        "replay_cpu_us": round(median(cpu_us), 3),
        "replay_bytes": round(median(a for a, _ in sizes), 1),
        "perf_bytes": round(median(b for _, b in sizes), 1),
    }


@contextmanager
def topic(settings: Settings, name: str) -> Iterator[tuple[str, Callable[[], int]]]:
    """A topic for a while, and how large its log is."""
    admin = AdminClient(settings.kafka.client())
    new = NewTopic(name, num_partitions=ORDER_EVENTS.partitions, replication_factor=1, config=ORDER_EVENTS.config())
    admin.create_topics([new])[name].result()

    def size() -> int:
        where = admin.describe_configs([ConfigResource(ConfigResource.Type.BROKER, "1")])
        folder = Path(next(iter(where.values())).result()["log.dirs"].value)
        return sum(f.stat().st_size for f in folder.glob(f"{name}-*/*.log")) if folder.is_dir() else 0

    try:
        yield name, size
    finally:
        admin.delete_topics([name])[name].result()


def replayed(settings: Settings, recording: Recording, topic: str, profile: Any) -> dict[str, Any]:
    outcome = load_replay.replay(Replay(settings, recording.path, profile, topic, schema_id=1))
    assert outcome.problems == []
    assert outcome.result["acked"] == profile.total
    return outcome.result


def perf_test(settings: Settings, payload: Path, topic: str, count: int) -> float:
    told = [f"{name}={str(UNPACED[name]).lower()}" for name in SAME]
    options = ["--topic", topic, "--num-records", str(count), "--payload-file", str(payload), "--payload-delimiter", DELIMITER]
    where = ["--bootstrap-server", settings.kafka.bootstrap, "--throughput", "-1", "--command-property", *told]
    run = [str(java.find_java(17) / "bin" / "java"), "-Xmx512m", "-cp", jars.classpath("kafka")]
    done = subprocess.run(
        [*run, "org.apache.kafka.tools.ProducerPerformance", *options, *where], capture_output=True, text=True, check=True
    )
    last = [text for text in done.stdout.splitlines() if text.startswith(f"{count} records sent")][-1]
    found = re.search(r"([\d.]+) records/sec", last)
    assert found, done.stdout[-500:]
    return float(found[1])


def idle(settings: Settings, recording: Recording, rate: int, seconds: float) -> dict[str, Any]:
    with topic(settings, f"bench.idle.{rate}") as (name, _):
        result = replayed(settings, recording, name, Constant(round(rate * seconds), Fraction(rate)))
    late, acked = (Latencies.decode(result[name]).told() for name in ("lateness_us", "ack_us"))
    return {"late_us": late, "ack_us": acked, "cores": round(result["cpu_s"] / result["took_s"], 4)}


if __name__ == "__main__":
    main()
