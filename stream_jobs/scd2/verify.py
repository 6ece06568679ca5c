"""Run conformance cases against an engine: four arrangements, invariants after every batch, one report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from commerce360.errors import ConfigError
from stream_jobs.scd2 import invariants
from stream_jobs.scd2.cases import Batch, Case
from stream_jobs.scd2.change import UPSERTS, problem
from stream_jobs.scd2.history import History
from stream_jobs.scd2.roles import Roles

ARRANGEMENTS = ("written", "one_batch", "reversed", "doubled")
DEFAULT_ROW: dict[str, Any] = {
    "valid_to": None,
    "is_deleted": False,
    "is_inferred": False,
    "unresolved": [],
    "moved_from": None,
    "moved_to": None,
}
ONLY_IF_GIVEN = ("closed_by", "version_key")
Row = dict[str, Any]


class Engine(Protocol):
    """A table in some engine."""

    def apply(self, changes: Iterable[Mapping[str, Any]], facts: Iterable[Mapping[str, Any]] = (), roles: Roles | None = None) -> None: ...
    def rows(self) -> list[Row]: ...
    def rejections(self) -> list[Row]: ...
    def targets(self) -> Mapping[Any, Any]: ...


@dataclass
class Outcome:
    id: str
    status: str = "pass"
    arrangement: str | None = None
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "status": self.status, "arrangement": self.arrangement, "problems": self.problems}


def verify(cases: Iterable[Case], engine: Callable[[Roles], Engine] = History, name: str = "python") -> dict[str, Any]:
    """The report of SPEC section 5: `{"spec", "engine", "totals", "cases"}`."""
    outcomes = [run_case(case, engine) for case in cases]
    counts = Counter(o.status for o in outcomes)
    totals = {status: counts[status] for status in ("pass", "fail", "skip")}
    return {"spec": 1, "engine": name, "totals": totals, "cases": [o.as_json() for o in outcomes]}


def run_case(case: Case, engine: Callable[[Roles], Engine] = History) -> Outcome:
    """The first arrangement that fails decides."""
    for arrangement in ("written",) if case.written_only else ARRANGEMENTS:
        problems = _Run(case, engine, arrangement).problems()
        if problems:
            return Outcome(case.id, "fail", arrangement, problems)
    return Outcome(case.id)


class _Run:
    def __init__(self, case: Case, engine: Callable[[Roles], Engine], arrangement: str) -> None:
        self.case = case
        self.engine = engine
        self.arrangement = arrangement
        self.upserts: dict[tuple[Any, ...], set[tuple[int, ...]]] = {}

    def problems(self) -> list[str]:
        expected = self.case.expect_error or {}
        try:
            roles = Roles.of(self.case.config)
        except ConfigError as error:
            return _error_problem(expected, 1, error)
        if expected.get("code") == "config_invalid":
            return ["config_invalid was expected, and the roles were taken"]
        table, found = self.engine(roles), []
        for number, batch in enumerate(self._arranged(), 1):
            try:
                self._deliver(table, batch, roles)
            except ConfigError as error:
                found += _error_problem(expected, number, error)
                break
            if expected.get("batch") == number:
                found.append(f"batch {number}: {expected['code']} was expected")
            rows = table.rows()
            found += [f"batch {number}: {p}" for p in self._broken(rows, roles)]
            if batch.expect is not None and self.arrangement == "written":
                found += [f"batch {number}: {p}" for p in compare_rows(batch.expect, rows, roles.key)]
        return found + self._final(table, roles)

    def _arranged(self) -> list[Batch]:
        batches = self.case.batches
        if self.arrangement == "written":
            return batches
        changes = [c for b in batches for c in b.changes]
        facts = [f for b in batches for f in b.facts]
        if self.arrangement == "one_batch":
            return [Batch(changes, facts)]
        if self.arrangement == "reversed":
            return [Batch([c]) for c in reversed(changes)] + [Batch(facts=[f]) for f in reversed(facts)]
        return [b for b in batches for _ in range(2)] + [Batch(changes, facts)]

    def _deliver(self, table: Engine, batch: Batch, roles: Roles) -> None:
        given = Roles.of(batch.config) if batch.config is not None else None
        for _ in range(2 if batch.crash else 1):  # an engine without a crash hook gets the batch twice
            table.apply(batch.changes, batch.facts, given)
        for raw in batch.changes:
            if raw["op"] in UPSERTS and not problem(raw, roles):
                self.upserts.setdefault(tuple(raw["key"]), set()).add(tuple(raw["seq"]))

    def _broken(self, rows: list[Row], roles: Roles) -> list[str]:
        kept = [r for r in rows if not r["is_inferred"]]
        counts = {k: len(v) for k, v in self.upserts.items()}
        tracked = [c for c in (kept[0] if kept else {}) if roles.role(c) == "tracked"]
        return invariants.check_rows(rows, roles.key, tracked, counts)

    def _final(self, table: Engine, roles: Roles) -> list[str]:
        found = compare_rows(self.case.expect, table.rows(), roles.key)
        want = Counter(_rejection(r) for r in self.case.expect_rejected)
        got = Counter(_rejection(r) for r in table.rejections())
        found += [f"not rejected: {r}" for r in (want - got).elements()] + [f"rejected: {r}" for r in (got - want).elements()]
        targets = table.targets()
        for fact, expected in self.case.expect_facts.items():
            target = targets.get(fact)
            if target is None or (target.match, target.valid_from) != (expected["match"], expected["valid_from"]):
                found.append(f"fact {fact}: {target}, not {expected}")
        return found


def compare_rows(expected: Iterable[Row], rows: Iterable[Row], key: tuple[str, ...]) -> list[str]:
    """Rows matched by key and valid_from; what an expected row does not name has its default."""
    at = (*key, "valid_from")
    got = {tuple(r[c] for c in at): r for r in rows}
    found = []
    for want in expected:
        row = got.pop(tuple(want.get(c) for c in at), None)
        if row is None:
            found.append(f"no row {want}")
            continue
        full = {**dict.fromkeys(row), **DEFAULT_ROW, "is_current": want.get("valid_to") is None, **want}
        names = [c for c in full if not c.startswith("_") and (c not in ONLY_IF_GIVEN or c in want)]
        found += [f"row {want}: {c} is {row.get(c)!r}, not {full[c]!r}" for c in names if not _equal(row.get(c), full[c])]
    return found + [f"unexpected row {row}" for row in got.values()]


def _equal(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _rejection(raw: Mapping[str, Any]) -> str:
    key = raw.get("key")
    key = key[0] if isinstance(key, list) and len(key) == 1 else key
    return str((raw["reason"], raw.get("op"), key, raw.get("seq")))


def _error_problem(expected: Mapping[str, Any], number: int, error: ConfigError) -> list[str]:
    code = getattr(error, "code", type(error).__name__)
    if expected.get("code") == code and expected.get("batch") == number:
        return []
    return [f"batch {number}: {code}: {error.message}"]
