"""The seam in the cloud: Databricks' own client against a local server that speaks the endpoints of Jobs API 2.2 that are used.

What a real workspace writes into a run's output (log, error) is taken from its documentation; only a workspace can prove it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from c360_databricks import DatabricksEngine
from c360_engine import Outcome, Request, engine

DAY = Request(("backfill",), "2026-11-03", "2026-11-03", tables=("fct_sales",), source="bronze")
PARAMETERS = {"table": "fct_sales", "from": "2026-11-03", "to": "2026-11-03", "source": "bronze", "files": "", "dry_run": "false"}
ROW = {"day": "2026-11-03", "table": "fct_sales", "read": 5, "changed": 0}


class Workspace:
    """Jobs by name, and runs that pass through their states as they are asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.jobs = {"commerce360-backfill": 11, "commerce360-warehouse-backfill": 12}
        self.states = ["QUEUED", "PENDING", "RUNNING", "TERMINATED"]
        self.end: dict[str, Any] = {"code": "SUCCESS", "type": "SUCCESS", "message": ""}
        self.output: dict[str, Any] = {"logs": f"reading\n{json.dumps(ROW)}\n"}
        self.runs: dict[int, dict[str, Any]] = {}
        self.cancelled: list[int] = []
        self.failures: list[tuple[int, dict[str, Any]]] = []
        self.tokens: set[str] = set()

    def begin(self, job_id: int, parameters: dict[str, str]) -> int:
        run_id = 500 + len(self.runs)
        self.runs[run_id] = {"job_id": job_id, "parameters": parameters, "left": list(self.states)}
        return run_id

    def answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        match path.rpartition("/jobs/")[2]:
            case "list":
                found = [{"job_id": self.jobs[n], "settings": {"name": n}} for n in self.jobs if n == asked["name"]]
                return {"jobs": found, "has_more": False}
            case "runs/list":
                active = {i: r for i, r in self.runs.items() if r["left"] and str(r["job_id"]) == asked["job_id"]}
                return {"runs": [self.run(i, "RUNNING") for i in active], "has_more": False}
            case "run-now":
                return {"run_id": self.begin(asked["job_id"], asked["job_parameters"]), "number_in_job": 1}
            case "runs/get":
                run_id = int(asked["run_id"])
                left = self.runs[run_id]["left"]
                return self.run(run_id, left.pop(0) if left else "TERMINATED")
            case "runs/get-output":
                return {"metadata": {"run_id": int(asked["run_id"])}, **self.output}
            case "runs/cancel":
                self.cancelled.append(asked["run_id"])
                return {}
        raise AssertionError(path)

    def run(self, run_id: int, state: str) -> dict[str, Any]:
        parameters = [{"name": n, "default": "", "value": v} for n, v in self.runs[run_id]["parameters"].items()]
        status = {"state": state} | ({"termination_details": self.end} if state == "TERMINATED" else {})
        page = f"{self.url}/jobs/runs/{run_id}"
        return {
            "run_id": run_id,
            "status": status,
            "job_parameters": parameters,
            "run_page_url": page,
            "tasks": [{"run_id": run_id + 1000}],
        }


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlparse(self.path)
            self.reply(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})

        def do_POST(self) -> None:
            self.reply(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, path: str, asked: dict[str, Any]) -> None:
            if not path.startswith("/api/2.2/jobs/"):
                return self.send(404, {})  # what the client wants to know of the host
            made.tokens.add(self.headers.get("Authorization", ""))
            status, body = made.failures.pop(0) if made.failures else (200, made.answer(path, asked))
            return self.send(status, body)

        def send(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Not on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Workspace(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "DATABRICKS_HOST": made.url,
        "DATABRICKS_TOKEN": "of-a-test",
        "C360_AIRFLOW_ENGINE": "databricks",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("c360_databricks.POLL_S", 0.01)
    yield made
    server.shutdown()
    server.server_close()


def run(request: Request = DAY) -> tuple[Outcome, list[str]]:
    told: list[str] = []
    return engine().run(request, told.append), told


def test_a_command_is_a_run_of_the_job_of_its_name(workspace: Workspace) -> None:
    outcome, told = run()
    assert (outcome.exit_code, outcome.rows) == (0, [ROW])
    assert [(r["job_id"], r["parameters"]) for r in workspace.runs.values()] == [(11, PARAMETERS)]
    assert workspace.tokens == {"Bearer of-a-test"}
    page = f"{workspace.url}/jobs/runs/500"
    states = [f"{state}: {page}" for state in ("queued", "pending", "running", "terminated")]
    assert told[1:] == [*states, "reading", "2026-11-03 fct_sales: 5 read, 0 changed"]


def test_the_name_of_a_job_may_begin_otherwise(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.jobs = {"[dev ada] c360-warehouse-backfill": 77}
    monkeypatch.setenv("C360_AIRFLOW_JOB_PREFIX", "[dev ada] c360-")
    assert run(Request(("warehouse", "backfill"), "2026-11-03", "2026-11-03", dry_run=True))[0].exit_code == 0
    assert [(r["job_id"], r["parameters"]["dry_run"]) for r in workspace.runs.values()] == [(77, "true")]


def test_a_run_that_is_under_way_is_waited_for_and_not_started_again(workspace: Workspace) -> None:
    """As after the death of the task that started it."""
    workspace.begin(11, {**PARAMETERS, "from": "2026-11-02"})
    mine = workspace.begin(11, PARAMETERS)
    outcome, told = run()
    assert outcome.exit_code == 0
    assert told[0] == f"run {mine} of commerce360-backfill does this already"
    assert len(workspace.runs) == 2


@pytest.mark.parametrize(
    ("end", "output", "code", "error"),
    [
        ("CLIENT_ERROR", {"error": "SystemExit: 2", "logs": "error: the day is still open\nhint: wait\n"}, 2, "the day is still open"),
        ("CLIENT_ERROR", {"error": "SystemExit: 75", "logs": "error: Kafka does not answer\nhint: wait\n"}, 75, "Kafka does not answer"),
        ("CLIENT_ERROR", {"error": "KeyError: 'x'"}, 1, "KeyError: 'x'"),
        ("CLOUD_FAILURE", {}, 75, "no more machines"),
        ("INTERNAL_ERROR", {}, 75, "no more machines"),
    ],
)
def test_a_run_that_fails(workspace: Workspace, end: str, output: dict[str, Any], code: int, error: str) -> None:
    workspace.end = {"code": "RUN_EXECUTION_ERROR", "type": end, "message": "no more machines"}
    workspace.output = output
    outcome, _ = run()
    assert (outcome.exit_code, outcome.error) == (code, error)
    assert outcome.hint == ("wait" if "logs" in output else f"see {workspace.url}/jobs/runs/500")


def test_a_job_that_is_not_there_is_refused_at_once(workspace: Workspace) -> None:
    workspace.jobs = {}
    outcome, _ = run()
    assert (outcome.exit_code, "no job 'commerce360-backfill'" in outcome.error) == (2, True)


@pytest.mark.parametrize(
    ("status", "code", "exit_code"), [(403, "PERMISSION_DENIED", 2), (401, "UNAUTHENTICATED", 2), (500, "INTERNAL_ERROR", 75)]
)
def test_what_the_workspace_answers_otherwise(workspace: Workspace, status: int, code: str, exit_code: int) -> None:
    workspace.failures = [(status, {"error_code": code, "message": "no"})]
    assert run()[0].exit_code == exit_code


def test_too_many_requests_are_asked_again_by_the_client(workspace: Workspace) -> None:
    workspace.failures = [(429, {"error_code": "RESOURCE_EXHAUSTED", "message": "slowly"})]
    assert run()[0].exit_code == 0


def test_without_a_workspace_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("C360_AIRFLOW_ENGINE", "databricks")
    outcome, _ = run()
    assert (outcome.exit_code, outcome.hint) == (2, "set DATABRICKS_HOST and a way to authenticate")


def test_stopping_cancels_the_run(workspace: Workspace) -> None:
    workspace.states = ["RUNNING"] * 10_000
    cloud = engine()
    assert isinstance(cloud, DatabricksEngine)
    started, told = threading.Event(), []

    def tell(line: str) -> None:
        told.append(line)
        if line.startswith("running"):
            started.set()

    thread = threading.Thread(target=lambda: cloud.run(DAY, tell))
    thread.start()
    assert started.wait(30)
    cloud.stop()
    workspace.runs[500]["left"].clear()
    thread.join(30)
    assert not thread.is_alive()
    assert workspace.cancelled == [500]
