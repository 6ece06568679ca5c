"""What was run on a warehouse: the change history, in the table and the columns of schemachange 4.4; and who migrates just now.

Snowflake has no lock for a run of statements, so a run holds a lease: the one row of OPS.MIGRATION_LEASE, taken by an UPDATE of a row that
nobody holds, which Snowflake serialises. It is renewed between statements. Two runs exclude each other as long as no statement takes
longer than the lease; schemachange does not know it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from commerce360.errors import C360Error
from schemas.landing import CHANGE_HISTORY, MIGRATION_LEASE
from warehouse.client import Client
from warehouse.scripts import Script, order

LEASE_S = 120
FREE_ROW = "SELECT CAST('' AS VARCHAR) AS HOLDER, CAST('1970-01-01' AS TIMESTAMP_NTZ) AS HELD_UNTIL"
FREE = "HOLDER = '', HELD_UNTIL = CAST('1970-01-01' AS TIMESTAMP_NTZ)"


def before_migrations(database: str) -> list[str]:
    """What a migration needs before the first one. Comments come with the first scripts."""
    columns = ", ".join(f"{f.name} {f.type}" for f in CHANGE_HISTORY.fields)
    return [
        f"CREATE SCHEMA IF NOT EXISTS {database}.OPS",
        f"CREATE TABLE IF NOT EXISTS {database}.{CHANGE_HISTORY.name} ({columns})",
        f"CREATE TABLE IF NOT EXISTS {database}.{MIGRATION_LEASE.name} AS {FREE_ROW}",
    ]


@dataclass(frozen=True)
class Done:
    """What the history says of scripts that went well."""

    checksums: dict[str, str]  # by script, of its last run
    newest_version: str = ""

    def __contains__(self, script: Script) -> bool:
        return script.name in self.checksums


class History:
    def __init__(self, client: Client, database: str) -> None:
        self.client = client
        self.database = database
        self.table = f"{database}.{CHANGE_HISTORY.name}"
        self.lease = f"{database}.{MIGRATION_LEASE.name}"

    def exists(self) -> bool:
        """Raises C360Error when the database is not there, or is not open to this role."""
        schema, name = CHANGE_HISTORY.name.split(".")
        where = f"TABLE_SCHEMA = '{schema}' AND TABLE_NAME = '{name}'"
        return bool(self.client.query(f"SELECT TABLE_NAME FROM {self.database}.INFORMATION_SCHEMA.TABLES WHERE {where}"))

    def read(self) -> Done:
        if not self.exists():
            return Done({})
        sql = f"SELECT VERSION, SCRIPT, CHECKSUM FROM {self.table} WHERE STATUS = 'Success' ORDER BY INSTALLED_ON"
        rows = self.client.query(sql)
        versions = [str(row["version"]) for row in rows if row["version"]]
        return Done({row["script"]: row["checksum"] for row in rows}, max(versions, key=order, default=""))

    def make(self) -> None:
        for statement in before_migrations(self.database):
            self.client.query(statement)

    def note(self, script: Script, checksum: str, seconds: int) -> None:
        values = (script.version, script.description, script.name, script.kind, checksum, seconds, "Success", self.client.settings.user)
        names = ", ".join(f.name for f in CHANGE_HISTORY.fields)
        self.client.query(f"INSERT INTO {self.table} ({names}) SELECT %s, %s, %s, %s, %s, %s, %s, %s, CURRENT_TIMESTAMP()", values)

    @contextmanager
    def held(self) -> Iterator[Lease]:
        """Raises C360Error while another run goes on. One that was killed on this host is over at once, elsewhere within LEASE_S."""
        lease = Lease(self)
        lease.take()
        try:
            yield lease
        finally:
            lease.release()


class Lease:
    def __init__(self, history: History) -> None:
        self.client = history.client
        self.table = history.lease
        self._renewed = 0.0
        self.holder = f"{socket.gethostname()} {os.getpid()} {uuid4().hex[:8]}"

    def take(self) -> None:
        row = self.client.query(f"SELECT HOLDER, HELD_UNTIL FROM {self.table}")[0]
        ended = row["holder"] if _has_ended(row["holder"]) else ""
        if not self._update("HELD_UNTIL < SYSDATE() OR HOLDER = %s", ended or self.holder):
            raise C360Error(
                f"somebody else migrates this warehouse: {row['holder'] or 'since just now'}",
                f"try again when it is done; a run that was killed holds it until {row['held_until']:%H:%M:%S} UTC at most",
            )

    def renew(self) -> None:
        """Raises C360Error when it ran out and somebody else took it."""
        if time.monotonic() - self._renewed > LEASE_S / 6 and not self._update("HOLDER = %s", self.holder):
            raise C360Error("a statement took longer than the lease, and somebody else migrates now", "run the same command again later")

    def release(self) -> None:
        self.client.query(f"UPDATE {self.table} SET {FREE} WHERE HOLDER = %s", (self.holder,))

    def _update(self, where: str, holder: str) -> bool:
        until = f"DATEADD(second, {LEASE_S}, SYSDATE())"
        sql = f"UPDATE {self.table} SET HOLDER = %s, HELD_UNTIL = {until} WHERE {where}"
        self._renewed = time.monotonic()
        return self.client.change(sql, (self.holder, holder)) > 0


def _has_ended(holder: str) -> bool:
    """A process of this host that is no more."""
    host, pid = [*holder.split(), "", ""][:2]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
