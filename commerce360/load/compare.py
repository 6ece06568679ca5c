"""What changed from run A to run B beyond noise: `noise` says how that is told.

A side is one run, or several of the same scenario. With one run a side, a change of less than LEAST is not called one whatever its
interval: noise from run to run is not seen in a single one, and to leave out what is this small is a judgement, not a measurement.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from commerce360.errors import ConfigError
from commerce360.load import noise
from commerce360.load.hops import TITLES
from commerce360.load.noise import Change, Estimate
from commerce360.load.result import Process, RunResult
from commerce360.load.spread import NAMES, SHARES

CONFIDENCE = 0.95
LEAST = 0.03
FLOWS = ("kafka", "gold", "warehouse")
VERDICTS = ("worse", "better", "within noise", "cannot tell")

Measure = Callable[[RunResult], Estimate]


@dataclass(frozen=True)
class Row:
    """One figure of both sides, as the mean of a side's runs. `change` (B / A - 1) and its interval are those of `noise`."""

    figure: str
    unit: str
    a: float
    b: float
    change: float
    low: float
    high: float
    verdict: str  # one of VERDICTS
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}


@dataclass
class Comparison:
    scenario: str
    runs: tuple[int, int]
    confidence: float
    rows: list[Row]
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> list[Row]:
        return [row for row in self.rows if row.verdict in ("worse", "better")]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "rows": [row.as_json() for row in self.rows]}


def read_side(path: Path) -> list[RunResult]:
    """The run of a file, or the runs of a folder, by name. Raises ConfigError where there is none."""
    if not path.is_dir():
        return [RunResult.read(path)]
    found = [RunResult.read(file) for file in sorted(path.glob("*.json"))]
    if not found:
        raise ConfigError(f"{path} holds no JSON file", "name results of `c360 load run`, or a folder of them")
    return found


def compare(a: Sequence[RunResult], b: Sequence[RunResult], force: bool = False, confidence: float = CONFIDENCE) -> Comparison:
    """Raises ConfigError when the runs are not all of one scenario, unless forced."""
    runs = [*a, *b]
    others = [run for run in runs if _load_of(run) != _load_of(runs[0])]
    if others and not force:
        named = " and ".join(dict.fromkeys(run.scenario for run in (runs[0], others[0])))
        raise ConfigError(f"these are runs of different scenarios ({named})", "compare runs of one scenario, or say --force")
    found = [(name, unit, lower, _change(a, b, measure, confidence)) for name, unit, lower, measure in _figures(runs)]
    is_called = noise.called([change.chance for *_, (_, _, change) in found], confidence)
    alone = len(a) == len(b) == 1
    rows = [
        _row(name, unit, values_a, values_b, change, _verdict(change, lower, beyond, alone, values_a, values_b))
        for (name, unit, lower, (values_a, values_b, change)), beyond in zip(found, is_called, strict=True)
    ]
    return Comparison(runs[0].scenario, (len(a), len(b)), confidence, rows, list(_warnings(runs, bool(others), alone)))


def _load_of(run: RunResult) -> Any:
    """What makes two runs comparable: the scenario without its thresholds."""
    try:
        definition: Any = {k: v for k, v in tomllib.loads(run.definition).items() if k != "thresholds"}
    except tomllib.TOMLDecodeError:
        definition = run.definition
    return run.scenario, run.warm_up_s, run.measured_s, definition


def _warnings(runs: Sequence[RunResult], forced: bool, alone: bool) -> Iterator[str]:
    if forced:
        yield "these are runs of different scenarios: a change may be that of the scenario"
    if len({(run.environment.cores, run.environment.system) for run in runs}) > 1:
        yield "the runs are from different machines"
    if alone:
        yield "one run a side: how much runs differ from each other is not seen; give folders with several runs to see it"
    for run in runs:
        if run.environment.cores and run.environment.load_before and run.environment.load_before[0] > run.environment.cores / 2:
            yield f"the machine was busy before a run began (load {run.environment.load_before[0]:g} on {run.environment.cores} processors)"


# ---- the figures


def _figures(runs: Sequence[RunResult]) -> Iterator[tuple[str, str, bool, Measure]]:
    """(name, unit, lower is better, how it is measured in a run)."""
    for hop in dict.fromkeys(h.name for run in runs for h in run.hops):
        for percentile in SHARES:
            yield f"{TITLES[hop]}, {NAMES[percentile]}", "ms", True, _percentile(hop, percentile)
    for hop in FLOWS:
        yield f"events per second {TITLES[hop]}", "/s", False, _flow(hop)
    yield "processor time per 1000 events, all", "s", True, _processor(None)
    names = list(dict.fromkeys(p.name for run in runs for p in run.processes))
    for name in names:
        yield f"processor time per 1000 events, {name}", "s", True, _processor(name)
    yield "peak memory, all", "MB", True, lambda run: Estimate(max(run.memory_mb()[1], default=math.nan), reason=_ONE_VALUE)
    for name in names:
        yield f"peak memory, {name}", "MB", True, _memory(name)


_ONE_VALUE = "one value per run"


def _percentile(hop_name: str, percentile: str) -> Measure:
    def measure(run: RunResult) -> Estimate:
        hop = run.hop(hop_name)
        if hop is None:
            return Estimate(math.nan, reason="not measured")
        value = hop.percentiles_ms()[percentile]
        if percentile == "max":
            return Estimate(value, reason=_ONE_VALUE)
        if math.isinf(value):
            return Estimate(value, reason=f"{hop.missing:,} events never arrived")
        return noise.quantile(*hop.pieces, SHARES[percentile], hop.block_s)

    return measure


def _flow(hop_name: str) -> Measure:
    def measure(run: RunResult) -> Estimate:
        hop = run.hop(hop_name)
        if hop is None or run.measured_s <= 0:
            return Estimate(math.nan, reason="not measured")
        by_second = dict(zip(hop.seconds.t, hop.seconds.arrived, strict=True))
        arrived = np.array([by_second.get(t, 0) for t in range(run.warm_up_s, run.until_s)], dtype=np.float64)
        return noise.ratio(arrived, np.ones(len(arrived)), 1)

    return measure


def _processor(name: str | None) -> Measure:
    """Of one service, or of all together."""

    def measure(run: RunResult) -> Estimate:
        processes = [p for p in run.processes if name in (None, p.name)]
        if not processes or not run.hops or run.measured_s <= 0:
            return Estimate(math.nan, reason="not measured")
        seconds = run.hops[0].seconds
        by_second = dict(zip(seconds.t, seconds.expected, strict=True))
        measured = range(run.warm_up_s, run.until_s)
        events = np.array([by_second.get(t, 0) for t in measured], dtype=np.float64)
        used = sum((_by_second(p, measured) for p in processes), np.zeros(len(measured)))
        return noise.ratio(used * 1000, events, 1)

    return measure


def _by_second(process: Process, seconds: range) -> noise.Floats:
    """Core-seconds in each second: a sample is the mean since the one before it, which need not be a second ago."""
    ends = np.array([float(seconds.start), *process.t])
    used = np.concatenate([[0.0], np.cumsum(np.diff(ends, prepend=ends[0])[1:] * np.array(process.cpu_cores))])
    order = np.argsort(ends, kind="stable")
    return np.diff(np.interp(np.arange(seconds.start, seconds.stop + 1), ends[order], used[order]))


def _memory(name: str) -> Measure:
    def measure(run: RunResult) -> Estimate:
        return Estimate(max((p.peak_mb for p in run.processes if p.name == name), default=math.nan), reason=_ONE_VALUE)

    return measure


# ---- the verdict


def _change(a: Sequence[RunResult], b: Sequence[RunResult], measure: Measure, confidence: float) -> tuple[list[float], list[float], Change]:
    found_a, found_b = [measure(run) for run in a], [measure(run) for run in b]
    values = [e.value for e in found_a], [e.value for e in found_b]
    if len(a) == len(b) == 1:
        return *values, noise.change(found_a[0], found_b[0], confidence)
    return *values, noise.change_of_many(*values, confidence)


def _verdict(change: Change, lower: bool, beyond: bool, alone: bool, a: Sequence[float], b: Sequence[float]) -> str:
    lost_a, lost_b = (any(math.isinf(v) for v in side) for side in (a, b))
    if lost_a != lost_b:
        return "worse" if lost_b else "better"  # a percentile of events that never arrived
    if math.isnan(change.low):
        return "cannot tell"
    if not beyond or (alone and abs(change.ratio - 1) < LEAST):
        return "within noise"
    return "worse" if (change.ratio > 1) == lower else "better"


def _row(name: str, unit: str, a: Sequence[float], b: Sequence[float], change: Change, verdict: str) -> Row:
    mean_a, mean_b = (sum(side) / len(side) for side in (a, b))
    return Row(name, unit, mean_a, mean_b, change.ratio - 1, change.low - 1, change.high - 1, verdict, change.reason)


def write(comparison: Comparison, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(comparison.as_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
