"""The latency of events up to one hop of the platform, second by second of their intended time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from commerce360.load.spread import SHARES, VALUES_US, Spread, buckets

HOPS = ("sent", "kafka", "consumer", "gold", "warehouse")
TITLES = {
    "sent": "handed to the client",
    "kafka": "acknowledged by Kafka",
    "consumer": "at a consumer of the topic",
    "gold": "in gold",
    "warehouse": "queryable in the warehouse",
}
MOST_BLOCKS = 180  # of the measured part, each with a histogram of its own
PLACE_BITS = 16  # of a bucket within one number together with its second


@dataclass
class Seconds:
    """One row per second. An event counts in the second of its intended time, and in `arrived` in that of its arrival."""

    t: list[int] = field(default_factory=list)
    expected: list[int] = field(default_factory=list)
    n: list[int] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)  # NaN: no event; infinite: the event at this rank never arrived
    p99_ms: list[float] = field(default_factory=list)
    max_ms: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, list[float | None]]:
        return {name: [v if math.isfinite(v) else None for v in values] for name, values in vars(self).items()}

    @classmethod
    def of_json(cls, data: Mapping[str, list[Any]]) -> Seconds:
        made = cls(**data)
        for values in (made.p50_ms, made.p99_ms, made.max_ms):
            values[:] = [_missing(made.expected[i], made.n[i]) if v is None else v for i, v in enumerate(values)]
        return made


def _missing(expected: int, seen: int) -> float:
    return math.inf if expected > seen else math.nan


@dataclass
class Hop:
    """Latencies from the intended time. `measured` holds no event of the warm-up, `warm_up` none of the measured part."""

    name: str
    expected: int  # events that were intended in the measured part
    measured: Spread
    warm_up: Spread
    seconds: Seconds
    block_s: int = 1
    blocks: list[str] = field(default_factory=list)  # the measured part in pieces of `block_s` seconds: encoded histograms
    block_expected: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.measured.count

    @property
    def missing(self) -> int:
        """Events of the measured part that never came this far while somebody looked."""
        return max(0, self.expected - self.count)

    @cached_property
    def pieces(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(blocks × latencies: counts; the latencies in ms, ascending). Events that never arrived are the last column."""
        spreads = [Spread.decode(text) for text in self.blocks]
        places = Spread.merged(spreads).places
        counts = np.zeros((len(spreads), len(places) + 1))
        for row, (spread, expected) in enumerate(zip(spreads, self.block_expected, strict=True)):
            counts[row, np.searchsorted(places, spread.places)] = spread.counts
            counts[row, -1] = max(0, expected - spread.count)
        return counts, np.append(VALUES_US[places] / 1000, math.inf)

    def percentiles_ms(self) -> dict[str, float]:
        """p50, p90, p99, p999 and max over all intended events; infinite where the rank falls on one that is missing."""
        return {name: self.measured.quantile_ms(share, self.expected) for name, share in SHARES.items()}

    def as_json(self) -> dict[str, Any]:
        shown = {f"{name}_ms": v if math.isfinite(v) else None for name, v in self.percentiles_ms().items()}
        return {
            "name": self.name,
            "expected": self.expected,
            "count": self.count,
            "missing": self.missing,
            **shown,
            "measured_us": self.measured.encode(),
            "warm_up_us": self.warm_up.encode(),
            "seconds": self.seconds.as_json(),
            "block_s": self.block_s,
            "blocks_us": self.blocks,
            "block_expected": self.block_expected,
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Hop:
        if data["name"] not in HOPS:
            raise ValueError(f"no hop is called {data['name']!r}")
        return cls(
            name=data["name"],
            expected=data["expected"],
            measured=Spread.decode(data["measured_us"]),
            warm_up=Spread.decode(data["warm_up_us"]),
            seconds=Seconds.of_json(data["seconds"]),
            block_s=data["block_s"],
            blocks=data["blocks_us"],
            block_expected=data["block_expected"],
        )


class HopRecorder:
    """Takes what a hop saw, in any order and any number of pieces, and makes the hop of it.

    `expected`: how many events were intended in each second, warm-up included. Seconds count from intended time 0; those below
    `warm_up_s` are warm-up, the `measured_s` after them are measured, later ones show in `seconds` only.
    """

    def __init__(self, name: str, warm_up_s: int, measured_s: int, expected: Mapping[int, int]) -> None:
        self.name = name
        self.measured = range(warm_up_s, warm_up_s + measured_s)
        self.expected = expected
        self._keys: list[npt.NDArray[np.int64]] = []  # second and bucket of the latency in one number
        self._counts: list[npt.NDArray[np.int64]] = []
        self._arrived: dict[int, int] = {}

    def record(self, intended_s: npt.NDArray[np.float64], latency_us: npt.NDArray[Any]) -> None:
        """Events by intended time (seconds from intended time 0) and latency; one below zero counts as none."""
        if not len(intended_s):
            return
        keys, counts = np.unique((_whole(intended_s) << PLACE_BITS) | buckets(latency_us), return_counts=True)
        self._keys.append(keys)
        self._counts.append(counts.astype(np.int64))
        seconds, often = np.unique(_whole(intended_s + np.maximum(latency_us, 0) / 1e6), return_counts=True)
        self._count_arrivals(dict(zip(seconds.tolist(), often.tolist(), strict=True)))

    def add(self, second: int, latency_us: str, arrived: int | None = None) -> None:
        """All events of one second of intended time as an encoded histogram.

        `arrived`: how many events, of whatever intended time, came in this second; else it is guessed from the latencies.
        Raises ValueError for a text that is no histogram.
        """
        spread = Spread.decode(latency_us)
        self._keys.append((np.int64(second) << PLACE_BITS) | spread.places)
        self._counts.append(spread.counts)
        if arrived is not None:
            self._count_arrivals({second: arrived})
            return
        for at, count in zip((second + spread.values_us // 1_000_000).tolist(), spread.counts.tolist(), strict=True):
            self._count_arrivals({at: count})

    def _count_arrivals(self, more: Mapping[int, int]) -> None:
        for second, count in more.items():
            self._arrived[second] = self._arrived.get(second, 0) + count

    def hop(self) -> Hop:
        by_second = dict(self._by_second())
        block_s = max(1, math.ceil(len(self.measured) / MOST_BLOCKS))
        starts = self.measured[::block_s]
        pieces = [range(start, min(start + block_s, self.measured.stop)) for start in starts]
        return Hop(
            name=self.name,
            expected=sum(self.expected.get(t, 0) for t in self.measured),
            measured=_together(by_second, self.measured),
            warm_up=_together(by_second, range(min(by_second, default=0), self.measured.start)),
            seconds=self._seconds(by_second),
            block_s=block_s,
            blocks=[_together(by_second, piece).encode() for piece in pieces],
            block_expected=[sum(self.expected.get(t, 0) for t in piece) for piece in pieces],
        )

    def _by_second(self) -> Iterator[tuple[int, Spread]]:
        if not self._keys:
            return
        keys = Spread.of(np.concatenate(self._keys), np.concatenate(self._counts))
        found, starts = np.unique(keys.places >> PLACE_BITS, return_index=True)
        places, counts = (np.split(column, starts[1:]) for column in (keys.places & ((1 << PLACE_BITS) - 1), keys.counts))
        for second, each, often in zip(found.tolist(), places, counts, strict=True):
            yield second, Spread(each, often)

    def _seconds(self, by_second: Mapping[int, Spread]) -> Seconds:
        made = Seconds()
        for t in sorted({*by_second, *self._arrived, *self.expected}):
            spread, expected = by_second.get(t) or Spread.merged([]), self.expected.get(t, 0)
            made.t.append(t)
            made.expected.append(expected)
            made.n.append(spread.count)
            made.arrived.append(self._arrived.get(t, 0))
            for values, name in ((made.p50_ms, "p50"), (made.p99_ms, "p99"), (made.max_ms, "max")):
                values.append(spread.quantile_ms(SHARES[name], expected))
        return made


def _whole(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.floor(seconds).astype(np.int64)


def _together(by_second: Mapping[int, Spread], seconds: range) -> Spread:
    return Spread.merged(by_second[t] for t in seconds if t in by_second)
