"""Channels and their rows: what was committed, and the token that goes with it, in one transaction."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.json as pj

from commerce360.local.doubles.snowflake.engine import Engine

SYSTEM = "C360_STREAMING"
DDL = f"""
CREATE SCHEMA IF NOT EXISTS "{{db}}".{SYSTEM};
CREATE TABLE IF NOT EXISTS "{{db}}".{SYSTEM}.CHANNELS (
    schema_name VARCHAR, pipe VARCHAR, channel VARCHAR, token VARCHAR, rows BIGINT,
    client_seq BIGINT, row_seq BIGINT, created_ms BIGINT, last_request VARCHAR
)"""
COLUMNS = "token, rows, client_seq, row_seq, created_ms, last_request"


class StaleChannelError(Exception):
    """The continuation token is not the one that this channel waits for: it was opened again elsewhere."""


class NoSuchChannelError(Exception):
    pass


class BadRowsError(Exception):
    """Rows do not fit their table."""


@dataclass(frozen=True)
class Name:
    database: str
    schema: str
    pipe: str
    channel: str

    @classmethod
    def of(cls, parts: dict[str, str], channel: str | None = None) -> Name:
        return cls(parts["db"].upper(), parts["schema"].upper(), parts["pipe"].upper(), (channel or parts["channel"]).upper())

    @property
    def table(self) -> str:
        return f'"{self.database}"."{self.schema}"."{self.pipe.removesuffix("-STREAMING")}"'


@dataclass(frozen=True)
class Channel:
    token: str | None
    rows: int
    client_seq: int
    row_seq: int
    created_ms: int
    last_request: str | None

    @property
    def continuation(self) -> str:
        return f"{self.client_seq}_{self.row_seq}"


class Channels:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def open(self, name: Name, offset_token: str | None) -> Channel:
        """A new client sequencer: whoever held the channel before is out, also with a repeat of its last request."""
        with self.engine.transaction() as cursor:
            known = _read(cursor, name) or Channel(None, 0, 0, 0, int(time.time() * 1000), None)
            channel = replace(known, client_seq=known.client_seq + 1, row_seq=0, token=offset_token or known.token, last_request=None)
            _write(cursor, name, channel)
        return channel

    def read(self, name: Name) -> Channel | None:
        with self.engine.transaction() as cursor:
            return _read(cursor, name)

    def drop(self, name: Name) -> None:
        """What was never opened is gone as well. Raises NoSuchChannelError without its database."""
        with self.engine.transaction() as cursor:
            _read(cursor, name)
            _delete(cursor, name)

    def repeated(self, name: Name, request_id: str) -> Channel | None:
        """The channel, when this request was the last one that it took."""
        known = self.read(name)
        return known if known is not None and known.last_request == request_id else None

    def append(self, name: Name, body: bytes, continuation: str | None, end_token: str | None, request_id: str) -> Channel:
        """Rows and token together, or neither. The same request again changes nothing."""
        with self.engine.transaction() as cursor:
            known = _read(cursor, name)
            if known is None:
                raise NoSuchChannelError(name.channel)
            if known.last_request == request_id:
                return known
            if continuation is not None and continuation != known.continuation:
                raise StaleChannelError(f"{continuation} is not {known.continuation}")
            count = _insert(cursor, name, body)
            channel = replace(
                known, token=end_token or known.token, rows=known.rows + count, row_seq=known.row_seq + 1, last_request=request_id
            )
            _write(cursor, name, channel)
        return channel


def _insert(cursor: duckdb.DuckDBPyConnection, name: Name, body: bytes) -> int:
    lines = b"\n".join(line for line in body.splitlines() if line.strip())
    if not lines:
        return 0
    try:
        described = cursor.execute(f"DESCRIBE {name.table}").fetchall()
        options = pj.ParseOptions(explicit_schema=pa.schema([(c[0], _sent_as(c[1])) for c in described]), unexpected_field_behavior="error")
        sent = pj.read_json(io.BytesIO(lines + b"\n"), pj.ReadOptions(block_size=len(lines) + 2), options)
        cursor.register("sent_rows", sent)
        columns = ", ".join(f'"{c}"' for c in sent.column_names)
        cursor.execute(f"INSERT INTO {name.table} ({columns}) SELECT {columns} FROM sent_rows")
        cursor.unregister("sent_rows")
    except (pa.ArrowInvalid, duckdb.Error) as error:
        raise BadRowsError(str(error)[:500]) from error
    return int(sent.num_rows)


def _sent_as(duck_type: Any) -> pa.DataType:
    """How the SDK writes a value of this column in JSON; everything that is not a number or a boolean is text."""
    kind = str(duck_type).upper()
    if kind in ("BIGINT", "INTEGER", "HUGEINT", "SMALLINT") or (kind.startswith("DECIMAL") and kind.endswith(",0)")):
        return pa.int64()
    if kind in ("DOUBLE", "FLOAT"):
        return pa.float64()
    return pa.bool_() if kind == "BOOLEAN" else pa.string()


def _read(cursor: duckdb.DuckDBPyConnection, name: Name) -> Channel | None:
    try:
        for statement in DDL.format(db=name.database).split(";"):
            cursor.execute(statement)
    except duckdb.Error as error:
        raise NoSuchChannelError(f"no database {name.database}") from error
    sql = f'SELECT {COLUMNS} FROM "{name.database}".{SYSTEM}.CHANNELS WHERE schema_name = ? AND pipe = ? AND channel = ?'
    row = cursor.execute(sql, [name.schema, name.pipe, name.channel]).fetchone()
    return Channel(*row) if row else None


def _write(cursor: duckdb.DuckDBPyConnection, name: Name, channel: Channel) -> None:
    _delete(cursor, name)
    values = [
        name.schema,
        name.pipe,
        name.channel,
        channel.token,
        channel.rows,
        channel.client_seq,
        channel.row_seq,
        channel.created_ms,
        channel.last_request,
    ]
    cursor.execute(f'INSERT INTO "{name.database}".{SYSTEM}.CHANNELS VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', values)


def _delete(cursor: duckdb.DuckDBPyConnection, name: Name) -> None:
    sql = f'DELETE FROM "{name.database}".{SYSTEM}.CHANNELS WHERE schema_name = ? AND pipe = ? AND channel = ?'
    cursor.execute(sql, [name.schema, name.pipe, name.channel])
