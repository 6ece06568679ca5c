"""The local Snowflake's SQL half in this process, and logins to it with the real connector."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import snowflake.connector
import uvicorn
from cryptography.hazmat.primitives import serialization

from commerce360.local.doubles.snowflake import keys

QUIET = {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False, "CLIENT_TELEMETRY_ENABLED": False}


class LocalAccount:
    """Users other than the administrator get a key pair when they are made with `user`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keys.ensure_private_key(self.key("C360_ADMIN"))

    def key(self, user: str) -> Path:
        return self.folder / "secrets" / f"{user}.p8"

    @contextlib.contextmanager
    def serving(self) -> Iterator[LocalAccount]:
        from commerce360.local.doubles.snowflake.engine import Engine
        from commerce360.local.doubles.snowflake.sql import Sql

        self.engine = Engine(self.folder / "databases", keys.public_key(self.key("C360_ADMIN")))
        config = uvicorn.Config(Sql(self.engine).app(), port=0, log_level="error", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        self.port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join(10)
            self.engine.duck.close()

    def connect(self, user: str = "C360_ADMIN", role: str | None = None, key: Path | None = None, **more: Any) -> Any:
        private = serialization.load_pem_private_key((key or self.key(user)).read_bytes(), None)
        der = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        given = {"role": role} if role else {}
        return snowflake.connector.connect(
            account="local",
            host="127.0.0.1",
            port=self.port,
            protocol="http",
            user=user,
            authenticator="SNOWFLAKE_JWT",
            private_key=der,
            login_timeout=10,
            network_timeout=20,
            session_parameters=QUIET,
            **given,
            **more,
        )

    def session(self, user: str = "C360_ADMIN", role: str | None = None, **more: Any) -> Asking:
        return Asking(self.connect(user, role, **more))

    def user(self, admin: Asking, name: str, *roles: str) -> None:
        """A user with a key pair and these roles; the first one is the default."""
        keys.ensure_private_key(self.key(name))
        public = keys.public_key(self.key(name))
        admin(f"CREATE USER IF NOT EXISTS {name} RSA_PUBLIC_KEY = '{public}' DEFAULT_ROLE = {roles[0]} TYPE = SERVICE")
        for role in roles:
            admin(f"CREATE ROLE IF NOT EXISTS {role}")
            admin(f"GRANT ROLE {role} TO USER {name}")


class Asking:
    """`asking("SELECT ...")` gives the rows."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __call__(self, statement: str, params: Any = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, params)
            return cursor.fetchall()

    def dicts(self, statement: str) -> list[dict[str, Any]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            names = [d.name for d in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def close(self) -> None:
        self.connection.close()
