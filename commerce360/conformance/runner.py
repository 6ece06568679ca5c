"""Run conformance cases: four arrangements, invariants after every batch, one report.

All runs (a case in an arrangement) go through an engine beside each other: step n delivers the n-th batch of every run that has one. So an
engine whose batch is dear gets few of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from commerce360.conformance.cases import Batch, Case
from commerce360.conformance.compare import compare_rows, rejection
from commerce360.errors import C360Error, ConfigError
from stream_jobs.scd2 import invariants
from stream_jobs.scd2.change import UPSERTS, problem
from stream_jobs.scd2.facts import Target
from stream_jobs.scd2.roles import Roles

ARRANGEMENTS = ("written", "one_batch", "reversed", "doubled")
Row = dict[str, Any]


@dataclass
class Run:
    """A case in one arrangement, on an empty table of its own."""

    number: int
    case: Case
    arrangement: str
    roles: Roles
    batches: list[Batch]
    problems: list[str] = field(default_factory=list)
    stopped: bool = False
    upserts: dict[tuple[Any, ...], set[tuple[int, ...]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.number}.{self.case.id}.{self.arrangement}"


class EngineError(C360Error):
    """The engine cannot be started: nothing was checked."""

    exit_code = 3


class Engine(Protocol):
    """Tables in some engine, one a run, by the run's name."""

    name: str

    def open(self, runs: Sequence[Run]) -> None:
        """Whatever it raises, the engine cannot be started; `close` follows."""
        ...

    def close(self) -> None: ...

    def deliver(self, step: Mapping[str, Batch]) -> dict[str, ConfigError]:
        """Apply a batch of each of the runs; errors of configuration by run, of which nothing is applied."""
        ...

    def settle(self) -> None:
        """Everything was delivered: what is read from now on is the result."""
        ...

    def rows(self, runs: Sequence[str]) -> Mapping[str, list[Row]]:
        """Rows as SPEC R19 has them: times in microseconds, key parts and links of one column as plain values."""
        ...

    def rejections(self, runs: Sequence[str]) -> Mapping[str, list[Row]]: ...

    def targets(self, runs: Sequence[str]) -> Mapping[str, Mapping[Any, Target]]: ...


@dataclass
class Outcome:
    id: str
    status: str = "pass"
    arrangement: str | None = None
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "status": self.status, "arrangement": self.arrangement, "problems": self.problems}


def verify(cases: Iterable[Case], engine: Engine) -> dict[str, Any]:
    """The report `{"spec", "engine", "totals", "cases"}`; of each case the first arrangement that failed. Opens and closes the engine."""
    runs: dict[str, list[Run]] = {}
    outcomes: dict[str, Outcome] = {}
    for number, case in enumerate(cases):
        at = f"{number}:{case.id}"
        runs[at], outcomes[at] = [], Outcome(case.id)
        try:
            roles = Roles.of(case.config)
        except ConfigError as error:
            left = ["nothing is applied, but rows are expected"] if case.expect else []
            _fail(outcomes[at], "written", _error_problem(case.expect_error or {}, 1, error) + left)
            continue
        if (case.expect_error or {}).get("code") == "config_invalid":
            _fail(outcomes[at], "written", ["config_invalid was expected, and the roles were taken"])
            continue
        runs[at] = [Run(number, case, a, roles, arranged(case, a)) for a in (("written",) if case.written_only else ARRANGEMENTS)]
    _execute([run for found in runs.values() for run in found], engine)
    for at, found in runs.items():
        for run in found:
            _fail(outcomes[at], run.arrangement, run.problems)
    counts = Counter(o.status for o in outcomes.values())
    totals = {status: counts[status] for status in ("pass", "fail", "skip")}
    return {"spec": 1, "engine": engine.name, "totals": totals, "cases": [o.as_json() for o in outcomes.values()]}


def arranged(case: Case, arrangement: str) -> list[Batch]:
    batches = case.batches
    if arrangement == "written":
        return batches
    changes = [c for b in batches for c in b.changes]
    facts = [f for b in batches for f in b.facts]
    if arrangement == "one_batch":
        return [Batch(changes, facts)]
    if arrangement == "reversed":
        return [Batch([c]) for c in reversed(changes)] + [Batch(facts=[f]) for f in reversed(facts)]
    return [b for b in batches for _ in range(2)] + [Batch(changes, facts)]


def _execute(runs: list[Run], engine: Engine) -> None:
    try:
        engine.open(runs)
    except Exception as error:
        engine.close()
        raise EngineError(f"engine {engine.name} cannot be started: {error}", "see `c360 doctor`, and run `c360 setup`") from error
    try:
        number = 0
        while step := {r.name: r for r in runs if number < len(r.batches) and not r.stopped}:
            _step(step, number, engine)
            number += 1
        engine.settle()
        names = [r.name for r in runs]
        rows, rejections, targets = engine.rows(names), engine.rejections(names), engine.targets(names)
        for run in runs:
            run.problems += _final(run, rows[run.name], rejections[run.name], targets[run.name])
    finally:
        engine.close()


def _step(step: Mapping[str, Run], number: int, engine: Engine) -> None:
    errors = engine.deliver({name: run.batches[number] for name, run in step.items()})
    for name, run in step.items():
        expected = run.case.expect_error or {}
        if name in errors:
            run.problems += _error_problem(expected, number + 1, errors[name])
            run.stopped = True
        if not run.stopped:
            for raw in run.batches[number].changes:
                if raw["op"] in UPSERTS and not problem(raw, run.roles):
                    run.upserts.setdefault(tuple(raw["key"]), set()).add(tuple(raw["seq"]))
    going = [name for name, run in step.items() if not run.stopped]
    rows = engine.rows(going)
    for name in going:
        run, batch = step[name], step[name].batches[number]
        found = _broken(run, rows[name])
        if batch.expect is not None and run.arrangement == "written":
            found += compare_rows(batch.expect, rows[name], run.roles.key)
        run.problems += [f"batch {number + 1}: {p}" for p in found]


def _broken(run: Run, rows: list[Row]) -> list[str]:
    kept = [r for r in rows if not r["is_inferred"]]
    tracked = [c for c in (kept[0] if kept else {}) if run.roles.role(c) == "tracked"]
    return invariants.check_rows(rows, run.roles.key, tracked, {k: len(v) for k, v in run.upserts.items()})


def _final(run: Run, rows: list[Row], rejections: list[Row], targets: Mapping[Any, Target]) -> list[str]:
    found = compare_rows(run.case.expect, rows, run.roles.key)
    if run.case.expect_error and not run.stopped:
        found.append(f"{run.case.expect_error['code']} was expected in batch {run.case.expect_error['batch']}")
    want = Counter(rejection(r) for r in run.case.expect_rejected)
    got = Counter(rejection(r) for r in rejections)
    found += [f"not rejected: {r}" for r in (want - got).elements()] + [f"rejected: {r}" for r in (got - want).elements()]
    for fact, expected in run.case.expect_facts.items():
        target = targets.get(fact)
        if target is None or (target.match, target.valid_from) != (expected["match"], expected["valid_from"]):
            found.append(f"fact {fact}: {target}, not {expected}")
    return found


def _fail(outcome: Outcome, arrangement: str, problems: list[str]) -> None:
    if problems and outcome.status != "fail":
        outcome.status, outcome.arrangement, outcome.problems = "fail", arrangement, problems


def _error_problem(expected: Mapping[str, Any], number: int, error: ConfigError) -> list[str]:
    code = getattr(error, "code", type(error).__name__)
    if expected.get("code") == code and expected.get("batch") == number:
        return []
    return [f"batch {number}: {code}: {error.message}"]
