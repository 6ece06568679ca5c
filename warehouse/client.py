"""The warehouse as the stack's own parts use it: errors of the connector become ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from commerce360 import snowflake
from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Warehouse
from commerce360.snowflake import Row

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

TIMEOUT_S = 60


class Client:
    """Connects at the first query; a context manager. Not for sharing between threads."""

    def __init__(self, settings: Warehouse, timeout_s: int = TIMEOUT_S) -> None:
        """`timeout_s`: how long the connector may try again when nobody answers. Its waits grow to sixteen seconds each."""
        self.settings = settings
        self.timeout_s = timeout_s

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if connection := self.__dict__.pop("connection", None):
            connection.close()

    def query(self, sql: str, params: tuple[Any, ...] | None = None) -> list[Row]:
        """Rows as dicts with lower-case names. Raises C360Error for wrong SQL, UnavailableError when nobody answers."""
        with _ours(sql):
            return snowflake.rows(self.connection, sql, params)

    def change(self, sql: str, params: tuple[Any, ...] | None = None) -> int:
        """How many rows an INSERT, UPDATE or DELETE changed. Raises as `query` does."""
        with _ours(sql), self.connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.rowcount or 0

    @cached_property
    def connection(self) -> SnowflakeConnection:
        return snowflake.connect(self.settings, login_timeout_s=min(20, self.timeout_s), network_timeout_s=self.timeout_s)


@contextlib.contextmanager
def _ours(sql: str) -> Iterator[None]:
    from snowflake.connector.errors import Error, InterfaceError, OperationalError

    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise UnavailableError(f"the warehouse does not answer: {error.msg}", "see `c360 logs warehouse`") from error
    except Error as error:
        raise C360Error(f"the warehouse refuses: {error.msg}", sql[:200]) from error
