"""The parts of waiting that need one server at most; the whole of it is in tests/stack/test_demo.py."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from commerce360.lake import Lake
from commerce360.reconcile import model
from commerce360.reconcile.drain import connectors_behind, documents_behind
from commerce360.settings import Lake as LakeSettings
from connect_configs.client import Connect
from connect_configs.files import configurations
from schemas.tables import REVIEWS

MISSING, RUNNING = None, ("RUNNING",)


class Handler(BaseHTTPRequestHandler):
    """Answers as Connect 4.3 does."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.split("/")[2]
        tasks = self.server.tasks[name]
        found = [{"id": 0, "state": s, **({"trace": "no such slot\n"} if s == "FAILED" else {})} for s in tasks or ()]
        status = {"name": name, "connector": {"state": "RUNNING"}, "tasks": found}
        body = {"offsets": [{"partition": {"server": "oltp"}, "offset": {"lsn": 5000}}]} if self.path.endswith("/offsets") else status
        data = json.dumps(body if tasks is not None else {"message": "not found"}).encode()
        self.send_response(404 if tasks is None else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def worker():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.tasks = dict.fromkeys(configurations(), RUNNING)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def behind(worker, wal=5000):
    return connectors_behind(Connect(f"http://127.0.0.1:{worker.server_address[1]}"), wal)


def test_all_tasks_run_and_the_log_is_read(worker):
    assert behind(worker) == ""
    assert behind(worker, wal=5000 + 2048) == "Debezium is 2 KiB of WAL behind"


@pytest.mark.parametrize("name", configurations())
@pytest.mark.parametrize(
    ("tasks", "said"), [(MISSING, "not run"), ((), "not run"), (("FAILED",), "no such slot"), (("PAUSED",), "not run")]
)
def test_a_connector_that_does_not_run_is_named(worker, name, tasks, said):
    worker.tasks[name] = tasks
    found = behind(worker)
    assert name in found
    assert said in found


def test_a_worker_that_does_not_answer_is_waited_for():
    assert "does not answer" in connectors_behind(Connect("http://127.0.0.1:9", timeout_s=1, patience_s=0), 0)


def test_every_document_must_be_in_silver_as_it_is_now(tmp_path):
    lake = Lake(LakeSettings(root=str(tmp_path / "lake")))
    lake.create(REVIEWS)
    empty = {c.name: None for c in REVIEWS.columns}
    rows = [{**empty, "review_id": i, "title": t, "seq": 1, "source_offset": n, "is_deleted": False, "batch_id": 0} for n, (i, t) in
            enumerate([("a", "good"), ("b", "fine")])]  # fmt: skip
    lake.append(REVIEWS, rows, "q", 0)
    a, b = ({**dict.fromkeys(model.REVIEWS.columns), "review_id": i, "title": t} for i, t in (("a", "good"), ("b", "fine")))
    assert documents_behind(lake, model.REVIEWS, [b, a]) == ""
    for documents in ([a, {**b, "title": "edited"}], [a], [a, b, {**b, "review_id": "new"}]):
        assert documents_behind(lake, model.REVIEWS, documents).startswith("1 documents of reviews")
