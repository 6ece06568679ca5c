"""What a formula is made of, as far as its parentheses tell: whether it aggregates, and what it aggregates. Pure.

Functions and the number of their arguments are not known here; formulas with a level of detail (`{FIXED ...}`) are not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from bi.tableau.check.reading import LITERALS, formula_references

AGGREGATES = frozenset({"SUM", "AVG", "MEDIAN", "COUNT", "COUNTD", "ATTR", "STDEV", "STDEVP", "VAR", "VARP", "PERCENTILE"})
UNCLEAR = re.compile(r"\{|\b(MIN|MAX|CORR|COVARP?|COLLECT|TOTAL|SIZE|INDEX|(WINDOW|RUNNING|RAWSQLAGG|RAWSQL|SCRIPT|MODEL)_\w+)\s*\(", re.I)
TOKEN = re.compile(r"\[(?P<field>(?:[^\]]|\]\])*)\](?P<more>\.\[(?:[^\]]|\]\])*\])?|(?P<call>\w+)?\s*\(|\)")


@dataclass(frozen=True)
class Shape:
    inside: frozenset[str]  # fields that an aggregate function takes
    outside: frozenset[str]  # fields beside them
    aggregates: bool


@cache
def shape(formula: str) -> Shape | None:
    """None where it cannot be told. Fields of other data sources and parameters are left out."""
    text = LITERALS.sub(" ", formula)
    if UNCLEAR.search(text) or not balanced(formula):
        return None
    found: dict[bool, set[str]] = {True: set(), False: set()}
    calls: list[bool] = []
    aggregates = False
    for token in TOKEN.finditer(text):
        if token["field"] is not None:
            found[any(calls)] |= set() if token["more"] else {token["field"]}
        elif token[0] == ")":
            calls.pop()
        else:
            calls.append((token["call"] or "").upper() in AGGREGATES)
            aggregates = aggregates or calls[-1]
    return Shape(frozenset(found[True]), frozenset(found[False]), aggregates)


def balanced(formula: str) -> bool:
    depth = 0
    for token in TOKEN.finditer(LITERALS.sub(" ", formula)):
        depth += 0 if token["field"] is not None else -1 if token[0] == ")" else 1
        if depth < 0:
            return False
    return depth == 0


def aggregated(name: str, formulas: Mapping[str, str]) -> bool | None:
    """Whether a field is one number for many rows: by its formula, or by those that it uses. None where it cannot be told."""
    if name not in formulas:
        return False
    seen = {name, *_used(name, formulas)}
    shapes = [shape(formulas[n]) for n in seen if n in formulas]
    if name in _used(name, formulas) or None in shapes:
        return None
    return any(s.aggregates for s in shapes if s)


def problems(name: str, formulas: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What Tableau refuses in the formula of a field, and why."""
    if name in _used(name, formulas):
        yield "uses itself", "by way of its formula or of one that it uses"
    elif not balanced(formulas[name]):
        yield "has a parenthesis too many, or one too few", formulas[name]
    elif found := shape(formulas[name]):
        twice = sorted(f for f in found.inside if aggregated(f, formulas))
        yield from ((f"aggregates [{f}]", "it is an aggregate already") for f in twice)
        mixed = found.aggregates or any(aggregated(f, formulas) for f in found.outside)
        rows = sorted(f for f in found.outside if aggregated(f, formulas) is False)
        yield from ((f"has [{f}] beside an aggregate", "aggregate it too") for f in rows if mixed)


def _used(name: str, formulas: Mapping[str, str]) -> set[str]:
    """Fields that a formula uses, and those that these use."""
    found = set[str]()
    waiting = [name]
    while waiting:
        direct = {r.first for r in formula_references(formulas.get(waiting.pop(), "")) if not r.second}
        waiting += direct - found
        found |= direct
    return found
