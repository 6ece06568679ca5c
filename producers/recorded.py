"""Where recorded events come from: records of a topic, or orders drawn for the purpose."""

from __future__ import annotations

import datetime as dt
import heapq
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import BinaryIO

from commerce360.errors import C360Error
from commerce360.settings import Shop
from producers import baskets, catalogue, recording, wire
from producers.people import People
from producers.recording import Event, Recording
from producers.world import World

RUN = 200_000  # events that are sorted at once, some 50 MB
BEGAN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # of generated orders; replayed ones get other times
KeyAndValue = tuple[bytes | None, bytes | None]


def from_records(
    path: Path,
    records: Iterable[KeyAndValue],
    schema_id: int,
    origin: dict[str, object],
    since_us: int | None = None,
    until_us: int | None = None,
    last: int | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> tuple[Recording, Counter[str]]:
    """Record those with times from `since_us` and before `until_us`, of them the `last` so many; and what was left out, by reason.

    The intended time of an event is its event_ts. Repeats of an event are left out, as are records that are no order events of our
    schema. Each partition's records come in their order; memory is bounded, the rest waits in files beside `path`.
    """
    reader = _Reader(schema_id, since_us, until_us)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        runs = _sorted_runs(reader.events(records, note), Path(folder))
        skip = 0
        if last is not None:
            skip = max(0, sum(1 for _ in _each_once(_merged(runs), Counter())) - last)
        repeats: Counter[str] = Counter()
        made = recording.write(path, islice(_each_once(_merged(runs), repeats), skip, None), wire.order_schema(), origin)
    return made, reader.left_out + repeats


class _Reader:
    def __init__(self, schema_id: int, since_us: int | None, until_us: int | None) -> None:
        schema = wire.order_schema()
        if not recording.fits(schema):
            raise C360Error("order events do not begin with their ids and their time any more", "recordings need a new format")
        self._codec = wire.OrderCodec(schema, schema_id)
        self._since_us, self._until_us = since_us or 0, until_us or 1 << 62
        self.left_out: Counter[str] = Counter()

    def events(self, records: Iterable[KeyAndValue], note: Callable[[str], None]) -> Iterator[Event]:
        kept = 0
        for number, (key, value) in enumerate(records, 1):
            try:
                event = self._event(key, value)
            except ValueError as error:
                self.left_out[str(error)] += 1
                continue
            if number % 10_000 == 0:
                note(f"{number:,} records read, {kept:,} kept")
            if self._since_us <= event.event_ts < self._until_us:
                kept += 1
                yield event
            else:
                self.left_out["at another time"] += 1

    def _event(self, key: bytes | None, value: bytes | None) -> Event:
        """Raises ValueError with the reason for what cannot be recorded."""
        if value is None or not value.startswith(wire.MAGIC):
            raise ValueError("no value in the registry's format")
        if not value.startswith(self._codec.head):
            raise ValueError("of another schema")
        if not self._codec.is_whole(value):
            raise ValueError("cannot be decoded")
        event = recording.split(value)
        if key != event.order_id:
            raise ValueError("its key is not its order id")
        return event


def _sorted_runs(events: Iterator[Event], folder: Path) -> list[Path]:
    runs: list[Path] = []
    while some := list(islice(events, RUN)):
        some.sort(key=attrgetter("event_ts"))
        runs.append(folder / f"run-{len(runs)}")
        with runs[-1].open("wb") as out:
            for event in some:
                value = event.value(bytes(wire.HEADER_BYTES))
                out.write(len(value).to_bytes(4, "big") + value)
    return runs


def _merged(runs: list[Path]) -> Iterator[Event]:
    """Equal times in the order in which they were read."""
    return heapq.merge(*map(_read_run, runs), key=attrgetter("event_ts"))


def _read_run(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        while length := file.read(4):
            yield recording.split(_exactly(file, int.from_bytes(length, "big")))


def _exactly(file: BinaryIO, length: int) -> bytes:
    found = file.read(length)
    assert len(found) == length
    return found


def _each_once(events: Iterable[Event], repeats: Counter[str]) -> Iterator[Event]:
    """A repeat has the same bytes, so it has the same time and is near."""
    time, seen = -1, set[Event]()
    for event in events:
        if event.event_ts != time:
            time, seen = event.event_ts, set()
        if event in seen:
            repeats["a repeat"] += 1
            continue
        seen.add(event)
        yield event


def generated(path: Path, count: int, per_s: float, seed: int, customers: int, products: int) -> Recording:
    """`count` web orders at a constant rate, drawn as the shop draws them. The same arguments give the same bytes."""
    shop = Shop()
    rng, people = Random(shop.seed), People(shop.seed)
    world = World([people.meet(rng, n, BEGAN) for n in range(1, customers + 1)], catalogue.make(rng, products, BEGAN))
    codec = wire.OrderCodec(wire.order_schema(), 0)
    draw, began_us = Random(f"{seed}/load"), int(BEGAN.timestamp()) * 1_000_000

    def events() -> Iterator[Event]:
        for number in range(count):
            order = baskets.draw_order(draw, world, f"G-{seed}-{number + 1}")
            yield recording.split(codec.encode(baskets.event(order, began_us + int(number * 1e6 / per_s))))

    origin = {"generated": count, "per_s": per_s, "seed": seed, "customers": customers, "products": products}
    return recording.write(path, events(), codec.schema, origin)
