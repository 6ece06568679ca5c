"""Line charts as SVG text: axes with round marks, bands, a legend, and a title under the pointer. No script, no file, no font."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

RIGHT, TOP, BOTTOM = 12, 12, 26  # what surrounds the plot
MOST_TIPS = 140  # columns that have a title
STEPS = (1, 2, 5, 10)
CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True)
class Axis:
    """`low` below `high`, and above 0 on a logarithmic axis. `write` makes the text of a mark and of a value."""

    low: float
    high: float
    marks: Sequence[float]
    write: Callable[[float], str]
    log: bool = False

    def share(self, value: float) -> float:
        """Where the value is between the ends, 0 to 1; what is outside is put at the end."""
        low, high, at = (math.log(max(v, 1e-12)) if self.log else v for v in (self.low, self.high, value))
        return min(1.0, max(0.0, (at - low) / (high - low)))


@dataclass(frozen=True)
class Line:
    """`tone`: the name of a colour of the page. Values that are not finite leave a gap."""

    name: str
    tone: str
    x: Sequence[float]
    y: Sequence[float]
    look: str = ""  # "", "dashed", "faint" or "steps"
    told: bool = True  # stands in the legend and in titles


@dataclass(frozen=True)
class Band:
    """A stretch of the x axis with something to know about; `kind`: "fault" or "warm-up"."""

    name: str
    kind: str
    low: float
    high: float


@dataclass(frozen=True)
class Chart:
    label: str  # for those who cannot see it
    x: Axis
    y: Axis
    lines: Sequence[Line]
    bands: Sequence[Band] = field(default_factory=tuple)
    width: int = 420
    height: int = 240
    left: int = 52  # room for the marks of the y axis
    write_x: Callable[[float], str] | None = None  # of a title; else that of the axis

    @property
    def empty(self) -> bool:
        return not any(math.isfinite(v) for line in self.lines for v in line.y)

    def svg(self) -> str:
        parts = [*self._grid(), *self._bands(), *(self._line(line) for line in self.lines), *self._tips()]
        box = f'viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.label)}"'
        return f'<svg class="chart" {box}>{"".join(parts)}</svg>'

    def legend(self) -> str:
        told = [line for line in self.lines if line.told]
        keys = [f'<li class="{line.look}" style="--tone: var(--{line.tone})">{escape(line.name)}</li>' for line in told]
        return f'<ul class="legend">{"".join(keys)}</ul>'

    def _x(self, value: float) -> float:
        return self.left + self.x.share(value) * (self.width - self.left - RIGHT)

    def _y(self, value: float) -> float:
        return self.height - BOTTOM - self.y.share(value) * (self.height - TOP - BOTTOM)

    def _grid(self) -> list[str]:
        left, right, foot = self.left, self.width - RIGHT, self.height - BOTTOM
        made = []
        for mark in self.y.marks:
            y = self._y(mark)
            made.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
            made.append(f'<text class="mark" x="{left - 7}" y="{y + 3.8:.1f}" text-anchor="end">{escape(self.y.write(mark))}</text>')
        for mark in self.x.marks:
            x = self._x(mark)
            made.append(f'<path class="tick" d="M{x:.1f} {foot}v4"/>')
            anchor = "end" if x > right - 8 else "middle"
            at = right + RIGHT if anchor == "end" else x
            made.append(f'<text class="mark" x="{at:.1f}" y="{foot + 17}" text-anchor="{anchor}">{escape(self.x.write(mark))}</text>')
        return [*made, f'<path class="axis" d="M{left} {foot}H{right}"/>']

    def _bands(self) -> list[str]:
        made = []
        for band in self.bands:
            low, high = self._x(band.low), self._x(band.high)
            height = self.height - TOP - BOTTOM
            area = f'<rect x="{low:.1f}" y="{TOP}" width="{max(1.5, high - low):.1f}" height="{height}"/>'
            made.append(f'<g class="band {band.kind}"><title>{escape(band.name)}</title>{area}{self._band_name(band, low, high)}</g>')
        return made

    def _band_name(self, band: Band, low: float, high: float) -> str:
        """Inside where it fits, else nothing: the title says it."""
        if high - low < 6.2 * len(band.name) + 8:
            return ""
        return f'<text x="{(low + high) / 2:.1f}" y="{TOP + 11}" text-anchor="middle">{escape(band.name)}</text>'

    def _line(self, line: Line) -> str:
        pieces: list[list[tuple[float, float]]] = [[]]
        for x, y in zip(line.x, line.y, strict=True):
            if math.isfinite(y):
                pieces[-1].append((self._x(x), self._y(y)))
            elif pieces[-1]:
                pieces.append([])
        path = "".join(_path(piece, line.look == "steps") for piece in pieces if piece)
        never = "".join(f"M{self._x(x):.1f} {TOP}v7" for x, y in zip(line.x, line.y, strict=True) if y == math.inf)
        tone = f'style="--tone: var(--{line.tone})"'
        drawn = f'<path class="line {line.look}" {tone} d="{path}"/>' if path else ""
        return drawn + (f'<path class="never" {tone} d="{never}"/>' if never else "")

    def _tips(self) -> list[str]:
        """A column over every stretch of the x axis; its title tells the highest value of each line in it."""
        told = [line for line in self.lines if line.told]
        at = sorted({x for line in told for x in line.x if self.x.low <= x <= self.x.high})
        every = math.ceil(len(at) / MOST_TIPS) or 1
        stretches = [at[i : i + every] for i in range(0, len(at), every)]
        places = [self._x(stretch[0]) for stretch in stretches]
        edges = [self.left, *((a + b) / 2 for a, b in pairwise(places)), self.width - RIGHT]
        values = [dict(zip(line.x, line.y, strict=True)) for line in told]
        height = self.height - TOP - BOTTOM
        made = []
        for stretch, place, (low, high) in zip(stretches, places, pairwise(edges), strict=False):
            rows = [
                f"{line.name}: {self.y.write(v)}"
                for line, known in zip(told, values, strict=True)
                if (v := _highest(known, stretch)) is not None
            ]
            title = escape("\n".join([(self.write_x or self.x.write)(stretch[0]), *rows]))
            area = f'<rect x="{low:.1f}" y="{TOP}" width="{high - low:.1f}" height="{height}"/>'
            made.append(f'<g class="at">{area}<path d="M{place:.1f} {TOP}v{height}"/><title>{title}</title></g>')
        return made


def _highest(known: Mapping[float, float], at: Sequence[float]) -> float | None:
    return max((known[x] for x in at if x in known and not math.isnan(known[x])), default=None)


def _path(points: Sequence[tuple[float, float]], steps: bool) -> str:
    (x, y), *rest = points
    if not rest:
        return f"M{x - 1:.1f} {y:.1f}h2"  # one point alone is a dash
    if steps:
        return f"M{x:.1f} {y:.1f}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in rest)
    return f"M{x:.1f} {y:.1f}L" + " ".join(f"{a:.1f} {b:.1f}" for a, b in rest)


def linear(high: float, write: Callable[[float], str], low: float = 0.0, count: int = 4) -> Axis:
    """From `low` to the round mark at or above `high`."""
    span = high - low if high > low else 1.0
    ten = 10.0 ** math.floor(math.log10(span / count))
    step = next(s * ten for s in STEPS if s * ten * count >= span * (1 - 1e-9))
    marks = [low + i * step for i in range(math.ceil(span / step - 1e-9) + 1)]
    return Axis(low, marks[-1], marks, write)


def logarithmic(low: float, high: float, write: Callable[[float], str]) -> Axis:
    """From the decade (or its half) below `low` to the mark above `high`; marks at tens, and at twos and fives where there is room."""
    low, high = max(low, 1e-6), max(high, low * 1.01, 1e-6)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    fine = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
    below = max(v for v in fine if v <= low * (1 + 1e-9))
    above = min((v for v in fine if v >= high * (1 - 1e-9)), default=10.0**last)
    if above <= below:
        above = below * 10
    decades = math.log10(above / below)
    marks = [v for v in fine if below <= v <= above and (decades <= 2.2 or _is_ten(v))]
    return Axis(below, above, marks, write, log=True)


def _is_ten(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-9


def clock_axis(low: float, high: float, write: Callable[[float], str], most: int = 8) -> Axis:
    """Seconds, with marks at whole minutes or the like."""
    high = max(high, low + 1)
    step = next((s for s in CLOCK_STEPS if (high - low) / s <= most), 3600 * math.ceil((high - low) / most / 3600))
    first = math.ceil(low / step) * step
    return Axis(low, high, [first + i * step for i in range(int((high - first) // step) + 1)], write)
