"""Percentiles count every event that was intended, and the histograms are HdrHistogram's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from commerce360.load.spread import VALUES_US, Spread, buckets

LATENCIES = st.lists(st.integers(0, 3_600_000_000), min_size=1, max_size=50)


def spread(*values_us: int) -> Spread:
    places = buckets(np.array(values_us))
    return Spread.of(places, np.ones(len(places), np.int64))


@given(LATENCIES)
def test_our_buckets_are_those_of_the_library(values: list[int]) -> None:
    theirs = HdrHistogram(1, 3_600_000_000, 3)
    for value in values:
        theirs.record_value(value)
    assert spread(*values).encode() == theirs.encode().decode()


@given(LATENCIES)
def test_a_histogram_comes_back_from_its_text(values: list[int]) -> None:
    made = spread(*values)
    again = Spread.decode(made.encode())
    assert np.array_equal(again.places, made.places)
    assert np.array_equal(again.counts, made.counts)


@given(LATENCIES)
def test_a_latency_is_never_told_too_good_and_at_most_a_thousandth_too_bad(values: list[int]) -> None:
    told = VALUES_US[buckets(np.array(values))]
    assert np.all(told >= values)
    assert np.all(told <= np.array(values) * 1.001)


def test_percentiles_are_by_nearest_rank() -> None:
    ten = spread(*range(1, 11))
    assert [ten.quantile_ms(share) * 1000 for share in (0.5, 0.9, 0.91, 1.0)] == [5, 9, 10, 10]


def test_events_that_never_arrived_are_later_than_all_others() -> None:
    ninety = spread(*[1000] * 90)
    assert ninety.quantile_ms(0.9, expected=100) == 1.0
    assert ninety.quantile_ms(0.91, expected=100) == math.inf


def test_no_event_has_no_percentile_but_an_expected_one_has() -> None:
    none = Spread.merged([])
    assert math.isnan(none.quantile_ms(0.5))
    assert none.quantile_ms(0.5, expected=1) == math.inf
    assert Spread.decode(none.encode()).count == 0


def test_what_is_outside_of_the_histogram_is_counted_at_its_ends() -> None:
    assert spread(-5, 5_000_000_000).count == 2
    assert spread(-5).quantile_ms(1) == 0
    assert spread(5_000_000_000).quantile_ms(1) >= 3_600_000


@pytest.mark.parametrize("text", ["", "no base64!", HdrHistogram(1, 1000, 2).encode().decode()])
def test_what_is_no_such_histogram_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HDR histogram"):
        Spread.decode(text)
