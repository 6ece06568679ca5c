from pathlib import Path

import pytest

from stream_jobs.scd2 import cases, verify

CASES = cases.read(Path(__file__).parents[2] / "cases" / "scd2")


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_python_engine_conforms_in_every_arrangement(case):
    outcome = verify.run_case(case)
    assert outcome.status == "pass", (outcome.arrangement, outcome.problems)


def test_all_public_cases_are_here():
    assert len(CASES) == 47
