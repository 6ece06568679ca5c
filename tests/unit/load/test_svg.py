"""Axes have round marks, and curves show the worst of what they draw."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from commerce360.load import plots, units
from commerce360.load.hops import HopRecorder
from commerce360.load.result import RunResult
from commerce360.load.svg import Axis, Chart, Line, clock_axis, linear, logarithmic


@pytest.mark.parametrize(
    ("high", "marks"),
    [(0.9, [0, 0.5, 1]), (1, [0, 0.5, 1]), (37, [0, 10, 20, 30, 40]), (1001, [0, 500, 1000, 1500]), (0, [0, 0.5, 1])],
)
def test_linear_marks(high: float, marks: list[float]) -> None:
    axis = linear(high, units.figures)
    assert list(axis.marks) == pytest.approx(marks)
    assert axis.high >= high


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [(0.1, 90, [0.1, 1, 10, 100]), (3, 3, [2, 5]), (1, 10, [1, 2, 5, 10]), (150, 900, [100, 200, 500, 1000]), (0, 0, None)],
)
def test_logarithmic_marks(low: float, high: float, marks: list[float] | None) -> None:
    axis = logarithmic(low, high, units.latency)
    assert axis.low < axis.high
    assert marks is None or list(axis.marks) == pytest.approx(marks)
    assert axis.share(axis.low) == 0
    assert axis.share(axis.high) == 1


@pytest.mark.parametrize(("until", "step"), [(5, 1), (90, 15), (330, 60), (7200, 900), (400_000, 50_400)])
def test_time_has_marks_of_a_clock(until: float, step: float) -> None:
    marks = clock_axis(0, until, units.clock).marks
    assert marks[1] - marks[0] == step
    assert len(marks) <= 9


def chart(values: list[float]) -> ElementTree.Element:
    x = [float(i) for i in range(len(values))]
    lines = [Line("<gold>", "hop-gold", x, values)]
    return ElementTree.fromstring(Chart("<b>", clock_axis(0, 10, units.clock), Axis(0, 10, [0, 10], units.latency), lines).svg())


def test_a_gap_is_left_where_there_was_no_event_and_a_mark_where_one_never_arrived() -> None:
    paths = {p.get("class", "").strip(): p.get("d", "") for p in chart([1, 2, math.nan, 3, 4, math.inf]).iter("path")}
    assert paths["line"].count("M") == 2
    assert paths["never"].count("M") == 1


def test_titles_tell_the_values() -> None:
    titles = [t.text for t in chart([1, 2, math.inf]).iter("title")]
    assert titles == ["0:00\n<gold>: 1 ms", "0:01\n<gold>: 2 ms", "0:02\n<gold>: never"]


def test_a_long_line_keeps_its_worst_second() -> None:
    values = [1.0] * 5000
    values[4321] = 77.0
    t, kept = plots.worst(list(range(5000)), [values])
    assert len(t) <= plots.MOST_POINTS
    assert max(kept) == 77.0


def test_in_and_out_meet(steady: RunResult) -> None:
    ends = {line.name: line.y[-1] for line in plots.cumulative(steady).lines}
    assert ends.keys() == {"intended", "Kafka", "consumer", "gold", "warehouse"}
    assert set(ends.values()) == {28_000.0}


def test_in_and_out_of_a_long_run_meet_as_well() -> None:
    recorder = HopRecorder("gold", 0, 1001, dict.fromkeys(range(1001), 1))
    recorder.record(np.arange(1001) + 0.5, np.full(1001, 1000))
    (line,) = plots.cumulative(RunResult("long", 0.0, 0, 1001, hops=[recorder.hop()])).lines
    assert len(line.y) <= plots.MOST_POINTS
    assert line.y[-1] == 1001


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 µs"),
        (0.0004, "0 µs"),
        (0.412, "412 µs"),
        (4.567, "4.57 ms"),
        (84, "84 ms"),
        (999.4, "999 ms"),
        (3210, "3.21 s"),
        (math.inf, "never"),
    ],
)
def test_latencies_are_written_with_three_figures(ms: float, text: str) -> None:
    assert units.latency(ms) == text
