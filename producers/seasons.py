"""When things happen: traffic by hour, weekday and month, as a clock that runs faster at busy times.

Season time counts days of average traffic. Moments that are uniform in it have the seasons of the shop, and a Poisson process of constant
rate in it is one whose rate follows them.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from itertools import accumulate

from producers.truth import TRUTH, Seasons

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MS_US = 1_000
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def micros(moment: dt.datetime) -> int:
    """Epoch microseconds of an aware time."""
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


def moment(at_us: int) -> dt.datetime:
    """Aware UTC."""
    return EPOCH + dt.timedelta(microseconds=at_us)


class Calendar:
    """Season time of a span; 0 at its start. Times are epoch microseconds."""

    def __init__(self, start_us: int, end_us: int, seasons: Seasons = TRUTH.seasons) -> None:
        self.start_us, self.end_us = start_us, end_us
        self._origin = start_us // HOUR_US * HOUR_US
        self.weights = [weight(self._origin + n * HOUR_US, seasons) / 24 for n in range((end_us - self._origin) // HOUR_US + 2)]
        self._before = [0.0, *accumulate(self.weights)]
        self._shift = 0.0
        self._shift = self.passed(start_us)
        self.length = self.passed(end_us)

    def passed(self, at_us: int) -> float:
        """Season time from the start of the span to a moment in it."""
        hour, rest = divmod(at_us - self._origin, HOUR_US)
        return self._before[hour] + self.weights[hour] * rest / HOUR_US - self._shift

    def moment(self, passed: float) -> int:
        """The reverse, to the millisecond below, as BSON keeps it."""
        hour = min(bisect_right(self._before, passed + self._shift) - 1, len(self.weights) - 1)
        rest = (passed + self._shift - self._before[hour]) / self.weights[hour]
        return self._origin + int((hour + rest) * HOUR_US) // MS_US * MS_US


def weight(at_us: int, seasons: Seasons) -> float:
    """Traffic in the hour of a moment; 1 on average."""
    at = moment(at_us)
    return _relative(seasons.hours, at.hour) * _relative(seasons.weekdays, at.weekday()) * _relative(seasons.months, at.month - 1)


def _relative(weights: tuple[float, ...], at: int) -> float:
    return weights[at] * len(weights) / sum(weights)
