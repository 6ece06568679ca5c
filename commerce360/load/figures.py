"""The figures of a run that have a name: what thresholds are written about."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from commerce360.errors import ConfigError
from commerce360.load.hops import HOPS, TITLES, Seconds
from commerce360.load.result import Counters, RunResult
from commerce360.load.spread import NAMES, SHARES

RECOVERY = "recovery_s"  # the one whose rule says more than a bound
PER_MS = {"s": 0.001, "ms": 1.0}
LAST_S = 5.0  # a lag that was last seen earlier may be anything by the end
_PERCENTILE = re.compile(rf"({'|'.join(HOPS)})\.({'|'.join(SHARES)})_(s|ms)")
_RATIO = re.compile(rf"({'|'.join(HOPS)})\.({'|'.join(SHARES)})_over_({'|'.join(SHARES)})")


@dataclass(frozen=True)
class Figure:
    """`value` is None where it was not measured; `reason` then says why, else what is special about it."""

    value: float | bool | None
    unit: str = ""
    reason: str = ""


Measure = Callable[[RunResult], Figure]


def measure_of(name: str) -> Measure:
    """How the figure of that name is taken from a run. Raises ConfigError for a name that is none, with those that are."""
    if found := _PERCENTILE.fullmatch(name):
        hop, percentile, unit = found.groups()
        return lambda run: _percentile(run, hop, percentile, unit)
    if found := _RATIO.fullmatch(name):
        hop, above, below = found.groups()
        return lambda run: _ratio(run, hop, above, below)
    if name in FIGURES:
        return FIGURES[name]
    near = difflib.get_close_matches(name, [*FIGURES, RECOVERY, *_percentile_names()], 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(f"there is no figure {name!r} to set a threshold for", f"{meant}known are: {', '.join(known())}")


def known() -> list[str]:
    """All names, those of percentiles as patterns."""
    hops, percentiles = "|".join(HOPS), "|".join(SHARES)
    return [f"({hops}).({percentiles})_(s|ms)", f"({hops}).p99_over_p50 (and other pairs)", *FIGURES, RECOVERY]


def _percentile_names() -> list[str]:
    return [*(f"{h}.{p}_{u}" for h in HOPS for p in SHARES for u in PER_MS), *(f"{h}.p99_over_p50" for h in HOPS)]


def _percentile(run: RunResult, hop_name: str, percentile: str, unit: str) -> Figure:
    hop = run.hop(hop_name)
    if hop is None or not (hop.count or hop.expected):
        return Figure(None, unit, f"no event was looked for {TITLES[hop_name]}" if hop is None else "the measured part holds no event")
    if not hop.count:
        return Figure(None, unit, f"none of {hop.expected:,} events was seen {TITLES[hop_name]}")
    value = hop.percentiles_ms()[percentile] * PER_MS[unit]
    if math.isinf(value):
        return Figure(value, unit, f"{hop.missing:,} of {hop.expected:,} events were never seen {TITLES[hop_name]}")
    return Figure(value, unit)


def _ratio(run: RunResult, hop_name: str, above: str, below: str) -> Figure:
    high, low = (_percentile(run, hop_name, p, "ms") for p in (above, below))
    if high.value is None or low.value is None:
        return Figure(None, "times", high.reason)
    if not low.value or math.isinf(low.value):
        return Figure(None, "times", low.reason or f"{NAMES[below]} is 0")
    return Figure(high.value / low.value, "times", high.reason)


def _share(run: RunResult) -> Figure:
    counters = run.counters
    return Figure(counters.acked / counters.intended, "share") if counters.intended else Figure(None, "share", "no event was intended")


def _acked_per_s(run: RunResult) -> Figure:
    """Acknowledgements that came within the measured part, whenever their events were due, over its length."""
    hop = run.hop("kafka")
    if hop is None or run.measured_s <= 0:
        return Figure(None, "/s", "no acknowledgement was counted" if hop is None else "the measured part has no length")
    pairs = zip(hop.seconds.t, hop.seconds.arrived, strict=True)
    return Figure(sum(n for t, n in pairs if run.warm_up_s <= t < run.until_s) / run.measured_s, "/s")


def _failed(run: RunResult) -> Figure:
    return Figure(float(run.counters.failed), "events") if run.counters.intended else Figure(None, "events", "no event was intended")


def _unseen(read: Callable[[Counters], int]) -> Measure:
    """Acknowledged and not seen. More that were seen than were acknowledged hide how many are missing: that is no figure."""

    def measure(run: RunResult) -> Figure:
        if not run.counters.intended:
            return Figure(None, "events", "no event was intended")
        missing = run.counters.acked - read(run.counters)
        return (
            Figure(float(missing), "events") if missing >= 0 else Figure(None, "events", f"{-missing:,} more were seen than acknowledged")
        )

    return measure


def _lag(name: str, unit: str, pick: Callable[[list[float]], float]) -> Measure:
    """Of the measured part alone: what the drain works off later does not make a lag good."""

    def measure(run: RunResult) -> Figure:
        series = run.one_series("lag", name)
        values = series.within(run.warm_up_s, run.until_s) if series else []
        if series is None or not values:
            return Figure(None, unit, f"the lag of the {name} has no sample in the measured part")
        if not series.within(run.until_s - LAST_S, run.until_s):
            return Figure(None, unit, f"the lag of the {name} has no sample in the last {LAST_S:g} s of the measured part")
        return Figure(pick(values), unit)

    return measure


def _reconciled(name: str) -> Measure:
    def measure(run: RunResult) -> Figure:
        if run.reconciled is None:
            return Figure(None, "", "nothing was reconciled")
        value: bool | int = getattr(run.reconciled, name)
        return Figure(value if isinstance(value, bool) else float(value), "" if isinstance(value, bool) else "rows")

    return measure


def _memory(run: RunResult) -> Figure:
    peaks = [mb for t, mb in zip(*run.memory_mb(), strict=True) if run.warm_up_s <= t <= run.until_s]
    return Figure(max(peaks), "MB") if peaks else Figure(None, "MB", "no memory was sampled in the measured part")


def _cores(run: RunResult) -> Figure:
    if run.measured_s <= 0 or not any(p.t for p in run.services):
        return Figure(None, "cores", "no processor time was sampled in the measured part")
    return Figure(sum(p.cpu_s(run.warm_up_s, run.until_s) for p in run.services) / run.measured_s, "cores")


FIGURES: dict[str, Measure] = {
    "throughput.min_share": _share,
    "throughput.acked_per_s": _acked_per_s,
    "failed": _failed,
    "unseen.consumer": _unseen(lambda c: c.consumer),
    "unseen.gold": _unseen(lambda c: c.gold),
    "unseen.warehouse": _unseen(lambda c: c.warehouse),
    "lag.end_records": _lag("lake", "records", lambda values: values[-1]),
    "lag.max_records": _lag("lake", "records", max),
    "lag.end_batches": _lag("loader", "batches", lambda values: values[-1]),
    "lag.max_batches": _lag("loader", "batches", max),
    "reconcile.equal": _reconciled("equal"),
    "lost": _reconciled("lost"),
    "doubled": _reconciled("doubled"),
    "changed": _reconciled("changed"),
    "rejected": _reconciled("rejected"),
    "memory.peak_mb": _memory,
    "cpu.mean_cores": _cores,
}

OF_WHOLE_RUNS = frozenset({"reconcile.equal", "lost", "doubled", "changed", "rejected", RECOVERY})  # a step of a search has none of them
STEADY_S = 5  # so many seconds with events in a row make a recovery


def recovery(run: RunResult, hop_name: str, percentile: str, bound_ms: float) -> Figure:
    """The longest time from the end of a fault until the hop is back below its bound, and stays so for STEADY_S seconds with events.

    Seconds are those of the intended time: the answer is when an event had to be sent to be in time again.
    """
    hop = run.hop(hop_name)
    ends = [f.until_s for f in run.faults]
    if hop is None or not hop.count:
        return Figure(None, "s", f"no event was seen {TITLES[hop_name]}")
    if not ends:
        return Figure(None, "s", "the run had no fault")
    slowest = 0.0
    for fault, end in zip(run.faults, ends, strict=True):
        if end is None:
            return Figure(None, "s", f"{fault.name} was never undone")
        back = _back(hop.seconds, percentile, end, bound_ms)
        if back is None:
            return Figure(math.inf, "s", f"not back within the bound after {fault.name} by the end of the events")
        slowest = max(slowest, back - end)
    return Figure(slowest, "s")


def _back(seconds: Seconds, percentile: str, end_s: float, bound_ms: float) -> float | None:
    latencies: list[float] = getattr(seconds, f"{percentile}_ms")
    run_of, began = 0, None
    for t, expected, seen, ms in zip(seconds.t, seconds.expected, seconds.n, latencies, strict=True):
        if t + 1 <= end_s or not (expected or seen):
            continue
        if ms <= bound_ms:
            began, run_of = (max(float(t), end_s) if began is None else began), run_of + 1
            if run_of == STEADY_S:
                return began
        else:
            began, run_of = None, 0
    return None
