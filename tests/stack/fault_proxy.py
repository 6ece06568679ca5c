"""A proxy before a real Connect worker that answers some calls the ugly way: what load balancers and half-started workers do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

HTML = b"<html><body><h1>Service unavailable</h1></body></html>"
PASSED_ON = ("Authorization", "Content-Type", "Accept")


class FaultProxy(ThreadingHTTPServer):
    """Each call takes the next fault off `faults`; without one it is passed on.

    Faults: `hang` (s: `hang_s`), `reset` (closed without an answer), `drop` (passed on, and then closed without an answer), `fail`
    (passed on, and then a 500 as Connect answers), `fail:STATUS` (the same with a page, as a proxy answers), `html:STATUS`,
    `json:STATUS:MESSAGE`, `redirect`. With `prefix` other paths answer an HTML 404. `seen` has (method, path, Authorization) of all calls.
    """

    daemon_threads = True

    def __init__(self, target: str, prefix: str = "", hang_s: float = 30.0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = target
        self.prefix = prefix
        self.hang_s = hang_s
        self.faults: list[str] = []
        self.seen: list[tuple[str, str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}{prefix}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Who was hung up on hangs up as well."""


class Handler(BaseHTTPRequestHandler):
    server: FaultProxy

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization", "")))
        fault, _, rest = (self.server.faults.pop(0) if self.server.faults else "").partition(":")
        if fault == "hang":
            time.sleep(self.server.hang_s)
        if fault in ("hang", "reset"):
            self.close_connection = True
            return
        if fault == "html":
            self._send(int(rest), HTML, "text/html")
        elif fault == "json":
            status, _, message = rest.partition(":")
            self._send(int(status), f'{{"error_code": {status}, "message": "{message}"}}'.encode(), "application/json")
        elif fault == "redirect":
            self._send(302, b"", "text/html", "http://elsewhere.example/login")
        elif not self.path.startswith(self.server.prefix):
            self._send(404, HTML, "text/html")
        else:
            self._pass_on(body, fault, rest)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815 (names of http.server)

    def _pass_on(self, body: bytes, fault: str, status: str) -> None:
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        reply = requests.request(
            self.command, self.server.target + self.path.removeprefix(self.server.prefix), data=body, headers=headers, timeout=60
        )
        if fault == "drop":
            self.close_connection = True
            return
        if fault == "fail" and status:
            self._send(int(status), HTML, "text/html")
            return
        if fault == "fail":
            self._send(500, b'{"error_code": 500, "message": "IO Error trying to forward REST request"}', "application/json")
            return
        self._send(reply.status_code, reply.content, reply.headers.get("Content-Type", ""))

    def _send(self, status: int, body: bytes, kind: str, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def fault_proxy(target: str, prefix: str = "", hang_s: float = 30.0) -> Iterator[FaultProxy]:
    with FaultProxy(target, prefix, hang_s) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield proxy
        proxy.shutdown()
