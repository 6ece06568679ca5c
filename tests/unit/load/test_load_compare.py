"""`c360 load compare`: what it calls a change in whole runs, and what it refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from simulated import Shape, simulated

from commerce360.errors import ConfigError
from commerce360.load import compare as comparing
from commerce360.load.compare import Comparison, compare, read_side
from commerce360.load.result import RunResult

SLOW = Shape(seed=20, slower=1.5, busier=1.5, measured_s=240, drift=0.05)
LAKE = ("in gold, p50", "in gold, p99", "queryable in the warehouse, p50", "queryable in the warehouse, p99")


@pytest.fixture(scope="module")
def before() -> RunResult:
    return simulated(Shape(seed=10, measured_s=240, drift=0.05))


@pytest.fixture(scope="module")
def slower(before: RunResult) -> RunResult:
    return simulated(SLOW)


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {row.figure: row.verdict for row in comparison.rows}


def test_a_run_is_the_same_as_itself(before: RunResult) -> None:
    assert compare([before], [before]).changed == []


def test_a_run_like_it_has_not_changed(before: RunResult) -> None:
    assert compare([before], [simulated(Shape(seed=11, measured_s=240, drift=0.05))]).changed == []


def test_a_slower_lake_and_busier_processors_are_named_and_nothing_else(before: RunResult, slower: RunResult) -> None:
    found = compare([before], [slower])
    told = verdicts(found)
    assert [told[name] for name in LAKE] == ["worse"] * 4
    assert told["processor time per 1000 events, all"] == "worse"
    assert {r.figure for r in found.changed if not r.figure.startswith(("in gold", "queryable", "processor"))} == set()
    (lake,) = (r for r in found.rows if r.figure == "in gold, p50")
    assert 0.3 < lake.change < 0.8
    assert lake.low < lake.change < lake.high
    back = verdicts(compare([slower], [before]))
    assert [back[name] for name in LAKE] == ["better"] * 4


def test_one_value_per_run_cannot_be_told_from_one_run(before: RunResult, slower: RunResult) -> None:
    told = verdicts(compare([before], [slower]))
    assert told["in gold, max"] == told["peak memory, lake"] == told["peak memory, all"] == "cannot tell"


def test_several_runs_tell_it(before: RunResult) -> None:
    few = [simulated(Shape(seed=s, measured_s=60, memory=0.8 + s / 1000)) for s in (1, 2, 3)]
    more = [simulated(Shape(seed=s, measured_s=60, memory=1.1 + s / 1000)) for s in (4, 5, 6)]
    told = verdicts(compare(few, more))
    assert told["peak memory, lake"] == "worse"
    assert told["in gold, p50"] == "within noise"


def test_a_percentile_that_falls_on_lost_events_is_worse(before: RunResult) -> None:
    lossy = simulated(Shape(seed=10, measured_s=240, drift=0.05, lost=1000))
    told = {row.figure: row for row in compare([before], [lossy]).rows}
    assert told["in gold, p99"].verdict == "worse"
    assert "never arrived" in told["in gold, p99"].reason
    assert told["in gold, p99"].as_json()["b"] is None


def test_different_scenarios_are_refused_unless_forced(before: RunResult) -> None:
    other = copy.deepcopy(before)
    other.scenario = "spike"
    with pytest.raises(ConfigError, match="steady-1k and spike"):
        compare([before], [other])
    assert "different scenarios" in compare([before], [other], force=True).warnings[0]


def test_another_load_under_the_same_name_is_refused_but_not_other_thresholds(before: RunResult) -> None:
    other = copy.deepcopy(before)
    other.definition = before.definition.replace("<= 8", "<= 9")
    assert compare([before], [other]).changed == []
    other.definition = before.definition.replace("rate = 1000", "rate = 2000")
    with pytest.raises(ConfigError):
        compare([before], [other])


def test_a_short_run_is_not_judged() -> None:
    short = simulated(Shape(measured_s=30, warm_up_s=0))
    assert {row.verdict for row in compare([short], [short]).rows} == {"cannot tell"}


def test_nothing_compares_with_nothing(empty: RunResult) -> None:
    assert compare([empty], [empty]).changed == []


def test_a_busy_machine_is_said(before: RunResult) -> None:
    busy = copy.deepcopy(before)
    busy.environment.load_before = [5.0, 5.0, 5.0]
    assert any("busy before" in warning for warning in compare([before], [busy]).warnings)


def test_sides_are_files_or_folders(before: RunResult, tmp_path: Path) -> None:
    for name in ("1", "2"):
        before.write(tmp_path / "runs" / f"{name}.json")
    assert len(read_side(tmp_path / "runs")) == 2
    assert len(read_side(tmp_path / "runs" / "1.json")) == 1
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigError, match="no JSON"):
        read_side(tmp_path / "none")


def test_the_comparison_is_json(before: RunResult, slower: RunResult, tmp_path: Path) -> None:
    comparing.write(compare([before], [slower]), tmp_path / "c.json")
    data = json.loads((tmp_path / "c.json").read_text())
    (gold,) = (row for row in data["rows"] if row["figure"] == "in gold, p50")
    assert gold["verdict"] == "worse"
    assert gold["b"] > gold["a"]
