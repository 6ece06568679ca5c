"""The rules of history on the lake job: the public cases, and random worlds held against the Python engine after every batch."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import scd2_random
from lake_job import lake_settings

from commerce360.conformance import cases, runner
from commerce360.conformance.cases import Batch
from commerce360.conformance.compare import rejection
from commerce360.conformance.runner import Run
from commerce360.conformance.spark import SparkEngine
from commerce360.conformance.tables import SCOPE
from schemas.tables import BATCHES, RECORDS
from stream_jobs.scd2 import invariants
from stream_jobs.scd2.change import UPSERTS, problem
from stream_jobs.scd2.history import History

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]
FOLDER = Path(__file__).parents[1] / "cases" / "scd2"
SEED = int(os.environ.get("C360_SEED", "20260301"))  # of the random worlds; a failure names it


@pytest.fixture
def engine(spark: SparkSession) -> SparkEngine:
    return SparkEngine(lake_settings(Path("unused")), spark)


def test_every_public_case_passes_in_every_arrangement(engine: SparkEngine) -> None:
    found = cases.read(FOLDER)
    report = runner.verify(found, engine)
    assert report["totals"] == {"pass": len(found), "fail": 0, "skip": 0}, [c for c in report["cases"] if c["status"] != "pass"]
    assert {p.stem for p in FOLDER.glob("p*.yaml")} <= {c["id"] for c in report["cases"]}


def test_a_wrong_expectation_fails_its_case_and_no_other(engine: SparkEngine, tmp_path: Path) -> None:
    for name in ("p12-delete", "p14-delete-unknown-key", "p48-fact-before-customer"):
        text = (FOLDER / f"{name}.yaml").read_text()
        if name == "p12-delete":
            assert text.count("valid_to: 20") == 1
            text = text.replace("valid_to: 20", "valid_to: 21")
        (tmp_path / f"{name}.yaml").write_text(text)
    report = runner.verify(cases.read(tmp_path), engine)
    assert {c["id"]: c["status"] for c in report["cases"]} == {
        "p12-delete": "fail",
        "p14-delete-unknown-key": "pass",
        "p48-fact-before-customer": "pass",
    }
    assert report["totals"] == {"pass": 2, "fail": 1, "skip": 0}


class Sides:
    """One random world on both engines: what the Python engine says of all that was delivered so far is right."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.history = History(run.roles)
        self.facts: set[str] = set()
        self.upserts: dict[tuple[Any, ...], set[tuple[int, ...]]] = defaultdict(set)

    def take(self, batch: Batch) -> None:
        self.history.apply(batch.changes, batch.facts)
        self.facts |= {fact["id"] for fact in batch.facts}
        for raw in batch.changes:
            if raw["op"] in UPSERTS and not problem(raw, self.run.roles):
                self.upserts[tuple(raw["key"])].add(tuple(raw["seq"]))

    def wrong_rows(self, rows: list[dict[str, Any]]) -> list[str]:
        tracked = [c for c in self.history.columns() if self.run.roles.role(c) == "tracked"]
        broken = invariants.check_rows(rows, self.run.roles.key, tracked, {k: len(v) for k, v in self.upserts.items()})
        return broken + different(texts(self.history.rows()), texts(rows))

    def wrong_rejections(self, found: list[dict[str, Any]]) -> list[str]:
        return different(Counter(map(rejection, self.history.rejections())), Counter(map(rejection, found)))

    def wrong_targets(self, found: Mapping[str, Any], joined: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[str]:
        """`joined`: the rows that the view has for the facts. Each fact with a key and a time leads to one row, by its `version_key`."""
        keys = {row["version_key"] for row in rows}
        lost = [f"fact {t['fact_id']} leads to no row" for t in joined if t["fact_match"] != "none" and t["version_key"] not in keys]
        counts = Counter(json.loads(t["fact_id"]) for t in joined)
        lost += different(Counter(self.facts), counts)
        return lost + different(texts([self.history.targets()]), texts([found]))


def texts(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Without NULLs: a column that nobody sent to this world may be there for another one."""
    return Counter(json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True, ensure_ascii=False) for row in rows)


def different(right: Counter[str], found: Counter[str]) -> list[str]:
    return [f"missing: {t}" for t in (right - found).elements()] + [f"wrong: {t}" for t in (found - right).elements()]


def test_random_worlds_are_what_the_rules_say_after_every_batch_and_crash(engine: SparkEngine) -> None:
    """R4 to R17 and R19 to R23. `C360_SEED` makes other worlds."""
    print(f"C360_SEED={SEED}")
    runs = scd2_random.runs(SEED)
    sides = {run.name: Sides(run) for run in runs}
    try:
        engine.open(runs)
        for number in range(max(len(run.batches) for run in runs)):
            step = {run.name: run.batches[number] for run in runs if number < len(run.batches)}
            assert engine.deliver(step) == {}
            for name, batch in step.items():
                sides[name].take(batch)
            wrong = problems(engine, sides, step)
            assert not wrong, f"C360_SEED={SEED}, step {number}: {wrong[:5]}"
        engine.settle()
        wrong = problems(engine, sides, sides)
        assert not wrong, f"C360_SEED={SEED}, at the end: {wrong[:5]}"
        assert doubled(engine) == []
    finally:
        engine.close()
    print(f"{len(runs)} worlds, {len(engine.crashes)} crashes")
    assert len({crash.split()[1] for crash in engine.crashes}) > 3, engine.crashes


def doubled(engine: SparkEngine) -> list[Any]:
    """Records and batches that a crash wrote twice."""
    found = []
    for table in (RECORDS, BATCHES):
        keys = Counter(tuple(row[k] for k in table.key) for row in engine.lake.newest(table).to_pylist())
        assert keys
        found += [(table.name, key) for key, count in keys.items() if count > 1]
    return found


def problems(engine: SparkEngine, sides: Mapping[str, Sides], names: Iterable[str]) -> list[str]:
    of = [*names]
    rows, rejections, targets = engine.rows(of), engine.rejections(of), engine.targets(of)
    joined: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for group in engine.groups:
        for row in engine.select_targets(group):
            joined[row[SCOPE.name]].append(row)
    found = []
    for name in of:
        side = sides[name]
        wrong = [*side.wrong_rows(rows[name]), *side.wrong_rejections(rejections[name])]
        wrong += side.wrong_targets(targets[name], joined[name], rows[name])
        found += [f"{name}: {problem}" for problem in wrong]
    return found
