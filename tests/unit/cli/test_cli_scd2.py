"""`c360 scd2 verify` as a user gets it: exit codes, and the report for programs. No case of ours is ever skipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases" / "scd2"
PACKAGES = ("commerce360", "connect_configs", "producers", "schemas", "stream_jobs", "warehouse")


def verify(*args: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commerce360.cli.main", "scd2", "verify", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **env})


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Some of the public cases; the delete of one is expected a moment too late."""
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in ("p01-first-insert", "p12-delete", "p40-config-drift-refused", "p40b-config-invalid"):
        text = (CASES / f"{name}.yaml").read_text()
        if name == "p12-delete":
            assert text.count("valid_to: 20") == 1
            text = text.replace("valid_to: 20", "valid_to: 21")
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which `c360 setup` never ran."""
    root = tmp_path_factory.mktemp("checkout")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_all_public_cases_pass_on_the_python_engine() -> None:
    done = verify("--json", "--no-skip")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(report) == ["spec", "engine", "totals", "cases"]
    assert (report["spec"], report["engine"]) == (1, "python")
    assert report["totals"] == {"pass": len(report["cases"]), "fail": 0, "skip": 0}
    assert {p.stem for p in CASES.glob("p*.yaml")} <= {c["id"] for c in report["cases"]}
    assert {(*c, c["status"], c["arrangement"], *c["problems"]) for c in report["cases"]} == {
        ("id", "status", "arrangement", "problems", "pass", None)
    }


def test_a_changed_expectation_fails_with_the_first_arrangement_and_what_is_wrong(copied: Path) -> None:
    done = verify("--cases", str(copied), "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["totals"]) == (1, {"pass": 3, "fail": 1, "skip": 0})
    [failed] = [c for c in report["cases"] if c["status"] != "pass"]
    assert (failed["id"], failed["status"], failed["arrangement"]) == ("p12-delete", "fail", "written")
    assert any("valid_to is 20, not 21" in p for p in failed["problems"])
    shown = verify("--cases", str(copied))
    assert shown.returncode == 1
    assert [line for line in shown.stdout.splitlines() if line.startswith("FAIL")] == ["FAIL p12-delete (written)"]
    assert shown.stdout.splitlines()[-1] == "python: 3 passed, 1 failed, 0 skipped"


def test_one_file_can_be_run_and_holds_any_number_of_cases(tmp_path: Path) -> None:
    file = tmp_path / "both.yml"
    file.write_text("\n---\n".join((CASES / f"{name}.yaml").read_text() for name in ("p01-first-insert", "p12-delete")) + "\n---\n")
    done = verify("--cases", str(file))
    assert (done.returncode, done.stdout) == (0, "ok   p01-first-insert\nok   p12-delete\npython: 2 passed, 0 failed, 0 skipped\n")


@pytest.mark.parametrize(
    "content",
    [
        b"id: [",
        b"just text",
        b"id: x\ntitle: without batches",
        b"id: x\nbatches:\n  - {replay: 3}",
        b"id: x\nbatches: []\nexpect_error: {batch: 1}",
        b"id: x\nbatches: []\nexpect_facts: {f1: {valid_from: 3}}",
        b"id: x\nbatches:\n  - [{op: c, key: 1, seq: 1, after: {city: \xff}}]",
        b"id: x\nbatches:\n  - [{op: c, key: 1, seq: 1, ts: 2026-03-01T09:00:00Z, after: {}}]",
    ],
)
def test_a_file_that_is_no_case_is_wrong_usage_and_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.yaml").write_bytes(content)
    assert_refused(verify("--cases", str(tmp_path), "--json"), "broken.yaml")


def test_what_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert_refused(verify("--cases", str(tmp_path / "none")), "none")
    assert_refused(verify("--cases", str(tmp_path)), "no case files")
    assert_refused(verify("--engine", "oracle"), "oracle")
    assert verify("--nonsense").returncode == 2


def test_an_engine_that_cannot_start_is_told_apart_from_a_failed_case(bare: Path, tmp_path: Path) -> None:
    for engine in ("spark", "snowflake"):
        done = verify("--engine", engine, "--cases", str(CASES), "--json", cwd=bare, C360_CACHE=str(tmp_path / "cache"))
        assert (done.returncode, done.stdout) == (3, ""), done.stderr
        assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]
        assert f"engine {engine} cannot be started" in done.stderr
        assert "c360 setup" in done.stderr
    assert not (bare / "build").exists()
    assert not (tmp_path / "cache").exists()
    assert verify("--cases", str(CASES), cwd=bare).returncode == 0  # Python needs nothing


def test_roles_that_contradict_themselves_are_told_to_the_user_and_to_programs(bare: Path) -> None:
    """Whoever needs the histories reads them first: the lake job, the stack, the commands."""
    roles = bare / "schemas" / "roles" / "dim_customer.yaml"
    whole = roles.read_text()
    problem = "roles are invalid: more than one role for points"
    explain, read = ["-m", "commerce360.cli.main", "scd2", "explain", "--key", "7"], ["-c", "import stream_jobs.dimensions"]
    try:
        roles.write_text(whole.replace("tracked: [", "tracked: [points, "))
        told = [subprocess.run([sys.executable, *args], cwd=bare, capture_output=True, text=True, check=False) for args in (explain, read)]
    finally:
        roles.write_text(whole)
    assert (told[0].returncode, told[0].stderr) == (2, f"error: {problem}\nhint: give every column one role\n")
    assert told[1].returncode == 1
    assert told[1].stderr.endswith(f"ConfigInvalidError: {problem}\n")


def assert_refused(done: subprocess.CompletedProcess[str], named: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith(("error", "hint"))] == ["error", "hint"]
    assert "Traceback" not in done.stderr
    assert named in done.stderr
