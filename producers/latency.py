"""Latencies as HDR histograms: whole microseconds from 1 µs to 1 h, three significant digits, each value counted.

What is longer than an hour counts as an hour. Recording is by arrays: values are rounded to the histogram's buckets, and equal ones counted
together, so that a value costs some ten nanoseconds and not the library's two microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

LOWEST_US, HIGHEST_US, DIGITS = 1, 3_600_000_000, 3
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
_EXACT_BITS = 11  # below 2^11 each value has a bucket of its own; above, the first 11 bits tell the bucket
_MERGE_AT = 256  # arrays that may wait for being joined
Ints = npt.NDArray[np.int64]


class Latencies:
    def __init__(self) -> None:
        self._histogram: Any = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)

    @classmethod
    def decode(cls, payload: str) -> Latencies:
        """Of base64 V2, as `encode` makes it and HdrHistogram of other languages."""
        made = cls()
        made._histogram.decode_and_add(payload.encode())
        return made

    @property
    def count(self) -> int:
        return int(self._histogram.get_total_count())

    def record(self, values_us: Ints) -> None:
        self.record_counts(*np.unique(bucketed(values_us), return_counts=True))

    def record_counts(self, values_us: Ints, counts: Ints) -> None:
        """`values_us` within the histogram's range."""
        for value, count in zip(values_us.tolist(), counts.tolist(), strict=True):
            self._histogram.record_value(value, count)

    def merge(self, other: Latencies) -> None:
        if other.count:
            self._histogram.add(other._histogram)

    def encode(self) -> str:
        return str(self._histogram.encode().decode())

    def percentile_us(self, percentile: float) -> int:
        return int(self._histogram.get_value_at_percentile(percentile)) if self.count else 0

    @property
    def max_us(self) -> int:
        return int(self._histogram.get_max_value()) if self.count else 0

    def told(self) -> dict[str, int]:
        """`{"count": ..., "p50": ..., "p90": ..., "p99": ..., "p99.9": ..., "max": ...}`, in microseconds."""
        return {"count": self.count, **{f"p{p:g}": self.percentile_us(p) for p in PERCENTILES}, "max": self.max_us}


def bucketed(values_us: Ints) -> Ints:
    """The least value of the bucket that each falls into."""
    kept = np.clip(values_us, 0, HIGHEST_US)
    bits = np.frexp(kept.astype(np.float64))[1]
    shift = np.maximum(bits - _EXACT_BITS, 0).astype(np.int64)
    least: Ints = (kept >> shift) << shift
    return least


class BySecond:
    """Latencies by the second in which they belong. Memory grows with different (second, bucket), not with values."""

    def __init__(self) -> None:
        self._keys: list[Ints] = []
        self._counts: list[Ints] = []

    def add(self, at_us: Ints, values_us: Ints) -> None:
        """`at_us`: the moment that says which second, not negative."""
        if len(at_us):
            keys, counts = np.unique((at_us // 1_000_000 << 32) | bucketed(values_us), return_counts=True)
            self._keep(keys, counts)

    def _keep(self, keys: Ints, counts: Ints) -> None:
        self._keys.append(keys)
        self._counts.append(counts)
        if len(self._keys) > _MERGE_AT:
            self.pack()

    def pack(self) -> tuple[Ints, Ints]:
        """Keys (second << 32 | microseconds) in order and how many of each: what `add_packed` of another one takes."""
        if not self._keys:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        keys, counts = np.concatenate(self._keys), np.concatenate(self._counts)
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
        firsts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        self._keys, self._counts = [keys[firsts]], [np.add.reduceat(counts, firsts)]
        return self._keys[0], self._counts[0]

    def add_packed(self, keys: Ints, counts: Ints) -> None:
        if len(keys):
            self._keep(keys, counts)

    def total(self) -> Latencies:
        keys, counts = self.pack()
        made = Latencies()
        values, which = np.unique(keys & 0xFFFFFFFF, return_inverse=True)
        totals = np.zeros(len(values), np.int64)
        np.add.at(totals, which, counts)
        made.record_counts(values, totals)
        return made

    def seconds(self) -> dict[int, Latencies]:
        keys, counts = self.pack()
        seconds = keys >> 32
        made: dict[int, Latencies] = {}
        for second in np.unique(seconds).tolist():
            chosen = seconds == second
            made[second] = Latencies()
            made[second].record_counts(keys[chosen] & 0xFFFFFFFF, counts[chosen])
        return made


def merged(payloads: Iterable[str]) -> Latencies:
    """One histogram of several encoded ones."""
    made = Latencies()
    for payload in payloads:
        made.merge(Latencies.decode(payload))
    return made


def line(told: Mapping[str, int]) -> str:
    """For a person: `p50 0.08, p90 0.12, p99 0.31, p99.9 1.20, max 2.00 ms`."""
    return ", ".join(f"{name} {value / 1000:,.2f}" for name, value in told.items() if name != "count") + " ms"
