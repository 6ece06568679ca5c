"""The Connect client against a server that answers as Connect 4.3 does: 409 for a moment, RUNNING connectors with FAILED tasks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from commerce360.errors import C360Error, UnavailableError
from connect_configs.client import Connect

TRACE = "org.apache.kafka.connect.errors.ConnectException: password authentication failed\n\tat a.B.c(B.java:1)\n"


class Worker(ThreadingHTTPServer):
    """Keeps configurations; a connector whose config says `fails` fails until it was restarted that often."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.configs: dict[str, dict[str, str]] = {}
        self.busy = 0
        self.puts = 0
        self.restarts = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Worker

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def found(self) -> tuple[str, dict[str, str]] | None:
        name = self.path.split("/")[2]
        if self.server.busy:
            self.server.busy -= 1
            self.reply(409, {"error_code": 409, "message": "Cannot complete request momentarily due to stale configuration"})
        elif name not in self.server.configs and self.command != "PUT":
            self.reply(404, {"error_code": 404, "message": f"Connector {name} not found"})
        else:
            return name, self.server.configs.get(name, {})
        return None

    def do_GET(self) -> None:
        if not (found := self.found()):
            return
        name, config = found
        if self.path.endswith("/config"):
            self.reply(200, {**config, "name": name})
        elif self.path.endswith("/offsets"):
            self.reply(200, {"offsets": [{"partition": {"server": "oltp"}, "offset": {"lsn": 1}}]})
        else:
            failed = self.server.restarts < int(config.get("fails", "0"))
            task = {"id": 0, "state": "FAILED", "trace": TRACE} if failed else {"id": 0, "state": "RUNNING"}
            self.reply(200, {"name": name, "connector": {"state": "RUNNING"}, "tasks": [task]})

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if found := self.found():
            self.server.configs[found[0]] = body
            self.server.puts += 1
            self.reply(201, {})

    def do_POST(self) -> None:
        if self.found():
            self.server.restarts += 1
            self.reply(202, {})


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def test_an_equal_configuration_is_not_deployed_again(worker: Worker) -> None:
    client = Connect(worker.url)
    assert client.deploy("a", {"x": "1"}) is True
    assert client.deploy("a", {"x": "1"}) is False
    assert client.deploy("a", {"x": "2"}) is True
    assert worker.puts == 2
    assert worker.configs == {"a": {"x": "2"}}


def test_a_momentary_conflict_is_waited_out(worker: Worker) -> None:
    worker.busy = 2
    assert Connect(worker.url).deploy("a", {"x": "1"}) is True


def test_a_failed_task_behind_a_running_connector_is_reported_with_its_cause(worker: Worker) -> None:
    worker.configs["a"] = {"fails": "1"}
    with pytest.raises(C360Error, match=r"connector a failed: .*password authentication failed$"):
        Connect(worker.url).wait_running("a", timeout_s=5)


def test_a_failed_task_may_be_started_again(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connect_configs.client.RESTART_TAKES_S", 0.0)
    worker.configs["a"] = {"fails": "2"}
    with pytest.raises(C360Error, match="failed"):
        Connect(worker.url).wait_running("a", timeout_s=5, restarts=1)
    assert Connect(worker.url).wait_running("a", timeout_s=5, restarts=1).running


def test_an_unknown_connector_is_none_and_waiting_for_it_ends(worker: Worker) -> None:
    client = Connect(worker.url)
    assert client.status("a") is None
    assert client.config("a") is None
    assert client.offsets("a") == []
    with pytest.raises(UnavailableError, match="does not run"):
        client.wait_running("a", timeout_s=0.1)


def test_a_worker_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        Connect("http://127.0.0.1:1", timeout_s=1, patience_s=0).status("a")
