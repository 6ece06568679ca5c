from __future__ import annotations

import pytest
from simulated import HELD, Shape, simulated

from commerce360.load import thresholds
from commerce360.load.result import RunResult


@pytest.fixture(scope="session")
def steady() -> RunResult:
    """A run that holds its thresholds. Not to be changed."""
    run = simulated()
    run.outcomes = thresholds.judge(thresholds.parse(HELD), run)
    return run


@pytest.fixture(scope="session")
def stalled() -> RunResult:
    """The lake stands still from 60 to 80 s, and the last fifty events never reach gold. Not to be changed."""
    return simulated(Shape(stopped=(60.0, 80.0), lost=50), "catch-up")


@pytest.fixture(scope="session")
def empty() -> RunResult:
    """A run that ended before anything happened."""
    return RunResult("nothing", 1_800_000_000.0, 0, 0)
