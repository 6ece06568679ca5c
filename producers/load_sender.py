"""One process of a replay: open loop. Each event has an intended time and is handed over then, or as soon after as can be.

How late it was is measured for every event against its intended time, and so is the acknowledgement: a sender that is held up, by a full
queue or by being stopped, shows as lateness of all events that were due meanwhile. Moments are taken behind what they tell of, so
that no latency is shown smaller than it was.
"""

from __future__ import annotations

import gc
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import numpy as np
import numpy.typing as npt

from commerce360.errors import C360Error
from producers.latency import BySecond
from producers.ledger import Intent, Ledger
from producers.load_plan import Chunk
from producers.recording import split
from producers.sinks import Bulk, Sink

Ints = npt.NDArray[np.int64]
BURST, BULK_BURST = 64, 512  # events between two looks at the clock and the acknowledgements
LOOK_US = 100_000  # between two looks at whether to stop
FINISH_S = 630.0  # longer than any client goes on trying: at the end an event is acknowledged or given up, and never cut off
POLL_US = 2_000  # librdkafka waits whole milliseconds: what is due sooner is slept for
NAP_US = 250  # an acknowledgement that comes meanwhile is seen that much later
LONG_S, AWAKE_S = 0.01, 0.0005  # the end of a sleep that long is waited for awake: at most a twentieth of a core
FULL_S = 0.001
FLUSH_S = 0.02


class Clock(Protocol):
    def now_us(self) -> int:
        """Microseconds since the intended time 0."""
        ...

    def sleep(self, seconds: float) -> None: ...


class Monotonic:
    """From a moment of the system's monotonic clock, which all processes share."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns

    def now_us(self) -> int:
        return (time.monotonic_ns() - self._start_ns) // 1000

    def sleep(self, seconds: float) -> None:
        """A sleeper wakes late, and to cold caches: from a long sleep up too early, and the rest of it looping."""
        until_ns = time.monotonic_ns() + int(seconds * 1e9)
        time.sleep(seconds - AWAKE_S if seconds >= LONG_S else seconds)
        while time.monotonic_ns() < until_ns:
            pass


class Book:
    """The ledger's side: events stand in it before they are handed over. `known` ids are in it already, and not entered again."""

    def __init__(self, ledger: Ledger, known: frozenset[bytes] = frozenset()) -> None:
        self._ledger = ledger
        self._known = known
        self._strange = count(-1, -1)

    def enter(self, values: list[bytes]) -> list[int]:
        """A token for each: its number in the ledger, or a negative one. One write for all."""
        if not self._known:
            return [intent.seq for intent in self._ledger.intend(values)]
        new = [split(value).event_id not in self._known for value in values]
        intents = iter(self._ledger.intend([value for value, is_new in zip(values, new, strict=True) if is_new]))
        return [next(intents).seq if is_new else next(self._strange) for is_new in new]

    def note(self, token: int, partition: int, offset: int) -> None:
        if token > 0:
            self._ledger.acknowledge(Intent(self._ledger.run, token, b""), partition, offset)

    def write(self) -> None:
        self._ledger.flush_acks()


class Outlet(Protocol):
    """What hands over, and keeps account of it."""

    burst: int
    sent: int
    acked: int
    ack: BySecond  # from the intended time to the acknowledgement; empty where these are only counted
    acked_in: Counter[int]  # by the second of the acknowledgement

    @property
    def failures(self) -> Counter[str]:
        """What was given up, by reason."""
        ...

    def take(self, chunk: Chunk, first: int, end: int) -> int:
        """Hand over events `first` to `end` (left out); how many there was room for. Raises C360Error when no more can be sent."""
        ...

    def poll(self, timeout_s: float) -> None: ...

    def flush(self, timeout_s: float) -> int:
        """How many are open."""
        ...


class Each:
    """Every acknowledgement is told with its event."""

    burst = BURST

    def __init__(self, sink: Sink, clock: Clock, book: Book | None = None) -> None:
        self.sent = self.acked = 0
        self.failures: Counter[str] = Counter()
        self.ack = BySecond()
        self.acked_in: Counter[int] = Counter()
        self._sink, self._clock, self._book = sink, clock, book
        self._numbers = count(1)
        self._due: dict[int, int] = {}  # of what is open, by token
        self._told: list[tuple[int, int, int, str | None, int]] = []
        sink.on_ack = self._acknowledged

    def take(self, chunk: Chunk, first: int, end: int) -> int:
        if len(chunk.tokens) < end:
            fresh = chunk.values[len(chunk.tokens) : end]
            chunk.tokens += self._book.enter(fresh) if self._book else [next(self._numbers) for _ in fresh]
        for at in range(first, end):
            token = chunk.tokens[at]
            self._due[token] = chunk.due[at]
            try:
                self._sink.send(chunk.keys[at], chunk.values[at], token)
            except (BufferError, C360Error) as error:
                del self._due[token]
                if isinstance(error, C360Error) and at == first:
                    raise
                return at - first  # what cannot be sent is met again by the next call
            self.sent += 1
        return end - first

    def poll(self, timeout_s: float) -> None:
        self._sink.poll(timeout_s)
        self._account()

    def flush(self, timeout_s: float) -> int:
        self._sink.flush(timeout_s)
        self._account()
        return len(self._due)

    def _acknowledged(self, token: int, partition: int, offset: int, error: str | None) -> None:
        self._told.append((token, partition, offset, error, self._clock.now_us()))

    def _account(self) -> None:
        if not self._told:
            return
        told, self._told = self._told, []
        due, at = [], []
        for token, partition, offset, error, now_us in told:
            due_us = self._due.pop(token)
            if error is not None:
                self.failures[error] += 1
                continue
            due.append(due_us)
            at.append(now_us)
            if self._book:
                self._book.note(token, partition, offset)
        if self._book:
            self._book.write()
        moments = np.array(at, np.int64)
        self.acked += len(at)
        self.ack.add(np.array(due, np.int64), moments - np.array(due, np.int64))
        self.acked_in.update((moments // 1_000_000).tolist())


class Counted:
    """Acknowledgements are counted: what was taken, does not wait any more and did not fail has been acknowledged."""

    burst = BULK_BURST

    def __init__(self, sink: Bulk, clock: Clock) -> None:
        self.sent = self.acked = 0
        self.ack = BySecond()
        self.acked_in: Counter[int] = Counter()
        self._sink, self._clock = sink, clock

    @property
    def failures(self) -> Counter[str]:
        return self._sink.failures

    def take(self, chunk: Chunk, first: int, end: int) -> int:
        taken = self._sink.send_all(chunk.keys[first:end], chunk.values[first:end])
        self.sent += taken
        return taken

    def poll(self, timeout_s: float) -> None:
        self._sink.poll(timeout_s)
        self._account()

    def flush(self, timeout_s: float) -> int:
        left = self._sink.flush(timeout_s)
        self._account()
        return left

    def _account(self) -> None:
        acked = self.sent - self._sink.waiting - self.failures.total()
        if acked > self.acked:
            self.acked_in[self._clock.now_us() // 1_000_000] += acked - self.acked
            self.acked = acked


@dataclass
class Sent:
    """What a process did. Every event that was due until its end is in `late` or in `missed`."""

    sent: int = 0
    acked: int = 0
    open: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    late: tuple[Ints, Ints] = field(default_factory=lambda: BySecond().pack())  # as BySecond packs it, by the intended second
    ack: tuple[Ints, Ints] = field(default_factory=lambda: BySecond().pack())
    acked_in: Counter[int] = field(default_factory=Counter)
    missed: Counter[int] = field(default_factory=Counter)  # due and not handed over, by the intended second
    stopped: bool = False
    broken: str | None = None  # why it could not go on
    took_us: int = 0  # from the intended time 0 until nothing was open
    cpu_s: float = 0.0


Tell = Callable[[int, int, int, int], None]  # sent, acked, failed, and how late the last event was in microseconds


class Sender:
    def __init__(
        self,
        chunks: Iterator[Chunk],
        outlet: Outlet,
        clock: Clock,
        stop: Callable[[], bool],
        tell: Tell = lambda *_: None,
        misses: bool = True,
        flush_s: float = FINISH_S,
        stopped_flush_s: float = 10.0,
    ) -> None:
        """`misses`: count what was due and is not sent, should it be stopped; where everything is due, that is all the rest."""
        self._chunks = chunks
        self._outlet = outlet
        self._clock = clock
        self._stop = stop
        self._tell = tell
        self._misses = misses
        self._flush_s, self._stopped_flush_s = flush_s, stopped_flush_s
        self._late = BySecond()
        self._found = Sent()
        self._last_late_us = 0

    def run(self) -> Sent:
        """Returns when all is acknowledged, given up, or time is up."""
        found, outlet, began = self._found, self._outlet, time.process_time()
        with _no_collector():
            found.stopped = not all(self._play(chunk) for chunk in self._chunks) and not found.broken
            self._finish()
        found.sent, found.acked, found.failures = outlet.sent, outlet.acked, outlet.failures
        found.late, found.ack, found.acked_in = self._late.pack(), outlet.ack.pack(), outlet.acked_in
        found.cpu_s = time.process_time() - began
        return found

    def _play(self, chunk: Chunk) -> bool:
        """False when it was told to stop, or cannot go on."""
        due, outlet, clock = chunk.due, self._outlet, self._clock
        handed = np.empty(len(due), np.int64)
        done = 0
        try:
            while done < len(due):
                if self._stop():
                    self._miss(chunk, done)
                    return False
                now_us = clock.now_us()
                end = bisect_right(due, now_us, done, min(done + outlet.burst, len(due)))
                if end == done:
                    self._wait(due[done] - now_us)
                elif taken := outlet.take(chunk, done, end):
                    now_us = clock.now_us()
                    handed[done : done + taken] = now_us
                    self._last_late_us = now_us - due[done]
                    done += taken
                    self._poll(0)
                else:
                    self._poll(FULL_S)
        except C360Error as error:
            self._found.broken = error.message
            self._miss(chunk, done)
            return False
        finally:
            self._late.add(chunk.due_us[:done], handed[:done] - chunk.due_us[:done])
        return True

    def _wait(self, left_us: int) -> None:
        """Some of what is left until the next event is due: where acknowledgements are open, in a way that they are seen at once."""
        outlet = self._outlet
        if outlet.sent > outlet.acked + outlet.failures.total():
            if left_us > POLL_US:
                self._poll(min(left_us - POLL_US // 2, LOOK_US) / 1e6)
                return
            left_us = min(left_us, NAP_US)
        self._clock.sleep(min(left_us, LOOK_US) / 1e6)
        self._poll(0)

    def _poll(self, timeout_s: float) -> None:
        outlet = self._outlet
        outlet.poll(timeout_s)
        self._tell(outlet.sent, outlet.acked, outlet.failures.total(), self._last_late_us)

    def _miss(self, chunk: Chunk, done: int) -> None:
        """Count what was due by now and is not sent any more."""
        now_us = self._clock.now_us()
        rest = chunk.due_us[done:]
        while self._misses:
            missed = rest[: np.searchsorted(rest, now_us, side="right")]
            self._found.missed.update((missed // 1_000_000).tolist())
            following = next(self._chunks, None) if len(missed) == len(rest) else None
            if following is None:
                return
            rest = following.due_us

    def _finish(self) -> None:
        found = self._found
        deadline = time.monotonic() + (self._stopped_flush_s if found.stopped or found.broken else self._flush_s)
        while True:
            found.open = self._outlet.flush(FLUSH_S)
            self._tell(self._outlet.sent, self._outlet.acked, self._outlet.failures.total(), self._last_late_us)
            if not found.open or time.monotonic() > deadline:
                found.took_us = self._clock.now_us()
                return


@contextmanager
def _no_collector() -> Iterator[None]:
    """Nothing here makes reference cycles: a collection would find nothing, look at all objects, and make events late."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
