"""Thresholds of a scenario: what its table says, and whether a run holds them.

    [thresholds]
    "gold.p99_s" = "<= 8"
    "gold.p99_over_p50" = "<= 2"
    "throughput.min_share" = ">= 0.99"
    "lag.end_records" = "<= 5000"
    "reconcile.equal" = true
    "lost" = 0
    "recovery_s" = "<= 300 until gold.p99_s <= 8"

A figure that was not measured is never a pass.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from commerce360.errors import ConfigError
from commerce360.load.figures import PER_MS, RECOVERY, Figure, Measure, measure_of, recovery
from commerce360.load.result import Outcome, RunResult

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq,
}  # fmt: skip
_NUMBER = r"[0-9][0-9_]*(?:\.[0-9]+)?"
_RULE = re.compile(rf"\s*(<=|>=|==|<|>)\s*({_NUMBER})\s*")
_UNTIL = re.compile(rf"(.*?)\suntil\s+([a-z]+)\.(p50|p99|max)_(s|ms)\s*(<=|<)\s*({_NUMBER})\s*")
_EXAMPLES = 'write it as "<= 8", ">= 0.99", a number, or true'


@dataclass(frozen=True)
class Threshold:
    name: str
    rule: str  # as people read it
    measure: Measure
    holds: Callable[[float | bool], bool]

    def judge(self, run: RunResult) -> Outcome:
        figure = self.measure(run)
        if figure.value is None:
            return Outcome(self.name, self.rule, None, figure.unit, False, f"not measured: {figure.reason}")
        return Outcome(self.name, self.rule, figure.value, figure.unit, self.holds(figure.value), figure.reason)


def parse(table: Mapping[str, Any]) -> list[Threshold]:
    """The `[thresholds]` of a scenario. Raises ConfigError for a name that is no figure, or a rule that is none."""
    return [_recovery(table[name], table) if name == RECOVERY else _threshold(name, rule) for name, rule in flat(table)]


def judge(thresholds: Iterable[Threshold], run: RunResult) -> list[Outcome]:
    return [threshold.judge(run) for threshold in thresholds]


def flat(table: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    """TOML makes tables of names with dots that are not quoted."""
    for name, rule in table.items():
        if isinstance(rule, Mapping):
            yield from flat(rule, f"{above}{name}.")
        else:
            yield f"{above}{name}", rule


def _threshold(name: str, rule: Any) -> Threshold:
    measure = measure_of(name)
    is_yes_or_no = name == "reconcile.equal"
    if is_yes_or_no != isinstance(rule, bool):
        raise ConfigError(f"threshold {name}: {rule!r} does not fit", "write true or false" if is_yes_or_no else _EXAMPLES)
    if isinstance(rule, bool):
        return Threshold(name, str(rule).lower(), measure, lambda value: value is rule)
    sign, bound = _rule(name, rule)
    return Threshold(name, f"{sign} {bound:g}", measure, lambda value: COMPARE[sign](value, bound))


def _rule(name: str, rule: Any) -> tuple[str, float]:
    if isinstance(rule, int | float):
        return "==", float(rule)
    found = _RULE.fullmatch(rule) if isinstance(rule, str) else None
    if not found:
        raise ConfigError(f"threshold {name}: {rule!r} is no rule", _EXAMPLES)
    return found[1], float(found[2])


def _recovery(rule: Any, table: Mapping[str, Any]) -> Threshold:
    """The bound is that after `until`, else that of the scenario's own `gold.p99_s`."""
    found = _UNTIL.fullmatch(rule) if isinstance(rule, str) else None
    own = dict(flat(table)).get("gold.p99_s")
    if found:
        sign, most_s = _rule(RECOVERY, found[1])
        hop, percentile, unit, bound = found[2], found[3], found[4], float(found[6])
        measure_of(f"{hop}.{percentile}_{unit}")
    elif own is not None and not (isinstance(rule, str) and "until" in rule):
        sign, most_s = _rule(RECOVERY, rule)
        hop, percentile, unit, bound = "gold", "p99", "s", _rule("gold.p99_s", own)[1]
    else:
        raise ConfigError(f"threshold {RECOVERY}: {rule!r} does not say when a run is back", 'write "<= 300 until gold.p99_s <= 8"')

    def measure(run: RunResult) -> Figure:
        return recovery(run, hop, percentile, bound / PER_MS[unit])

    text = f"{sign} {most_s:g} until {hop}.{percentile}_{unit} <= {bound:g}"
    return Threshold(RECOVERY, text, measure, lambda value: COMPARE[sign](value, most_s))
