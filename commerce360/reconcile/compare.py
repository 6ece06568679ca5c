"""Compare the stages of one table with each other and name what differs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from commerce360.reconcile import canonical

Key = Hashable


@dataclass
class Stage:
    """What one stage holds of a table: row digests by key, rows beyond the first of a key, and the rows for explanations."""

    name: str
    digests: dict[Key, bytes] = field(default_factory=dict)
    extra: list[tuple[Key, bytes]] = field(default_factory=list)
    rows: dict[Key, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, rows: Iterable[Mapping[str, Any]], key: tuple[str, ...], columns: tuple[str, ...]) -> Stage:
        stage = cls(name)
        for row in rows:
            at = tuple(canonical.value(row[k]) for k in key)
            made = canonical.digest(row, columns)
            if at in stage.digests:
                stage.extra.append((at, made))
            else:
                stage.digests[at] = made
                stage.rows[at] = row
        return stage

    @property
    def count(self) -> int:
        return len(self.digests) + len(self.extra)

    @property
    def hash(self) -> str:
        return canonical.table_hash([*self.digests.values(), *(d for _, d in self.extra)])


@dataclass(frozen=True)
class Difference:
    """One key on which `stage` disagrees with `against`. `kind`: missing, unexpected, doubled or changed."""

    table: str
    stage: str
    against: str
    kind: str
    key: str
    detail: str = ""

    def text(self) -> str:
        return f"{self.table} {self.key}: {self.kind} in {self.stage} (against {self.against}){': ' + self.detail if self.detail else ''}"


@dataclass
class TableResult:
    table: str
    stages: list[Stage]
    differences: list[Difference]
    kinds: dict[str, int]

    @property
    def equal(self) -> bool:
        return not self.kinds

    def as_json(self) -> dict[str, Any]:
        return {
            "equal": self.equal,
            "stages": {s.name: {"count": s.count, "hash": s.hash} for s in self.stages},
            "differences": [d.text() for d in self.differences],
        }


def compare(table: str, stages: list[Stage], columns: tuple[str, ...], show: int = 5) -> TableResult:
    """Each stage against the one before it: the first stage that is wrong is the one that is named.

    All differences are counted; the first `show` of each kind and stage are kept with their keys.
    """
    found: list[Difference] = []
    kinds: dict[str, int] = {}
    for before, stage in pairwise(stages):
        for kind, keys in _kinds(before, stage).items():
            if keys:
                kinds[kind] = kinds.get(kind, 0) + len(keys)
            found += [
                Difference(table, stage.name, before.name, kind, _text(key), _detail(before, stage, key, columns, kind))
                for key in sorted(keys, key=str)[:show]
            ]
    first = stages[0]
    if first.extra:
        kinds["doubled"] = kinds.get("doubled", 0) + len(first.extra)
        found += [Difference(table, first.name, first.name, "doubled", _text(k)) for k, _ in first.extra[:show]]
    return TableResult(table, stages, found, kinds)


def _kinds(before: Stage, stage: Stage) -> dict[str, list[Key]]:
    old, new = before.digests, stage.digests
    return {
        "missing": [k for k in old if k not in new],
        "unexpected": [k for k in new if k not in old],
        "changed": [k for k, d in new.items() if k in old and old[k] != d],
        "doubled": [k for k, _ in stage.extra],
    }


def _text(key: Key) -> str:
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


def _detail(before: Stage, stage: Stage, key: Key, columns: tuple[str, ...], kind: str) -> str:
    if kind != "changed":
        return ""
    old, new = before.rows.get(key, {}), stage.rows.get(key, {})
    pairs = [(c, canonical.value(old.get(c)), canonical.value(new.get(c))) for c in columns]
    return ", ".join(f"{c} {a!r} -> {b!r}" for c, a, b in pairs if a != b)
