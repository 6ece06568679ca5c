"""A recording replayed by several processes, each with its share of the keys, from one moment on; and what they found, as one result.

The caller's process sends nothing: it watches, and puts the results together. What a process has handed over is counted in memory that
both share, so that it is known even of one that is killed. Processes are forked from one that has imported what they need and done
nothing: their start costs little, and no thread of the caller's is in the way.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import random
import signal
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from commerce360.errors import C360Error, ConfigError
from commerce360.settings import Settings
from producers import wire
from producers.latency import BySecond
from producers.ledger import Ledger
from producers.load_plan import TAG_LENGTH, Stamp, base36, check_rounds, chunks, tag_of
from producers.load_sender import Book, Counted, Each, Monotonic, Outlet, Sender, Sent
from producers.profile import Profile, Unlimited
from producers.recording import Recording, split
from producers.sinks import BulkKafkaSink, Kind, open_sink

LEAD_S = 0.3  # from the common start to the intended time 0: the first chunk is made meanwhile
READY_S = 60.0
STOP_S = 20.0  # for what a stopped process has to flush
SENT, ACKED, FAILED, LATE_US, FIELDS = 0, 1, 2, 3, 4
Note = Callable[[str, float], None]  # what happens, and the share of all events that is sent


@dataclass(frozen=True)
class Replay:
    """What to do. `ledger`: the folder of the ledger in which all order events of the target stand; None where there is none."""

    settings: Settings
    file: Path
    profile: Profile
    topic: str
    schema_id: int
    processes: int = 1
    sink: Kind = "kafka"
    as_is: bool = False
    ledger: Path | None = None

    @property
    def is_counted(self) -> bool:
        """Where all is due at once and nobody asks for offsets, acknowledgements are only counted."""
        return isinstance(self.profile, Unlimited) and self.sink == "kafka" and self.ledger is None


@dataclass
class _Worker:
    number: int
    process: BaseProcess
    pipe: Connection
    found: Sent | None = None
    error: str | None = None
    hint: str = ""

    @property
    def is_done(self) -> bool:
        return self.found is not None or self.error is not None


@dataclass
class Outcome:
    """`result`: what is left as JSON. `problems`: why it is not what was asked for; empty if it is."""

    result: dict[str, Any]
    problems: list[str] = field(default_factory=list)
    hint: str = ""


def replay(job: Replay, note: Note = lambda *_: None, begun: Callable[[float], None] = lambda _: None) -> Outcome:
    """Send everything, or as much as there is until KeyboardInterrupt: then what was handed over is flushed and told.

    `begun` is told the moment of intended time 0, in epoch seconds, before it has come.
    Raises ConfigError for what cannot be done, C360Error for a damaged file and when no process could begin, before anything is sent.
    """
    recording = Recording.open(job.file)
    check_rounds(recording, job.profile, job.as_is)
    note("checking the file", 0.0)
    _check(recording, job)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    counters = context.RawArray("q", FIELDS * job.processes)
    with ExitStack() as stack:
        tag = _tag(job, recording, stack)
        workers = [_start(context, job, number, None if job.as_is else tag, counters) for number in range(job.processes)]
        stack.callback(_end, workers)
        _await_ready(workers)
        offset_ns = wall_offset_ns()
        start_ns = time.monotonic_ns() + int(LEAD_S * 1e9)
        started_us = (start_ns + offset_ns) // 1000
        for worker in workers:
            worker.pipe.send((start_ns, started_us))
        begun(started_us / 1e6)
        interrupted = _watch(workers, counters, job.profile.total, note)
    drift_us = (wall_offset_ns() - offset_ns) // 1000
    outcome = _outcome(job, tag, started_us, workers, counters, interrupted)
    outcome.result |= {"interrupted": interrupted, "clock_drift_us": drift_us}
    return outcome


def wall_offset_ns() -> int:
    """Nanoseconds from the monotonic to the wall clock: senders keep time by the one, whoever finds an event later by the other.

    The reading that took the least time, of some: a process may be stopped between two clocks.
    """
    found = []
    for _ in range(20):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        found.append((after - before, wall - (before + after) // 2))
    return min(found)[1]


def _check(recording: Recording, job: Replay) -> None:
    """The whole file, before anything of it is sent. Raises ConfigError for events that another shop has placed under these ids."""
    known = _known(job.ledger) if job.as_is and job.ledger else {}
    for block in recording.verify():
        if known:
            for value in block.as_recorded(wire.head(job.schema_id))[1]:
                event_id = split(value).event_id
                if known.get(event_id, digest := _digest(value)) != digest:
                    raise ConfigError(
                        f"the ledger has another event under {event_id.decode(errors='replace')}: the file is of another shop",
                        "replay it without --as-is: then its events are new ones",
                    )


def _known(folder: Path) -> dict[bytes, int]:
    return {split(value).event_id: _digest(value) for value in Ledger.values(folder)}


def _digest(value: bytes) -> int:
    return zlib.crc32(value[wire.HEADER_BYTES :])


def _tag(job: Replay, recording: Recording, stack: ExitStack) -> str:
    """Unique among the replays of a ledger, by the number of a run that is minted for it; elsewhere by chance."""
    if job.ledger:
        return tag_of(stack.enter_context(Ledger.open(job.ledger, recording.schema)).run)
    return "X" + f"{base36(random.SystemRandom().randrange(36 ** (TAG_LENGTH - 1))):0>{TAG_LENGTH - 1}}"


def _start(context: Any, job: Replay, number: int, tag: str | None, counters: Any) -> _Worker:
    mine, theirs = context.Pipe()
    process = context.Process(target=_work, args=(job, number, tag, theirs, counters), name=f"replay-{number}", daemon=True)
    process.start()
    theirs.close()
    return _Worker(number, process, mine)


def _await_ready(workers: list[_Worker]) -> None:
    """Raises C360Error with the words of the first that cannot begin."""
    deadline = time.monotonic() + READY_S
    for worker in workers:
        if not worker.pipe.poll(max(0.0, deadline - time.monotonic())):
            raise C360Error(f"process {worker.number} was not ready after {READY_S:.0f} s", "try it with less on this machine")
        try:
            kind, told = worker.pipe.recv()
        except EOFError:
            worker.process.join(5)
            raise C360Error(f"process {worker.number} ended before it began: {_exit(worker)}", "its words stand above") from None
        if kind == "error":
            raise told


def _watch(workers: list[_Worker], counters: Any, total: int, note: Note) -> bool:
    """Until all are done or gone; whether it was interrupted. A second KeyboardInterrupt is raised."""
    interrupted, deadline = False, math.inf
    before = (time.monotonic(), 0)
    while open_ones := [w for w in workers if not w.is_done]:
        try:
            for worker in open_ones:
                _receive(worker)
            if any(w.error for w in workers) and deadline == math.inf:
                deadline = _ask_to_stop(workers)  # half a replay is none
            if time.monotonic() > deadline:
                for worker in open_ones:
                    worker.process.kill()
            wait([w.pipe for w in open_ones], timeout=0.5)
            before = _tell(workers, counters, total, note, before)
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted, deadline = True, _ask_to_stop(workers)
    return interrupted


def _ask_to_stop(workers: list[_Worker]) -> float:
    """Until when they have time."""
    for worker in workers:
        with contextlib.suppress(OSError):
            worker.pipe.send("stop")
    return time.monotonic() + STOP_S


def _receive(worker: _Worker) -> None:
    try:
        if not worker.pipe.poll(0):
            return
        kind, told = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(5)
        worker.error = f"process {worker.number} died: {_exit(worker)}"
        return
    if kind == "done":
        worker.found = told
    else:
        worker.error, worker.hint = f"process {worker.number}: {told.message}", told.hint


def _exit(worker: _Worker) -> str:
    code = worker.process.exitcode
    return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"


def _tell(workers: list[_Worker], counters: Any, total: int, note: Note, before: tuple[float, int]) -> tuple[float, int]:
    now, sent = time.monotonic(), sum(_counter(counters, w, SENT) for w in workers)
    if now - before[0] < 0.5:
        return before
    acked, failed = (sum(_counter(counters, w, at) for w in workers) for at in (ACKED, FAILED))
    late_ms = max(_counter(counters, w, LATE_US) for w in workers) / 1000
    rate = (sent - before[1]) / (now - before[0])
    text = f"{sent:,} of {total:,} sent, {acked:,} acknowledged, {rate:,.0f}/s, {late_ms:,.1f} ms late"
    note(text + (f", {failed:,} FAILED" if failed else ""), sent / total)
    return now, sent


def _counter(counters: Any, worker: _Worker, at: int) -> int:
    return int(counters[FIELDS * worker.number + at])


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        if not worker.is_done:
            worker.process.kill()
        worker.process.join()
        worker.pipe.close()


def _work(job: Replay, number: int, tag: str | None, pipe: Connection, counters: Any) -> None:
    """One process: tells that it is ready, gets the start, tells what it did."""
    asked = threading.Event()
    for ignored in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all; the parent tells when to stop
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        with _prepared(job) as (recording, outlet_of):
            pipe.send(("ready", None))
            start_ns, started_us = pipe.recv()
            clock = Monotonic(start_ns)
            stamp = Stamp(tag, wire.head(job.schema_id), started_us)
            place = FIELDS * number
            threading.Thread(target=_obey, args=(pipe, asked), daemon=True).start()

            def tell(*told: int) -> None:
                counters[place : place + FIELDS] = told

            events = chunks(recording, job.profile, stamp, number, job.processes)
            misses = not isinstance(job.profile, Unlimited)
            pipe.send(("done", Sender(events, outlet_of(clock), clock, asked.is_set, tell, misses).run()))
    except C360Error as error:
        pipe.send(("error", error))
    except EOFError:
        return  # the parent is gone


def _obey(pipe: Connection, asked: threading.Event) -> None:
    """Whatever the caller says after the start is to stop, and so is its end."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    asked.set()


@contextlib.contextmanager
def _prepared(job: Replay) -> Iterator[tuple[Recording, Callable[[Monotonic], Outlet]]]:
    """What can be done before the start: the connection, the ledger, what it knows."""
    recording = Recording.open(job.file)
    with ExitStack() as stack:
        if job.is_counted:
            bulk = stack.enter_context(contextlib.closing(BulkKafkaSink(job.settings, job.topic)))
            yield recording, lambda clock: Counted(bulk, clock)
            return
        book = None
        if job.ledger:
            known = frozenset(_known(job.ledger)) if job.as_is else frozenset()
            book = Book(stack.enter_context(Ledger.open(job.ledger, recording.schema)), known)
        sink = stack.enter_context(contextlib.closing(open_sink(job.sink, job.settings, job.topic)))
        yield recording, lambda clock: Each(sink, clock, book)


def _outcome(job: Replay, tag: str, started_us: int, workers: list[_Worker], counters: Any, interrupted: bool) -> Outcome:
    found = [w.found for w in workers if w.found]
    late, ack, acked_in, missed, failures = BySecond(), BySecond(), Counter[int](), Counter[int](), Counter[str]()
    for one in found:
        late.add_packed(*one.late)
        ack.add_packed(*one.ack)
        acked_in.update(one.acked_in)
        missed.update(one.missed)
        failures.update(one.failures)
    sent, acked, failed = (sum(_counter(counters, w, at) for w in workers) for at in (SENT, ACKED, FAILED))
    whole = not interrupted and not any(w.error or (w.found and (w.found.broken or w.found.stopped)) for w in workers)
    if isinstance(job.profile, Unlimited):
        missed[0] = job.profile.total - sent
    result = {
        "tag": tag,
        "file": str(job.file),
        "as_is": job.as_is,
        "processes": job.processes,
        "started_at": started_us / 1e6,  # a whole number of microseconds: all events are of whole ones from here
        "unlimited": isinstance(job.profile, Unlimited),
        "complete": whole and sent == acked,
        "planned": job.profile.total,
        "intended": job.profile.total if whole else sent + missed.total(),
        "sent": sent,
        "acked": acked,
        "failed": failed,
        "open": sent - acked - failed,
        "failures": dict(failures),
        "took_s": max((one.took_us for one in found), default=0) / 1e6,
        "cpu_s": round(sum(one.cpu_s for one in found), 3),
        "lateness_us": late.total().encode(),
        "ack_us": ack.total().encode(),
        "by_second": _by_second(late, ack, acked_in, missed),
    }
    return Outcome(result, list(_problems(workers, counters, result)), next((w.hint for w in workers if w.hint), ""))


def _by_second(late: BySecond, ack: BySecond, acked_in: Counter[int], missed: Counter[int]) -> list[dict[str, Any]]:
    lateness, acks = late.seconds(), ack.seconds()
    nothing = BySecond().total()
    made = []
    for second in sorted(lateness.keys() | acked_in.keys() | (+missed).keys()):
        here = lateness.get(second, nothing)
        counts = {"intended": here.count + missed[second], "sent": here.count, "acked": acked_in[second]}
        made.append({"second": second, **counts, "lateness_us": here.encode(), "ack_us": acks.get(second, nothing).encode()})
    return made


def _problems(workers: list[_Worker], counters: Any, result: dict[str, Any]) -> Iterator[str]:
    for worker in workers:
        if reason := worker.error or (worker.found and worker.found.broken):
            yield f"{reason} (it had handed over {_counter(counters, worker, SENT):,} events)"
    if result["failed"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in result["failures"].items())
        yield f"{result['failed']:,} events were given up: {reasons}"
    if result["open"]:
        yield f"{result['open']:,} events were handed over and not acknowledged"
