"""Channels and their rows: what was committed, and the token that goes with it, in one transaction.

A channel belongs to the table that it was opened on, not to that table's name: a table that was dropped or replaced takes its channels and
their tokens with it, and one that was renamed brings them back with its name. Tables carry a mark for that, as DuckDB's own comment.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace

import duckdb

from commerce360.local.doubles.snowflake import rows
from commerce360.local.doubles.snowflake.engine import Engine
from commerce360.local.doubles.snowflake.rows import SYSTEM, MisfitError, Taken, Target

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
MARK = "c360-table-"
Option = Callable[["Name", str], bool]


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
    def full(self) -> str:
        return f"{self.database}.{self.schema}.{self.table}"


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
    def __init__(self, engine: Engine, option: Option = lambda name, option: False) -> None:
        """`option(name, "ERROR_LOGGING")`: is that switched on for the table of this channel?"""
        self.engine = engine
        self.option = option

    def open(self, name: Name, offset_token: str | None) -> Channel:
        """A new client sequencer: whoever held the channel before is out, also with a repeat of its last request."""
        with self.engine.transaction() as cursor:
            known, mark = self._look(cursor, name)
            mark = _marked(cursor, name, mark)
            fresh = Channel(None, 0, known.client_seq if known else 0, 0, int(time.time() * 1000), None, mark)
            if known is None or known.table_mark not in (None, mark):  # a table of before marks were kept is the one it was
                known = fresh
            channel = replace(
                known, client_seq=known.client_seq + 1, row_seq=0, token=offset_token or known.token, last_request=None, table_mark=mark
            )
            self._write(cursor, name, channel)
            if self.option(name, "ERROR_LOGGING"):
                rows.make_error_table(cursor, self._target(name, False))
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
        evolves = may_evolve and self.option(name, "ENABLE_SCHEMA_EVOLUTION")
        target = self._target(name, evolves)
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

    def _target(self, name: Name, evolves: bool) -> Target:
        return Target(name.database, name.schema, name.table, evolves, self.option(name, "ERROR_LOGGING"))

    def _current(self, cursor: duckdb.DuckDBPyConnection, name: Name) -> Channel | None:
        known, mark = self._look(cursor, name)
        return known if known is not None and mark is not None and known.table_mark in (None, mark) else None

    def _look(self, cursor: duckdb.DuckDBPyConnection, name: Name) -> tuple[Channel | None, str | None]:
        """The channel, of whichever table it is, and the mark of the table that has the name now: empty without one, None without a table.

        Raises NoSuchChannelError without the database.
        """
        sql = (
            "SELECT schema_name, coalesce(comment, ''), column_count FROM duckdb_tables() "
            "WHERE database_name = ? AND (schema_name = ? AND table_name = ? OR schema_name = ? AND table_name = 'CHANNELS')"
        )
        found = cursor.execute(sql, [name.database, name.schema, name.table, SYSTEM]).fetchall()
        if (SYSTEM, len(fields(Channel)) + 3) not in [(schema, count) for schema, _, count in found]:
            self._prepare(cursor, name.database)
        sql = f'SELECT {COLUMNS} FROM "{name.database}".{SYSTEM}.CHANNELS WHERE {KEY}'
        row = cursor.execute(sql, [name.schema, name.pipe, name.channel]).fetchone()
        mark = next((comment for schema, comment, _ in found if schema == name.schema), None)
        return Channel(*row) if row else None, mark

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


def _marked(cursor: duckdb.DuckDBPyConnection, name: Name, mark: str | None) -> str:
    """The table's mark, set when it has none. A table without one has no error rows either: those are of an older table."""
    if mark is None:
        raise NoSuchTableError(f"there is no table {name.full}")
    if not mark.startswith(MARK):
        mark = MARK + secrets.token_hex(8)
        target = Target(name.database, name.schema, name.table)
        cursor.execute(f"COMMENT ON TABLE {target.sql} IS '{mark}'")
        cursor.execute(f"DROP TABLE IF EXISTS {target.errors}")
    return mark
