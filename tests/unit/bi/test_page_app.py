"""The page's routes and its stream, without a browser."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from boards import NOW, board
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from bi.dashboard.app import STATIC, make_app
from bi.dashboard.board import Board
from bi.dashboard.customers import Customers
from bi.dashboard.live import Live
from bi.dashboard.paths import Paths
from bi.dashboard.warehouse import OrderCheck
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from commerce360.settings import Page, Warehouse
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    paths = Paths(LakeSettings(root=str(tmp_path)))
    app = make_app(Board(), Live(), paths, OrderCheck(Warehouse()), Customers(Warehouse()), Page(), lambda: b"c360_x 1.0\n")
    return TestClient(app, base_url="http://127.0.0.1")


def test_the_page_and_everything_it_names_is_served(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(named) > 3
    imported = [f"/static/{name}" for file in STATIC.glob("*.js") for name in re.findall(r'from "\./([^"]+)"', file.read_text())]
    assert {client.get(path).status_code for path in [*named, *imported]} == {200}


def test_the_page_has_no_script_or_style_that_its_policy_would_refuse(client: TestClient) -> None:
    text = client.get("/").text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/view", "/api/orders/W-1-1", "/nowhere"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_a_foreign_host_is_refused(client: TestClient) -> None:
    assert client.get("/api/view", headers={"host": "shop.example.com"}).status_code == 400
    assert client.get("/api/view", headers={"host": "localhost:19080"}).status_code == 200


def test_metrics_are_served_as_prometheus_reads_them(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text == "c360_x 1.0\n"


def made(tmp_path: Path, page: Page) -> Starlette:
    return make_app(Board(), Live(), Paths(LakeSettings(root=str(tmp_path))), OrderCheck(Warehouse()), Customers(Warehouse()), page, bytes)


def test_nothing_on_the_page_changes_state(tmp_path: Path) -> None:
    """Each route takes what only reads; and an answer to anything else says so."""
    app = made(tmp_path, Page())
    routes = [r for r in app.routes if isinstance(r, Route)]
    assert len(routes) >= 8
    assert {m for r in routes for m in r.methods or ()} == {"GET", "HEAD"}
    client = TestClient(app, base_url="http://127.0.0.1")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert {client.request(method, r.path.replace("{order_id}", "x")).status_code for r in routes} == {405}
        assert client.request(method, "/static/app.js").status_code == 405


def test_the_names_of_a_proxy_are_taken(tmp_path: Path) -> None:
    client = TestClient(made(tmp_path, Page(names=("shop.example.com",))), base_url="http://127.0.0.1")
    assert client.get("/api/view", headers={"host": "shop.example.com"}).status_code == 200
    assert client.get("/api/view", headers={"host": "evil.example.com"}).status_code == 400


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/view", "/api/customers?q=a", "/events", "/nowhere"])
def test_with_a_token_nobody_gets_anything_without_it(tmp_path: Path, path: str) -> None:
    (tmp_path / "token").write_text("right-one\n")
    client = TestClient(made(tmp_path, Page(token_file=tmp_path / "token")), base_url="http://127.0.0.1")
    for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": "right-one"}, {"authorization": "Bearer right-onex"}):
        answer = client.get(path, headers=wrong)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "right-one" not in answer.text


def test_with_the_token_the_page_is_there(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("right-one\n")
    client = TestClient(made(tmp_path, Page(token_file=tmp_path / "token")), base_url="http://127.0.0.1")
    assert client.get("/api/view", headers={"authorization": "Bearer right-one"}).status_code == 200


def test_a_token_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="token of the page"):
        made(tmp_path, Page(token_file=tmp_path / "none"))


def test_an_order_that_gold_does_not_have_is_not_found(client: TestClient, tmp_path: Path) -> None:
    for table in (BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES):
        Lake(LakeSettings(root=str(tmp_path))).create(table)
    answer = client.get("/api/orders/W-1-1")
    assert (answer.status_code, answer.json()) == (404, {"error": "gold has no such order (yet)"})


def test_a_lake_and_a_warehouse_that_do_not_answer_are_named(client: TestClient) -> None:
    lake, warehouse = client.get("/api/orders/W-1-1"), client.get("/api/orders/W-1-1/warehouse")
    assert (lake.status_code, lake.json()["error"]) == (503, "the lake does not answer just now")
    assert (warehouse.status_code, warehouse.json()["error"]) == (503, "the warehouse does not answer just now")


@pytest.mark.parametrize("path", ["/api/customers", "/api/customers?q=ines", "/api/customers/501", "/api/shop"])
def test_without_a_warehouse_the_360_view_is_told_so(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (503, {"error": "the warehouse does not answer just now"})


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣", str(2**63), "9" * 40, "1;DROP TABLE x"])
def test_what_is_no_number_of_a_customer_is_refused(client: TestClient, number: str) -> None:
    answer = client.get(f"/api/customers/{number}")
    assert (answer.status_code, answer.json()) == (400, {"error": "a customer's number is a whole number"})


@pytest.mark.parametrize("text", ["x" * 81, "a\x00b", "a\nb"])
def test_a_search_that_cannot_be_one_is_refused(client: TestClient, text: str) -> None:
    assert client.get("/api/customers", params={"q": text}).status_code == 400


@pytest.mark.parametrize("path", ["/api/customers", "/api/customers/5", "/api/shop"])
def test_the_360_view_only_reads(client: TestClient, path: str) -> None:
    assert {client.request(method, path).status_code for method in ("POST", "PUT", "DELETE")} == {405}


def test_a_watcher_gets_everything_first_and_then_what_changed() -> None:
    async def watch() -> list[dict[str, object]]:
        live, told = Live(), board()
        live.tick(told, NOW)
        stream = live.deltas()
        found = [json.loads(await anext(stream))]
        assert live.watched()
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)  # it waits now
        told.numbers = {"orders_today": "3"}
        live.tick(told, NOW + 1)
        found.append(json.loads(await waiting))
        live.close()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return found

    first, second = asyncio.run(watch())
    assert {"phase", "stages", "orders", "numbers", "services", "report", "course"} <= first.keys()
    assert "numbers" in second
    assert not {"phase", "services", "course"} & second.keys()
