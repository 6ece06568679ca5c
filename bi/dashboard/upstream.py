"""What operators ask of the servers before the lake: how far topics reach, connectors and their tasks, the registry, replication slots."""

from __future__ import annotations

from typing import Any

import requests

from bi.dashboard.board import Board, Connectors, Slot
from commerce360.end_offsets import EndOffsets
from commerce360.settings import Connect, Kafka, Mongo, Postgres, Registry
from schemas.topics import TOPICS

TIMEOUT_S = 3
# What is kept for a slot counts from restart_lsn: the log is needed from there, whatever was confirmed.
SLOTS = """
    SELECT slot_name, active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint
    FROM pg_replication_slots WHERE database = current_database()
"""


class TopicEnds:
    def __init__(self, settings: Kafka, board: Board) -> None:
        self.ends = EndOffsets(settings, TIMEOUT_S)
        self.board = board

    def poll(self) -> None:
        """Raises UnavailableError."""
        self.board.ends = self.ends.of({t.name: range(t.partitions) for t in TOPICS})


class ConnectStates:
    def __init__(self, settings: Connect, board: Board) -> None:
        self.settings = settings
        self.url = f"{settings.url.rstrip('/')}/connectors"
        self.board = board

    def poll(self) -> None:
        """Raises requests' errors, and ConfigError for a secret that is not there."""
        reply = requests.get(self.url, params={"expand": "status"}, timeout=TIMEOUT_S, **self.settings.http())
        reply.raise_for_status()
        self.board.connectors = read_states(reply.json())


def read_states(found: dict[str, Any]) -> Connectors:
    """From the answer of GET /connectors?expand=status. A connector that is being deleted may have no status."""
    told = {name: parts["status"] for name, parts in found.items() if "status" in parts}
    return Connectors(
        {name: status["connector"]["state"] for name, status in told.items()},
        {name: {str(task["id"]): task["state"] for task in status["tasks"]} for name, status in told.items()},
    )


class RegistryAnswers:
    def __init__(self, settings: Registry) -> None:
        self.settings = settings
        self.url = f"{settings.url.rstrip('/')}/subjects"

    def poll(self) -> None:
        """Raises requests' errors, and ConfigError for a secret that is not there."""
        requests.get(self.url, timeout=TIMEOUT_S, **self.settings.http()).raise_for_status()


class MongoAnswers:
    """A connection a poll, as for `Slots`."""

    def __init__(self, settings: Mongo) -> None:
        self.settings = settings

    def poll(self) -> None:
        """Raises PyMongoError."""
        import pymongo

        wait_ms = TIMEOUT_S * 1000
        with pymongo.MongoClient[dict[str, Any]](
            self.settings.address(), serverSelectionTimeoutMS=wait_ms, connectTimeoutMS=wait_ms, socketTimeoutMS=wait_ms
        ) as client:
            client.admin.command("hello")


class Slots:
    """A connection a poll: one that is kept would wait for a hanging server for ever."""

    def __init__(self, settings: Postgres, board: Board) -> None:
        self.settings = settings
        self.board = board

    def poll(self) -> None:
        """Raises psycopg.Error."""
        import psycopg

        with psycopg.connect(self.settings.conninfo(), connect_timeout=TIMEOUT_S, options="-c statement_timeout=3000") as connection:
            self.board.slots = {name: Slot(active, status or "lost", lag) for name, active, status, lag in connection.execute(SLOTS)}
