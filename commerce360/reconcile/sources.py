"""What the sources hold now: the tables of PostgreSQL, the collections of MongoDB, the order producer's ledger."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commerce360.errors import UnavailableError
from commerce360.reconcile.model import Source
from commerce360.settings import Mongo, Postgres

Row = dict[str, Any]


def postgres_rows(postgres: Postgres, tables: Sequence[str]) -> dict[str, list[Row]]:
    """`{table: rows}` of schema `sales`, all read in one snapshot."""
    import psycopg
    from psycopg import sql
    from psycopg.rows import dict_row

    with _asking(), psycopg.connect(postgres.conninfo(), row_factory=dict_row, connect_timeout=10) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        query = sql.SQL("SELECT * FROM sales.{}")
        return {t: connection.execute(query.format(sql.Identifier(t))).fetchall() for t in tables}


def postgres_where(postgres: Postgres, query: str, where: str, values: Sequence[Any]) -> list[Row]:
    """Rows of the query for which a condition over its columns holds, with values for its placeholders."""
    import psycopg
    from psycopg import sql
    from psycopg.rows import dict_row

    with _asking(), psycopg.connect(postgres.conninfo(), row_factory=dict_row, connect_timeout=10) as connection:
        return connection.execute(sql.SQL("SELECT * FROM ({}) AS found WHERE {}").format(sql.SQL(query), sql.SQL(where)), values).fetchall()


def mongo_documents(mongo: Mongo, collection: str, where: Row | None = None) -> Iterator[Row]:
    """Documents of a collection, all of them or those of a query; dates as aware UTC datetimes."""
    import pymongo
    from bson.codec_options import CodecOptions, DatetimeConversion
    from pymongo.errors import PyMongoError

    clamp = DatetimeConversion.DATETIME_CLAMP  # a date that Python cannot hold is one that the lake refuses
    options: CodecOptions[Row] = CodecOptions(tz_aware=True, tzinfo=dt.UTC, datetime_conversion=clamp)
    try:
        with pymongo.MongoClient[Row](mongo.address(), serverSelectionTimeoutMS=10_000) as client:
            yield from client[mongo.database].get_collection(collection, codec_options=options).find(where or {})
    except PyMongoError as error:
        raise UnavailableError(f"MongoDB does not answer: {str(error)[:200]}", "see `c360 status`") from error


def documents(mongo: Mongo, source: Source) -> list[Row]:
    """All documents of the source's collection, with their key as the lake calls it."""
    return [{**d, source.key[0]: d["_id"]} for d in mongo_documents(mongo, source.topic.entity)]


def note_landed(state: Path, entity: str, keys: Iterable[str]) -> None:
    """Documents that come from files, and that MongoDB does not have: noted before they are sent, where there is a ledger."""
    if (state / "ledger").is_dir():
        with (state / "ledger" / f"landed-{entity}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(key) + "\n" for key in keys)


def landed(state: Path, entity: str) -> set[str]:
    try:
        text = (state / "ledger" / f"landed-{entity}.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        return set()
    return {json.loads(line) for line in text.splitlines()}


def wal_position(postgres: Postgres) -> int:
    """Where the write-ahead log ends now, in bytes."""
    import psycopg

    with _asking(), psycopg.connect(postgres.conninfo(), connect_timeout=10) as connection:
        row = connection.execute("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint").fetchone()
    return int(row[0]) if row else 0


def mongo_second(mongo: Mongo) -> int:
    """What time it is on MongoDB's own clock, in whole epoch seconds."""
    import pymongo
    from pymongo.errors import PyMongoError

    try:
        with pymongo.MongoClient[Row](mongo.address(), serverSelectionTimeoutMS=10_000, tz_aware=True, tzinfo=dt.UTC) as client:
            now: dt.datetime = client.admin.command("hello")["localTime"]
    except PyMongoError as error:
        raise UnavailableError(f"MongoDB does not answer: {str(error)[:200]}", "see `c360 status`") from error
    return int(now.timestamp())


@contextmanager
def _asking() -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise UnavailableError(f"PostgreSQL does not answer: {said[0]}", "see `c360 status`") from error
