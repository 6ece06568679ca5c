"""Whether a PromQL expression can find anything: metrics, labels and kinds against the registry. Pure.

Labels are followed through the expression, as Prometheus does, so that a legend or a template can be held against what remains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

from commerce360.telemetry.declared import METRICS
from commerce360.telemetry.metric import Kind, Metric

TARGET = frozenset({"job", "instance"})  # what Prometheus adds to each series
GROWING = frozenset({"rate", "irate", "increase"})
STANDING = frozenset({"delta", "idelta", "deriv", "predict_linear"})
SET_OPERATORS = frozenset({"and", "or", "unless"})
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
KEEPING = frozenset({"topk", "bottomk", "limitk"})  # aggregations that keep the labels


@dataclass(frozen=True)
class Series:
    labels: frozenset[str]
    grows: bool  # a counter, or a part of a histogram
    buckets: bool = False
    values: dict[str, frozenset[str]] = field(default_factory=dict)  # of labels whose values are known


def known(jobs: Collection[str]) -> dict[str, Series]:
    """All series there are, with those that Prometheus makes itself. `jobs`: names of scrape jobs."""
    job = {"job": frozenset(jobs)}
    made = {"up": Series(TARGET, False, values=job)}
    for metric in METRICS:
        values = {**job, metric.labels[-1]: frozenset(metric.states)} if metric.kind is Kind.STATE else job
        for name, labels in metric.series.items():
            made[name] = Series(labels | TARGET, _grows(metric), name.endswith("_bucket"), values)
    return made


def _grows(metric: Metric) -> bool:
    return metric.kind in (Kind.COUNTER, Kind.HISTOGRAM)


class Reading:
    """One expression. `labels` of its result, None for a scalar; `problems` in words; `used` names of series."""

    def __init__(self, text: str, series: dict[str, Series]) -> None:
        self.series = series
        self.problems: list[str] = []
        self.used: set[str] = set()
        self.labels: frozenset[str] | None = frozenset()
        try:
            self.labels = self._labels(promql.parse(text))
        except ValueError as error:
            self.problems.append(f"no PromQL: {error}")

    def _labels(self, node: Any) -> frozenset[str] | None:
        if isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
            return self._labels(node.expr)
        if isinstance(node, promql.MatrixSelector):
            return self._selected(node.vector_selector)
        if isinstance(node, promql.VectorSelector):
            return self._selected(node)
        if isinstance(node, promql.Call):
            return self._called(node)
        if isinstance(node, promql.AggregateExpr):
            return self._aggregated(node)
        return self._combined(node) if isinstance(node, promql.BinaryExpr) else None  # a number or a text

    def _selected(self, node: Any) -> frozenset[str]:
        matchers = list(node.matchers.matchers)
        name = node.name or next((m.value for m in matchers if m.name == "__name__"), "")
        found = self.series.get(name)
        self.used.add(name)
        if found is None:
            self.problems.append(f"there is no metric {name or node}")
            return TARGET
        for matcher in matchers:
            if matcher.name not in (*found.labels, "__name__"):
                self.problems.append(f"{name} has no label {matcher.name}, it has {_listed(found.labels)}")
            elif matcher.name in found.values:
                wrong = _texts(matcher) - found.values[matcher.name]
                self.problems += [f"{matcher.name} of {name} is never {text!r}" for text in sorted(wrong)]
        return found.labels

    def _called(self, node: Any) -> frozenset[str] | None:
        name, inside = node.func.name, [s for arg in node.args for s in selectors(arg)]
        for series in inside:
            self._of_kind(name, series)
        made = [labels for arg in node.args if (labels := self._labels(arg)) is not None]
        if name == "histogram_quantile":
            if made and "le" not in made[0]:
                self.problems.append("histogram_quantile needs the label le: aggregate with `by (le, ...)`")
            return made[0] - {"le"} if made else frozenset()
        return frozenset().union(*made) if made else None

    def _of_kind(self, function: str, name: str) -> None:
        found = self.series.get(name)
        if found is None:
            return
        if function in GROWING and not found.grows:
            self.problems.append(f"{function} of {name}, which is no counter")
        if function in STANDING and found.grows:
            self.problems.append(f"{function} of {name}, which is a counter: use rate or increase")
        if function == "histogram_quantile" and not found.buckets:
            self.problems.append(f"histogram_quantile of {name}, which is no bucket of a histogram")

    def _aggregated(self, node: Any) -> frozenset[str]:
        operator = str(node.op)
        inner = self._labels(node.expr) or frozenset()
        if node.modifier is None:
            return inner if operator in KEEPING else frozenset()
        named = frozenset(node.modifier.labels)
        if missing := named - inner:
            self.problems.append(f"{operator} by or without {_listed(missing)}, which its operand has not: it has {_listed(inner)}")
        if operator in KEEPING:
            return inner
        return named if node.modifier.type == promql.AggModifierType.By else inner - named

    def _combined(self, node: Any) -> frozenset[str] | None:
        left, right, operator = self._labels(node.lhs), self._labels(node.rhs), str(node.op)
        if left is None or right is None:
            return right if left is None else left
        matching = node.modifier.matching if node.modifier is not None else None
        if matching is None:
            if left != right and operator != "or":
                self.problems.append(f"`{operator}` between {_listed(left)} and {_listed(right)} finds no pair: say `on (...)`")
            return left | right if operator == "or" else left
        named = frozenset(matching.labels)
        if missing := named - (left & right):
            self.problems.append(f"`{operator}` on or ignoring {_listed(missing)}, which one of its sides has not")
        if operator in SET_OPERATORS | COMPARISONS:
            return left
        return named if matching.type == promql.LabelModifierType.Include else left - named


def selectors(node: Any) -> Iterator[str]:
    """Names of the series in a part of an expression."""
    found: list[str] = []

    def visit(each: Any) -> bool:
        if isinstance(each, promql.VectorSelector):
            found.append(each.name or "")
        if isinstance(each, promql.MatrixSelector):
            found.append(each.vector_selector.name or "")
        return True

    promql.walk(node, visit)
    yield from dict.fromkeys(found)


def _texts(matcher: Any) -> frozenset[str]:
    """What a matcher looks for, where it names whole values."""
    if matcher.op == promql.MatchOp.Equal:
        return frozenset({matcher.value})
    return frozenset(matcher.value.split("|")) if all(c.isalnum() or c in "|_-" for c in matcher.value) else frozenset()


def _listed(labels: Collection[str]) -> str:
    return ", ".join(sorted(labels)) or "no label"
