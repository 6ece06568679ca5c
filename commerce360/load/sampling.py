"""What runs beside a load test: processor time and memory of each service, lag and length of batches, sampled in a thread.

Processor time is that of a service's processes with those below them, memory their proportional share as the supervisor takes it. What the
load test takes itself, with its senders and its consumer, is one more process. The lake's lag is asked of Kafka and the lake, not of the
lake job: one that is down would not tell that it grows.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from commerce360 import metrics
from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.load.result import LOAD_TEST, Process, Series
from commerce360.local.stack import Stack
from commerce360.settings import Settings
from schemas.topics import TOPICS
from stream_jobs.checkpoint import offsets
from stream_jobs.inputs import Inputs

EVERY_S = 1.0
FRESH_S = 5.0  # an older snapshot is of a service that does not run
_SERIES: tuple[tuple[str, str, str], ...] = (  # group, name, unit
    ("lag", "lake", "records"),
    ("lag", "loader", "batches"),
    ("batch", "lake", "s"),
    ("throughput", "lake", "/s"),
    ("throughput", "loader", "/s"),
)


class LakeLag:
    """Records that are committed in Kafka, and not in a complete batch of the lake."""

    def __init__(self, settings: Settings) -> None:
        self._inputs = Inputs(settings.kafka, settings.registry, [t.name for t in TOPICS])
        self._lake = Lake(settings.lake)
        self._batch_id: int | None = None
        self._done: dict[str, dict[int, int]] = {}

    def now(self, batch_id: int | None) -> int | None:
        """None while Kafka does not answer, and before the first batch. `batch_id`: the newest that the job tells of, a hint to look."""
        if not self._done or (batch_id is not None and batch_id != self._batch_id):
            self._batch_id, last = batch_id, self._lake.last_batch()
            self._done = offsets(last["offsets"]) if last else {}
        try:
            return sum(self._inputs.lag(self._done).values()) if self._done else None
        except UnavailableError:
            return None


class Sampler:
    """`start` and `stop` once; times are seconds from `started_at`, which may be set until then."""

    def __init__(self, stack: Stack, clock: Callable[[], float] = time.time) -> None:
        self._stack = stack
        self._lake_lag = LakeLag(stack.settings())
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="sampler")
        self._series = {(group, name): Series(group, name, unit) for group, name, unit in _SERIES}
        self._processes: dict[str, Process] = {}
        self._cpu: dict[int, float] = {}  # core-seconds of each process so far
        self._sampled_at = 0.0
        self._before: dict[str, tuple[float, float]] = {}

    def start(self) -> None:
        self._look(self._clock())  # from here on processor time counts
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def last(self, group: str, name: str) -> float:
        """The newest sample; NaN before the first."""
        values = self._series[group, name].values
        return values[-1] if values else math.nan

    def found(self, started_at: float) -> tuple[list[Series], list[Process]]:
        """Everything, with times since this moment (epoch seconds)."""
        for series in self._series.values():
            series.t = [round(t - started_at, 3) for t in series.t]
        for process in self._processes.values():
            process.t = [round(t - started_at, 3) for t in process.t]
        return [s for s in self._series.values() if s.t], list(self._processes.values())

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._look(self._clock())

    def _look(self, now: float) -> None:
        self._look_at_metrics(now)
        first = not self._sampled_at
        memory = self._stack.memory_mb()
        services = {name: self._stack.pids(name) for name in memory}
        mine = _below(psutil.Process(), {pid for pids in services.values() for pid in pids})
        for name, pids in {**services, LOAD_TEST: mine}.items():
            used, memory_mb = self._used(pids), memory[name] if name in memory else _resident_mb(pids)
            if first or not (pids or name in self._processes):
                continue
            each = self._processes.setdefault(name, Process(name))
            each.t.append(now)
            each.cpu_cores.append(used / (now - self._sampled_at))
            each.memory_mb.append(memory_mb if pids else 0.0)
        self._sampled_at = now

    def _used(self, pids: Iterable[int]) -> float:
        """Core-seconds since the look before. A process that began since then used all of its time since then."""
        total = 0.0
        for pid in pids:
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.Error:
                continue
            now = times.user + times.system
            total += max(0.0, now - self._cpu.get(pid, 0.0)) if self._sampled_at else 0.0
            self._cpu[pid] = now
        return total

    def _look_at_metrics(self, now: float) -> None:
        state = self._stack.state.root
        lake, loader = metrics.read(state, "lake"), metrics.read(state, "loader")
        self._add("lag", "lake", now, self._lake_lag.now(lake.get("batch_id")))
        if now - loader.get("at", 0.0) <= FRESH_S:
            self._add("lag", "loader", now, loader.get("lag_batches"))
        if self._changed("batch", lake.get("batch_id")):
            self._add("batch", "lake", now, (lake.get("batch_ms") or {}).get("all", 0.0) / 1000)
        self._rate("lake", now, lake.get("records"))
        self._rate("loader", now, loader.get("rows_total"))

    def _changed(self, name: str, value: float | None) -> bool:
        if value is None or self._before.get(name, (0.0, -1.0))[1] == value:
            return False
        self._before[name] = (0.0, value)
        return True

    def _rate(self, name: str, now: float, total: float | None) -> None:
        if total is None:
            return
        then = self._before.get(f"rate {name}")
        self._before[f"rate {name}"] = (now, total)
        if then and total >= then[1]:  # a restarted service counts from zero again
            self._add("throughput", name, now, (total - then[1]) / max(0.001, now - then[0]))

    def _add(self, group: str, name: str, now: float, value: Any) -> None:
        if value is not None:
            series = self._series[group, name]
            series.t.append(now)
            series.values.append(round(float(value), 3))


def _below(process: psutil.Process, others: set[int]) -> list[int]:
    """The process and its children, without `others`."""
    return [process.pid, *(child.pid for child in process.children(recursive=True) if child.pid not in others)]


def _resident_mb(pids: Iterable[int]) -> float:
    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue
    return round(total / 1024**2, 1)
