"""The newest rows of every key of a table, beside the driver: what the next batch folds with.

A private database of SQLite: a lookup costs the same for ten thousand keys and for ten million, and memory stays bounded. It lives as
long as the process and is filled from the table at the next start, so nothing in it has to survive.
"""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from stream_jobs.entity import Key, Row
from stream_jobs.jsontext import writer

CACHE_KIB = 65_536  # pages kept in memory; the rest is in an unnamed file in the system's temporary folder


def private_database() -> sqlite3.Connection:
    """Empty, and gone with the process. Statements outside of BEGIN and COMMIT stand alone."""
    made = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}", "locking_mode=EXCLUSIVE"):
        made.execute(f"PRAGMA {setting}")
    return made


_text = writer()


class RowStore:
    """Rows by key, each under its place within the key. For one thread at a time."""

    def __init__(self, places: Sequence[str]) -> None:
        """`places`: columns that tell the rows of a key apart."""
        self.places = tuple(places)
        self._names: list[str] = []
        self._known: frozenset[str] = frozenset()
        self._db = private_database()
        self._db.execute("CREATE TABLE rows (key TEXT, place TEXT, row BLOB, PRIMARY KEY (key, place)) WITHOUT ROWID")

    def put(self, rows: Iterable[tuple[Key, Row]]) -> None:
        """A row replaces the one of its key and place."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", ((_text(k), self._place(r), self._pack(r)) for k, r in rows))
        self._db.execute("COMMIT")

    def replace(self, key: Key, rows: Iterable[Row]) -> None:
        """The key has these rows and no others."""
        self._db.execute("DELETE FROM rows WHERE key = ?", (_text(key),))
        self.put((key, row) for row in rows)

    def get(self, key: Key) -> list[Row]:
        return [self._unpack(blob) for (blob,) in self._db.execute("SELECT row FROM rows WHERE key = ?", (_text(key),))]

    def __iter__(self) -> Iterator[Key]:
        for (text,) in self._db.execute("SELECT DISTINCT key FROM rows").fetchall():
            yield tuple(json.loads(text))

    def _place(self, row: Row) -> str:
        return _text(tuple(row[c] for c in self.places))

    def _pack(self, row: Row) -> bytes:
        """Values by the place of their name: names would be most of the bytes."""
        if not row.keys() <= self._known:
            self._names += [name for name in row if name not in self._known]
            self._known = frozenset(self._names)
        return pickle.dumps(list(map(row.get, self._names)), protocol=5)

    def _unpack(self, blob: bytes) -> Row:
        values = pickle.loads(blob)  # noqa: S301 - written by this object a moment ago, in a file without a name
        row: Row = dict.fromkeys(self._names)
        row.update(zip(self._names, values, strict=False))
        return row
