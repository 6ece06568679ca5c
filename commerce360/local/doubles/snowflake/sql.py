"""The SQL half: fakesnow's HTTP protocol with logins checked, writers one at a time, and errors that clients do not retry."""

from __future__ import annotations

import gzip
import json
import secrets
from typing import Any

import fakesnow.server
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.transforms import SERVER_VERSION
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from commerce360.local.doubles.snowflake.account import PUBLIC, User
from commerce360.local.doubles.snowflake.engine import Engine
from commerce360.local.doubles.snowflake.refusals import RefusedError
from commerce360.local.doubles.snowflake.session import Session
from commerce360.local.doubles.snowflake.statements import Statements, writes

SESSION_GONE = "390111"
LOGIN, QUERY = "/session/v1/login-request", "/queries/v1/query-request"


class Sql:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.account = engine.account
        self.statements = Statements(engine.account, engine.information, engine.find, engine.folder)

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
        user = self.account.user_of(data.get("TOKEN") or "") if data.get("AUTHENTICATOR") == "SNOWFLAKE_JWT" else None
        if user is None or user.name != str(data.get("LOGIN_NAME", "")).upper():
            return _failure("390144", "JWT token is invalid.")
        wanted = request.query_params.get("roleName")
        role = _folded(wanted) if wanted else user.default_role or PUBLIC
        if role not in self.account.roles_of(user):
            return _failure(
                "390189",
                f"Role '{role}' specified in the connect string is not granted to this user. Contact your local system administrator.",
            )
        session = await run_in_threadpool(self._session, user, role, data.get("SESSION_PARAMETERS") or {}, request.query_params)
        token = secrets.token_urlsafe(32)
        fakesnow.server.sessions[token] = session.connection
        return JSONResponse({"data": _greeting(session, token), "success": True})

    def _session(self, user: User, role: str, parameters: dict[str, Any], asked: QueryParams) -> Session:
        """Database, schema and warehouse of the login hold when the role may use them; else the session has none."""
        database, schema, warehouse = (_folded(asked.get(k) or "") for k in ("databaseName", "schemaName", "warehouse"))
        known = (
            ("DATABASE", (database.upper(),)) in self.account.objects,
            ("SCHEMA", (database.upper(), schema.upper())) in self.account.objects,
        )
        use_database = known[0] and self.account.may(role, "USAGE", "DATABASE", (database.upper(),))
        use_schema = use_database and known[1] and self.account.may(role, "USAGE", "SCHEMA", (database.upper(), schema.upper()))
        connection = FakeSnowflakeConnection(
            self.engine.duck.cursor(),
            self.engine.snow.results_cache,
            database if use_database else None,
            schema if use_schema else None,
            create_database=False,
            create_schema=False,
            db_path=self.engine.folder,
            autocommit=str(parameters.get("AUTOCOMMIT", True)).lower() != "false",
        )
        texts = {k.upper(): str(v) for k, v in parameters.items() if k.upper() == "QUERY_TAG"}
        session = Session(self.account, connection, user.name, role, parameters=texts)
        warehouse = warehouse or user.default_warehouse
        if ("WAREHOUSE", (warehouse,)) in self.account.objects and session.may("USAGE", "WAREHOUSE", (warehouse,)):
            session.warehouse = warehouse
        connection.c360 = session
        session.tell()
        return session

    async def query(self, request: Request) -> Response:
        body = json.loads(await _body(request))
        try:
            connection = fakesnow.server.to_conn(fakesnow.server.to_token(request))
        except fakesnow.server.ServerError:  # a session of before a restart; clients would try a 401 again
            return _failure(SESSION_GONE, "Session no longer exists. New login required to access the service.")
        session: Session = connection.c360
        if writes(body["sqlText"]):
            async with _Lock(self.engine):
                return await self._run(request, session, body)
        return await self._run(request, session, body)

    async def _run(self, request: Request, session: Session, body: dict[str, Any]) -> Response:
        session.text = body["sqlText"]
        try:
            plan = await run_in_threadpool(self.statements.plan, session, session.text)
        except RefusedError as error:
            return _failure(error.code, error.message, error.sql_state)
        body["sqlText"] = plan.text
        if plan.bindings is not None:
            body["bindings"] = plan.bindings
        _replace_body(request, body)
        reply: Response = await fakesnow.server.query_request(request)
        if reply.status_code == 500:  # clients try a 5xx again for minutes; this one will not get better
            found = json.loads(bytes(reply.body))
            return _failure(found["code"], found["message"])
        if plan.after is not None and json.loads(bytes(reply.body))["success"]:
            try:
                await run_in_threadpool(plan.after)
            except RefusedError as error:
                return _failure(error.code, error.message, error.sql_state)
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


def _folded(name: str) -> str:
    return name[1:-1] if name.startswith('"') and name.endswith('"') else name.upper()


def _greeting(session: Session, token: str) -> dict[str, Any]:
    connection = session.connection
    return {
        "token": token,
        "masterToken": token,
        "validityInSeconds": 3600,
        "masterValidityInSeconds": 14400,
        "serverVersion": SERVER_VERSION,
        "sessionId": session.number,
        "parameters": [
            {"name": "AUTOCOMMIT", "value": connection._autocommit},
            {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
            {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},  # arrays are bound in the request, not through a stage
        ],
        "sessionInfo": {
            "databaseName": connection.database,
            "schemaName": connection.schema,
            "warehouseName": session.warehouse or None,
            "roleName": session.role,
        },
    }


def _failure(code: str, message: str, sql_state: str = "XX000") -> Response:
    return JSONResponse({"data": {"errorCode": code, "sqlState": sql_state}, "code": code, "message": message, "success": False})


async def _accepted(_: Request) -> Response:
    return JSONResponse({"success": True})
