"""A short stack of the main environment and a real Airflow beside it, as `c360 up` and `c360 airflow` start them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conftest import ROOT
from local_ports import free_port, new_state

PYTHON = ROOT / "build" / "venv" / "bin" / "python"
FINAL = {"success", "failed"}
SHOP = {"customers": 60, "products": 12, "past_orders": 900, "past_clicks": 2000, "past_reviews": 60}  # a short stack


def environment() -> dict[str, str]:
    """Without what this tier set for an Airflow of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    calm = {"C360_LAKE__TRIGGER_S": "2", "C360_SENTIMENT__ENGINE": "off"}  # the commands of the tasks shall have the machine
    return kept | calm | {f"C360_SHOP__{name.upper()}": str(value) for name, value in SHOP.items()}


def c360(*args: str, check: bool = True, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PYTHON, "-m", "commerce360.cli.main", *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment(),
        timeout=timeout_s,
    )
    assert not check or done.returncode == 0, f"c360 {' '.join(args)}: {done.stdout}{done.stderr}"
    return done


def wait(what: str, found: Callable[[], Any], timeout_s: float = 300, every_s: float = 1.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(every_s)
    return value


class Stack:
    def __init__(self, state: Path) -> None:
        self.state = state

    def python(self, code: str) -> Any:
        """What `code` puts into `result`, run in the main environment with the stack's `settings`."""
        head = (
            "import json, sys; from pathlib import Path; from commerce360.local.stack import settings_of_running\n"
            f"settings = settings_of_running(Path({str(self.state)!r})); result = None\n"
        )
        done = subprocess.run(
            [PYTHON, "-c", f"{head}{code}\nprint(json.dumps(result))"],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment(),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def warehouse(self, expression: str) -> Any:
        """What `expression` is, with `client` connected to the warehouse as its owner."""
        head = (
            "from warehouse.client import Client\nwith Client(settings.warehouse) as client:\n    client.query('USE DATABASE COMMERCE360')"
        )
        return self.python(f"{head}\n    result = {expression}")


@contextlib.contextmanager
def running_stack(folder: Path, rate: float) -> Iterator[Stack]:
    stack = Stack(new_state(folder / "state"))
    try:
        c360("up", "--state", str(stack.state), "--rate", str(rate))
        yield stack
    finally:
        c360("down", "--state", str(stack.state), check=False)


class RunningAirflow:
    """`c360 airflow` of a stack. `kill_*` are what a fault does."""

    def __init__(self, state: Path, port: int) -> None:
        self.state = state
        self.port = port
        self.log = state.parent / "airflow.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        line = [PYTHON, "-m", "commerce360.cli.main", "airflow", "--state", str(self.state), "--port", str(self.port)]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(line, stdout=out, stderr=out, cwd=ROOT, env=environment(), start_new_session=True)
        process = self.process
        wait("Airflow", lambda: process.poll() is not None or "Airflow: http" in self.log.read_text(), 400)
        assert process.poll() is None, self.log.read_text()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """One of Airflow's own, as the documentation shows it."""
        return c360("airflow", "--state", str(self.state), *args)

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        def ask(url: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{self.port}{url}", data, {"Content-Type": "application/json", **headers})
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
                return json.loads(reply.read())

        ((user, password),) = json.loads((self.state / "airflow" / "passwords.json").read_text()).items()
        token = ask("/auth/token", {"username": user, "password": password}, {})["access_token"]
        return ask(f"/api/v2{path}", body, {"Authorization": f"Bearer {token}"})

    def known(self, dag_id: str) -> None:
        """Until the DAG has been read."""
        wait(dag_id, lambda: dag_id in {d["dag_id"] for d in self.api("/dags")["dags"]}, 120)

    def backfill(self, dag_id: str, first: str, last: str, behaviour: str = "none", conf: dict[str, Any] | None = None) -> int:
        days = {"from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
        body = {"dag_id": dag_id, **days, "reprocess_behavior": behaviour, "max_active_runs": 2, "dag_run_conf": conf or {}}
        return int(self.api("/backfills", body)["id"])

    def runs(self, dag_id: str) -> dict[str, dict[str, Any]]:
        """The newest run of each day."""
        found = self.api(f"/dags/{dag_id}/dagRuns?limit=100&order_by=id")["dag_runs"]
        return {run["partition_key"]: run for run in found}

    def finish(self, dag_id: str, backfill: int, timeout_s: float = 900) -> dict[str, str]:
        """Wait until the backfill is over; the states of its days."""
        wait("the runs", lambda: {r["state"] for r in self.runs(dag_id).values()} <= FINAL, timeout_s)
        wait("the backfill", lambda: self.api(f"/backfills/{backfill}")["completed_at"], 120)
        return {day: run["state"] for day, run in self.runs(dag_id).items()}

    def summary(self, dag_id: str, day: str, task_id: str) -> list[dict[str, Any]]:
        run = self.runs(dag_id)[day]["dag_run_id"]
        value = self.api(f"/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/xcomEntries/return_value?deserialize=true")["value"]
        return value if isinstance(value, list) else json.loads(value)

    def tries(self, dag_id: str) -> dict[tuple[str, str], int]:
        """By day and task."""
        found = {}
        for day, run in self.runs(dag_id).items():
            for task in self.api(f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]:
                found[day, task["task_id"]] = task["try_number"]
        return found

    def kill_scheduler(self) -> int:
        """SIGKILL; it is started again by `c360 airflow`."""
        pid = int(json.loads((self.state / "airflow" / "run" / "scheduler.pid").read_text())["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def commands(self) -> list[int]:
        """Pids of the `c360` commands that tasks of this Airflow run now."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().split(b"\0")
                if b"--json" in line and b"backfill" in line and str(self.state).encode() in line:
                    found.append(int(entry.name))
        return sorted(found)

    def kill_task(self) -> int:
        """SIGKILL for the process of a task that runs a command now; the pid of that command, which must not outlive it."""
        command = wait("a command that runs", self.commands, 120, 0.05)[0]
        parent = int(Path(f"/proc/{command}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)
        return int(command)


@contextlib.contextmanager
def running_airflow(stack: Stack) -> Iterator[RunningAirflow]:
    airflow = RunningAirflow(stack.state, free_port())
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()
