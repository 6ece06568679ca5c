from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Registry
from producers import baskets
from producers.baskets import Line, Order
from producers.wire import OrderCodec, find_schema_id, order_schema


@contextmanager
def registry(status: int, body: object) -> Iterator[tuple[str, list[tuple[str, dict[str, object]]]]]:
    asked: list[tuple[str, dict[str, object]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_id_is_that_of_exactly_our_schema() -> None:
    with registry(200, {"id": 42, "version": 3}) as (url, asked):
        assert find_schema_id(Registry(url=url), order_schema()) == 42
    path, body = asked[0]
    assert path == "/subjects/shop.orders.events-value"
    assert json.loads(str(body["schema"])) == order_schema()


@pytest.mark.parametrize(("status", "code"), [(404, 40401), (503, 50001)])
def test_a_registry_that_is_not_ready_may_be_asked_again(status: int, code: int) -> None:
    with registry(status, {"error_code": code, "message": "no"}) as (url, _), pytest.raises(UnavailableError):
        find_schema_id(Registry(url=url), order_schema())


def test_a_registry_that_does_not_know_our_schema_is_an_error() -> None:
    with registry(404, {"error_code": 40403, "message": "Schema not found"}) as (url, _), pytest.raises(C360Error) as caught:
        find_schema_id(Registry(url=url), order_schema())
    assert not caught.value.transient


def test_no_registry_is_transient() -> None:
    with registry(200, {}) as (url, _):
        pass
    with pytest.raises(UnavailableError):
        find_schema_id(Registry(url=url), order_schema(), timeout_s=1)


def test_a_value_is_the_wire_format_and_reads_back() -> None:
    codec = OrderCodec(order_schema(), 258)
    event = baskets.event(Order("W-1-1", None, "win-back", (Line(1, 7, 1, 999, 0, None),)), 1_700_000_000_123_456)
    value = codec.encode(event)
    assert value[:5] == b"\x00\x00\x00\x01\x02"
    read = codec.decode(value)
    assert read["event_ts"] == dt.datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=dt.UTC)
    assert {**read, "event_ts": 0} == {**event, "event_ts": 0}
    assert codec.encode(read) == value
