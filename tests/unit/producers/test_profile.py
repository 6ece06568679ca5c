from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce360.errors import ConfigError
from producers.profile import EXAMPLE, Constant, Phase, Phases, Speed, Unlimited, parse_duration, parse_phases, parse_rate, parse_speed

NOTHING = np.empty(0, np.int64)
rates = st.fractions(0, 5_000, max_denominator=10)
phases = st.lists(st.builds(Phase, st.just("ramp"), rates, rates, st.integers(1, 5_000_000)), min_size=1, max_size=5)


def integral(made: list[Phase], at_us: int) -> Fraction:
    """Events until then, exactly."""
    found = Fraction(0)
    for phase in made:
        inside = min(at_us, phase.lasts_us)
        slope = (phase.last - phase.first) / phase.lasts_us
        found += (phase.first * inside + slope * inside * inside / 2) / 1_000_000
        at_us -= inside
    return found


@given(phases)
def test_each_event_is_due_when_the_integral_of_the_rate_reaches_its_number(made: list[Phase]) -> None:
    profile = Phases(made)
    assert profile.total == -(-integral(made, profile.lasts_us) // 1)
    numbers = np.unique(np.linspace(0, profile.total - 1, 50).astype(np.int64)) if profile.total else NOTHING
    due = profile.due_us(numbers, numbers)
    assert (np.diff(due) >= 0).all()
    slack = 2  # a microsecond is what a time is told in; floats are exact to far less
    for number, at_us in zip(numbers.tolist(), due.tolist(), strict=True):
        assert 0 <= at_us < profile.lasts_us
        assert integral(made, max(0, at_us - slack)) <= number
        assert integral(made, at_us + slack) >= number


@given(phases, st.integers(1, 400))
def test_a_profile_says_the_same_whatever_pieces_it_is_asked_for(made: list[Phase], size: int) -> None:
    profile = Phases(made)
    numbers = np.arange(min(profile.total, 2_000), dtype=np.int64)
    whole = profile.due_us(numbers, numbers)
    parts = [profile.due_us(numbers[at : at + size], numbers) for at in range(0, len(numbers), size)]
    assert np.array_equal(whole, np.concatenate([*parts, NOTHING]))


def test_the_example_has_the_counts_that_one_would_reckon() -> None:
    profile = parse_phases(EXAMPLE)
    assert [p.kind for p in profile.phases] == ["ramp", "spike", "soak"]
    assert profile.total == 60 * 1_000 + 50_000 + 600_000
    assert profile.lasts_us == 670_000_000
    due = profile.due_us(np.array([0, 15_000, 60_000, 109_999, 110_000], np.int64), NOTHING)
    assert due.tolist() == [0, 30_000_000, 60_000_000, 69_999_800, 70_000_000]


def test_nothing_is_due_in_a_pause() -> None:
    profile = parse_phases("soak:10:1s,soak:0:10s,soak:10:1s")
    assert profile.total == 20
    assert profile.due_us(np.array([9, 10, 11], np.int64), NOTHING).tolist() == [900_000, 11_000_000, 11_100_000]


@given(st.fractions("0.1", 1_000_000, max_denominator=100), st.integers(0, 10**9))
def test_a_constant_rate_does_not_drift(per_s: Fraction, number: int) -> None:
    (due,) = Constant(number + 1, per_s).due_us(np.array([number], np.int64), NOTHING)
    assert abs(due - number * 1_000_000 / per_s) <= 1 + number * 1_000_000 / per_s * Fraction(1, 10**15)


@given(st.fractions("0.01", 1_000, max_denominator=100), st.lists(st.integers(0, 10**13)))
def test_a_speed_divides_the_recorded_times(factor: Fraction, recorded: list[int]) -> None:
    due = Speed(len(recorded), factor).due_us(NOTHING, np.array(recorded, np.int64))
    for at, then in zip(due.tolist(), recorded, strict=True):
        assert abs(at - then / factor) <= 1 + then / factor * Fraction(1, 10**14)


def test_without_a_limit_all_is_due_at_once() -> None:
    assert Unlimited(3).due_us(np.arange(3), NOTHING).tolist() == [0, 0, 0]


def test_words_for_speed_rate_and_duration() -> None:
    assert [parse_speed(t) for t in ("10x", "0.5x", "3")] == [10, Fraction(1, 2), 3]
    assert [parse_rate(t) for t in ("2000", "0.1")] == [2000, Fraction(1, 10)]
    assert [parse_duration(t) for t in ("60s", "1.5m", "250ms", "2h")] == [60_000_000, 90_000_000, 250_000, 7_200_000_000]


@pytest.mark.parametrize("text", ["0x", "-1x", "x", "fast", "1e3x", ""])
def test_a_wrong_speed_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="no speed"):
        parse_speed(text)


@pytest.mark.parametrize("text", ["0", "-5", "1e9", "many", "200000000"])
def test_a_wrong_rate_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="no rate"):
        parse_rate(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ramp:1:5s",
        "ramp:1-2-3:5s",
        "hold:5:1s",
        "spike:5",
        "spike:5:1",
        "spike:1-2:5s",
        "soak:x:1s",
        "soak:1:0s",
        "soak:0:5s",
        "soak:1:1s,",
    ],
)
def test_a_wrong_profile_is_told_with_a_hint(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_phases(text)
    assert caught.value.hint
