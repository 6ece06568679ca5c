"""A consumer that only takes the time: `python -m commerce360.load.consumer OUT`, until SIGTERM.

It reads the order events from the topic's end on, and writes for each event of a replay when it was meant to be and how much later it was
here: OUT.npz with arrays `tag` (text), `event_ts` and `late_us` (microseconds, i64). It is a process of its own, so that nothing of the
run holds it up.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from commerce360 import service
from commerce360.errors import C360Error
from commerce360.settings import Kafka, Settings
from producers.load_plan import TAG_LENGTH
from producers.recording import split
from schemas.topics import ORDER_EVENTS

if TYPE_CHECKING:
    from confluent_kafka import Message

AT_ONCE = 1_000
WAIT_S = 0.1


class Arrivals:
    """What came, by the replay that sent it."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[list[int], list[int]]] = {}

    def note(self, messages: Iterable[Message], now_us: int) -> None:
        for message in messages:
            key, value = message.key(), message.value()
            if message.error() is not None or key is None or value is None or key[:1] != b"L":
                continue
            try:
                event_ts = split(value).event_ts
            except (C360Error, ValueError, IndexError):
                continue  # the lake's dead letters tell of it
            times, late = self._found.setdefault(key[:TAG_LENGTH].decode("utf-8", "replace"), ([], []))
            times.append(event_ts)
            late.append(now_us - event_ts)

    def write(self, path: Path) -> None:
        times, late = ([n for found in self._found.values() for n in found[at]] for at in (0, 1))
        tags = [tag for tag, found in self._found.items() for _ in found[0]]
        part = path.with_suffix(".part.npz")
        np.savez(part, tag=np.array(tags, dtype="U"), event_ts=np.array(times, np.int64), late_us=np.array(late, np.int64))
        part.replace(path)


def read(kafka: Kafka, stop: Callable[[], bool], ready: Callable[[], None] = lambda: None) -> Arrivals:
    """From the topic's end until `stop`. `ready` is called once it stands there."""
    from confluent_kafka import Consumer, TopicPartition

    arrivals = Arrivals()
    options: dict[str, str | int | bool] = {"group.id": "c360-load", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
    consumer = Consumer(kafka.client(**options))
    try:
        parts = consumer.list_topics(ORDER_EVENTS.name, timeout=10).topics[ORDER_EVENTS.name].partitions
        ends = [(p, consumer.get_watermark_offsets(TopicPartition(ORDER_EVENTS.name, p), timeout=10)[1]) for p in parts]
        consumer.assign([TopicPartition(ORDER_EVENTS.name, p, end) for p, end in ends])
        ready()
        while not stop():
            first = consumer.poll(WAIT_S)  # `consume` would wait for more of them, and its wait would count as Kafka's
            now_us = time.time_ns() // 1000
            if first is not None:
                arrivals.note([first, *consumer.consume(AT_ONCE, 0)], now_us)
    finally:
        consumer.close()
    return arrivals


def main(settings: Settings, stop: threading.Event) -> None:
    out, parent = Path(sys.argv[1]), os.getppid()
    # Who started it may be killed: nobody would end it then.
    found = read(settings.kafka, lambda: stop.is_set() or os.getppid() != parent, out.with_suffix(".ready").touch)
    found.write(out)


if __name__ == "__main__":
    service.run("load-consumer", main)
