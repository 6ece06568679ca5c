"""Counted latencies, and their percentiles over all events that were meant to arrive."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from producers.latency import Latency

Values = npt.NDArray[np.int64]
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
NAMES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}


@dataclass(frozen=True)
class Spread:
    """`values_us` ascending and without repeats, and how often each was seen."""

    values_us: Values
    counts: Values

    @classmethod
    def of(cls, values_us: Values, counts: Values) -> Spread:
        """Values in any order, repeats allowed."""
        found, where = np.unique(values_us, return_inverse=True)
        return cls(found, np.bincount(where, weights=counts, minlength=len(found)).astype(np.int64))

    @classmethod
    def merged(cls, parts: Iterable[Spread]) -> Spread:
        all_parts = list(parts)
        if not all_parts:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        return cls.of(np.concatenate([p.values_us for p in all_parts]), np.concatenate([p.counts for p in all_parts]))

    @classmethod
    def read(cls, latency: Latency) -> Spread:
        return cls(*latency.recorded())

    def latency(self) -> Latency:
        made = Latency()
        made.record(self.values_us, self.counts)
        return made

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def quantile_ms(self, share: float, expected: int = 0) -> float:
        """Nearest rank over `expected` events, or over those seen if these are more.

        An event that did not arrive is later than all that did: a percentile that falls on one is infinite. Percentiles of
        the arrived alone would look the better the more is lost. NaN where there is no event at all.
        """
        total = max(self.count, expected)
        if not total:
            return math.nan
        rank = max(1, math.ceil(share * total - 1e-9))
        if rank > self.count:
            return math.inf
        return float(self.values_us[np.searchsorted(np.cumsum(self.counts), rank)]) / 1000
