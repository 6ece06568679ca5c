"""`c360 load find-max`: the highest rate that holds a scenario's thresholds, found in steps, and what stands in its way.

Rates are doubled until one does not hold, then the gap is halved until it is small. A step is long enough to see a lag grow, and holds only
if every threshold does and no lag grew: at a rate above what a stage can take, its lag grows by the difference, however good the figures
of the first seconds were. A step that failed once is tried again: machines have bad moments, and a limit is what fails twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from commerce360.load.result import RunResult

GROWTH_SHARE = 0.05  # of the rate: a lag that grows by less is noise
BUSY_CORES = 0.85  # of one core: a process of Python has no second one
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
        return {"rate": self.rate, "holds": self.holds, "why": self.why, **self.figures}


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
    measure: Callable[[float], RunResult], first: float, top: float, close: float = 0.15, tell: Callable[[Step], None] = lambda _: None
) -> Found:
    """`measure` runs a step at a rate. `close`: the search ends when the gap is this share of the rate that held."""
    steps: list[Step] = []
    low, high, rate, blame = 0.0, None, first, ""
    while rate <= top and (high is None or high - low > close * max(low, first / 2)):
        step, run = _tried(measure, rate, steps, tell)
        if step.holds:
            low = rate
        else:
            high, blame = rate, bottleneck(run, rate)
        rate = low * 2 if high is None else (low + high) / 2
        if rate < first / 16:
            break
    return Found(low, high, steps, blame or "none up to the highest rate that was tried")


def _tried(measure: Callable[[float], RunResult], rate: float, steps: list[Step], tell: Callable[[Step], None]) -> tuple[Step, RunResult]:
    for _ in range(TRIES):
        run = measure(rate)
        step = judge(run, rate)
        steps.append(step)
        tell(step)
        if step.holds:
            break
    return step, run


def judge(run: RunResult, rate: float) -> Step:
    failed = [f"{o.name} {o.value:.3g} {o.unit}" if isinstance(o.value, float) else o.name for o in run.outcomes if not o.passed]
    growing = [f"lag of the {name} grows by {slope:.0f} records/s" for name, slope in growth(run).items() if slope > GROWTH_SHARE * rate]
    if run.reconciled is not None and not run.reconciled.equal:
        failed.append("stages differ")
    figures = {f"{hop.name}_{p}_ms": v for hop in run.hops for p, v in hop.percentiles_ms().items() if p in ("p50", "p99")}
    return Step(rate, not failed and not growing, "; ".join([*failed, *growing]), figures)


def growth(run: RunResult) -> dict[str, float]:
    """How many records a second each lag grew by over the measured part: the slope of a least-squares line."""
    found = {}
    for series in run.series:
        pairs = [(t, v) for t, v in zip(series.t, series.values, strict=True) if run.warm_up_s <= t <= run.until_s]
        if series.group == "lag" and series.unit == "records" and len(pairs) >= 3:
            times, values = np.array(pairs).T
            found[series.name] = float(np.polyfit(times, values, 1)[0])
    return found


def bottleneck(run: RunResult, rate: float) -> str:
    """The first stage on the way that falls behind, and the process that has no time left."""
    late = [name for name, slope in growth(run).items() if slope > GROWTH_SHARE * rate]
    stage = {"lake": "gold"}.get(late[0], "") if late else _slowest(run)
    busy = {p.name: p.cpu_s(run.warm_up_s, run.until_s) / max(1, run.measured_s) for p in run.processes}
    total, cores = sum(busy.values()), run.environment.cores
    top = max(busy, key=lambda name: busy[name], default="")
    parts = [STAGES.get(stage, "no stage alone")]
    if top:
        parts.append(f"{top} used {busy[top]:.2f} cores" + (", all that one process of Python has" if busy[top] > BUSY_CORES else ""))
    if cores and total > 0.9 * cores:
        parts.append(f"all services together used {total:.1f} of {cores} cores: the machine is full")
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
