"""What the page asks of the warehouse, as any analyst would: the real connector, the views of CORE, the files of bi/queries."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bi.dashboard.board import Board
from bi.queries import sql
from commerce360 import snowflake
from commerce360.settings import Warehouse
from commerce360.snowflake import Row

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

NUMBERS = ("lake_batches", "customers", "sales_today")
TIMEOUT_S = 10


class Client:
    """One connection, made at the first query and made again after a failure. Not for sharing between threads."""

    def __init__(self, settings: Warehouse) -> None:
        self.settings = settings

    def query(self, statement: str, params: tuple[Any, ...] | None = None) -> list[Row]:
        """Rows with lower-case names. Raises the connector's errors, and ConfigError before the key exists."""
        try:
            return snowflake.rows(self._connection, statement, params, TIMEOUT_S)
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        if connection := self.__dict__.pop("_connection", None):
            with contextlib.suppress(Exception):  # it is lost anyway
                connection.close()

    @cached_property
    def _connection(self) -> SnowflakeConnection:
        return snowflake.connect(self.settings, login_timeout_s=5, network_timeout_s=TIMEOUT_S)


class Numbers:
    """The headline numbers, asked for only while somebody looks: in the cloud a query keeps a warehouse awake."""

    def __init__(self, settings: Warehouse, board: Board, watched: Callable[[], bool]) -> None:
        self.client = Client(settings)
        self.board = board
        self.watched = watched

    def poll(self) -> None:
        if not self.watched():
            return
        found: dict[str, Any] = {}
        for name in NUMBERS:
            for row in self.client.query(sql(name)):
                found |= row
        self.board.numbers = {k: None if v is None else str(v) for k, v in found.items()}


class OrderCheck:
    """Looks one order up. Its own connection, so that a click does not wait for the numbers."""

    def __init__(self, settings: Warehouse) -> None:
        self.client = Client(settings)
        self._alone = threading.Lock()

    def find(self, order_id: str) -> dict[str, Any]:
        """Lines, amount, and how the customer's version was matched; `ms` is what the query took."""
        with self._alone:
            began = time.monotonic()
            row = self.client.query(sql("order_in_warehouse"), (order_id,))[0]
        return {
            **{k: v if isinstance(v, int) or v is None else str(v) for k, v in row.items()},
            "ms": round((time.monotonic() - began) * 1000),
        }
