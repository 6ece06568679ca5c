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


def of_process(state: Path, name: str, since: float) -> Snapshots:
    """What the process itself told since it was started (epoch seconds), and how it is."""
    told = metrics.read(state, name)
    fresh = told if told.get("at", 0.0) >= since else {}
    memory, cpu_s = _children()
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
    since, registry = time.time(), CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Told(lambda: of_process(state, name, since)))
    try:
        start_http_server(settings.port, settings.host, registry)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise ConfigError(
            f"metrics cannot be served at {where}: {error.strerror}", "set C360_METRICS__HOST and __PORT, or 0 for none"
        ) from error


def _children() -> tuple[int, float]:
    """Resident memory in bytes and processor time in seconds; a child that ends meanwhile counts nothing."""
    memory, cpu_s = 0, 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            memory += child.memory_info().rss
            cpu_s += sum(child.cpu_times()[:2])
        except psutil.Error:
            continue
    return memory, cpu_s
