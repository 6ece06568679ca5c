from pathlib import Path

from commerce360.conformance import cases, runner
from commerce360.conformance.python import PythonEngine

CASES = cases.read(Path(__file__).parents[2] / "cases" / "scd2")


def test_python_engine_conforms_in_every_arrangement():
    report = runner.verify(CASES, PythonEngine())
    assert report["totals"] == {"pass": len(CASES), "fail": 0, "skip": 0}, [c for c in report["cases"] if c["status"] != "pass"]


def test_all_public_cases_are_here_and_some_more():
    assert len([c for c in CASES if c.id.startswith("p")]) == 47
    assert len([c for c in CASES if c.id.startswith("e")]) == 6
