"""The search for the highest rate, on a platform of which the limit is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plain_run import good, late
from simulated import Shape, simulated

from commerce360.errors import ConfigError, UnavailableError
from commerce360.load import search, thresholds
from commerce360.load.result import Environment, Process, RunResult, Series
from commerce360.load.scenario import FOLDER, read
from commerce360.load.search import Step, find_max, growth, judge

RULES = thresholds.parse({"gold.p99_s": "<= 1"})


def at(rate: float, limit: float) -> RunResult:
    """Above the limit the lake's lag grows by the difference, every second."""
    run = good()
    t = [float(second) for second in range(21)]
    behind = max(0.0, rate - limit)
    run.series[0] = Series("lag", "lake", "records", t, [20 + behind * s for s in t])
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
    assert (found.rate, found.above) == (1000, None)
    assert [s.rate for s in found.steps] == [100, 200, 400, 800, 1000]
    assert "none up to" in found.bottleneck


def test_a_step_fails_by_a_threshold_or_by_a_lag_that_grows() -> None:
    slow = good()
    slow.hops[3] = late("gold", 2_000_000)
    slow.outcomes = thresholds.judge(RULES, slow)
    assert judge(slow, 10).why == "gold.p99_s 2 s"
    growing = at(110, 100)
    assert growth(growing) == {"lake": pytest.approx(10), "loader": pytest.approx(0)}
    assert not judge(growing, 110).holds
    assert "lag of the lake grows" in judge(growing, 110).why
    assert judge(at(100, 100), 100).holds


def test_a_loader_that_falls_behind_is_in_the_way() -> None:
    run = at(100, 1e9)
    t = run.series[1].t
    run.series[1] = Series("lag", "loader", "batches", t, [s / 2 for s in t])
    step = judge(run, 100)
    assert not step.holds
    assert "lag of the loader grows by 0.5 batches/s" in step.why
    assert search.bottleneck(run, 100).startswith("the loader and the warehouse")


def test_a_lag_that_nobody_measured_does_not_hold() -> None:
    run = at(100, 1e9)
    run.series = []
    assert judge(run, 100).why == "lag of the lake was not measured; lag of the loader was not measured"


def test_a_step_that_breaks_off_did_not_hold_and_what_is_known_is_told() -> None:
    told: list[int] = []

    def measure(rate: float) -> RunResult:
        if rate > 300:
            raise UnavailableError("a stage does not drain", "wait")
        return at(rate, 1e9)

    found = find_max(measure, first=100, top=1000, tell=lambda found: told.append(len(found.steps)))
    assert 255 <= found.rate <= 300
    assert found.bottleneck == "the step broke off: a stage does not drain"
    assert told == list(range(1, len(found.steps) + 1))


def test_only_a_process_of_python_has_but_one_core() -> None:
    run = at(2000, 1000)
    run.processes[0].cpu_cores = [1.6] * 21
    assert "all that one process" not in search.bottleneck(run, 2000)
    run.processes[0].name = "loader"
    assert "all that one process" in search.bottleneck(run, 2000)


def test_a_first_step_above_the_highest_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match="above the highest"):
        find_max(lambda rate: at(rate, 1e9), first=100, top=50)


def test_what_is_not_finite_is_null_in_json() -> None:
    assert Step(1.0, False, "", {"a": float("inf"), "b": float("nan"), "c": 1.0}).as_json()["a"] is None
    json.dumps(Step(1.0, False, "", {"b": float("nan")}).as_json(), allow_nan=False)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / FOLDER).glob("*.toml")), ids=lambda p: p.stem)
def test_a_step_of_each_scenario_holds_on_a_platform_without_fault(path: Path) -> None:
    scenario, _ = read(str(path))
    step = scenario.at_rate(237.5, 90)
    assert step.profile == "soak:237.5:90s"
    assert step.measured_s >= 60
    run = simulated(Shape(rate=237.5, warm_up_s=step.warm_up_s, measured_s=step.measured_s, batch_s=0.8, drift=0.02, slower=0.5))
    run.reconciled = None
    run.series[1].values = [1.0] * len(run.series[1].t)
    rules = [r for r in step.rules() if r.name != "gold.p99_over_p50"]  # how much batches differ is the simulation's own
    run.outcomes = thresholds.judge(rules, run)
    assert judge(run, 237.5).why == ""


def test_the_swing_of_a_lag_is_no_growth() -> None:
    run = at(100, 1e9)
    t = [s / 2 for s in range(10, 41)]
    run.series[0] = Series("lag", "lake", "records", t, [100 * (s % 6) for s in t])
    assert growth(run)["lake"] == 0
    run.series[0].values = [100 * (s % 6) + 90 * s for s in t]
    assert growth(run)["lake"] == pytest.approx(90, rel=0.2)
