"""A result is the same after it was written and read, and other files are refused with a reason."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from commerce360.errors import ConfigError
from commerce360.load.result import Environment, Outcome, Process, Reconciled, RunResult, Series
from commerce360.reconcile.compare import Stage, compare
from commerce360.reconcile.run import Result


@pytest.mark.parametrize("name", ["steady", "stalled", "empty"])
def test_a_result_comes_back_from_its_file(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run: RunResult = request.getfixturevalue(name)
    run.write(tmp_path / "new" / "run.json")
    again = RunResult.read(tmp_path / "new" / "run.json")
    assert again.as_json() == run.as_json()
    for old, new in zip(run.hops, again.hops, strict=True):
        assert new.percentiles_ms() == old.percentiles_ms()
        assert new.seconds.p99_ms == old.seconds.p99_ms


def test_what_never_was_comes_back(tmp_path: Path) -> None:
    run = RunResult("x", 0.0, 0, 10)
    run.outcomes = [Outcome("gold.p99_s", "<= 8", math.inf, "s", False), Outcome("lost", "== 0", None, "rows", False, "not measured")]
    run.series = [Series("lag", "lake", "records", [1, 2], [math.nan, 4])]
    run.write(tmp_path / "run.json")
    again = RunResult.read(tmp_path / "run.json")
    assert again.outcomes == run.outcomes
    assert math.isnan(again.series[0].values[0])
    assert again.series[0].within(0, 10) == [4]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no JSON"),
        ("[]", "no result"),
        ('{"equal": true}', "no result"),
        ('{"format": 99}', "format 99"),
        ('{"format": 1, "scenario": "x"}', "damaged"),
    ],
)
def test_another_file_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        RunResult.read(file)


def test_a_damaged_histogram_is_refused(steady: RunResult, tmp_path: Path) -> None:
    data = steady.as_json()
    data["hops"][2]["measured_us"] = "HISTxxxx"
    (tmp_path / "run.json").write_text(json.dumps(data))
    with pytest.raises(ConfigError, match="HDR"):
        RunResult.read(tmp_path / "run.json")


def test_a_run_passes_only_with_all_thresholds_and_an_equal_reconciliation(empty: RunResult) -> None:
    held, missed = (Outcome("lost", "== 0", 0.0, "rows", passed) for passed in (True, False))
    differs = Reconciled(False, 1, 0, 0, 0)
    runs = [RunResult("x", 0.0, 0, 0, outcomes=o, reconciled=r) for o in ([held], [held, missed]) for r in (None, differs)]
    assert [run.passed for run in runs] == [True, False, False, False]


def test_the_reconciliation_is_taken_over_with_its_problems() -> None:
    found = Result(broken=["dim_customer: two current rows"])
    stages = [Stage("postgres", {(1,): b"a", (2,): b"b"}), Stage("topic", {(1,): b"a"})]
    found.tables.append(compare("sales.orders", stages, ()))
    made = Reconciled.of(found.as_json())
    assert (made.equal, made.lost, made.tables) == (False, 1, {"sales.orders": False})
    assert made.problems[0] == "dim_customer: two current rows"
    assert "missing in topic" in made.problems[1]


def test_processor_time_is_that_within_the_window() -> None:
    lake = Process("lake", [1.0, 2.0, 4.0], [1.0, 2.0, 0.5], [1, 3, 2])
    assert lake.cpu_s(0, 4) == 4.0
    assert lake.cpu_s(1.5, 3) == 1.5
    assert lake.peak_mb == 3


def test_memory_of_all_is_added_at_each_moment() -> None:
    run = RunResult("x", 0.0, 0, 3, processes=[Process("a", [1, 2], [0, 0], [10, 30]), Process("b", [1, 2], [0, 0], [5, 1])])
    assert run.memory_mb() == ([1, 2], [15, 31])


def test_the_machine_is_known() -> None:
    here = Environment.here({"kafka": "4"})
    assert here.cores >= 1
    assert here.memory_mb > 100
    assert len(here.load_before) == 3
