"""`c360 load report` and `c360 load compare` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from simulated import Shape, simulated
from typer.testing import CliRunner

from commerce360.cli import load_report
from commerce360.errors import ConfigError
from commerce360.load.result import RunResult

runner = CliRunner()


@pytest.fixture
def file(steady: RunResult, tmp_path: Path) -> Path:
    steady.write(tmp_path / "a.json")
    return tmp_path / "a.json"


def test_a_report_is_shown_and_written(file: Path, tmp_path: Path) -> None:
    done = runner.invoke(load_report.app, ["report", str(file), "--html", str(tmp_path / "new/r.html"), "--junit", str(tmp_path / "r.xml")])
    assert done.exit_code == 0, done.output
    assert "passed: all 9 thresholds held" in done.output
    assert (tmp_path / "new/r.html").read_text().startswith("<!doctype html>")
    assert ElementTree.parse(tmp_path / "r.xml").getroot().tag == "testsuites"


def test_a_run_that_failed_leaves_with_one(tmp_path: Path) -> None:
    run = simulated(Shape(measured_s=30))
    assert run.reconciled is not None
    run.reconciled.equal = False
    run.write(tmp_path / "a.json")
    done = runner.invoke(load_report.app, ["report", str(tmp_path / "a.json")])
    assert done.exit_code == 1
    assert "failed: stages differ" in done.output


def test_a_comparison_leaves_with_one_only_if_something_is_worse(file: Path, tmp_path: Path) -> None:
    simulated(Shape(seed=3, busier=2)).write(tmp_path / "b.json")
    same = runner.invoke(load_report.app, ["compare", str(file), str(file)])
    assert same.exit_code == 0, same.output
    assert "nothing changed beyond noise" in same.output
    worse = runner.invoke(load_report.app, ["compare", str(file), str(tmp_path / "b.json"), "--json", str(tmp_path / "c.json")])
    assert worse.exit_code == 1
    assert "processor time per 1000 events, lake" in worse.output
    assert json.loads((tmp_path / "c.json").read_text())["runs"] == [1, 1]
    better = runner.invoke(load_report.app, ["compare", str(tmp_path / "b.json"), str(file), "--all"])
    assert better.exit_code == 0
    assert "within noise" in better.output


def test_a_file_that_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    done = runner.invoke(load_report.app, ["report", str(tmp_path / "x.json")])
    assert isinstance(done.exception, ConfigError)
