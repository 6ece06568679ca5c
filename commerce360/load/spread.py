"""Counted latencies in the buckets of an HDR histogram, and their percentiles over all events that were meant to arrive.

Buckets and the base64 text (V2) are HdrHistogram's: in Python, Java and elsewhere the same text is the same histogram.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from producers.latency import DIGITS, HIGHEST_US, LOWEST_US

Ints = npt.NDArray[np.int64]
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
NAMES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}


def _histogram() -> HdrHistogram:
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)


def _highest() -> Ints:
    """The highest value of each bucket in µs, by the bucket's place in the histogram's counts."""
    empty = _histogram()
    half = int(empty.sub_bucket_half_count)
    place = np.arange(empty.counts_len, dtype=np.int64)
    shift = place // half - 1
    leading = np.where(shift < 0, place, place % half + half)
    values: Ints = (leading + 1 << np.maximum(shift, 0)) - 1
    return values


VALUES_US = _highest()


def buckets(values_us: npt.NDArray[Any]) -> Ints:
    """The bucket of each latency; one below 0 counts as 0, one above an hour as an hour."""
    found: Ints = np.searchsorted(VALUES_US, np.clip(values_us, 0, HIGHEST_US).astype(np.int64)).astype(np.int64)
    return found


@dataclass(frozen=True)
class Spread:
    """`places`: buckets that have a count, ascending and without repeats; `counts`: how many latencies are in each."""

    places: Ints
    counts: Ints

    @classmethod
    def of(cls, places: Ints, counts: Ints) -> Spread:
        """Buckets in any order, repeats allowed."""
        found, where = np.unique(places, return_inverse=True)
        return cls(found, np.bincount(where, weights=counts, minlength=len(found)).astype(np.int64))

    @classmethod
    def merged(cls, parts: Iterable[Spread]) -> Spread:
        all_parts = list(parts)
        if not all_parts:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        return cls.of(np.concatenate([p.places for p in all_parts]), np.concatenate([p.counts for p in all_parts]))

    @classmethod
    def decode(cls, text: str) -> Spread:
        """Raises ValueError for what is no histogram, or one with other buckets."""
        try:
            histogram = HdrHistogram.decode(text)
        except Exception as error:  # whatever struct, zlib and base64 raise
            raise ValueError(f"not an HDR histogram: {text[:24]!r}") from error
        if histogram.counts_len != len(VALUES_US) or histogram.significant_figures != DIGITS:
            raise ValueError(f"an HDR histogram with other buckets: {text[:24]!r}")
        counts = np.ctypeslib.as_array(histogram.counts).astype(np.int64)
        places = np.flatnonzero(counts).astype(np.int64)
        return cls(places, counts[places])

    def encode(self) -> str:
        histogram = _histogram()
        if len(self.places):
            np.ctypeslib.as_array(histogram.counts)[self.places] = self.counts
            histogram.set_internal_tacking_values(int(self.places[0]), int(self.places[-1]), self.count)
        text: bytes = histogram.encode()
        return text.decode("ascii")

    @property
    def values_us(self) -> Ints:
        """The highest latency of each bucket: what a percentile says is never too good."""
        values: Ints = VALUES_US[self.places]
        return values

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
