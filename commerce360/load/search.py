"""`c360 load find-max`: the highest rate that holds a scenario's thresholds, found in steps, and what stands in its way.

Rates are doubled until one does not hold, then the gap is halved until it is small. A step is long enough to see a lag grow, and holds only
if every threshold does and no lag grew: at a rate above what a stage can take, its lag grows by the difference, however good the figures
of the first seconds were. Growth that could be noise counts as none: 5 % of the rate in records, five batches of the loader, and what is no
more than the lag's own swing, as it rises until a batch takes it all. A step that failed once is tried again: machines have bad moments,
and a limit is what fails twice. One that breaks off did not hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from commerce360.errors import C360Error, ConfigError
from commerce360.load.result import PROBLEM, Outcome, RunResult

GROWTH_SHARE = 0.05  # of the rate: a lag in records that grows by less is noise
GROWTH_SWINGS = 2.0  # over the measured part, in standard deviations around the line
GROWTH_BATCHES = 5.0  # in the whole measured part: so is one in batches
BUSY_CORES = 0.85  # of one core: a process of Python has no second one
OF_PYTHON = frozenset({"page", "warehouse", "loader", "sentiment", "shop"})
UNITS = {"lake": "records", "loader": "batches"}
STAGE_OF_LAG = {"lake": "gold", "loader": "warehouse"}
TRIES = 2
STAGES = {
    "sent": "the sender",
    "kafka": "Kafka",
    "consumer": "a consumer",
    "gold": "the lake job",
    "warehouse": "the loader and the warehouse",
}


@dataclass(frozen=True)
class Step:
    rate: float
    holds: bool
    why: str  # what did not hold; empty when all did
    figures: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Figures that are not finite are null: an event that never came, or a part without events."""
        figures = {name: value if math.isfinite(value) else None for name, value in self.figures.items()}
        return {"rate": self.rate, "holds": self.holds, "why": self.why, **figures}


@dataclass
class Found:
    """`rate`: the highest that held, 0 for none. `above`: the lowest that did not; None when all held."""

    rate: float
    above: float | None
    steps: list[Step]
    bottleneck: str

    def as_json(self) -> dict[str, Any]:
        return {"rate": self.rate, "above": self.above, "bottleneck": self.bottleneck, "steps": [s.as_json() for s in self.steps]}


def find_max(
    measure: Callable[[float], RunResult],
    first: float,
    top: float,
    close: float = 0.15,
    tell: Callable[[Found], None] = lambda _: None,
) -> Found:
    """`measure` runs a step at a rate. `close`: the search ends when the gap is this share of the rate that held.

    `tell` gets what is known after each step. Raises ConfigError when `first` is above `top`.
    """
    if first > top:
        raise ConfigError(f"the first step, {first:g}/s, is above the highest rate, {top:g}/s", "lower --first, or raise --top")
    found, rate = Found(0.0, None, [], "none up to the highest rate that was tried"), first
    while rate >= first / 16 and (found.above is None or found.above - found.rate > close * max(found.rate, first / 2)):
        holds, blame = _tried(measure, rate, found, tell)
        if holds:
            found.rate = rate
            if rate >= top:
                break
        else:
            found.above, found.bottleneck = rate, blame
        rate = min(top, found.rate * 2) if found.above is None else (found.rate + found.above) / 2
    return found


def _tried(measure: Callable[[float], RunResult], rate: float, found: Found, tell: Callable[[Found], None]) -> tuple[bool, str]:
    """Does it hold, and else what is in the way."""
    blame = ""
    for _ in range(TRIES):
        try:
            run = measure(rate)
        except C360Error as error:
            step, blame = Step(rate, False, error.message), f"the step broke off: {error.message}"
        else:
            step, blame = judge(run, rate), bottleneck(run, rate)
        found.steps.append(step)
        tell(found)
        if step.holds:
            return True, ""
    return False, blame


def judge(run: RunResult, rate: float) -> Step:
    failed = [_failure(outcome) for outcome in run.outcomes if not outcome.passed]
    growing = [f"lag of the {name} grows by {slope:.1f} {UNITS[name]}/s" for name, slope in falling_behind(run, rate).items()]
    unseen = [f"lag of the {name} was not measured" for name in STAGE_OF_LAG if name not in growth(run)]
    if run.reconciled is not None and not run.reconciled.equal:
        failed.append("stages differ")
    figures = {f"{hop.name}_{p}_ms": v for hop in run.hops for p, v in hop.percentiles_ms().items() if p in ("p50", "p99")}
    why = [*failed, *growing, *unseen]
    return Step(rate, not why, "; ".join(why), figures)


def _failure(outcome: Outcome) -> str:
    if outcome.name == PROBLEM or outcome.value is None:
        return f"{outcome.name}: {outcome.reason}"
    return f"{outcome.name} {outcome.value:.3g} {outcome.unit}"


def growth(run: RunResult) -> dict[str, float]:
    """What each lag grew by in a second over the measured part, in its own unit: the slope of a least-squares line, 0 within its swing."""
    found = {}
    for series in run.series:
        pairs = [(t, v) for t, v in zip(series.t, series.values, strict=True) if run.warm_up_s <= t <= run.until_s]
        if series.group == "lag" and len(pairs) >= 3:
            times, values = np.array(pairs).T
            slope, start = np.polyfit(times, values, 1)
            swing = float(np.std(values - (slope * times + start)))
            grown = slope * (times[-1] - times[0])
            found[series.name] = float(slope) if grown > GROWTH_SWINGS * swing else 0.0
    return found


def falling_behind(run: RunResult, rate: float) -> dict[str, float]:
    """The slopes of those lags that grow, the first stage first."""
    least = {"lake": GROWTH_SHARE * rate, "loader": GROWTH_BATCHES / max(1, run.measured_s)}
    slopes = growth(run)
    return {name: slopes[name] for name in STAGE_OF_LAG if slopes.get(name, 0.0) > least[name]}


def bottleneck(run: RunResult, rate: float) -> str:
    """The first stage on the way that falls behind, and the process that used most."""
    late = next(iter(falling_behind(run, rate)), "")
    by_latency = any(o.name.partition(".")[0] in STAGES for o in run.outcomes if not o.passed)
    stage = STAGE_OF_LAG[late] if late else _slowest(run) if by_latency else ""
    busy = {p.name: p.cpu_s(run.warm_up_s, run.until_s) / max(1, run.measured_s) for p in run.processes}
    total, cores = sum(busy.values()), run.environment.cores
    top = max(busy, key=lambda name: busy[name], default="")
    parts = [STAGES.get(stage, "no stage alone")]
    if top:
        full = top in OF_PYTHON and busy[top] > BUSY_CORES
        parts.append(f"{top} used {busy[top]:.2f} cores" + (", all that one process of Python has" if full else ""))
    if cores and total > 0.9 * cores:
        parts.append(f"all together used {total:.1f} of {cores} cores: the machine is full")
    return "; ".join(parts)


def _slowest(run: RunResult) -> str:
    """The hop that adds most to the median of the hop before it."""
    before, most, name = 0.0, 0.0, ""
    for hop in run.hops:
        if hop.name == "consumer":
            continue  # beside the way, not on it
        p50 = hop.percentiles_ms()["p50"]
        if p50 - before > most:
            most, name = p50 - before, hop.name
        before = max(before, p50)
    return name
