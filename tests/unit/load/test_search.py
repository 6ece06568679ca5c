"""The search for the highest rate, on a platform of which the limit is known."""

from __future__ import annotations

import pytest
from plain_run import good, late

from commerce360.load import search, thresholds
from commerce360.load.result import Environment, Process, RunResult, Series
from commerce360.load.search import find_max, growth, judge

RULES = thresholds.parse({"gold.p99_s": "<= 1"})


def at(rate: float, limit: float) -> RunResult:
    """Above the limit the lake's lag grows by the difference, every second."""
    run = good()
    t = [float(second) for second in range(21)]
    behind = max(0.0, rate - limit)
    run.series = [Series("lag", "lake", "records", t, [20 + behind * s for s in t])]
    run.processes = [Process("lake", t, [min(0.95, rate / limit)] * 21, [100.0] * 21), Process("kafka", t, [0.2] * 21, [100.0] * 21)]
    run.environment = Environment(cores=2)
    run.outcomes = thresholds.judge(RULES, run)
    return run


@pytest.mark.parametrize("limit", [130.0, 900.0, 1777.0, 30_000.0])
def test_the_limit_is_found_within_the_gap(limit: float) -> None:
    found = find_max(lambda rate: at(rate, limit), first=100, top=1e6)
    assert found.above is not None
    assert found.rate <= limit * (1 + search.GROWTH_SHARE) < found.above * 1.06
    assert found.above - found.rate <= 0.15 * found.rate
    assert found.bottleneck.startswith("the lake job; lake used 0.95 cores")


def test_a_first_step_that_is_too_fast_is_halved() -> None:
    found = find_max(lambda rate: at(rate, 40), first=100, top=1e6)
    assert 30 <= found.rate <= 42


def test_a_bad_moment_is_no_limit_and_a_limit_fails_twice() -> None:
    tries: list[float] = []

    def measure(rate: float) -> RunResult:
        tries.append(rate)
        return at(rate, 1.0 if len(tries) == 2 else 500.0)

    found = find_max(measure, first=100, top=1000)
    assert tries[:4] == [100, 200, 200, 400]
    assert 400 <= found.rate <= 525
    assert tries.count(found.above) == 2


def test_nothing_is_in_the_way_where_all_holds() -> None:
    found = find_max(lambda rate: at(rate, 1e9), first=100, top=1000)
    assert (found.rate, found.above) == (800, None)
    assert "none up to" in found.bottleneck


def test_a_step_fails_by_a_threshold_or_by_a_lag_that_grows() -> None:
    slow = good()
    slow.hops[3] = late("gold", 2_000_000)
    slow.outcomes = thresholds.judge(RULES, slow)
    assert judge(slow, 10).why == "gold.p99_s 2 s"
    growing = at(110, 100)
    assert growth(growing) == {"lake": pytest.approx(10)}
    assert not judge(growing, 110).holds
    assert "lag of the lake grows" in judge(growing, 110).why
    assert judge(at(100, 100), 100).holds
