"""The HTTP side: the page, its stream, the path of an order, and the answers of the view "Customer 360"."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import SecretStr
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bi.dashboard.board import Board
from bi.dashboard.customers import LAST_ID, LONGEST, Customers, OccupiedError
from bi.dashboard.live import Live
from bi.dashboard.paths import Paths
from bi.dashboard.warehouse import OrderCheck
from commerce360 import log
from commerce360.settings import Page, read_secret

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
logger = log.get("page")


def make_app(
    board: Board, live: Live, paths: Paths, check: OrderCheck, customers: Customers, page: Page, scrape: Callable[[], bytes]
) -> Starlette:
    """`scrape`: the answer of `/metrics`.

    All routes are GET: nothing changes state. Names other than loopback's and the configured ones are refused, so that no foreign page can
    read through a browser (DNS rebinding); and so is a request without the token, where there is one. Raises ConfigError.
    """
    api, about = _Api(board, live, paths, check), _Customers(customers)
    routes = [
        Route("/", _page),
        Route("/events", api.events),
        Route("/metrics", _Metrics(scrape).all),
        Route("/api/view", api.view),
        Route("/api/orders/{order_id}", api.order),
        Route("/api/orders/{order_id}/warehouse", api.warehouse),
        Route("/api/customers", about.search),
        Route("/api/customers/{customer_id}", about.one),
        Route("/api/shop", about.shop),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    guards = [
        Middleware(TrustedHostMiddleware, allowed_hosts=sorted({"127.0.0.1", "localhost", page.host, *page.names})),
        *([Middleware(_Token, token=read_secret(page.token_file, "token of the page"))] if page.token_file else []),
        Middleware(_Headers),
        Middleware(GZipMiddleware),
    ]
    return Starlette(routes=routes, middleware=guards)


async def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


class _Metrics:
    def __init__(self, scrape: Callable[[], bytes]) -> None:
        self.scrape = scrape

    async def all(self, _: Request) -> Response:
        return Response(await run_in_threadpool(self.scrape), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Api:
    def __init__(self, board: Board, live: Live, paths: Paths, check: OrderCheck) -> None:
        self.board = board
        self.live = live
        self.paths = paths
        self.check = check

    async def events(self, _: Request) -> Response:
        stream: Response = EventSourceResponse(self._stream(), ping=15, sep="\n")
        return stream

    async def view(self, _: Request) -> Response:
        return JSONResponse(self.live.snapshot())

    async def order(self, request: Request) -> Response:
        order_id = request.path_params["order_id"]
        try:
            found = await run_in_threadpool(self.paths.find, order_id, self.board.shown)
        except Exception as error:  # the lake may be anything from missing to half made
            return _unavailable("lake", error)
        return JSONResponse(found) if found else JSONResponse({"error": "gold has no such order (yet)"}, status_code=404)

    async def warehouse(self, request: Request) -> Response:
        try:
            return JSONResponse(await run_in_threadpool(self.check.find, request.path_params["order_id"]))
        except Exception as error:
            return _unavailable("warehouse", error)

    async def _stream(self) -> AsyncIterator[ServerSentEvent]:
        async for delta in self.live.deltas():
            yield ServerSentEvent(data=delta, event="view", retry=1000)


class _Customers:
    def __init__(self, customers: Customers) -> None:
        self.customers = customers

    async def search(self, request: Request) -> Response:
        text = request.query_params.get("q", "").strip()
        if len(text) > LONGEST or not text.isprintable():
            return _refused(f"a search has at most {LONGEST} characters that can be printed")
        return await self._answer(lambda: self.customers.search(text))

    async def one(self, request: Request) -> Response:
        text = request.path_params["customer_id"]
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LAST_ID):
            return _refused("a customer's number is a whole number")
        return await self._answer(lambda: self.customers.one(int(text)))

    async def shop(self, _: Request) -> Response:
        return await self._answer(self.customers.shop)

    async def _answer(self, ask: Callable[[], Any]) -> Response:
        try:
            found = await run_in_threadpool(ask)
        except OccupiedError as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        except Exception as error:
            return _unavailable("warehouse", error)
        return JSONResponse(found) if found else JSONResponse({"error": "the warehouse has no such customer (yet)"}, status_code=404)


def _refused(why: str) -> Response:
    return JSONResponse({"error": why}, status_code=400)


def _unavailable(source: str, error: Exception) -> Response:
    logger.info("missed_answer", source=source, reason=f"{type(error).__name__}: {str(error)[:200]}")
    return JSONResponse({"error": f"the {source} does not answer just now"}, status_code=503)


class _Token:
    """Answers 401 to whoever does not know the token."""

    def __init__(self, app: ASGIApp, token: SecretStr) -> None:
        self.app = app
        self.wanted = f"Bearer {token.get_secret_value()}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope.get("headers", [])).get(b"authorization", b"")
        if scope["type"] == "http" and not hmac.compare_digest(given, self.wanted):
            refusal = JSONResponse({"error": "the token is missing, or another one"}, 401, {"www-authenticate": "Bearer", **HEADERS})
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)


class _Headers:
    """Adds the security headers to every answer, the stream's too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: Any = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
