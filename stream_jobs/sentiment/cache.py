"""Every answer ever given, on disk: what was paid for once is never asked again. Also the outbox of the topic.

SQLite in WAL mode with full synchronisation: an answer that `keep` returned from survives a kill and a power cut.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from stream_jobs.sentiment.records import Answer
from stream_jobs.sentiment.scorer import LATEST, TRANSIENT

TABLES = """
CREATE TABLE IF NOT EXISTS answers (
  text_hash TEXT NOT NULL, language TEXT NOT NULL, model TEXT NOT NULL, model_version TEXT NOT NULL,
  label TEXT, score TEXT, error TEXT, truncated INTEGER NOT NULL, scored_at INTEGER NOT NULL, published INTEGER NOT NULL,
  PRIMARY KEY (text_hash, language, model, model_version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox ON answers (scored_at) WHERE published = 0;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""
COLUMNS = ", ".join(Answer._fields)
PUT = f"INSERT OR REPLACE INTO answers ({COLUMNS}, published) VALUES ({', '.join('?' * len(Answer._fields))}, ?)"
MARK = "UPDATE answers SET published = 1 WHERE text_hash = ? AND language = ? AND model = ? AND model_version = ? AND scored_at = ?"
# Of records about the same text a later one that is no error counts, as in the lake.
RECALL = f"""
INSERT INTO answers ({COLUMNS}, published) VALUES ({", ".join("?" * len(Answer._fields))}, 1)
ON CONFLICT (text_hash, language, model, model_version) DO UPDATE SET
  label = excluded.label, score = excluded.score, error = excluded.error, truncated = excluded.truncated,
  scored_at = excluded.scored_at, published = 1
WHERE (excluded.error IS NULL, excluded.scored_at) > (answers.error IS NULL, answers.scored_at)
"""
COUNTS = f"(error IS NULL OR error NOT IN ({', '.join('?' * len(TRANSIENT))}))"


class Cache:
    """One process, one thread. Raises sqlite3.Error when the disk does not do its part."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(TABLES)

    def close(self) -> None:
        self._db.close()

    @property
    def is_filled(self) -> bool:
        """False for a new file: what the topic has is to be recalled first."""
        return self._db.execute("SELECT 1 FROM facts WHERE name = 'filled'").fetchone() is not None

    def recall(self, answers: Iterable[Answer]) -> int:
        """Take over what the topic has; how many records. All or nothing, and then `is_filled`."""
        rows = 0
        with self._all_or_nothing():
            for answer in answers:
                self._db.execute(RECALL, answer)
                rows += 1
            self._db.execute("INSERT OR REPLACE INTO facts VALUES ('filled')")
        return rows

    def has(self, text_hash: str, language: str, model: str, version: str) -> bool:
        """Whether there is an answer that another call would only repeat. For LATEST that of any version will do."""
        where = "text_hash = ? AND language = ? AND model = ?" + ("" if version == LATEST else " AND model_version = ?")
        values = [text_hash, language, model, *([] if version == LATEST else [version]), *TRANSIENT]
        return self._db.execute(f"SELECT 1 FROM answers WHERE {where} AND {COUNTS} LIMIT 1", values).fetchone() is not None

    def keep(self, answers: Iterable[Answer]) -> None:
        """On disk when this returns, to be published. None of them when it raises."""
        with self._all_or_nothing():
            self._db.executemany(PUT, [(*answer, 0) for answer in answers])

    def unpublished(self, limit: int) -> list[Answer]:
        """Oldest first."""
        rows = self._db.execute(f"SELECT {COLUMNS} FROM answers WHERE published = 0 ORDER BY scored_at LIMIT ?", (limit,)).fetchall()
        return [Answer(*row)._replace(truncated=bool(row[7])) for row in rows]

    def mark(self, answers: Iterable[Answer]) -> None:
        """Kafka has acknowledged them."""
        with self._all_or_nothing():
            self._db.executemany(MARK, [(*answer.key, answer.scored_at) for answer in answers])

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """A transaction that a failure leaves nothing of, so that the next one can begin."""
        self._db.execute("BEGIN")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it already
                self._db.execute("ROLLBACK")
            raise
