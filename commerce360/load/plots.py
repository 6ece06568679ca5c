"""Which curves of a run are drawn, and with which axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

import numpy as np

from commerce360.load import units
from commerce360.load.hops import Hop
from commerce360.load.result import RunResult, Series
from commerce360.load.svg import Axis, Band, Chart, Line, clock_axis, linear, logarithmic

SHORT = {"sent": "sender", "kafka": "Kafka", "consumer": "consumer", "gold": "gold", "warehouse": "warehouse"}
TONES = {"lake": "hop-gold", "loader": "hop-warehouse"}  # of series by whose they are; hops have a tone each
MOST_POINTS = 420  # of a line: more cannot be told apart
WIDE, NARROW = (1180, 340), (420, 280)
PANEL = (420, 236)
SMALL = (190, 92)
SMALL_POINTS = 95


def bands(run: RunResult, until_s: float) -> list[Band]:
    found = [Band("warm-up", "warm-up", 0, run.warm_up_s)] if run.warm_up_s else []
    return [*found, *(Band(f.name, "fault", f.from_s, until_s if f.until_s is None else f.until_s) for f in run.faults)]


def last_s(run: RunResult) -> float:
    """The last moment of which anything is known."""
    ends: list[float] = [float(run.until_s), *(h.seconds.t[-1] for h in run.hops if h.seconds.t), *(s.t[-1] for s in run.series if s.t)]
    return max([*ends, *(p.t[-1] for p in run.processes if p.t), 1.0])


def time_axis(run: RunResult, until_s: float, most: int = 8) -> Axis:
    return clock_axis(0, until_s, units.clock, most)


def latency_by_time(run: RunResult, size: tuple[int, int]) -> Chart:
    """p99 of each hop per second of the intended time, with its median behind it."""
    until = max([float(run.until_s), *(t for h in run.hops for t, n in zip(h.seconds.t, h.seconds.expected, strict=True) if n)])
    lines = []
    for hop in run.hops:
        t, p50, p99 = worst(hop.seconds.t, [hop.seconds.p50_ms, hop.seconds.p99_ms])
        lines.append(Line(f"{SHORT[hop.name]} p50", f"hop-{hop.name}", t, p50, "faint", told=False))
        lines.append(Line(SHORT[hop.name], f"hop-{hop.name}", t, p99))
    width, height = size
    axis = log_axis(v for line in lines for v in line.y)
    most = 14 if width > 600 else 6
    return Chart("Latency by time", time_axis(run, until, most), axis, lines, bands(run, until), width, height)


def log_axis(values: Iterable[float]) -> Axis:
    found = [max(v, 0.01) for v in values if math.isfinite(v)]
    return logarithmic(min(found, default=1.0), max(found, default=10.0), units.latency)


def worst(t: Sequence[float], columns: Sequence[Sequence[float]]) -> tuple[list[float], ...]:
    """At most MOST_POINTS rows: of the seconds that make one, the highest of each column, for a mean would hide what is late."""
    every = math.ceil(len(t) / MOST_POINTS) or 1
    pieces = [slice(i, i + every) for i in range(0, len(t), every)]
    return [float(t[p.start]) for p in pieces], *([_highest(column[p]) for p in pieces] for column in columns)


def _highest(values: Sequence[float]) -> float:
    return max((v for v in values if not math.isnan(v)), default=math.nan)


def means(t: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """At most SMALL_POINTS points."""
    every = math.ceil(len(t) / SMALL_POINTS) or 1
    pieces = [[v for v in values[i : i + every] if math.isfinite(v)] for i in range(0, len(t), every)]
    return [float(v) for v in t[::every]], [sum(p) / len(p) if p else math.nan for p in pieces]


# ---- the distribution


def distribution(run: RunResult) -> Chart:
    """The latency that so many of all intended events kept: x is 1 / (1 - share), as HdrHistogram draws it."""
    most = max([100, *(max(h.count, h.expected) for h in run.hops)])
    lines = [Line(SHORT[h.name], f"hop-{h.name}", *_curve(h), "steps") for h in run.hops]
    decades = math.ceil(math.log10(most))
    x = Axis(1, most, [10.0**i for i in range(decades)], _percent, log=True)
    axis = log_axis(v for line in lines for v in line.y)
    return Chart("Distribution of latency", x, axis, lines, (), *PANEL, write_x=lambda v: f"{_percent(v)} of events within")


def _curve(hop: Hop) -> tuple[list[float], list[float]]:
    total = max(hop.count, hop.expected)
    if not hop.count:
        return [], []
    decades = math.log10(max(total, 10))
    tails = [10 ** (i / 24) for i in range(int(decades * 24) + 1)]
    return tails, [hop.measured.quantile_ms(1 - 1 / x, hop.expected) for x in tails]


def _percent(tail: float) -> str:
    if tail <= 1:
        return "0%"
    digits = max(0, math.ceil(math.log10(tail) - 1e-9) - 2)
    return f"{100 * (1 - 1 / tail):.{digits}f}%"


# ---- what went in and out


def throughput(run: RunResult) -> Chart:
    """Events per second that reached each hop in that second, as means over a few seconds: the lake and the loader work in batches."""
    until, every = last_s(run), window_s(run)
    hops = [h for h in run.hops if h.name != "sent"]
    lines = (
        [Line("intended", "muted", *_rates(run.hops[0].seconds.t, run.hops[0].seconds.expected, every, until), "dashed")]
        if run.hops
        else []
    )
    lines += [Line(SHORT[h.name], f"hop-{h.name}", *_rates(h.seconds.t, h.seconds.arrived, every, until)) for h in hops]
    high = max((v for line in lines for v in line.y), default=1.0)
    return Chart("Events per second", time_axis(run, until, 6), linear(high, units.count), lines, bands(run, until), *PANEL)


def window_s(run: RunResult) -> int:
    """Over how many seconds rates are averaged."""
    return max(5, round(run.until_s / 60))


def _rates(t: Sequence[int], counts: Sequence[int], every: int, until_s: float) -> tuple[list[float], list[float]]:
    length = int(until_s) + 1
    by_second = np.zeros(length)
    for second, count in zip(t, counts, strict=True):
        if 0 <= second < length:
            by_second[second] += count
    starts = list(range(0, length, every))
    return [s + every / 2 for s in starts], [float(by_second[s : s + every].mean()) for s in starts]


def cumulative(run: RunResult) -> Chart:
    """All events so far: upright between two lines is what is under way, level between them is how late it is."""
    until = last_s(run)
    lines = []
    for hop in run.hops:
        if hop.name == "sent":
            lines.append(Line("intended", "muted", *_sums(hop.seconds.t, hop.seconds.expected), "dashed"))
        else:
            lines.append(Line(SHORT[hop.name], f"hop-{hop.name}", *_sums(hop.seconds.t, hop.seconds.arrived)))
    high = max((line.y[-1] for line in lines if line.y), default=1.0)
    return Chart("Events so far", time_axis(run, until, 6), linear(high, short), lines, bands(run, until), *PANEL)


def _sums(t: Sequence[int], counts: Sequence[int]) -> tuple[list[float], list[float]]:
    every = math.ceil(len(t) / MOST_POINTS) or 1
    kept = sorted({*range(0, len(t), every), *range(len(t) - 1, len(t))})  # the last one always: there the lines must meet
    sums = list(accumulate(counts))
    return [t[i] + 1.0 for i in kept], [float(sums[i]) for i in kept]


def short(value: float) -> str:
    """Marks of large counts."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def of_series(run: RunResult, group: str, unit: str) -> Chart:
    """The series of a group that have one unit."""
    until = last_s(run)
    found = [s for s in run.series if s.group == group and s.unit == unit]
    lines = [Line(s.name, TONES.get(s.name, f"tone-{i % 4}"), *_thinned(s)) for i, s in enumerate(found)]
    high = max((v for line in lines for v in line.y if math.isfinite(v)), default=1.0)
    write: Callable[[float], str] = (lambda v: units.write(v, unit)) if unit in ("ms", "s") else short
    return Chart(f"{group}, {unit}", time_axis(run, until, 6), linear(high, write), lines, bands(run, until), *PANEL)


def _thinned(series: Series) -> tuple[list[float], list[float]]:
    t, values = worst(series.t, [series.values])
    return t, values


def small(run: RunResult, name: str, t: Sequence[float], values: Sequence[float], high: float, write: Callable[[float], str]) -> Chart:
    """One of several little charts that share their axes."""
    until = last_s(run)
    y = linear(high, write, count=2)
    return Chart(name, time_axis(run, until, 3), y, [Line(name, "accent", *means(t, values))], bands(run, until), *SMALL, left=36)
