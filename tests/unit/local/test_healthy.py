"""What a container's health check says of a service that works, one that stands, and one of before a restart."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from commerce360 import healthy, metrics
from commerce360.local.bootstrap.paths import ROOT


class Reply(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/nothing" else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"scheduler": {"status": "healthy"}, "dag_processor": {"status": "unhealthy"}}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Reply)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_service_is_healthy_while_it_publishes(tmp_path: Path) -> None:
    began = time.time()
    assert healthy.publishes(tmp_path, "lake", began, began - 5) == "lake has not published since it was started"
    metrics.publish(tmp_path, "lake", {})
    now = time.time()
    assert healthy.publishes(tmp_path, "lake", now, began) == ""
    assert healthy.publishes(tmp_path, "lake", now + 31, began) == "lake has not published for 31 s"
    assert healthy.publishes(tmp_path, "lake", now + 31, now + 30) == "lake has not published since it was started"


def test_an_address_is_healthy_when_it_answers(url: str) -> None:
    assert healthy.main(url) == ""
    assert "404" in healthy.main(f"{url}/nothing")
    assert healthy.main(url, "scheduler") == ""
    assert healthy.main(url, "dag_processor") == "dag_processor is unhealthy"
    assert healthy.main(url, "triggerer")
    assert "refused" in healthy.main("http://127.0.0.1:1/")


def test_it_leaves_as_docker_wants(url: str) -> None:
    for path, code in (("/", 0), ("/nothing", 1)):
        command = [sys.executable, "-m", "commerce360.healthy", url + path]
        assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == code
