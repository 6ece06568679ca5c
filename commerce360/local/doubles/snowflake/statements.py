"""What happens to a statement before the engine sees it: answered here, refused, or let through, sometimes in other words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from fakesnow import transforms
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp

from commerce360.local.doubles.snowflake import error_tables, identities, privileges, shows, table_functions
from commerce360.local.doubles.snowflake.access import Access, Find
from commerce360.local.doubles.snowflake.account import Account
from commerce360.local.doubles.snowflake.answers import Answer
from commerce360.local.doubles.snowflake.dialect import parsed, with_variables
from commerce360.local.doubles.snowflake.information import Information
from commerce360.local.doubles.snowflake.policies import Policies
from commerce360.local.doubles.snowflake.refusals import RefusedError, invalid, unsupported
from commerce360.local.doubles.snowflake.session import Session
from commerce360.local.doubles.snowflake.tables import Tables, without_keys
from commerce360.local.doubles.snowflake.views import Views, commit_open
from commerce360.local.doubles.snowflake.words import Words

LEAD = re.compile(r"\s*(?:(?:--|//)[^\n]*(?:\n|$)\s*|/\*.*?\*/\s*)*([A-Za-z]+)", re.S)
LOOKS = re.compile(r"\b(SHOW|DESC|DESCRIBE|INFORMATION_SCHEMA)\b", re.I)
WORDED = {
    "CREATE",
    "ALTER",
    "DROP",
    "UNDROP",
    "TRUNCATE",
    "GRANT",
    "REVOKE",
    "SHOW",
    "USE",
    "DESC",
    "DESCRIBE",
    "COMMENT",
    "EXECUTE",
    "CALL",
}
READS = {"WITH", "SELECT", "SHOW", "DESC", "DESCRIBE", "USE", "BEGIN", "COMMIT", "ROLLBACK", "LIST", "LS", "SET", "UNSET"}
KEPT_DECISIONS = 2_000


@dataclass(frozen=True)
class Plan:
    text: str
    bindings: dict[str, Any] | None = None  # of an answer of ours; None leaves the client's
    after: Callable[[], None] | None = None  # when the engine has done it


class Statements:
    def __init__(self, account: Account, information: Information, find: Find, folder: Path) -> None:
        self.account = account
        self.information = information
        self.access = Access(find)
        self.policies = Policies(account, self.access)
        self.tables = Tables(account, self.access, folder)
        self.handlers: tuple[Callable[[Session, Words], Answer | None], ...] = (
            *(identities.run, privileges.run, self.policies.run),
            *(Views(account, self.access).run, self.tables.run, shows.run),
            lambda session, words: error_tables.truncated(session, self.access, words),
        )
        self._allowed: set[tuple[Any, ...]] = set()
        self._version = -1

    def plan(self, session: Session, text: str) -> Plan:
        """Raises RefusedError. Callers hold the engine's lock when the statement `writes`."""
        if not session.alive:
            raise RefusedError("390111", "08001", "Session no longer exists. New login required to access the service.")
        session.tell()
        if LOOKS.search(text):
            self.information.refresh()
        try:
            return self._plan(session, text)
        except ProgrammingError as error:
            raise RefusedError(f"{error.errno or 1003:06d}", error.sqlstate or "42000", str(error.msg)) from None
        except duckdb.Error as error:
            raise invalid(str(error).splitlines()[0]) from error

    def _plan(self, session: Session, text: str) -> Plan:
        key = (text, session.role, session.connection.database, session.connection.schema, session.connection.schema_set)
        if self._version != self.account.version:
            self._allowed, self._version = set(), self.account.version
        if key in self._allowed:
            return Plan(text)
        if lead(text) in WORDED:
            words = Words(text)
            for handler in self.handlers:
                words.at = 0
                if (answer := handler(session, words)) is not None:
                    return Plan(answer.sql, answer.bindings)
        return self._through(session, text, key)

    def _through(self, session: Session, text: str, key: tuple[Any, ...]) -> Plan:
        version = self.account.version
        plain = with_variables(session.connection.variables._variables, text)
        trees = parsed(plain)
        if len(trees) != 1:
            raise RefusedError("000008", "0A000", f"Actual statement count {len(trees)} did not match the desired statement count 1.")
        tree = trees[0]
        if tree.find(exp.DynamicIdentifier):
            tree = tree.copy().transform(lambda e: transforms.identifier(e, None))
            if tree.find(exp.DynamicIdentifier):
                raise unsupported("IDENTIFIER of something that is not written out")
        if isinstance(tree, exp.Create | exp.Drop | exp.Alter) and not _of_session(tree):
            commit_open(session)
            changed, after = self.tables.change(session, without_keys(tree.copy()))
            return Plan(text if changed == tree else changed.sql("snowflake"), after=after)
        answered = table_functions.answered(session, tree)
        if answered is not None:
            self.access.check(session, answered)
            return Plan(answered.sql("snowflake"))
        if (located := error_tables.answered(session, self.access, tree)) is not None:
            return Plan(located.sql("snowflake"))
        if not isinstance(tree, exp.Show | exp.Use) and not _of_session(tree):
            self.access.check(session, tree)
        if plain == text and version == self._version and "RESULT_SCAN" not in text.upper():
            if len(self._allowed) >= KEPT_DECISIONS:
                self._allowed.clear()
            self._allowed.add(key)
        return Plan(text)


def lead(text: str) -> str:
    """The first word, behind comments; '' where something else stands."""
    found = LEAD.match(text)
    return found.group(1).upper() if found else ""


def writes(text: str) -> bool:
    word = lead(text)
    return not (
        word in READS or (word == "ALTER" and re.search(r"\bALTER\s+SESSION\b", text, re.I)) or (not word and text.lstrip().startswith("("))
    )


def _of_session(tree: Any) -> bool:
    return isinstance(tree, exp.Alter) and str(tree.args.get("kind")).upper() == "SESSION"
