"""Identical runs are called different about as often as promised, and a real shift is seen: over seconds that depend on each other."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from commerce360.load import noise
from commerce360.load.noise import Change, Estimate

GRID = np.exp(np.arange(-3, 4, 0.02))
PAIRS = 150
SHIFT = 1.3
DEPENDENCE = 0.6  # of a second's latency on that of the second before
SECONDS = 180


@cache
def runs() -> list[noise.Floats]:
    """Counts by second and latency. The median of a second wanders as an autoregressive process by about 20 %."""
    dice = np.random.default_rng(9)
    wander = np.zeros((2 * PAIRS, SECONDS))
    for second in range(1, SECONDS):
        new = dice.normal(0, 0.2 * math.sqrt(1 - DEPENDENCE**2), 2 * PAIRS)
        wander[:, second] = DEPENDENCE * wander[:, second - 1] + new
    made = []
    for run in wander:
        latencies = np.exp(run[:, None] + dice.normal(0, 0.4, (SECONDS, 60)))
        places = np.minimum(np.searchsorted(GRID, latencies), len(GRID) - 1) + len(GRID) * np.arange(SECONDS)[:, None]
        made.append(np.bincount(places.ravel(), minlength=len(GRID) * SECONDS).reshape(SECONDS, len(GRID)).astype(float))
    return made


@cache
def estimates(share: float) -> list[Estimate]:
    return [noise.quantile(run, GRID, share, 1) for run in runs()]


def changes(share: float, shift: float = 1.0) -> list[Change]:
    """Of all pairs; the second of each shifted."""
    shifted = [Estimate(e.value * shift, tuple(s + math.log(shift) for s in e.sections)) for e in estimates(share)]
    return [noise.change(a, b, 0.95) for a, b in zip(estimates(share)[::2], shifted[1::2], strict=True)]


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_false_alarms_are_about_as_rare_as_promised(share: float) -> None:
    found = changes(share)
    assert sum(change.chance < 0.05 for change in found) / PAIRS < 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / PAIRS)
    assert all((c.chance < 0.05) == (c.low > 1 or c.high < 1) for c in found)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_shift_of_thirty_percent_is_seen(share: float) -> None:
    found = changes(share, SHIFT)
    assert sum(change.low > 1 for change in found) / PAIRS > 0.9
    assert sum(change.low <= SHIFT <= change.high for change in found) / PAIRS > 0.9


def test_errors_that_take_seconds_for_independent_would_cry_wolf() -> None:
    """Why there are sections: the same test with one value a second."""
    wrong = 0
    for a, b in zip(runs()[::2], runs()[1::2], strict=True):
        logs = [np.log([GRID[np.searchsorted(np.cumsum(row), row.sum() / 2)] for row in run]) for run in (a, b)]
        error = math.hypot(*(side.std(ddof=1) / math.sqrt(len(side)) for side in logs))
        wrong += abs(logs[0].mean() - logs[1].mean()) > 1.97 * error
    assert wrong / PAIRS > 0.2


def test_means_over_seconds_are_told_in_the_same_way() -> None:
    dice, events = np.random.default_rng(4), np.full(SECONDS, 100.0)
    used = [np.clip(dice.normal(0.5, 0.1, SECONDS), 0, None) for _ in range(2 * PAIRS)]
    a, b = ([noise.ratio(u, events, 1) for u in side] for side in (used[::2], used[1::2]))
    alarms = [noise.change(x, y, 0.95).chance < 0.05 for x, y in zip(a, b, strict=True)]
    assert sum(alarms) / PAIRS < 0.1
    more = [noise.change(x, noise.ratio(u * SHIFT, events, 1), 0.95).low > 1 for x, u in zip(a, used[1::2], strict=True)]
    assert sum(more) / PAIRS > 0.95


@pytest.mark.parametrize(
    ("confidence", "freedom", "expected"),
    [(0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 7, 2.365), (0.99, 7, 3.499), (0.95, 10, 2.228), (0.9, 30, 1.697), (0.95, 200, 1.972)],
)
def test_student(confidence: float, freedom: int, expected: float) -> None:
    assert noise.student(confidence, freedom) == pytest.approx(expected, abs=0.001)


def test_changes_are_called_by_the_step_up_rule() -> None:
    """The example of Benjamini & Hochberg 1995, section 3.2: of fifteen, four are called at 0.05."""
    chances = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert noise.called(chances, 0.95) == [True] * 4 + [False] * 11
    assert noise.called([math.nan, 0.001], 0.95) == [False, True]
    assert noise.called([], 0.95) == []


@pytest.mark.parametrize(
    ("pieces", "share", "reason"),
    [
        (np.ones((39, 1)), 0.5, "less than 40 s"),
        (np.zeros((60, 1)), 0.5, "no event"),
        (np.ones((60, 1)), 0.99, "too few events"),
        (np.eye(60)[:, :1] * 100, 0.5, "too few events"),
    ],
)
def test_what_cannot_be_told_says_why(pieces: noise.Floats, share: float, reason: str) -> None:
    estimate = noise.quantile(pieces, np.array([1.0]), share, 1)
    assert reason in estimate.reason
    assert math.isnan(noise.change(estimate, estimate, 0.95).low)


def test_a_change_from_nothing_is_no_ratio() -> None:
    assert math.isnan(noise.change(Estimate(0.0), Estimate(1.0), 0.95).ratio)


def test_several_runs_show_their_own_noise() -> None:
    same = noise.change_of_many([1.0, 1.1, 0.9], [1.05, 0.95, 1.0], 0.95)
    more = noise.change_of_many([1.0, 1.01, 0.99], [1.31, 1.3, 1.29], 0.95)
    assert same.low < 1 < same.high
    assert more.low > 1.2
    assert more.ratio == pytest.approx(1.3, abs=0.001)
    one = noise.change_of_many([1.0, 1.01, 0.99], [1.3], 0.95)
    assert 1 < one.low < more.low
