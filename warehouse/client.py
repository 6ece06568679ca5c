"""The real Snowflake connector with key-pair authentication, as the stack's own parts use it."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Warehouse, read_secret

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Row = dict[str, Any]
TIMEOUT_S = 60


class Client:
    """Connects at the first query; a context manager. Not for sharing between threads."""

    def __init__(self, settings: Warehouse) -> None:
        self.settings = settings

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if connection := self.__dict__.pop("connection", None):
            connection.close()

    def query(self, sql: str, params: tuple[Any, ...] | None = None) -> list[Row]:
        """Rows as dicts with lower-case names. Raises C360Error for wrong SQL, UnavailableError when nobody answers."""
        from snowflake.connector.errors import Error, InterfaceError, OperationalError

        try:
            with self.connection.cursor() as cursor:
                cursor.execute(sql, params)
                names = [d.name.lower() for d in cursor.description or []]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except (OperationalError, InterfaceError) as error:
            raise UnavailableError(f"the warehouse does not answer: {error.msg}", "see `c360 logs warehouse`") from error
        except Error as error:
            raise C360Error(f"the warehouse refuses: {error.msg}", sql[:200]) from error

    @cached_property
    def connection(self) -> SnowflakeConnection:
        import snowflake.connector
        from cryptography.hazmat.primitives import serialization

        logging.getLogger("snowflake.connector").setLevel(logging.ERROR)  # it logs each retry with its address
        pem = read_secret(self.settings.private_key_file, "warehouse private key").get_secret_value().encode()
        key = serialization.load_pem_private_key(pem, None)
        der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return snowflake.connector.connect(
            account=self.settings.account,
            host=self.settings.host,
            port=self.settings.port,
            protocol=self.settings.protocol,
            user=self.settings.user,
            role=self.settings.role,
            warehouse=self.settings.warehouse,
            database=self.settings.database,
            authenticator="SNOWFLAKE_JWT",
            private_key=der,
            login_timeout=20,
            network_timeout=TIMEOUT_S,
            session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False, "CLIENT_TELEMETRY_ENABLED": False},
        )
