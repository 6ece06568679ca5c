from __future__ import annotations

import numpy as np
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from producers.latency import DIGITS, HIGHEST_US, LOWEST_US, BySecond, Latencies, line, merged

values = st.lists(st.integers(0, HIGHEST_US), max_size=60)


def by_the_library(found: list[int]) -> HdrHistogram:
    made = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for value in found:
        assert made.record_value(value)
    return made


def of(found: list[int]) -> Latencies:
    made = Latencies()
    made.record(np.array(found, np.int64))
    return made


@given(values)
def test_recording_an_array_is_recording_each_value(found: list[int]) -> None:
    assert of(found).encode() == by_the_library(found).encode().decode()


@given(values, values)
def test_what_was_encoded_and_merged_is_as_if_recorded_at_once(some: list[int], others: list[int]) -> None:
    assert merged([of(some).encode(), of(others).encode()]).told() == Latencies.decode(of(some + others).encode()).told()


def test_percentiles_are_within_a_thousandth_and_nothing_is_lost() -> None:
    made = of([*list(range(1, 100001)), HIGHEST_US * 2, -5])
    told = made.told()
    assert told["count"] == 100_002
    for name, exact in (("p50", 50_000), ("p90", 90_000), ("p99", 99_000), ("p99.9", 99_900)):
        assert abs(told[name] - exact) <= exact / 1000 + 1
    assert told["max"] >= HIGHEST_US
    assert of([]).told() == {"count": 0, "p50": 0, "p90": 0, "p99": 0, "p99.9": 0, "max": 0}
    assert line({"count": 2, "p50": 1500, "max": 20_000}) == "p50 1.50, max 20.00 ms"


@given(st.lists(st.lists(st.tuples(st.integers(0, 20_000_000), st.integers(0, HIGHEST_US)), max_size=20), max_size=20))
def test_seconds_keep_every_value_in_its_second_whoever_counted_it(parts: list[list[tuple[int, int]]]) -> None:
    joined = BySecond()
    for part in parts:
        one = BySecond()
        for at, value in part:
            one.add(np.array([at], np.int64), np.array([value], np.int64))
        joined.add_packed(*one.pack())
    everything = [pair for part in parts for pair in part]
    assert joined.total().encode() == of([value for _, value in everything]).encode()
    seconds = joined.seconds()
    assert seconds.keys() == {at // 1_000_000 for at, _ in everything}
    for second, found in seconds.items():
        assert found.encode() == of([v for at, v in everything if at // 1_000_000 == second]).encode()


def test_many_parts_are_joined_on_the_way() -> None:
    made = BySecond()
    for number in range(2_000):
        made.add(np.array([number], np.int64), np.array([7], np.int64))
    assert len(made._keys) <= 257
    assert made.total().count == 2_000
