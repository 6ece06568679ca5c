"""How far a figure of a run would move if the same run were done again, and which of many changes are more than that.

One run a side. Seconds of a load test are not independent: a long lake batch delays many of them, and errors that take them for
independent cry wolf. So the measured part is cut into a few long sections, the figure is taken from each, and the means of their
logarithms are compared by Student's t with one degree of freedom less than there are sections (Ibragimov & Müller 2010, "t-statistic
based correlation and heterogeneity robust inference": valid as long as sections are long against the dependence, conservative where they
differ in their own noise). Eight sections and not more: sixteen, like a block bootstrap with blocks chosen by the data, gave two to three
times the false alarms that were promised, in simulated runs whose seconds depend on each other over five to ten others.

What cannot be seen from within a run is that another one meets another state of the machine. Several runs a side show that, too: then each
run is one value, and the interval is Student's with the deviation that both sides share.

Many figures are compared at once, so some would differ by chance. Changes are called by the step-up rule of Benjamini & Hochberg 1995: of
those called, the expected share of false ones is at most 1 - confidence; where nothing has changed, this is the chance of any call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SECTIONS = 8
SHORTEST_S = 5  # of a section
FEWEST_ABOVE = 2  # events of a section above a percentile: below, it is that section's highest value or nearly
FINEST = 0.0005  # half of a histogram's bucket, as a share: no figure is known better

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """`sections`: logarithms of the figure in each section, empty where they are not known: `reason` then says why."""

    value: float
    sections: tuple[float, ...] = ()
    reason: str = ""

    @property
    def centre(self) -> float:
        return float(np.mean(self.sections))

    @property
    def error(self) -> float:
        """Standard error of `centre`."""
        return float(np.std(self.sections, ddof=1)) / math.sqrt(SECTIONS)


def quantile(pieces: Floats, values: Floats, share: float, piece_s: float) -> Estimate:
    """Of counted values: `pieces` (pieces of `piece_s` seconds in time order × values, ascending; counts)."""
    counts = _sections(pieces, piece_s)
    value = float(values[_places(pieces.sum(axis=0)[None, :], share)[0]]) if pieces.sum() else math.nan
    if counts is None or not counts.sum():
        return Estimate(value, reason="no event" if not pieces.sum() else _too_short())
    if counts.sum(axis=1).min() * (1 - share) < FEWEST_ABOVE:
        return Estimate(value, reason="too few events above it")
    return _estimate(value, values[_places(counts, share)])


def ratio(above: Floats, below: Floats, piece_s: float) -> Estimate:
    """Of two sums over pieces in time order, such as processor time by events."""
    value = float(above.sum() / below.sum()) if below.sum() else math.nan
    tops, bottoms = _sections(above, piece_s), _sections(below, piece_s)
    if tops is None or bottoms is None:
        return Estimate(value, reason=_too_short())
    if not bottoms.all():
        return Estimate(value, reason="a section without events")
    return _estimate(value, tops / bottoms)


def _sections(pieces: Floats, piece_s: float) -> Floats | None:
    """Sums over SECTIONS stretches of nearly the same length; None where these would be too short."""
    if len(pieces) * piece_s < SECTIONS * SHORTEST_S or len(pieces) < 2 * SECTIONS:
        return None
    return np.array([part.sum(axis=0) for part in np.array_split(pieces, SECTIONS)])


def _too_short() -> str:
    return f"measured for less than {SECTIONS * SHORTEST_S} s"


def _places(counts: Floats, share: float) -> npt.NDArray[np.intp]:
    """Where in each row of counts the nearest rank falls."""
    sums = np.cumsum(counts, axis=1)
    ranks = np.maximum(1, np.ceil(share * sums[:, -1:] - 1e-9))
    places: npt.NDArray[np.intp] = np.argmax(sums >= ranks, axis=1)
    return places


def _estimate(value: float, by_section: Floats) -> Estimate:
    if not np.all(np.isfinite(by_section)):
        return Estimate(value, reason="a section's events never arrived")
    if not np.all(by_section > 0):
        return Estimate(value, reason="0 in a section")
    return Estimate(value, tuple(np.log(by_section).tolist()))


@dataclass(frozen=True)
class Change:
    """B against A as a ratio, its interval, and how probable so large a one is by chance; NaN where that cannot be told."""

    ratio: float
    low: float = math.nan
    high: float = math.nan
    chance: float = math.nan
    reason: str = ""


def change(a: Estimate, b: Estimate, confidence: float) -> Change:
    """Of two runs. Where it can be told, the ratio is that of the sections' geometric means: near that of the values, not the same."""
    if not _comparable(a.value, b.value):
        return Change(math.nan, reason=a.reason or b.reason or "0 in one of them")
    if not (a.sections and b.sections):
        return Change(b.value / a.value, reason=a.reason or b.reason)
    error = math.hypot(a.error, b.error)
    return _interval(b.centre - a.centre, error, SECTIONS - 1, confidence)


def change_of_many(a: Sequence[float], b: Sequence[float], confidence: float) -> Change:
    """Of several runs a side; one of the sides may have a single one."""
    if not _comparable(*a, *b):
        return Change(math.nan, reason="a run has no such figure")
    sides = [np.log(np.array(side)) for side in (a, b)]
    freedom = len(a) + len(b) - 2
    shared = sum(float(((side - side.mean()) ** 2).sum()) for side in sides) / freedom
    error = math.sqrt(shared * (1 / len(a) + 1 / len(b)))
    return _interval(float(sides[1].mean() - sides[0].mean()), error, freedom, confidence)


def _comparable(*values: float) -> bool:
    return all(v > 0 and math.isfinite(v) for v in values)


def _interval(difference: float, error: float, freedom: int, confidence: float) -> Change:
    error = max(error, FINEST)
    low, high = (difference + side * student(confidence, freedom) * error for side in (-1, 1))
    chance = 1 - _within(abs(difference) / error, freedom)
    return Change(math.exp(difference), math.exp(max(low, -700)), math.exp(min(high, 700)), chance)


def called(chances: Sequence[float], confidence: float) -> list[bool]:
    """Which of them are called changes; NaN never is."""
    known = sorted(c for c in chances if not math.isnan(c))
    bound = max((c for i, c in enumerate(known, 1) if c <= (1 - confidence) * i / len(known)), default=-1.0)
    return [c <= bound for c in chances]


def student(confidence: float, freedom: int) -> float:
    """How many standard errors to either side hold that confidence."""
    low, high = 0.0, 1.0
    while _within(high, freedom) < confidence:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """P(|T| <= t) of Student's distribution for whole degrees of freedom: Abramowitz & Stegun 26.7.3 and 26.7.4."""
    angle = math.atan2(t, math.sqrt(freedom))
    odd = freedom % 2
    term = total = (math.cos(angle) if odd else 1.0) if freedom > 1 else 0.0
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= math.cos(angle) ** 2 * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
