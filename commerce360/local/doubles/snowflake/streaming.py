"""The Snowpipe Streaming half: the REST calls of snowpipe-streaming 1.9.1, as that SDK sends and accepts them.

Both upload modes: rows in the request, and files on a stage that this server plays (AES-256-CTR, zstd), which the SDK chooses for
large batches. `storage_endpoint` always names this server: without it the SDK would go to a real cloud store.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from pathlib import Path
from typing import Any

import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from commerce360.local.doubles.snowflake import tokens
from commerce360.local.doubles.snowflake.account import Account
from commerce360.local.doubles.snowflake.channels import Channel, Channels, Name, NoSuchChannelError, NoSuchTableError, StaleChannelError
from commerce360.local.doubles.snowflake.keys import kept_key

HOUR_S = 3600
PIPES = "/v2/streaming/databases/{db}/schemas/{schema}/pipes/{pipe}"
DATA = "/v2/streaming/data/databases/{db}/schemas/{schema}/pipes/{pipe}/channels/{channel}"
STAGE = "stage/"
ROLE_SCOPE = "session:role:"
NO_TABLE = "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED"
NO_DATABASE = "ERR_DATABASE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"


class Streaming:
    def __init__(self, channels: Channels, account: Account, stage: Path) -> None:
        self.channels = channels
        self.account = account
        self.stage = stage
        self.pipe_key = kept_key(stage / "pipe.key")  # clients keep it for an hour, longer than this process may live
        self.tokens: dict[str, tuple[float, str]] = {}  # scoped token -> epoch seconds of its end, and the role

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v2/streaming/hostname", self.hostname),
                Route("/oauth/token", self.token, methods=["POST"]),
                Route("/telemetry/send/sessionless", self.telemetry, methods=["POST"]),
                Route(PIPES + ":pipe-info", self.pipe_info, methods=["POST"]),
                Route(PIPES + ":bulk-channel-status", self.bulk_status, methods=["POST"]),
                Route(PIPES + "/channels/{channel}", self.open, methods=["PUT"]),
                Route(PIPES + "/channels/{channel}", self.drop, methods=["DELETE"]),
                Route(DATA + "/rows", self.rows, methods=["POST"]),
                Route(DATA + "/filebuffer", self.file_buffer, methods=["POST"]),
                Route(PIPES + "/channels/{channel}/filebuffer", self.file_buffer, methods=["POST"]),
                Route("/" + STAGE + "{path:path}", self.put_file, methods=["PUT"]),
            ]
        )

    async def hostname(self, request: Request) -> Response:
        return PlainTextResponse(request.url.hostname or "127.0.0.1")  # without a port: the SDK adds its own

    async def token(self, request: Request) -> Response:
        user = self.account.user_of(_bearer(request))
        if user is None:
            return _error(401, "390144", "JWT token is invalid")
        scope = str(tokens.claims(_bearer(request)).get("scp") or "")
        role = scope.removeprefix(ROLE_SCOPE) if scope.startswith(ROLE_SCOPE) else user.default_role
        if role not in self.account.roles_of(user):
            return _error(403, "390189", f"Role '{role}' is not granted to this user")
        end = int(time.time()) + HOUR_S
        token = ".".join((_part({"alg": "HS256", "typ": "JWT"}), _part({"exp": end, "jti": secrets.token_hex(8)}), "c2ln"))
        self.tokens[token] = (end, role)
        return PlainTextResponse(token)

    async def telemetry(self, _: Request) -> Response:
        return JSONResponse({"success": True, "data": "ok"})

    async def pipe_info(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        if missing := await self._missing(Name.of(request.path_params)):
            return missing
        location = {
            "location_type": "S3",
            "location": f"{STAGE}{secrets.token_hex(6)}/",  # one for each client: their files count from 0
            "region": "local",
            "use_s3_regional_url": False,
            "expiry_time_ms": int(time.time() * 1000) + HOUR_S * 1000,
            "creds": {"AWS_KEY_ID": "local", "AWS_SECRET_KEY": "local", "AWS_TOKEN": "local"},
            "storage_endpoint": request.url.netloc,
        }
        encryption = {"pipe_key": base64.b64encode(self.pipe_key).decode(), "pipe_key_id": 1, "diversifier": "d"}
        return JSONResponse({"rowset_stage_location": location, "durable_stage_location": location, "encryption_info": encryption})

    async def open(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        body = json.loads(await request.body() or b"{}")
        name = Name.of(request.path_params)
        try:
            channel = await run_in_threadpool(self.channels.open, name, body.get("offset_token"))
        except NoSuchTableError as error:
            return _error(404, NO_TABLE, str(error))
        except NoSuchChannelError as error:
            return _error(404, NO_DATABASE, str(error))
        return JSONResponse({"next_continuation_token": channel.continuation, "channel_status": _status(name, channel)})

    async def drop(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        try:
            await run_in_threadpool(self.channels.drop, Name.of(request.path_params))
        except NoSuchChannelError as error:  # a 500 would be tried again for ever
            return _error(404, NO_DATABASE, str(error))
        return JSONResponse({})

    async def bulk_status(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        found = {}
        for channel in json.loads(await request.body())["channel_names"]:
            name = Name.of(request.path_params, channel)
            try:
                known = await run_in_threadpool(self.channels.read, name)
            except NoSuchChannelError as error:
                return _error(404, NO_DATABASE, str(error))
            if known is not None:
                found[channel] = _status(name, known)
        return JSONResponse({"channel_statuses": found})

    async def rows(self, request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        return await self._append(request, body, request.query_params.get("endOffsetToken"))

    async def file_buffer(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        repeated = await run_in_threadpool(self.channels.repeated, Name.of(request.path_params), request.query_params.get("requestId", ""))
        if repeated is not None:  # its files are gone
            return JSONResponse({"next_continuation_token": repeated.continuation})
        fragments = json.loads(await request.body())
        body = b"".join([await run_in_threadpool(self._fragment, f) for f in fragments])
        reply = await self._append(request, body, fragments[-1]["fragment_end_offset_token"])
        if reply.status_code == 200:
            for fragment in fragments:
                (self.stage / fragment["file_path"].replace("/", "_")).unlink(missing_ok=True)
        return reply

    async def put_file(self, request: Request) -> Response:
        body = await request.body()
        if "aws-chunked" in request.headers.get("content-encoding", ""):
            body = _unchunk(body)
        self.stage.mkdir(parents=True, exist_ok=True)
        (self.stage / request.url.path.lstrip("/").replace("/", "_")).write_bytes(body)
        return Response(headers={"ETag": f'"{secrets.token_hex(16)}"'})

    async def _append(self, request: Request, body: bytes, end: str | None) -> Response:
        if denied := self._denied(request):
            return denied
        query, name = request.query_params, Name.of(request.path_params)
        evolve = self._may(self.tokens[_bearer(request)][1], "EVOLVE SCHEMA", request)
        try:
            channel = await run_in_threadpool(
                self.channels.append, name, body, query.get("continuationToken"), end, query.get("requestId", ""), evolve
            )
        except StaleChannelError as error:
            return _error(400, "STALE_CONTINUATION_TOKEN_SEQUENCER", f"open the channel again: {error}")
        except NoSuchChannelError as error:
            return _error(404, "ERR_CHANNEL_DOES_NOT_EXIST_OR_IS_NOT_AUTHORIZED", str(error))
        return JSONResponse({"next_continuation_token": channel.continuation})

    async def _missing(self, name: Name) -> Response | None:
        try:
            if await run_in_threadpool(self.channels.exists, name):
                return None
        except NoSuchChannelError as error:
            return _error(404, NO_DATABASE, str(error))
        return _error(404, NO_TABLE, f"there is no table {'.'.join(name.full)}")

    def _fragment(self, fragment: dict[str, Any]) -> bytes:
        raw = (self.stage / fragment["file_path"].replace("/", "_")).read_bytes()
        start = fragment["fragment_start_byte_offset"]
        cipher = Cipher(algorithms.AES(self.pipe_key), modes.CTR(base64.b64decode(fragment["iv_base64"])))
        plain = cipher.decryptor().update(raw[start : start + fragment["fragment_length_bytes"]])
        return zstandard.ZstdDecompressor().decompressobj().decompress(plain)

    def _denied(self, request: Request) -> Response | None:
        """The SDK fetches a new scoped token on 401 and goes on; so it does after a restart of this server."""
        end, role = self.tokens.get(_bearer(request), (0, ""))
        if end <= time.time():
            return _error(401, "390303", "Invalid OAuth access token")
        if not {"db", "schema", "pipe"} <= request.path_params.keys() or self._may(role, "INSERT", request):
            return None
        name = ".".join(Name.of(request.path_params).full)
        return _error(404, NO_TABLE, f"{name} does not exist, or role {role} has no INSERT on it")  # a 403 would be tried again for ever

    def _may(self, role: str, privilege: str, request: Request) -> bool:
        return self.account.may(role, privilege, "TABLE", Name.of(request.path_params).full)


def _status(name: Name, channel: Channel) -> dict[str, Any]:
    return {
        "database_name": name.database,
        "schema_name": name.schema,
        "pipe_name": name.pipe,
        "channel_name": name.channel,
        "channel_status_code": "SUCCESS",
        "last_committed_offset_token": channel.token,
        "created_on_ms": channel.created_ms,
        "rows_inserted": channel.rows,
        "rows_parsed": channel.rows + channel.errors,
        "rows_error_count": channel.errors,
        "last_error_offset_upper_bound": channel.error_token,
        "last_error_message": channel.error_message,
        "last_error_timestamp_ms": channel.error_ms,
        "snowflake_avg_processing_latency_ms": 1,
    }


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status)


def _unchunk(body: bytes) -> bytes:
    """The content of an aws-chunked upload; its trailing checksum is left out."""
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        content, body = content + body[:length], body[length + 2 :]
    return content
