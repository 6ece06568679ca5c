"""Which event is due when: pure, exact in count, independent of how fast anybody sends.

Events are numbered from 0 in the order of the recording, on through its repetitions. A profile says how many there are before anything is
sent, and for numbers when each is due, in microseconds from the start. Event n of a rate of r per second is due at n / r seconds: the first
one at once. Where the rate changes, event n is due when the integral of the rate reaches n.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt

from commerce360.errors import ConfigError

Ints = npt.NDArray[np.int64]
MAX_RATE = 100_000_000
MAX_EVENTS = 10**12
_UNITS_US = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SPEED = re.compile(r"(\d+(?:\.\d+)?)x?")
_HAIR_US = 0.001  # so that a float a hair below a whole microsecond is that one
KINDS = ("ramp", "spike", "soak")
EXAMPLE = "ramp:0-2000:60s,spike:5000:10s,soak:1000:600s"


class Profile(Protocol):
    @property
    def total(self) -> int: ...

    def due_us(self, numbers: Ints, recorded_us: Ints) -> Ints:
        """When events are due. `recorded_us`: when they were in the recording, its repetitions put one behind the other."""
        ...


@dataclass(frozen=True)
class Speed:
    """As recorded, `factor` times as fast."""

    total: int
    factor: Fraction = Fraction(1)

    def due_us(self, numbers: Ints, recorded_us: Ints) -> Ints:
        return recorded_us if self.factor == 1 else (recorded_us / float(self.factor)).astype(np.int64)


@dataclass(frozen=True)
class Constant:
    total: int
    per_s: Fraction

    def due_us(self, numbers: Ints, recorded_us: Ints) -> Ints:
        return (numbers * 1e6 / float(self.per_s)).astype(np.int64)


@dataclass(frozen=True)
class Unlimited:
    """Everything is due at once: as fast as it goes. How late an event is tells only when its turn came."""

    total: int

    def due_us(self, numbers: Ints, recorded_us: Ints) -> Ints:
        return np.zeros(len(numbers), np.int64)


@dataclass(frozen=True)
class Phase:
    """A time in which the rate goes from one value to another in a straight line."""

    kind: str
    first: Fraction  # events per second
    last: Fraction
    lasts_us: int

    @property
    def events(self) -> Fraction:
        return (self.first + self.last) / 2 * self.lasts_us / 1_000_000


class Phases:
    """Phases one after the other. A phase has the events whose numbers the integral reaches in it, its end left out."""

    def __init__(self, phases: list[Phase]) -> None:
        self.phases = phases
        self._sums = list(accumulate((p.events for p in phases), initial=Fraction(0)))
        self._firsts = np.array([math.ceil(events) for events in self._sums], np.int64)
        self._begins_us = list(accumulate((p.lasts_us for p in phases), initial=0))

    @property
    def total(self) -> int:
        return int(self._firsts[-1])

    @property
    def lasts_us(self) -> int:
        return self._begins_us[-1]

    def due_us(self, numbers: Ints, recorded_us: Ints) -> Ints:
        due = np.empty(len(numbers), np.int64)
        of = np.searchsorted(self._firsts, numbers, side="right") - 1
        for at in np.unique(of).tolist():
            due[of == at] = self._within(at, numbers[of == at])
        return due

    def _within(self, at: int, numbers: Ints) -> Ints:
        """The time t at which a*t + (b-a)/2T * t^2 is the event's number in its phase, in the form that loses no digits where a is 0."""
        phase, whole = self.phases[at], math.floor(self._sums[at])
        wanted = (numbers - whole).astype(np.float64) - float(self._sums[at] - whole)
        first, slope = float(phase.first), float((phase.last - phase.first) / phase.lasts_us * 1_000_000)
        below = first + np.sqrt(np.maximum(first * first + 2 * slope * wanted, 0.0))
        seconds = np.divide(2 * wanted, below, out=np.zeros_like(wanted), where=below > 0)
        inside = np.clip((seconds * 1e6 + _HAIR_US).astype(np.int64), 0, phase.lasts_us - 1)
        return self._begins_us[at] + np.maximum.accumulate(inside)


def parse_speed(text: str) -> Fraction:
    """`10x`, `0.5x` or `10`. Raises ConfigError, as all of these do."""
    found = _SPEED.fullmatch(text.strip())
    if not found or not (speed := Fraction(found[1])):
        raise ConfigError(f"{text!r} is no speed", "write 10x for ten times as fast as recorded, 0.5x for half as fast")
    return speed


def parse_rate(text: str, least: int = 0) -> Fraction:
    """Events per second, above `least`."""
    found = _NUMBER.fullmatch(text.strip())
    if not found or not least < (rate := Fraction(found[0])) <= MAX_RATE:
        raise ConfigError(f"{text!r} is no rate", f"write events per second, such as 2000, at most {MAX_RATE:,}; or max")
    return rate


def parse_duration(text: str) -> int:
    """`60s`, `1.5m`, `250ms`, `2h` in microseconds."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not (duration := int(Fraction(found[1]) * _UNITS_US[found[2]])):
        raise ConfigError(f"{text!r} is no duration", "write a number and ms, s, m or h, such as 60s or 1.5m")
    return duration


def parse_phases(text: str) -> Phases:
    """`ramp:FROM-TO:DURATION`, `spike:RATE:DURATION`, `soak:RATE:DURATION`, as many as wanted, in their order."""
    made = Phases([_phase(part.strip()) for part in text.split(",")])
    if not 0 < made.total <= MAX_EVENTS:
        raise ConfigError(f"the profile {text!r} has {made.total:,} events", "give it a rate and a time in which there are some")
    return made


def _phase(text: str) -> Phase:
    match text.split(":"):
        case ["ramp", rates, duration] if rates.count("-") == 1:
            first, last = rates.split("-")
            return Phase("ramp", parse_rate(first, -1), parse_rate(last, -1), parse_duration(duration))
        case ["spike" | "soak" as kind, rate, duration]:
            return Phase(kind, parse_rate(rate, -1), parse_rate(rate, -1), parse_duration(duration))
    raise ConfigError(f"{text!r} is no phase of a profile", f"phases are {', '.join(KINDS)}, such as {EXAMPLE}")
