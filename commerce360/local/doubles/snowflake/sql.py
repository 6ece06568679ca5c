"""The SQL half: fakesnow's HTTP protocol with logins checked, writers one at a time, and errors that clients do not retry."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import fakesnow.server
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from commerce360.local.doubles.snowflake.engine import Engine, local_sql, writes
from commerce360.local.doubles.snowflake.keys import signed_by

SESSION_GONE = "390111"
LOGIN, QUERY = "/session/v1/login-request", "/queries/v1/query-request"


class Sql:
    def __init__(self, engine: Engine, private_key: Path) -> None:
        self.engine = engine
        self.private_key = private_key

    def app(self) -> Starlette:
        kept = [r for r in fakesnow.server.routes if r.path not in (LOGIN, QUERY)]
        ours = [
            Route(LOGIN, self.login, methods=["POST"]),
            Route(QUERY, self.query, methods=["POST"]),
            Route("/telemetry/send", _accepted, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
        ]
        return Starlette(routes=[*ours, *kept])

    async def login(self, request: Request) -> Response:
        data = json.loads(await _body(request))["data"]
        if data.get("AUTHENTICATOR") == "SNOWFLAKE_JWT" and not signed_by(data.get("TOKEN", ""), self.private_key):
            return _failure("390144", "JWT token is invalid.")
        async with _Lock(self.engine):  # a first login creates its database
            reply = await fakesnow.server.login_request(request)
        return _with_master_token(reply)

    async def query(self, request: Request) -> Response:
        body = json.loads(await _body(request))
        body["sqlText"] = local_sql(body["sqlText"])
        _replace_body(request, body)
        if writes(body["sqlText"]):
            async with _Lock(self.engine):
                reply: Response = await fakesnow.server.query_request(request)
        else:
            reply = await fakesnow.server.query_request(request)
        if reply.status_code == 500:  # clients try a 5xx again for minutes; this one will not get better
            found = json.loads(bytes(reply.body))
            return _failure(found["code"], found["message"])
        if reply.status_code == 401:  # a session of before a restart; they try a 401 again as well
            return _failure(SESSION_GONE, "Session no longer exists. New login required to access the service.")
        return reply

    async def health(self, _: Request) -> Response:
        def look() -> int:
            with self.engine.duck.cursor() as cursor:
                row = cursor.execute("SELECT 42").fetchone()
            return int(row[0]) if row else 0

        return JSONResponse({"ok": await run_in_threadpool(look) == 42})


class _Lock:
    """The engine's lock, waited for in a thread so that the event loop goes on."""

    def __init__(self, engine: Engine) -> None:
        self.lock = engine.lock

    async def __aenter__(self) -> None:
        await run_in_threadpool(self.lock.acquire)

    async def __aexit__(self, *_: object) -> None:
        self.lock.release()


async def _body(request: Request) -> bytes:
    body = await request.body()
    return gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body


def _replace_body(request: Request, body: dict[str, Any]) -> None:
    request._body = json.dumps(body).encode()
    request.scope["headers"] = [h for h in request.scope["headers"] if h[0] != b"content-encoding"]
    if hasattr(request, "_headers"):
        del request._headers


def _with_master_token(reply: Response) -> Response:
    body = json.loads(bytes(reply.body))
    body["data"].setdefault("masterToken", body["data"]["token"])
    body["data"].update(validityInSeconds=3600, masterValidityInSeconds=14400)
    return JSONResponse(body)


def _failure(code: str, message: str) -> Response:
    return JSONResponse({"data": {"errorCode": code, "sqlState": "XX000"}, "code": code, "message": message, "success": False})


async def _accepted(_: Request) -> Response:
    return JSONResponse({"success": True})
