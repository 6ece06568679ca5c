"""The commands where there is no stack, and the form of an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commerce360.cli.main import app
from commerce360.errors import ConfigError


def c360(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "commerce360.cli.main", *args], capture_output=True, text=True, check=False)


def test_an_error_is_two_lines_without_a_traceback(tmp_path: Path) -> None:
    done = c360("down", "--state", str(tmp_path / "none"))
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert not (tmp_path / "none").exists()


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in c360("--debug", "down", "--state", str(tmp_path / "none")).stderr


def test_help_loads_nothing_heavy() -> None:
    heavy = {"pyspark", "snowflake.connector", "pymongo", "psycopg", "pyarrow", "requests"}
    code = "import sys, commerce360.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert heavy & set(loaded) == set()


def test_every_command_is_listed() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    for command in ("setup", "up", "down", "restart", "dead-letters", "status", "logs", "doctor", "demo", "reconcile"):
        assert f" {command} " in shown
    assert "supervise" not in shown


def test_status_of_a_stopped_stack(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "status.json").write_text(json.dumps({"phase": "running", "services": {"kafka": {"ready": True}}}))
    done = CliRunner().invoke(app, ["status", "--json", "--state", str(tmp_path)])
    assert done.exit_code == 3
    assert json.loads(done.output)["phase"] == "stopped"  # the file is older than the crash that ended the supervisor


def test_only_a_service_of_a_running_stack_is_started_again(tmp_path: Path) -> None:
    for name, why in (("nope", "no service 'nope'"), ("lake", "no stack runs in")):
        with pytest.raises(ConfigError, match=why):
            CliRunner().invoke(app, ["restart", name, "--state", str(tmp_path)], catch_exceptions=False)


def test_an_unknown_log_names_the_services(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no log of 'nope'") as caught:
        CliRunner().invoke(app, ["logs", "nope", "--state", str(tmp_path)], catch_exceptions=False)
    assert "kafka" in caught.value.hint


def test_reconcile_needs_a_running_stack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no stack runs"):
        CliRunner().invoke(app, ["reconcile", "--state", str(tmp_path)], catch_exceptions=False)
