"""Latencies as HDR histograms: microseconds from 1 µs to 1 h with three significant digits.

The bucket rule and the base64 text (V2, zlib) are those of HdrHistogram, as hdrhistogram 0.10.8 implements them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

Values = npt.NDArray[np.int64]
MOST_US = 3_600_000_000
DIGITS = 3
EXACT_BITS = 11  # values below 2**11 have a bucket of their own; above, a bucket keeps the 11 leading bits
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}


class Latency:
    """How often which latency was seen. What lies outside of 0 to 1 h is counted at that end, never dropped."""

    def __init__(self, histogram: HdrHistogram | None = None) -> None:
        self._histogram = HdrHistogram(1, MOST_US, DIGITS) if histogram is None else histogram

    def record(self, values_us: Values | Iterable[int], counts: Values | None = None) -> None:
        """Each value once, or `counts` times."""
        values = bucket(np.asarray(values_us if isinstance(values_us, np.ndarray) else list(values_us)))
        found, where = np.unique(values, return_inverse=True)
        often = np.bincount(where, weights=counts, minlength=len(found)).astype(np.int64)
        for value, count in zip(found.tolist(), often.tolist(), strict=True):
            self._histogram.record_value(value, count)

    def merge(self, other: Latency) -> None:
        self.record(*other.recorded())

    def recorded(self) -> tuple[Values, Values]:
        """(values in µs, ascending; how often each): the highest value of every bucket that has a count."""
        counts = np.ctypeslib.as_array(self._histogram.counts).astype(np.int64)
        at = np.flatnonzero(counts)
        return np.array([self._highest(int(i)) for i in at], dtype=np.int64), counts[at]

    def _highest(self, index: int) -> int:
        value: int = self._histogram.get_highest_equivalent_value(self._histogram.get_value_from_index(index))
        return value

    @property
    def count(self) -> int:
        return int(self._histogram.get_total_count())

    def percentiles(self) -> dict[str, int]:
        """p50, p90, p99, p999 and max in µs; empty where nothing was recorded."""
        if not self.count:
            return {}
        found: dict[float, Any] = self._histogram.get_percentile_to_value_dict(list(PERCENTILES.values()))
        return {name: int(found[q]) for name, q in PERCENTILES.items()}

    def encode(self) -> str:
        text: bytes = self._histogram.encode()
        return text.decode("ascii")

    @classmethod
    def decode(cls, text: str) -> Latency:
        """Raises ValueError for what is no histogram."""
        try:
            return cls(HdrHistogram.decode(text))
        except Exception as error:  # the package raises whatever struct, zlib or base64 raise
            raise ValueError(f"not an HDR histogram: {text[:24]!r}") from error


def bucket(values_us: npt.NDArray[Any]) -> Values:
    """The highest value of the bucket of each, within 0 and 1 h."""
    values = np.clip(values_us, 0, MOST_US).astype(np.int64)
    _, exponents = np.frexp(values.astype(np.float64))
    shift = np.maximum(exponents.astype(np.int64) - EXACT_BITS, 0)
    highest: Values = ((values >> shift) + 1 << shift) - 1
    return highest
