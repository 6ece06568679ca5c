"""Channels and their rows: what was committed, and the token that goes with it, in one transaction.

A channel belongs to the table that it was opened on, not to that table's name: a table that was dropped or replaced takes its channels and
their tokens with it, and one that was renamed brings them back with its name. The account knows one table from the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace

import duckdb

from commerce360.local.doubles.snowflake import error_tables, rows
from commerce360.local.doubles.snowflake.account import ADMIN
from commerce360.local.doubles.snowflake.engine import Engine
from commerce360.local.doubles.snowflake.error_tables import SYSTEM
from commerce360.local.doubles.snowflake.rows import MisfitError, Taken, Target

DDL = f"""
CREATE SCHEMA IF NOT EXISTS "{{db}}".{SYSTEM};
CREATE TABLE IF NOT EXISTS "{{db}}".{SYSTEM}.CHANNELS (
    schema_name VARCHAR, pipe VARCHAR, channel VARCHAR, token VARCHAR, rows BIGINT,
    client_seq BIGINT, row_seq BIGINT, created_ms BIGINT, last_request VARCHAR
);
ALTER TABLE "{{db}}".{SYSTEM}.CHANNELS ADD COLUMN IF NOT EXISTS table_mark VARCHAR;
ALTER TABLE "{{db}}".{SYSTEM}.CHANNELS ADD COLUMN IF NOT EXISTS errors BIGINT DEFAULT 0;
ALTER TABLE "{{db}}".{SYSTEM}.CHANNELS ADD COLUMN IF NOT EXISTS error_message VARCHAR;
ALTER TABLE "{{db}}".{SYSTEM}.CHANNELS ADD COLUMN IF NOT EXISTS error_token VARCHAR;
ALTER TABLE "{{db}}".{SYSTEM}.CHANNELS ADD COLUMN IF NOT EXISTS error_ms BIGINT"""
KEY = "schema_name = ? AND pipe = ? AND channel = ?"


class StaleChannelError(Exception):
    """The continuation token is not the one that this channel waits for: it was opened again elsewhere."""


class NoSuchChannelError(Exception):
    """Never opened, or its table is not there any more."""


class NoSuchTableError(NoSuchChannelError):
    pass


@dataclass(frozen=True)
class Name:
    database: str
    schema: str
    pipe: str
    channel: str

    @classmethod
    def of(cls, parts: dict[str, str], channel: str | None = None) -> Name:
        channel = channel or parts.get("channel", "")
        return cls(parts["db"].upper(), parts["schema"].upper(), parts["pipe"].upper(), channel.upper())

    @property
    def table(self) -> str:
        return self.pipe.removesuffix("-STREAMING")

    @property
    def full(self) -> tuple[str, str, str]:
        return self.database, self.schema, self.table


@dataclass(frozen=True)
class Channel:
    """As it is stored, column by column."""

    token: str | None
    rows: int
    client_seq: int
    row_seq: int
    created_ms: int
    last_request: str | None
    table_mark: str | None
    errors: int = 0
    error_message: str | None = None
    error_token: str | None = None
    error_ms: int | None = None

    @property
    def continuation(self) -> str:
        return f"{self.client_seq}_{self.row_seq}"


COLUMNS = ", ".join(f.name for f in fields(Channel))


class Channels:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def open(self, name: Name, offset_token: str | None) -> Channel:
        """A new client sequencer: whoever held the channel before is out, also with a repeat of its last request."""
        with self.engine.transaction() as cursor:
            known, mark = self._look(cursor, name)
            if mark is None:
                raise NoSuchTableError(f"there is no table {'.'.join(name.full)}")
            fresh = Channel(None, 0, known.client_seq if known else 0, 0, int(time.time() * 1000), None, mark)
            if known is None or known.table_mark not in (None, mark):  # a table of before marks were kept is the one it was
                known = fresh
            channel = replace(
                known, client_seq=known.client_seq + 1, row_seq=0, token=offset_token or known.token, last_request=None, table_mark=mark
            )
            self._write(cursor, name, channel)
            if known is fresh:  # error rows are those of the table before
                error_tables.forget(cursor, name.full)
        return channel

    def read(self, name: Name) -> Channel | None:
        """None for a channel that was never opened, and for one whose table was replaced."""
        with self.engine.transaction() as cursor:
            return self._current(cursor, name)

    def drop(self, name: Name) -> None:
        """What was never opened is gone as well. Raises NoSuchChannelError without its database."""
        with self.engine.transaction() as cursor:
            self._look(cursor, name)
            self._delete(cursor, name)

    def exists(self, name: Name) -> bool:
        """Is there a table for it?"""
        with self.engine.transaction() as cursor:
            return self._look(cursor, name)[1] is not None

    def repeated(self, name: Name, request_id: str) -> Channel | None:
        """The channel, when this request was the last one that it took."""
        known = self.read(name)
        return known if known is not None and known.last_request == request_id else None

    def append(
        self, name: Name, body: bytes, continuation: str | None, end_token: str | None, request_id: str, may_evolve: bool = True
    ) -> Channel:
        """Rows and token together, or neither. The same request again changes nothing.

        Rows that do not fit their table are left out and counted, and the token passes them.
        """
        evolves = may_evolve and self.engine.table_option(*name.full, "ENABLE_SCHEMA_EVOLUTION")
        target = Target(name.full, evolves, self.engine.table_option(*name.full, "ERROR_LOGGING"))
        try:
            return self._append(name, continuation, end_token, request_id, lambda cursor: rows.insert(cursor, target, body))
        except MisfitError:
            return self._append(name, continuation, end_token, request_id, lambda cursor: rows.sift(cursor, target, body))

    def _append(
        self,
        name: Name,
        continuation: str | None,
        end_token: str | None,
        request_id: str,
        take: Callable[[duckdb.DuckDBPyConnection], Taken],
    ) -> Channel:
        with self.engine.transaction() as cursor:
            known = self._current(cursor, name)
            if known is None:
                raise NoSuchChannelError(name.channel)
            if known.last_request == request_id:
                return known
            if continuation is not None and continuation != known.continuation:
                raise StaleChannelError(f"{continuation} is not {known.continuation}")
            taken = take(cursor)
            channel = replace(
                known,
                token=end_token or known.token,
                rows=known.rows + taken.inserted,
                row_seq=known.row_seq + 1,
                last_request=request_id,
                errors=known.errors + taken.refused,
            )
            if taken.refused:
                channel = replace(channel, error_message=taken.message, error_token=end_token, error_ms=int(time.time() * 1000))
            self._write(cursor, name, channel)
        return channel

    def _current(self, cursor: duckdb.DuckDBPyConnection, name: Name) -> Channel | None:
        known, mark = self._look(cursor, name)
        return known if known is not None and mark is not None and known.table_mark in (None, mark) else None

    def _look(self, cursor: duckdb.DuckDBPyConnection, name: Name) -> tuple[Channel | None, str | None]:
        """The channel, of whichever table it is, and which table has its name now: None for none.

        Raises NoSuchChannelError without the database.
        """
        sql = (
            "SELECT schema_name, column_count FROM duckdb_tables() "
            "WHERE database_name = ? AND (schema_name = ? AND table_name = ? OR schema_name = ? AND table_name = 'CHANNELS')"
        )
        found = cursor.execute(sql, [name.database, name.schema, name.table, SYSTEM]).fetchall()
        if (SYSTEM, len(fields(Channel)) + 3) not in found:
            self._prepare(cursor, name.database)
        sql = f'SELECT {COLUMNS} FROM "{name.database}".{SYSTEM}.CHANNELS WHERE {KEY}'
        row = cursor.execute(sql, [name.schema, name.pipe, name.channel]).fetchone()
        mark = self._mark(name) if name.schema in [schema for schema, _ in found] else None
        return Channel(*row) if row else None, mark

    def _mark(self, name: Name) -> str:
        """What tells this table from one that had the name before; one that was made beside SQL is as old as the first question."""
        account, key = self.engine.account, ("TABLE", name.full)
        if key not in account.objects:
            with account.change():
                account.add(*key, ADMIN)
        return repr(account.objects[key].created)

    def _prepare(self, cursor: duckdb.DuckDBPyConnection, database: str) -> None:
        """The table of channels: the first time in this database, or over one of an older version."""
        try:
            for statement in DDL.format(db=database).split(";"):
                cursor.execute(statement)
        except duckdb.Error as error:
            raise NoSuchChannelError(f"no database {database}") from error

    def _write(self, cursor: duckdb.DuckDBPyConnection, name: Name, channel: Channel) -> None:
        self._delete(cursor, name)
        values = [name.schema, name.pipe, name.channel, *astuple(channel)]
        marks = ", ".join("?" * len(values))
        sql = f'INSERT INTO "{name.database}".{SYSTEM}.CHANNELS (schema_name, pipe, channel, {COLUMNS}) VALUES ({marks})'
        cursor.execute(sql, values)

    def _delete(self, cursor: duckdb.DuckDBPyConnection, name: Name) -> None:
        cursor.execute(f'DELETE FROM "{name.database}".{SYSTEM}.CHANNELS WHERE {KEY}', [name.schema, name.pipe, name.channel])
