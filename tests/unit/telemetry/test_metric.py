"""Declarations that contradict themselves are refused; a snapshot becomes the samples that it says."""

from __future__ import annotations

from typing import Any

import pytest

from commerce360.cli import reference
from commerce360.telemetry import page
from commerce360.telemetry.declared import BESIDE, KEYS, METRICS, OURS, SERVICES
from commerce360.telemetry.metric import Histogram, Kind, Metric, cumulative


def metric(name: str = "c360_x", kind: Kind = Kind.GAUGE, key: str = "x", **more: Any) -> Metric:
    return Metric(name, kind, key, **{"service": "lake", "help": "A number.", **more})


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"name": "x_seconds"}, "the name"),
        ({"name": "c360_Lag"}, "the name"),
        ({"kind": Kind.COUNTER}, "_total"),
        ({"name": "c360_x_total"}, "_total"),
        ({"kind": Kind.INFO}, "_info"),
        ({"kind": Kind.HISTOGRAM}, "the buckets"),
        ({"kind": Kind.HISTOGRAM, "buckets": (2.0, 1.0)}, "the buckets"),
        ({"buckets": (1.0,)}, "the buckets"),
        ({"kind": Kind.STATE, "labels": ("state",)}, "the states"),
        ({"unit": "seconds"}, "the unit"),
        ({"labels": ("le",)}, "the labels"),
        ({"labels": ("Topic",)}, "the labels"),
        ({"help": "no full stop"}, "the help"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        metric(**wrong)


def test_every_metric_is_declared_once_and_every_key_has_one_meaning() -> None:
    names = [series for m in METRICS for series in m.series]
    assert len(names) == len(set(names))
    for service in SERVICES:
        keys = [m.key for m in OURS if m.service == service]
        assert len(keys) == len(set(keys))
        assert BESIDE[service].isdisjoint(keys)
        assert KEYS[service] == BESIDE[service] | set(keys)


def test_numbers_are_scaled_and_what_was_not_told_is_left_out() -> None:
    assert list(metric(scale=0.001).samples({"x": 1500})) == [((), 1.5)]
    assert list(metric().samples({"x": True})) == [((), 1.0)]
    assert list(metric().samples({"x": None})) == list(metric().samples({})) == []
    assert list(metric(labels=("topic",)).samples({"x": {"a": 1, "b": None}})) == [(("a",), 1.0)]


def test_a_state_has_a_sample_for_each_state() -> None:
    one = metric(kind=Kind.STATE, labels=("verdict",), states=("well", "ill"))
    assert list(one.samples({"x": "ill"})) == [(("well",), 0.0), (("ill",), 1.0)]
    deep = metric(kind=Kind.STATE, labels=("connector", "task", "state"), states=("RUNNING", "FAILED"))
    assert list(deep.samples({"x": {"pg": {"0": "FAILED"}}})) == [(("pg", "0", "RUNNING"), 0.0), (("pg", "0", "FAILED"), 1.0)]


def test_an_info_says_what_its_labels_are() -> None:
    info = metric("c360_x_info", Kind.INFO, labels=("engine", "model"))
    assert list(info.samples({"engine": "local", "model": None})) == [(("local", ""), 1.0)]
    assert list(info.samples({})) == []


def test_a_histogram_counts_what_is_not_above_a_bound() -> None:
    declared = metric(kind=Kind.HISTOGRAM, buckets=(0.5, 1.0))
    made = Histogram(declared)
    for value in (0.1, 0.5, 0.7, 9.0):
        made.observe(value)
    assert made.as_json() == {"counts": [2, 1, 1], "sum": 10.3}
    assert cumulative(declared, made.counts) == [("0.5", 2.0), ("1", 3.0), ("+Inf", 4.0)]
    assert set(declared.series) == {"c360_x_bucket", "c360_x_sum", "c360_x_count"}
    assert declared.series["c360_x_bucket"] == {"le"}


def test_the_page_has_the_metrics_as_they_are() -> None:
    assert reference.metrics() == reference.METRICS_PAGE.read_text(encoding="utf-8"), "run `make docs`"
    assert set(page.TITLES) == {*SERVICES, "process"} == {m.service for m in METRICS}
