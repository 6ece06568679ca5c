"""The sender on a clock of its own: what is due when, what is counted, what is told. With processes and Kafka: test_load_replay."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commerce360.errors import C360Error
from producers.latency import BySecond
from producers.ledger import Ledger
from producers.load_plan import Chunk
from producers.load_sender import Book, Counted, Each, Sender, Sent
from producers.sinks import OnAck
from producers.wire import OrderCodec, order_schema

CODEC = OrderCodec(order_schema(), 7)


class Hands:
    """A clock that goes on when somebody waits, and a microsecond with each look."""

    def __init__(self) -> None:
        self.us = -500
        self.jumps: dict[int, int] = {}  # at which moment it is held up, and for how long

    def now_us(self) -> int:
        self.us += 1
        return self.us

    def sleep(self, seconds: float) -> None:
        self.us += round(seconds * 1e6)
        for moment in [m for m in self.jumps if m <= self.us]:
            self.us += self.jumps.pop(moment)


class Shelf:
    """A sink with room for so many, that acknowledges what lies there a while."""

    def __init__(self, hands: Hands, room: int = 10**9, takes_us: int = 300) -> None:
        self.hands, self.room, self.takes_us = hands, room, takes_us
        self.on_ack: OnAck = lambda *_: None
        self.events: list[tuple[bytes, bytes, int]] = []  # key, value, when
        self.waiting: deque[tuple[int, int]] = deque()  # token, when it is acknowledged
        self.fails: Callable[[int], str | None] = lambda token: None
        self.gone_after = 10**9
        self.stuck = False

    def send(self, key: bytes, value: bytes, token: int) -> None:
        if len(self.events) >= self.gone_after:
            raise C360Error("the client cannot go on")
        if len(self.waiting) >= self.room:
            raise BufferError
        self.events.append((key, value, self.hands.us))
        self.waiting.append((token, self.hands.us + self.takes_us))

    def poll(self, timeout_s: float) -> None:
        if timeout_s:
            wanted = self.waiting[0][1] if self.waiting and not self.stuck else 10**12
            self.hands.sleep(max(0.0, min(timeout_s, (wanted - self.hands.us) / 1e6)))
        while self.waiting and not self.stuck and self.waiting[0][1] <= self.hands.us:
            token, _ = self.waiting.popleft()
            error = self.fails(token)
            self.on_ack(token, *((-1, -1) if error else (0, token)), error)

    def flush(self, timeout_s: float) -> int:
        self.poll(timeout_s)
        return len(self.waiting)

    def close(self) -> None: ...


def value(number: int) -> bytes:
    facts: dict[str, Any] = {"customer_id": None, "currency": "EUR", "campaign_id": None, "visitor_id": None, "lines": []}
    return CODEC.encode({"event_id": f"e{number}", "order_id": f"o{number}", "event_ts": 1_700_000_000_000_000, **facts})


def pieces(due: Iterable[int], size: int = 10) -> Iterator[Chunk]:
    every = list(due)
    for at in range(0, len(every), size):
        some = every[at : at + size]
        numbers = range(at, at + len(some))
        yield Chunk(np.array(some, np.int64), some, [f"o{n}".encode() for n in numbers], [value(n) for n in numbers])


def run(due: Iterable[int], sink: Shelf, hands: Hands, stop: Callable[[], bool] = lambda: False, book: Book | None = None) -> Sent:
    return Sender(pieces(due), Each(sink, hands, book), hands, stop, flush_s=0.2, stopped_flush_s=0.2).run()


def latencies(packed: tuple[Any, Any]) -> Any:
    made = BySecond()
    made.add_packed(*packed)
    return made


def test_each_event_is_sent_when_it_is_due_and_never_before() -> None:
    hands = Hands()
    sink = Shelf(hands)
    due = [n * 1_700 for n in range(100)] + [400_000] * 30 + [5_000_000, 9_000_000]
    found = run(due, sink, hands)
    assert [key for key, _, _ in sink.events] == [f"o{n}".encode() for n in range(len(due))]
    assert all(0 <= at - then < 100 for then, (_, _, at) in zip(due, sink.events, strict=True))
    assert (found.sent, found.acked, found.open, found.failures) == (132, 132, 0, Counter())
    late = latencies(found.late)
    assert late.total().count == 132
    assert {second: hist.count for second, hist in late.seconds().items()} == {0: 130, 5: 1, 9: 1}
    assert 300 <= latencies(found.ack).total().percentile_us(1) <= latencies(found.ack).total().max_us < 1_000
    assert found.acked_in == {0: 130, 5: 1, 9: 1}
    assert not found.stopped


def test_a_sender_that_is_held_up_shows_it_for_every_event_that_was_due_meanwhile() -> None:
    hands = Hands()
    hands.jumps = {20_000: 2_000_000}
    found = run([n * 1_000 for n in range(3_000)], Shelf(hands), hands)
    late = latencies(found.late).total()
    assert late.count == 3_000
    assert late.max_us >= 1_990_000
    assert late.percentile_us(50) > 300_000  # two thousand of them were late, by two seconds down to nothing
    assert late.percentile_us(20) < 1_000


def test_a_full_queue_shows_as_lateness_and_loses_nothing() -> None:
    hands = Hands()
    sink = Shelf(hands, room=5, takes_us=10_000)
    found = run([n * 100 for n in range(1_000)], sink, hands)
    assert len(sink.events) == found.sent == found.acked == latencies(found.late).total().count == 1_000
    assert [key for key, _, _ in sink.events] == [f"o{n}".encode() for n in range(1_000)]
    assert latencies(found.late).total().max_us > 1_000_000


def test_failures_are_counted_by_reason_beside_what_was_acknowledged() -> None:
    hands = Hands()
    sink = Shelf(hands)
    sink.fails = lambda token: "too large" if token % 10 == 3 else None
    found = run(range(100), sink, hands)
    assert (found.sent, found.acked, found.open, found.failures) == (100, 90, 0, Counter({"too large": 10}))
    assert latencies(found.ack).total().count == 90


def test_what_is_never_acknowledged_is_told_as_open() -> None:
    hands = Hands()
    sink = Shelf(hands)
    sink.stuck = True
    found = run(range(7), sink, hands)
    assert (found.sent, found.acked, found.open) == (7, 0, 7)


def test_when_stopped_it_tells_what_was_due_and_was_not_sent() -> None:
    hands = Hands()
    sink = Shelf(hands, room=25, takes_us=10**9)
    sink.stuck = True
    found = run([n * 10_000 for n in range(1_000)], sink, hands, stop=lambda: hands.us > 3_000_000)
    assert found.stopped
    assert found.sent == 25
    assert found.missed == {0: 75, 1: 100, 2: 100, 3: 1}


def test_a_client_that_cannot_go_on_ends_the_run_and_everything_is_accounted_for() -> None:
    hands = Hands()
    sink = Shelf(hands)
    sink.gone_after = 15
    found = run([0] * 60, sink, hands)
    assert found.broken == "the client cannot go on"
    assert (found.sent, found.acked, found.open, found.missed) == (15, 15, 0, {0: 45})
    assert latencies(found.late).total().count == 15


def test_the_ledger_has_events_before_the_sink_and_their_acknowledgements_after(tmp_path: Path) -> None:
    hands = Hands()
    sink = Shelf(hands, room=3)
    seen: list[bool] = []
    with Ledger.open(tmp_path, order_schema()) as ledger:
        plain = sink.send

        def send(key: bytes, value: bytes, token: int) -> None:
            seen.append(value in Ledger.values(tmp_path))
            plain(key, value, token)

        sink.send = send  # type: ignore[method-assign]
        found = run([n * 50 for n in range(40)], sink, hands, book=Book(ledger))
    view = Ledger.read(tmp_path)
    assert all(seen)
    assert found.sent == found.acked == len(view.intended) == len(view.acked) == 40
    assert [view.acked[f"e{n}"]["offset"] for n in range(40)] == list(range(1, 41))
    with Ledger.open(tmp_path, order_schema()) as following:
        assert following.unacknowledged() == []


def test_known_events_are_sent_and_not_entered_again(tmp_path: Path) -> None:
    hands = Hands()
    sink = Shelf(hands)
    with Ledger.open(tmp_path, order_schema()) as ledger:
        found = run([0] * 20, sink, hands, book=Book(ledger, frozenset(f"e{n}".encode() for n in range(0, 20, 2))))
    assert found.sent == found.acked == 20
    assert set(Ledger.read(tmp_path).acked) == {f"e{n}" for n in range(1, 20, 2)}


def test_open_events_of_a_stopped_sender_are_left_to_the_next_start(tmp_path: Path) -> None:
    hands = Hands()
    sink = Shelf(hands)
    sink.fails = lambda token: "gone" if token == 2 else None
    with Ledger.open(tmp_path, order_schema()) as ledger:
        run([0] * 5, sink, hands, book=Book(ledger))
    with Ledger.open(tmp_path, order_schema()) as following:
        assert [order_id for _, order_id in following.unacknowledged()] == ["o1"]


class Heap:
    """A bulk sink with room for so many, of which some fail."""

    def __init__(self, room: int) -> None:
        self.room, self.failures = room, Counter[str]()
        self.taken: list[bytes] = []
        self.lies = 0

    def send_all(self, keys: list[bytes], values: list[bytes]) -> int:
        count = min(len(keys), self.room - self.lies)
        self.taken += keys[:count]
        self.lies += count
        return count

    def poll(self, timeout_s: float) -> None:
        done = min(self.lies, 7)
        self.lies -= done
        if done == 7 and not self.failures:
            self.failures["too large"] += 1

    def flush(self, timeout_s: float) -> int:
        self.poll(0)
        return self.lies

    @property
    def waiting(self) -> int:
        return self.lies

    def close(self) -> None: ...


@pytest.mark.parametrize("room", [3, 50, 10_000])
def test_counted_acknowledgements_add_up(room: int) -> None:
    hands = Hands()
    heap = Heap(room)
    found = Sender(pieces([0] * 200, 64), Counted(heap, hands), hands, lambda: False).run()
    assert heap.taken == [f"o{n}".encode() for n in range(200)]
    assert found.sent == 200
    assert found.acked + found.failures.total() == 200
    assert sum(found.acked_in.values()) == found.acked
    assert latencies(found.late).total().count == 200
    assert latencies(found.ack).total().count == 0
