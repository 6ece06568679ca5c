"""Airflow beside a stack: what it is told, and that its parts are kept running and are all ended. A small program stands in for Airflow."""

from __future__ import annotations

import os
import socket
import stat
import sys
import time
from pathlib import Path
from textwrap import dedent

import psutil
import pytest
from processes import gone

from commerce360.errors import C360Error, ConfigError
from commerce360.local import claim
from commerce360.local.airflow import PARTS, Airflow
from commerce360.local.process import Identity

PROGRAM = f"""\
#!{sys.executable} -S
import datetime, http.server, json, os, pathlib, subprocess, sys, time
home = pathlib.Path(os.environ["AIRFLOW_HOME"])
with (home / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["db", "migrate"]:
    sys.exit(int(os.environ.get("MIGRATION", "0")))
beat = lambda name: (home / f"beat-{{name}}").write_text(datetime.datetime.now(datetime.UTC).isoformat())
if sys.argv[1] == "api-server":
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            read = lambda n: (home / f"beat-{{n}}").read_text() if (home / f"beat-{{n}}").exists() else None
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({{n: {{f"latest_{{n}}_heartbeat": read(n)}} for n in ("scheduler", "dag_processor")}}).encode())
        def log_message(self, *args): pass
    http.server.HTTPServer((os.environ["AIRFLOW__API__HOST"], int(os.environ["AIRFLOW__API__PORT"])), Handler).serve_forever()
subprocess.Popen(["sleep", "600"])  # a worker of it, that is left behind
while True:
    beat(sys.argv[1].replace("-", "_"))
    time.sleep(0.1)
"""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    made = tmp_path / "venv"
    (made / "lib" / "python3" / "site-packages" / "apache_airflow_core-9.9.dist-info").mkdir(parents=True)
    (made / "bin").mkdir()
    (made / "bin" / "airflow").write_text(dedent(PROGRAM))
    (made / "bin" / "airflow").chmod(stat.S_IRWXU)
    return made


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def calls(airflow: Airflow) -> list[str]:
    return (airflow.home / "calls").read_text().splitlines()


def running(airflow: Airflow, name: str) -> psutil.Process:
    identity = airflow.supervisor.running[name].identity
    assert identity is not None
    return psutil.Process(identity.pid)


def test_its_parts_run_start_again_and_are_all_ended(tmp_path: Path, venv: Path, port: int) -> None:
    told: list[str] = []
    airflow = Airflow(tmp_path / "state", port, told.append, venv)
    try:
        airflow.start()
        assert sorted(calls(airflow)) == ["api-server --workers 1", "dag-processor", "db migrate", "scheduler --skip-serve-logs"]
        first = running(airflow, "scheduler")
        first.kill()
        assert gone(first.pid)
        deadline = time.monotonic() + 20
        while sum(line.startswith("scheduler is ready") for line in told) < 2:
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
        pids = [p.pid for name in PARTS for p in (running(airflow, name), *running(airflow, name).children())]
        assert len(pids) == 5
    finally:
        airflow.stop()
    assert all(gone(pid) for pid in pids)
    claim.ensure_ours(tmp_path / "state")  # `c360 up` may have the folder, also when it was Airflow that made it


def test_its_database_is_made_once_for_a_version(tmp_path: Path, venv: Path, port: int) -> None:
    airflow = Airflow(tmp_path / "state", port, venv=venv)
    (tmp_path / "state" / "airflow").mkdir(parents=True)
    airflow.prepare()
    airflow.prepare()
    assert calls(airflow) == ["db migrate"]
    lib = venv / "lib" / "python3" / "site-packages"
    (lib / "apache_airflow_core-9.9.dist-info").rename(lib / "apache_airflow_core-9.10.dist-info")
    airflow.prepare()
    assert calls(airflow) == ["db migrate"] * 2


def test_a_database_that_cannot_be_made_is_no_start(tmp_path: Path, venv: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATION", "3")
    airflow = Airflow(tmp_path / "state", port, venv=venv)
    (tmp_path / "state" / "airflow").mkdir(parents=True)
    with pytest.raises(C360Error, match="database cannot be made"):
        airflow.start()
    airflow.stop()
    assert calls(airflow) == ["db migrate"]


def test_only_loopback_and_the_stack_it_is_of(tmp_path: Path, venv: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AIRFLOW__API__HOST": "0.0.0.0", "AIRFLOW_HOME": "/elsewhere", "AIRFLOW__CORE__PARALLELISM": "9", "C360_COMMAND": "mine"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = Airflow(tmp_path / "state", port, venv=venv).environment()
    assert found["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert found["AIRFLOW_HOME"] == str(tmp_path / "state" / "airflow")
    assert found["C360_AIRFLOW_STATE"] == str(tmp_path / "state")
    assert (found["AIRFLOW__CORE__PARALLELISM"], found["C360_COMMAND"]) == ("9", "mine")
    assert found["PATH"].split(os.pathsep)[0] == str(venv / "bin")


def test_what_is_missing_or_taken_is_said(tmp_path: Path, venv: Path, port: int) -> None:
    with pytest.raises(ConfigError, match="there is no Airflow at") as missing:
        Airflow(tmp_path / "state", port, venv=tmp_path / "nowhere")
    assert missing.value.hint == "`make airflow` installs it and starts it"
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(ConfigError, match=f"port {port} is taken"):
            Airflow(tmp_path / "state", port, venv=venv).start()


def test_one_airflow_a_stack_and_the_next_ends_what_a_killed_one_left(tmp_path: Path, venv: Path, port: int) -> None:
    run = tmp_path / "state" / "airflow" / "run"
    with claim.lock(run, ConfigError("held")), pytest.raises(ConfigError, match="an Airflow is running already"):
        Airflow(tmp_path / "state", port, venv=venv).start()
    left = psutil.Popen(["sleep", "600"], start_new_session=True)
    Identity.of(left.pid).save(run / "scheduler.pid")
    airflow = Airflow(tmp_path / "state", port, venv=venv)
    try:
        airflow.start()
        assert gone(left.pid)
    finally:
        airflow.stop()
