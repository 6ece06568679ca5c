"""What a metric is, and how its samples are found in a service's snapshot. Pure.

A snapshot (`commerce360.metrics`) is the one place where a service puts its numbers; a metric says under which key.
Names follow https://prometheus.io/docs/practices/naming: base units in the name, `_total` for what only grows.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Any

NAME = re.compile(r"(c360|process)(_[a-z0-9]+)+")
LABEL = re.compile(r"[a-z][a-z_]*")


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    STATE = "state"  # a gauge for each of some states: 1 for the one that is, 0 for the others
    INFO = "info"  # a gauge that is always 1; what it says are its labels


@dataclass(frozen=True)
class Metric:
    """`key` of the service's snapshot holds a number, one of `states`, or `{label value: ...}`, once for each label in their order.

    For a STATE the last label is the state's own; for an INFO the labels are themselves keys. `scale`: from the snapshot's unit to
    the metric's. A service of `process` is every process of ours.
    """

    name: str
    kind: Kind
    key: str = ""
    _: KW_ONLY
    service: str
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""  # in words, for people: records, seconds, bytes
    scale: float = 1.0
    buckets: tuple[float, ...] = ()
    states: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for a declaration that contradicts itself or the naming rules."""
        wrong = {
            "the name": not NAME.fullmatch(self.name),
            "_total": (self.kind is Kind.COUNTER) != self.name.endswith("_total"),
            "_info": (self.kind is Kind.INFO) != self.name.endswith("_info"),
            "the buckets": (self.kind is Kind.HISTOGRAM) != bool(self.buckets) or list(self.buckets) != sorted(set(self.buckets)),
            "the states": (self.kind is Kind.STATE) != bool(self.states),
            "the unit": self.unit in ("seconds", "bytes") and f"_{self.unit}" not in self.name,
            "the labels": not all(LABEL.fullmatch(label) for label in self.labels) or "le" in self.labels,
            "the help": not self.help.endswith("."),
        }
        if bad := [what for what, is_so in wrong.items() if is_so]:
            raise ValueError(f"metric {self.name}: {', '.join(bad)}")

    @property
    def series(self) -> Mapping[str, frozenset[str]]:
        """Names that Prometheus stores, with their labels."""
        own = frozenset(self.labels)
        if self.kind is not Kind.HISTOGRAM:
            return {self.name: own}
        return {f"{self.name}_bucket": own | {"le"}, f"{self.name}_sum": own, f"{self.name}_count": own}

    def samples(self, snapshot: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
        """(label values, value): a number, for a histogram its `as_json`. Nothing for what the service has not told."""
        if self.kind is Kind.INFO:
            told = tuple(str(snapshot.get(label) or "") for label in self.labels)
            if any(told):
                yield told, 1.0
            return
        depth = len(self.labels) - (self.kind is Kind.STATE)
        for labels, value in _leaves(snapshot.get(self.key), depth):
            if self.kind is Kind.STATE:
                yield from ((((*labels, state), float(value == state))) for state in self.states)
            elif self.kind is Kind.HISTOGRAM:
                yield labels, value
            else:
                yield labels, float(value) * self.scale


def _leaves(value: Any, depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    if value is None:
        return
    if depth == 0:
        yield (), value
        return
    for label, inner in value.items():
        yield from (((str(label), *more), leaf) for more, leaf in _leaves(inner, depth - 1))


class Histogram:
    """What was observed, in the buckets of its metric. One writer; `as_json` may be called from another thread."""

    def __init__(self, metric: Metric) -> None:
        self.bounds = metric.buckets
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def as_json(self) -> dict[str, Any]:
        return {"counts": list(self.counts), "sum": round(self.sum, 6)}


def cumulative(metric: Metric, counts: Sequence[int]) -> list[tuple[str, float]]:
    """Upper bounds, as text, with how many observations are not above them."""
    made, total = [], 0
    for bound, count in zip((*(f"{b:g}" for b in metric.buckets), "+Inf"), counts, strict=True):
        total += count
        made.append((bound, float(total)))
    return made
