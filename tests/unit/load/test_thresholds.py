"""Every kind of threshold holds for a good run, does not for a planted wrong figure, and never where nothing was measured."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
from plain_run import good, late
from simulated import HELD, Shape, simulated

from commerce360.errors import ConfigError
from commerce360.load import thresholds
from commerce360.load.figures import FIGURES, measure_of
from commerce360.load.hops import Seconds
from commerce360.load.result import Fault, Outcome, RunResult

Plant = Callable[[RunResult], Any]


def replaced(name: str, latency_us: float, seconds: range = range(20)) -> Plant:
    def plant(run: RunResult) -> None:
        run.hops = [late(name, latency_us, seconds) if hop.name == name else hop for hop in run.hops]

    return plant


def lagging(name: str, at: int, value: float) -> Plant:
    return lambda run: next(s for s in run.series if s.name == name).values.__setitem__(at, value)


def counted(**values: int) -> Plant:
    return lambda run: [setattr(run.counters, name, value) for name, value in values.items()]


def reconciled(**values: Any) -> Plant:
    return lambda run: [setattr(run.reconciled, name, value) for name, value in values.items()]


WRONG: list[tuple[str, Any, Plant]] = [
    ("sent.p99_ms", "<= 150", replaced("sent", 151_000)),
    ("kafka.p50_ms", "< 150", replaced("kafka", 151_000)),
    ("consumer.p999_s", "<= 0.15", replaced("consumer", 151_000)),
    ("gold.p99_s", "<= 0.15", replaced("gold", 151_000)),
    ("gold.p99_s", "<= 8", replaced("gold", 100_000, range(19))),  # the last second's events never arrive
    ("warehouse.max_s", "<= 0.15", replaced("warehouse", 151_000)),
    ("warehouse.p90_s", "== 0.100", replaced("warehouse", 151_000)),
    ("gold.p99_over_p50", "<= 2", replaced("gold", 100_000, range(19))),
    ("throughput.min_share", ">= 0.99", counted(acked=197)),
    ("throughput.acked_per_s", "> 9.9", replaced("kafka", 100_000, range(19))),
    ("failed", 0, counted(failed=1)),
    ("unseen.consumer", 0, counted(consumer=199)),
    ("unseen.gold", 0, counted(gold=199)),
    ("unseen.warehouse", 0, counted(warehouse=199)),
    ("lag.end_records", "<= 5000", lagging("lake", 20, 5001)),
    ("lag.max_records", "<= 5000", lagging("lake", 7, 5001)),
    ("lag.end_batches", "<= 3", lagging("loader", 20, 4)),
    ("lag.max_batches", "<= 3", lagging("loader", 7, 4)),
    ("reconcile.equal", True, reconciled(equal=False)),
    ("lost", 0, reconciled(lost=1)),
    ("doubled", 0, reconciled(doubled=1)),
    ("changed", 0, reconciled(changed=1)),
    ("rejected", 0, reconciled(rejected=1)),
    ("memory.peak_mb", "<= 200", lambda run: run.processes[0].memory_mb.__setitem__(9, 201.0)),
    ("cpu.mean_cores", "<= 1", lambda run: run.processes[0].cpu_cores.__setitem__(slice(0, 21), [1.1] * 21)),
]


def judged(name: str, rule: Any, run: RunResult, **more: Any) -> Outcome:
    return thresholds.judge(thresholds.parse({name: rule, **more}), run)[0]


@pytest.mark.parametrize(("name", "rule", "plant"), WRONG, ids=[f"{i}-{name}" for i, (name, *_) in enumerate(WRONG)])
def test_a_threshold_holds_until_a_wrong_figure_is_planted(name: str, rule: Any, plant: Plant) -> None:
    run = good()
    if name == "warehouse.p90_s":
        rule = f"== {run.hops[4].percentiles_ms()['p90'] / 1000}"
    before = judged(name, rule, run)
    assert before.passed, before
    plant(run)
    after = judged(name, rule, run)
    assert not after.passed, after
    assert after.value is not None


def test_every_figure_has_a_planted_wrong_one() -> None:
    assert set(FIGURES) <= {name for name, *_ in WRONG}


@pytest.mark.parametrize("name", sorted({name for name, *_ in WRONG}))
def test_what_was_not_measured_never_passes(name: str, empty: RunResult) -> None:
    rule = True if name == "reconcile.equal" else ">= 0"
    outcome = judged(name, rule, empty)
    assert (outcome.value, outcome.passed) == (None, False)
    assert outcome.reason.startswith("not measured: ")


def test_a_hop_that_saw_nothing_of_what_was_sent_is_not_measured() -> None:
    run = good()
    replaced("gold", 0, range(0))(run)
    assert judged("gold.p50_s", ">= 0", run).reason == "not measured: none of 150 events was seen in gold"
    assert judged("gold.p99_over_p50", ">= 0", run).value is None


def test_too_many_missing_events_make_a_percentile_infinite_and_say_so() -> None:
    run = good()
    replaced("gold", 100_000, range(19))(run)
    outcome = judged("gold.p99_s", "<= 1000000", run)
    assert outcome.value == math.inf
    assert outcome.reason == "10 of 150 events were never seen in gold"
    assert judged("gold.p90_s", "<= 0.15", run).passed


def test_a_lag_that_only_the_drain_worked_off_is_not_held() -> None:
    run = good()
    run.series[0].t.append(25.0)
    run.series[0].values[20] = 9000
    run.series[0].values.append(0.0)
    assert judged("lag.end_records", "<= 5000", run).value == 9000


# ---- recovery


def faulty(slow: range, fault: Fault) -> RunResult:
    run = good()
    gold = run.hops[3]
    seconds = Seconds(**copy.deepcopy(vars(gold.seconds)))
    for at in slow:
        seconds.p99_ms[at] = 9000.0
    gold.seconds, run.faults = seconds, [fault]
    return run


@pytest.mark.parametrize(
    ("slow", "took"),
    [(range(6, 13), 3.0), (range(6, 10), 0.0), (range(0), 0.0), (range(6, 15), 5.0)],
)
def test_recovery_is_from_the_end_of_the_fault_until_seconds_are_in_time_again(slow: range, took: float) -> None:
    run = faulty(slow, Fault("lake stopped", 6.0, 10.0))
    assert judged("recovery_s", "<= 5 until gold.p99_s <= 8", run).value == took
    assert judged("recovery_s", "<= 5", run, **{"gold.p99_s": "<= 8"}).value == took
    assert judged("recovery_s", f"< {took + 1} until gold.p99_ms < 8000", run).passed
    assert not judged("recovery_s", f"< {took} until gold.p99_s <= 8", run).passed


def test_one_good_second_is_no_recovery() -> None:
    run = faulty(range(6, 14), Fault("lake stopped", 6.0, 10.0))
    run.hops[3].seconds.p99_ms[11] = 100.0
    assert judged("recovery_s", "<= 3 until gold.p99_s <= 8", run).value == 4.0


def test_a_run_that_did_not_recover_in_its_time_does_not_hold() -> None:
    outcome = judged("recovery_s", "<= 300 until gold.p99_s <= 8", faulty(range(6, 17), Fault("lake stopped", 6.0, 10.0)))
    assert (outcome.value, outcome.passed) == (math.inf, False)
    assert "lake stopped" in outcome.reason


@pytest.mark.parametrize("fault", [None, Fault("lake stopped", 6.0, None)])
def test_without_the_end_of_a_fault_there_is_no_recovery(fault: Fault | None) -> None:
    run = faulty(range(0), fault or Fault("", 0, 0))
    run.faults = [fault] if fault else []
    outcome = judged("recovery_s", "<= 300 until gold.p99_s <= 8", run)
    assert (outcome.value, outcome.passed) == (None, False)


def test_a_stopped_lake_in_a_whole_run(stalled: RunResult) -> None:
    assert 0 < float(judged("recovery_s", "<= 60 until gold.p99_s <= 8", stalled).value or 0) < 30
    assert not judged("gold.p99_s", "<= 8", stalled).passed


# ---- what a scenario may say


def test_tables_of_toml_without_quotes_are_the_same() -> None:
    made = thresholds.parse({"gold": {"p99_s": "<= 8"}, "lost": 0})
    assert [(t.name, t.rule) for t in made] == [("gold.p99_s", "<= 8"), ("lost", "== 0")]


@pytest.mark.parametrize(
    "name", ["gold.p98_s", "glod.p99_s", "gold.p99", "gold.p99_m", "lag.end_record", "recover_s", "", "gold.p99_s ", "reconcile"]
)
def test_a_misspelt_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        thresholds.parse({name: "<= 1"})
    assert "lag.end_records" in refused.value.hint
    assert "recovery_s" in refused.value.hint


def test_a_misspelt_name_brings_the_nearest() -> None:
    with pytest.raises(ConfigError) as refused:
        measure_of("lag.end_record")
    assert refused.value.hint.startswith("did you mean lag.end_records?")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("gold.p99_s", "8"), ("gold.p99_s", "=< 8"), ("gold.p99_s", "<= eight"), ("gold.p99_s", True), ("gold.p99_s", None),
        ("gold.p99_s", ["<= 8"]), ("reconcile.equal", "true"), ("reconcile.equal", 1), ("lost", False), ("gold.p99_s", "<= -1"),
        ("recovery_s", "<= 300"), ("recovery_s", "<= 300 until gold <= 8"), ("recovery_s", "until gold.p99_s <= 8"),
        ("recovery_s", "<= 300 until glod.p99_s <= 8"), ("recovery_s", 300), ("gold.p99_s", "<= nan"),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused(name: str, rule: Any) -> None:
    with pytest.raises(ConfigError):
        thresholds.parse({name: rule})


def test_a_whole_simulated_run_holds_what_it_should(steady: RunResult) -> None:
    assert [o.name for o in steady.outcomes] == list(HELD)
    assert all(o.passed for o in steady.outcomes)
    slow = simulated(Shape(slower=5))
    failed = [o.name for o in thresholds.judge(thresholds.parse(HELD), slow) if not o.passed]
    assert "gold.p99_s" in failed
    assert "sent.p99_ms" not in failed
