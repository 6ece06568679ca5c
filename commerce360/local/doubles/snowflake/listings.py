"""SHOW SCHEMAS, TABLES and VIEWS as the account knows them: comments, owners, clustering and options, which the engine does not keep."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any

from commerce360.local.doubles.snowflake.account import Object
from commerce360.local.doubles.snowflake.answers import Answer, moment, table
from commerce360.local.doubles.snowflake.refusals import Name, hidden
from commerce360.local.doubles.snowflake.session import Session
from commerce360.local.doubles.snowflake.words import Words

Columns = dict[str, Callable[[Object], Any]]
INFORMATION_SCHEMA = "INFORMATION_SCHEMA"


def _yes(option: str) -> Callable[[Object], str]:
    return lambda o: "Y" if o.properties.get(option) == "TRUE" else "N"


def _text(key: str) -> Callable[[Object], str]:
    return lambda o: str(o.properties.get(key, ""))


FIRST: Columns = {"created_on": lambda o: moment(o.created), "name": lambda o: o.name[-1], "database_name": lambda o: o.name[0]}
INSIDE: Columns = {"schema_name": lambda o: o.name[1]}
LAST: Columns = {"owner": lambda o: o.owner, "comment": _text("COMMENT"), "owner_role_type": lambda _: "ROLE"}
LISTED: dict[str, tuple[str, Columns]] = {
    "SCHEMAS": ("SCHEMA", FIRST | LAST),
    "VIEWS": ("VIEW", FIRST | INSIDE | LAST | {"is_secure": lambda _: "false", "is_materialized": lambda _: "false"}),
    "TABLES": (
        "TABLE",
        FIRST
        | INSIDE
        | {"kind": lambda o: "TABLE", "cluster_by": _text("CLUSTERING_KEY")}
        | LAST
        | {"enable_schema_evolution": _yes("ENABLE_SCHEMA_EVOLUTION"), "error_logging": _yes("ERROR_LOGGING")},
    ),
}


def run(session: Session, words: Words) -> Answer | None:
    """`words` stand behind SHOW. None for what is not listed here. A role sees what it has any privilege on."""
    listed = words.take_any(*LISTED)
    if not listed:
        return None
    kind, columns = LISTED[listed]
    pattern = words.string().upper().replace("%", "*").replace("_", "?") if words.take("LIKE") else "*"
    scope = _scope(session, words)
    found = []
    for (of, name), one in sorted(session.account.objects.items()):
        inside = of == kind and name[: len(scope)] == scope and fnmatch.fnmatchcase(name[-1].upper(), pattern)
        if inside and (session.admin or session.account.privileges(session.role, of, name)):
            found.append([value(one) for value in columns.values()])
    return table(tuple(columns), found)


def _scope(session: Session, words: Words) -> Name:
    """Of IN DATABASE, IN SCHEMA or IN ACCOUNT; else the session's schema or database."""
    if not words.take("IN"):
        connection = session.connection
        around = (connection.database, connection.schema if connection.schema_set else None)
        words.end()
        return tuple(part.upper() for part in around if part)
    if words.take("ACCOUNT"):
        words.end()
        return ()
    kind = words.take_any("DATABASE", "SCHEMA") or "SCHEMA"
    name = session.resolve(kind, words.name())
    words.end()
    if name[-1] != INFORMATION_SCHEMA and not (session.admin or session.account.privileges(session.role, kind, name)):
        raise hidden(kind, name)
    return name
