"""From Snowflake's SQL to the engine's: the session's functions, full names, and the translation of a query without running it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import fakesnow.dialect
import sqlglot
from fakesnow.conn import FakeSnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp
from sqlglot.tokenizer_core import TokenType

from commerce360.local.doubles.snowflake.refusals import Name

SHORT = 10_000  # characters of a statement that is worth keeping
SESSION = {
    exp.CurrentRole: "role",
    exp.CurrentUser: "user",
    exp.CurrentWarehouse: "warehouse",
    exp.CurrentAccount: "account",
    exp.CurrentSession: "session",
    exp.CurrentDatabase: "database",
    exp.CurrentSchema: "schema",
}


def session_functions(node: Any, last_query: str) -> Any:
    """CURRENT_ROLE() and its like as variables of the engine, which Session.tell has set; in a view they are the reader's."""
    key = SESSION.get(type(node))
    if key is not None:
        return _named(node, _variable(f"c360_{key}"))
    if isinstance(node, exp.Anonymous) and isinstance(node.this, str):
        name = node.this.upper()
        if name == "IS_ROLE_IN_SESSION" and len(node.expressions) == 1:
            held = exp.Anonymous(this="list_contains", expressions=[_variable("c360_roles"), node.expressions[0]])
            return _named(node, exp.Coalesce(this=held, expressions=[exp.false()]))
        if name == "LAST_QUERY_ID" and not node.expressions:
            return _named(node, exp.Literal.string(last_query) if last_query else exp.null())
    return node


def qualified(tree: Any, place: Name, exists: Callable[[exp.Table], bool]) -> Any:
    """A copy in which every table has its database and schema, those of `place` where it had none; names of CTEs stay."""
    made = tree.copy()
    tables = [t for t in made.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]
    for table in [t for t in tables if not is_cte(t, partial(exists, t))]:
        table.set("db", table.args.get("db") or exp.to_identifier(place[1], quoted=True))
        table.set("catalog", table.args.get("catalog") or exp.to_identifier(place[0], quoted=True))
    return made


def duck_sql(connection: FakeSnowflakeConnection, tree: Any) -> str:
    """What the engine would run for this query."""
    return str(connection.cursor()._transform(tree.copy(), None).sql(dialect="duckdb"))


def parsed(text: str) -> tuple[Any, ...]:
    """The statements in a text, without empty ones. Raises the connector's ProgrammingError. Trees are shared: not to be changed."""
    return _parsed(text) if len(text) <= SHORT else _parsed.__wrapped__(text)


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[Any, ...]:
    return tuple(t for t in fakesnow.dialect.parse(text) if t is not None and not isinstance(t, exp.Semicolon))


def with_variables(values: dict[str, str], text: str) -> str:
    """`$name` outside texts and quotes by its value. Raises ProgrammingError for a variable that is not set."""
    if "$" not in text:
        return text
    known = {name.upper(): value for name, value in values.items()}
    tokens = sqlglot.tokenize(text, read="snowflake")
    for sign, name in reversed(list(itertools.pairwise(tokens))):
        if sign.token_type is TokenType.PARAMETER and name.start == sign.end + 1 and not name.text.isdigit():
            if name.text.upper() not in known:
                raise ProgrammingError(f"Session variable '${name.text.upper()}' does not exist", errno=2211, sqlstate="02000")
            text = text[: sign.start] + known[name.text.upper()] + text[name.end + 1 :]
    return text


def is_cte(table: exp.Table, exists: Callable[[], bool]) -> bool:
    """Is this the name of a CTE, by the engine's rule? A CTE sees those before it, and itself only when it is a recursive union.

    `exists`: is there a table of that name as well? Then a recursive one is taken for the table, to be on the safe side.
    """
    if table.args.get("db"):
        return False
    inside: Any = table
    node: Any = table.parent
    mine: Any = None  # the nearest CTE around the table
    while node is not None:
        clause = node.args.get("with_")
        if clause is not None:
            seen = clause.expressions
            if clause is inside:
                at = next(i for i, c in enumerate(seen) if c is mine)
                itself = clause.args.get("recursive") and isinstance(seen[at].this, exp.SetOperation) and not exists()
                seen = seen[: at + bool(itself)]
            if any(c.alias.upper() == table.name.upper() for c in seen):
                return True
        mine = node if isinstance(node, exp.CTE) else mine
        inside, node = node, node.parent
    return False


def _variable(name: str) -> Expr:
    return exp.Anonymous(this="getvariable", expressions=[exp.Literal.string(name)])


def _named(node: Expr, made: Expr) -> Expr:
    """Under the name that the column would have, where it is one."""
    if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
        return exp.alias_(made, node.sql("snowflake").upper(), quoted=True)
    return made
