"""One login: who asks, in which role, and where."""

from __future__ import annotations

import itertools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from fakesnow.conn import FakeSnowflakeConnection

from commerce360.local.doubles.snowflake.account import ADMIN, CONTAINED, Account
from commerce360.local.doubles.snowflake.information import visible
from commerce360.local.doubles.snowflake.refusals import Name, RefusedError, insufficient, invalid

NUMBERS = itertools.count(1)
SINGLE = ("DATABASE", "ROLE", "USER", "WAREHOUSE", "RESOURCE MONITOR", "NETWORK POLICY")
KEPT_QUERIES = 1_000


@dataclass
class Session:
    account: Account
    connection: FakeSnowflakeConnection
    user: str
    role: str
    warehouse: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    number: int = field(default_factory=lambda: next(NUMBERS))
    queries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_QUERIES))  # oldest first
    temporary: set[Name] = field(default_factory=set)  # tables of this session only
    text: str = ""  # of the statement that runs
    told: tuple[Any, ...] = ()  # what the engine's variables were set from

    @property
    def admin(self) -> bool:
        return ADMIN in self.account.below(self.role)

    @property
    def alive(self) -> bool:
        user = self.account.user(self.user)
        return user is not None and not user.disabled

    @property
    def last_query(self) -> str:
        return str(self.queries[-1]["id"]) if self.queries else ""

    def remember(self, query_id: str) -> None:
        """A statement that has run."""
        tag = self.parameters.get("QUERY_TAG", "")
        self.queries.append({"id": query_id, "text": self.text, "role": self.role, "tag": tag, "start": time.time()})

    def may(self, privilege: str, kind: str, name: Name = ()) -> bool:
        return (kind == "TABLE" and name in self.temporary) or self.account.may(self.role, privilege, kind, name)

    def need(self, privilege: str, kind: str, name: Name = ()) -> None:
        if not self.may(privilege, kind, name):
            raise insufficient(kind, name)

    def resolve(self, kind: str, parts: Name) -> Name:
        """The full name, upper case where the engine does not tell cases apart. Raises without a current database or schema."""
        if kind in SINGLE:
            if len(parts) != 1:
                raise invalid(f"{kind.capitalize()} names have one part.")
            return (parts[0].upper(),) if kind == "DATABASE" else parts
        wanted = CONTAINED.get(kind, 3)
        if len(parts) > wanted:
            raise invalid(f"'{'.'.join(parts)}' has too many parts.")
        missing = wanted - len(parts)
        around = [self.connection.database, self.connection.schema if self.connection.schema_set else None][:missing]
        if None in around:
            what = "database" if around[0] is None else "schema"
            code = "090105" if what == "database" else "090106"
            advice = f"Call 'USE {what.upper()}', or use a qualified name."
            raise RefusedError(code, "22000", f"Cannot perform operation. This session does not have a current {what}. {advice}")
        return tuple(p.upper() for p in (*(a for a in around if a), *parts))

    def tell(self) -> None:
        """Give the engine what CURRENT_ROLE and its like answer, also inside views and policies."""
        database, schema = self.connection.database, self.connection.schema if self.connection.schema_set else None
        state = (self.account.version, self.role, self.warehouse, database, schema)
        if state == self.told:
            return
        texts = {
            "role": self.role,
            "user": self.user,
            "warehouse": self.warehouse,
            "account": self.account.name,
            "session": str(self.number),
        }
        run = self.connection._duck_conn.execute
        for key, value in texts.items():
            run(f"SET VARIABLE c360_{key} = {literal(value) if value else 'NULL'}")
        run(f"SET VARIABLE c360_roles = [{', '.join(map(literal, sorted(self.account.below(self.role))))}]::VARCHAR[]")
        seen = None if self.admin else f"[{', '.join(map(literal, visible(self.account, self.role)))}]"
        run(f"SET VARIABLE c360_visible = {seen or 'NULL'}::VARCHAR[]")
        self.told = state


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
