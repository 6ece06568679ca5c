"""`/metrics`: snapshots of services in Prometheus' text format. A scrape reads them; a service does nothing for it."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from commerce360 import __version__, metrics
from commerce360.errors import ConfigError
from commerce360.settings import Metrics
from commerce360.telemetry.declared import OURS, SERVICES
from commerce360.telemetry.metric import Kind, Metric, cumulative

Snapshots = Mapping[str, Mapping[str, Any]]  # service -> what it told; `process` is of who asks


class Told:
    """A collector of prometheus-client over snapshots."""

    def __init__(self, read: Callable[[], Snapshots]) -> None:
        self.read = read

    def collect(self) -> Iterator[Family]:
        found = self.read()
        for metric in OURS:
            samples = list(metric.samples(found.get(metric.service, {})))
            if samples:
                yield family(metric, samples)

    def describe(self) -> Iterable[Family]:
        """Nothing: registering must not ask."""
        return ()


def family(metric: Metric, samples: Iterable[tuple[tuple[str, ...], Any]]) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        made = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, value in samples:
            made.add_metric(labels, cumulative(metric, value["counts"]), value["sum"])
        return made
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    plain = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        plain.add_metric(labels, value)
    return plain


class Children:
    """What the processes below this one use. Time of a child that ended stays counted, as far as it was seen: a counter never goes down."""

    def __init__(self) -> None:
        self._cpu_s: dict[tuple[int, float], float] = {}  # by pid and start: a pid comes back

    def used(self) -> tuple[int, float]:
        """Resident memory in bytes, and processor time in seconds of all children there ever were."""
        memory = 0
        for child in psutil.Process().children(recursive=True):
            try:
                key, cpu_s = (child.pid, child.create_time()), sum(child.cpu_times()[:2])
                memory += child.memory_info().rss
            except psutil.Error:
                continue
            self._cpu_s[key] = max(cpu_s, self._cpu_s.get(key, 0.0))
        return memory, sum(list(self._cpu_s.values()))  # of a copy: two may ask at once


def of_process(state: Path, name: str, since: float, children: Children) -> Snapshots:
    """What the process itself told since it was started (epoch seconds), and how it is."""
    told = metrics.read(state, name)
    fresh = told if told.get("at", 0.0) >= since else {}
    memory, cpu_s = children.used()
    disk = shutil.disk_usage(next(p for p in (state.absolute(), *state.absolute().parents) if p.exists()))
    process = {
        "service": name,
        "version": __version__,
        "python": platform.python_version(),
        "told_at": {name: fresh["at"]} if fresh else {},
        "children_memory": memory,
        "children_cpu_s": cpu_s,
        "disk_free": disk.free,
        "disk_size": disk.total,
    }
    return {name: fresh, "process": process}


def of_state(state: Path, since: float) -> Snapshots:
    """What all services of one state folder told since then."""
    found = {name: told for name in SERVICES if (told := metrics.read(state, name)).get("at", 0.0) >= since and told}
    return {**found, "process": {"told_at": {name: told["at"] for name, told in found.items()}}}


def text(read: Callable[[], Snapshots]) -> bytes:
    """All that `read` tells, in the text format."""
    registry = CollectorRegistry()
    registry.register(Told(read))
    return generate_latest(registry)


def serve(settings: Metrics, state: Path, name: str) -> None:
    """Answer `/metrics` in a thread, until the process ends. Raises ConfigError when the port is taken."""
    since, registry, children = time.time(), CollectorRegistry(), Children()
    ProcessCollector(registry=registry)
    registry.register(Told(lambda: of_process(state, name, since, children)))
    try:
        start_http_server(settings.port, settings.host, registry)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise ConfigError(
            f"metrics cannot be served at {where}: {error.strerror}", "set C360_METRICS__HOST and __PORT, or 0 for none"
        ) from error
