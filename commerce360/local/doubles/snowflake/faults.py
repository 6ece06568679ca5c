"""Faults of Snowpipe Streaming on request, so that its clients can be tested: refused, slow, cut and stolen requests.

`POST /c360/faults` takes a JSON list of faults, each for the next `count` requests of a kind, and forgets those of before. The sender shows
the secret that the server made beside its keys. Nothing of the real one is like this.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from commerce360.local.doubles.snowflake.channels import Channels, Name
from commerce360.local.doubles.snowflake.keys import write_private

PATH = "/c360/faults"
Kind = Literal["hostname", "token", "pipe", "open", "rows", "status", "drop"]
Action = Literal["answer", "hang", "cut_before", "cut_after", "steal", "stale"]
ROUTES: tuple[tuple[Kind, str, re.Pattern[str]], ...] = (
    ("hostname", "GET", re.compile(r"/v2/streaming/hostname$")),
    ("token", "POST", re.compile(r"/oauth/token$")),
    ("pipe", "POST", re.compile(r":pipe-info$")),
    ("status", "POST", re.compile(r":bulk-channel-status$")),
    ("rows", "POST", re.compile(r"/channels/[^/]+/(rows|filebuffer)$")),
    ("open", "PUT", re.compile(r"/channels/[^/]+$")),
    ("drop", "DELETE", re.compile(r"/channels/[^/]+$")),
)
PARTS = re.compile(r"/databases/(?P<db>[^/]+)/schemas/(?P<schema>[^/]+)/pipes/(?P<pipe>[^/:]+)(/channels/(?P<channel>[^/]+))?")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _CutError(Exception):
    """Makes the server close a connection in the middle of an answer."""


@dataclass
class Fault:
    """`answer` refuses with `status`; `hang` waits `seconds` first; `cut_after` closes the connection when the work is done and committed;
    `steal` opens the channel as another client would; `stale` passes a continuation token on that is not the channel's."""

    kind: Kind
    action: Action
    count: int = 1
    status: int = 500
    code: str = "C360_FAULT"
    seconds: float = 0.0
    table: str = ""  # of which table; any without one

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or self.action not in get_args(Action):
            raise ValueError(f"no such fault: {self.kind} {self.action}")


def secret(path: Path) -> str:
    """The secret of the control endpoint, in this file; made when it is missing."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24).encode())
    return path.read_text()


class Faults:
    """An ASGI application around that of the streaming half."""

    def __init__(self, app: App, channels: Channels, secret_file: Path) -> None:
        self.app = app
        self.channels = channels
        self.secret = secret(secret_file)
        self.armed: list[Fault] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await (await self._control(Request(scope, receive)))(scope, receive, send)
            return
        fault = self._due(scope) if self.armed and scope["type"] == "http" else None
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await self._play(fault, scope, receive, send)

    async def _control(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.secret.encode()):
            return JSONResponse({"message": "the secret is wrong"}, 403)
        if request.method == "POST":
            try:
                self.armed = [Fault(**fault) for fault in json.loads(await request.body())]
            except (TypeError, ValueError) as error:
                return JSONResponse({"message": str(error)}, 400)
        return JSONResponse({"left": sum(f.count for f in self.armed)})

    def _due(self, scope: Scope) -> Fault | None:
        kind = next((kind for kind, method, path in ROUTES if scope["method"] == method and path.search(scope["path"])), None)
        for fault in self.armed:
            if fault.count > 0 and fault.kind == kind and (not fault.table or f"/{fault.table}-STREAMING" in scope["path"].upper()):
                fault.count -= 1
                return fault
        return None

    async def _play(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.action == "answer":
            await JSONResponse({"code": fault.code, "message": "a fault that was asked for"}, fault.status)(scope, receive, send)
            return
        if fault.action in ("cut_before", "cut_after"):
            if fault.action == "cut_after":
                await self.app(scope, receive, _nowhere)
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise _CutError
        await self._disturb(fault, scope)
        await self.app(scope, receive, send)

    async def _disturb(self, fault: Fault, scope: Scope) -> None:
        if fault.action == "hang":
            await asyncio.sleep(fault.seconds)
        elif fault.action == "steal" and (found := PARTS.search(scope["path"])):
            await asyncio.to_thread(self.channels.open, Name.of(found.groupdict()), None)
        elif fault.action == "stale":
            query = dict(parse_qsl(scope["query_string"].decode()))
            scope["query_string"] = urlencode({**query, "continuationToken": "0_0"}).encode()


async def _nowhere(_: Message) -> None: ...
