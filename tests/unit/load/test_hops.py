"""What a hop saw is kept by intended time, and the warm-up apart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from commerce360.load.hops import Hop, HopRecorder, Seconds
from commerce360.load.spread import Spread, buckets

EVERY_SECOND = dict.fromkeys(range(10), 4)


def recorder(expected: dict[int, int] | None = None) -> HopRecorder:
    return HopRecorder("gold", 2, 6, EVERY_SECOND if expected is None else expected)


def seen(hop: HopRecorder, seconds: range, latency_us: float) -> None:
    at = np.repeat(np.array(seconds, dtype=float), 4) + 0.1
    hop.record(at, np.full(len(at), latency_us))


def test_the_measured_histogram_holds_no_event_of_the_warm_up_and_none_of_after() -> None:
    gold = recorder()
    seen(gold, range(2), 9_000_000)
    seen(gold, range(2, 8), 1000)
    seen(gold, range(8, 10), 7_000_000)
    made = gold.hop()
    assert (made.expected, made.count, made.missing) == (24, 24, 0)
    assert made.percentiles_ms()["max"] == 1.0
    assert made.warm_up.count == 8
    assert made.warm_up.quantile_ms(0) >= 9000
    assert sum(Spread.decode(text).count for text in made.blocks) == made.count


def test_an_event_counts_in_its_intended_second_and_arrives_in_another() -> None:
    gold = recorder()
    seen(gold, range(3, 4), 2_500_000)
    made = gold.hop().seconds
    assert made.n == [0, 0, 0, 4, 0, 0, 0, 0, 0, 0]
    assert made.arrived == [0, 0, 0, 0, 0, 4, 0, 0, 0, 0]
    assert made.p99_ms[3] == pytest.approx(2500, rel=0.001)
    assert made.p99_ms[4] == math.inf


def test_encoded_seconds_are_the_same_as_their_events() -> None:
    by_event, by_second = recorder(), recorder()
    for second, latency in ((1, 700), (2, 1500), (5, 40_000)):
        seen(by_event, range(second, second + 1), latency)
        text = Spread.of(buckets(np.full(4, latency)), np.ones(4, np.int64)).encode()
        by_second.add(second, text, arrived=4)
    assert by_second.hop().as_json() == by_event.hop().as_json()


def test_events_that_were_expected_and_never_seen_are_missing() -> None:
    gold = recorder()
    seen(gold, range(2, 7), 1000)
    made = gold.hop()
    assert made.missing == 4
    assert made.percentiles_ms()["p50"] == 1.0
    assert made.percentiles_ms()["p90"] == math.inf


def test_a_hop_that_saw_nothing_is_all_missing() -> None:
    made = recorder().hop()
    assert (made.count, made.missing) == (0, 24)
    assert set(made.percentiles_ms().values()) == {math.inf}


def test_nothing_recorded_is_nothing() -> None:
    gold = recorder()
    gold.record(np.empty(0), np.empty(0))
    assert gold.hop().as_json() == recorder().hop().as_json()


def test_a_hop_of_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'silver'"):
        Hop.of_json(recorder().hop().as_json() | {"name": "silver"})


def test_a_long_run_keeps_few_blocks() -> None:
    made = HopRecorder("kafka", 60, 3600, {}).hop()
    assert made.block_s == 20
    assert len(made.blocks) == 180


def test_seconds_without_a_figure_come_back_from_json() -> None:
    kept = Seconds([0, 1, 2], [2, 0, 2], [2, 0, 1], [2, 0, 1], [1.0, math.nan, 1.0], [1.0, math.nan, math.inf], [1.0, math.nan, math.inf])
    again = Seconds.of_json(kept.as_json())
    assert again.p99_ms[2] == math.inf
    assert math.isnan(again.p99_ms[1])
    assert again.p50_ms[::2] == [1.0, 1.0]
