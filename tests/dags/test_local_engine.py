"""The seam on this machine, with a real process in the place of the command: what it is asked, what it says, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from c360_engine import LocalEngine, Outcome, Request, engine
from conftest import DAGS

if TYPE_CHECKING:
    from conftest import Command

DAY = Request(("backfill",), "2026-11-03", "2026-11-03", tables=("fct_sales",))


def run(command: Command, body: str, request: Request = DAY) -> tuple[Outcome, list[str]]:
    command.does(body)
    told: list[str] = []
    return engine().run(request, told.append), told


def gone(pid: int, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def await_file(file: Path, within_s: float = 20.0) -> str:
    deadline = time.monotonic() + within_s
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline, f"{file} does not come"
        time.sleep(0.05)
    return file.read_text()


def test_a_request_becomes_arguments(command: Command) -> None:
    asked = Request(("backfill",), "2026-01-01", "2028-12-31", ("dim_date", "dim_holiday"), "files", "/land ing", True)
    outcome, told = run(command, "[row(table) for table in tables]", asked)
    assert outcome.exit_code == 0
    expected = "backfill --table dim_date --table dim_holiday --from 2026-01-01 --to 2028-12-31 --source files --files"
    assert command.calls() == [[*expected.split(), "/land ing", "--dry-run", "--json", "--state", "/stack"]]
    assert told[0] == f"$ {command.path} {expected} '/land ing' --dry-run --json --state /stack"
    assert [row["table"] for row in outcome.rows] == ["dim_date", "dim_holiday"]


def test_the_command_may_have_arguments_of_its_own(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_COMMAND", f"{sys.executable} -S '{command.path}' first")
    monkeypatch.delenv("C360_AIRFLOW_STATE")
    engine().run(Request(("warehouse", "backfill"), "2026-11-03", "2026-11-03", flags=("--if-any",)), lambda _: None)
    assert command.calls() == [["first", *["warehouse", "backfill", "--from", "2026-11-03", "--to", "2026-11-03", "--if-any", "--json"]]]


def test_rows_are_kept_and_told_for_people(command: Command) -> None:
    outcome, told = run(command, "print('about to begin'); row('fct_sales', changed=2); print('{broken'); print('{}')")
    assert outcome.rows == [
        {
            "day": "2026-11-03",
            "table": "fct_sales",
            "source": "bronze",
            "read": 5,
            "changed": 2,
            "unchanged": 5,
            "rejected": 0,
            "seconds": 0.1,
        }
    ]
    counts = "5 read, 2 changed, 5 unchanged, 0 rejected, 0.1 seconds"
    assert told[1:] == ["about to begin", f"2026-11-03 fct_sales from bronze: {counts}", "{broken", "{}"]


def test_progress_is_told_while_it_runs(command: Command, tmp_path: Path) -> None:
    command.does(f"say('half'); waited = Path({str(tmp_path / 'go')!r})\nwhile not waited.exists(): time.sleep(0.02)\nsay('whole')")
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if line == "half":
            (tmp_path / "go").touch()  # it ends only because its progress was told before

    assert engine().run(DAY, tell).exit_code == 0
    assert told[1:] == ["half", "whole"]


@pytest.mark.parametrize(("code", "transient"), [(1, False), (2, False), (3, False), (75, True)])
def test_an_error_comes_with_its_hint_and_whether_it_may_pass(command: Command, code: int, transient: bool) -> None:
    outcome, _ = run(command, f"row('reviews'); say('error: it is open'); say('hint: wait'); sys.exit({code})")
    assert (outcome.exit_code, outcome.error, outcome.hint, outcome.transient) == (code, "it is open", "wait", transient)
    assert len(outcome.rows) == 1


def test_a_command_that_is_killed_may_be_tried_again(command: Command) -> None:
    outcome, _ = run(command, "os.kill(os.getpid(), signal.SIGKILL)")
    assert (outcome.exit_code, outcome.transient) == (-9, True)


def test_a_command_that_is_not_there_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_COMMAND", "/nowhere/c360")
    outcome = engine().run(DAY, lambda _: None)
    assert (outcome.exit_code, outcome.error) == (2, "there is no command /nowhere/c360")


def test_settings_of_airflow_do_not_reach_the_command(command: Command) -> None:
    outcome, told = run(command, "print([name for name in os.environ if name.startswith('AIRFLOW')], os.environ['C360_AIRFLOW_STATE'])")
    assert outcome.exit_code == 0
    assert told[1] == "[] /stack"


@pytest.mark.parametrize("deaf", [False, True])
def test_stopping_ends_the_command_and_what_it_started(command: Command, tmp_path: Path, deaf: bool) -> None:
    """`deaf`: it does not react to SIGTERM."""
    pids = tmp_path / "pids"
    command.does(
        f"""
        import subprocess
        if {deaf}: signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        Path({str(pids)!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
        time.sleep(600)
        """
    )
    runs, outcomes = LocalEngine(os.environ), []
    thread = threading.Thread(target=lambda: outcomes.append(runs.run(DAY, lambda _: None)))
    thread.start()
    mine, its = map(int, await_file(pids).split())
    runs.stop(grace_s=1.0 if deaf else 20.0)
    thread.join(20)
    assert [o.exit_code for o in outcomes] == [-signal.SIGKILL if deaf else -signal.SIGTERM]
    assert gone(mine)
    assert gone(its)
    runs.stop()  # once more is no error


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_a_command_does_not_outlive_a_task_that_is_killed(command: Command, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    command.does(f"Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(600)")
    task = (
        f"import sys; sys.path.insert(0, {str(DAGS)!r}); from c360_engine import *; engine().run(Request(('backfill',), 'a', 'b'), print)"
    )
    process = subprocess.Popen([sys.executable, "-c", task], stdout=subprocess.DEVNULL)
    running = int(await_file(pid))
    process.kill()
    process.wait()
    assert gone(running)


def test_an_engine_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_AIRFLOW_ENGINE", "moon")
    with pytest.raises(ValueError, match="'moon': it is local or databricks"):
        engine()
