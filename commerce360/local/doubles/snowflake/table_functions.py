"""Table functions of INFORMATION_SCHEMA that the engine does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlglot import Expr, exp

from commerce360.local.doubles.snowflake.access import parts_of
from commerce360.local.doubles.snowflake.account import Object
from commerce360.local.doubles.snowflake.answers import moment
from commerce360.local.doubles.snowflake.policies import KINDS, attached
from commerce360.local.doubles.snowflake.refusals import hidden, invalid
from commerce360.local.doubles.snowflake.session import Session

REFERENCES = (
    *("POLICY_DB", "POLICY_SCHEMA", "POLICY_NAME", "POLICY_KIND", "REF_DATABASE_NAME", "REF_SCHEMA_NAME", "REF_ENTITY_NAME"),
    *("REF_ENTITY_DOMAIN", "REF_COLUMN_NAME", "REF_ARG_COLUMN_NAMES", "TAG_DATABASE", "TAG_SCHEMA", "TAG_NAME", "POLICY_STATUS"),
)
HISTORY = ("QUERY_ID", "QUERY_TEXT", "USER_NAME", "ROLE_NAME", "SESSION_ID", "QUERY_TAG", "EXECUTION_STATUS", "START_TIME")
Rows = list[tuple[str | None, ...]]


def answered(session: Session, tree: Any) -> Any:
    """A copy of the statement with the rows in the place of each call; None when there is no such call."""
    calls = [n for n in tree.find_all(exp.TableFromRows) if isinstance(n.this, exp.Dot)]
    if not calls:
        return None
    made = tree.copy()
    for node in list(made.find_all(exp.TableFromRows)):
        if isinstance(node.this, exp.Dot):
            node.replace(_rows_of(session, node))
    return made


def _rows_of(session: Session, node: exp.TableFromRows) -> Expr:
    *place, called = list(node.this.flatten())
    names = [p.name.upper() for p in place]
    function = called.name.upper() if isinstance(called, exp.Func) else ""
    if (
        names[-1:] != ["INFORMATION_SCHEMA"]
        or len(names) > 2
        or function not in ("POLICY_REFERENCES", "QUERY_HISTORY", "QUERY_HISTORY_BY_SESSION")
    ):
        raise invalid(f"Unknown table function {node.sql('snowflake')[:80]}.")
    database = session.resolve("DATABASE", (names[0],)) if len(names) == 2 else session.resolve("SCHEMA", ("INFORMATION_SCHEMA",))[:1]
    if not session.may("USAGE", "DATABASE", database):
        raise hidden("DATABASE", database)
    arguments = {a.this.name.upper(): a.expression.name for a in called.expressions if isinstance(a, exp.Kwarg)}
    if function == "POLICY_REFERENCES":
        return _select(REFERENCES, _references(session, arguments), node.args.get("alias"))
    return _select(HISTORY, _history(session), node.args.get("alias"))


def _references(session: Session, arguments: dict[str, str]) -> Rows:
    account = session.account
    if "POLICY_NAME" in arguments:
        policy = parts_of(exp.to_table(arguments["POLICY_NAME"], dialect="snowflake"))
        wanted = session.resolve(KINDS[0], policy)
        rows = [r for o in account.objects.values() if o.kind == "VIEW" for r in _of_view(o)]
        return [r for r in rows if r[:3] == wanted]
    if arguments.get("REF_ENTITY_DOMAIN", "").upper() not in ("VIEW", "TABLE") or "REF_ENTITY_NAME" not in arguments:
        raise invalid("POLICY_REFERENCES needs POLICY_NAME, or REF_ENTITY_NAME and REF_ENTITY_DOMAIN ('VIEW' or 'TABLE').")
    kind = arguments["REF_ENTITY_DOMAIN"].upper()
    name = session.resolve(kind, parts_of(exp.to_table(arguments["REF_ENTITY_NAME"], dialect="snowflake")))
    if not (session.admin or account.privileges(session.role, kind, name)):
        raise hidden(kind, name)
    return _of_view(account.get(kind, name))


def _of_view(view: Object) -> Rows:
    found: Rows = []
    for kind in KINDS:
        for column, (policy, columns) in sorted(attached(view.properties, kind).items()):
            others = columns if kind == "ROW ACCESS POLICY" else columns[1:]
            arguments = "[ " + ", ".join(f'"{c}"' for c in others) + " ]" if others else None
            reference = (*view.name, view.kind, column or None, arguments)
            found.append((*policy, kind.replace(" ", "_"), *reference, None, None, None, "ACTIVE"))
    return found


def _history(session: Session) -> Rows:
    return [
        (q["id"], q["text"], session.user, q["role"], str(session.number), q["tag"], "SUCCESS", moment(q["start"]))
        for q in reversed(session.queries)
    ]


def _select(columns: Iterable[str], rows: Rows, alias: Any) -> Expr:
    def one(values: Iterable[str | None]) -> exp.Select:
        cells = (exp.cast(exp.null() if v is None else exp.Literal.string(v), "VARCHAR") for v in values)
        return exp.select(*(exp.alias_(v, c, quoted=True) for v, c in zip(cells, columns, strict=True)))

    columns = list(columns)
    query: Any = one([None] * len(columns)).where("1 = 0")
    for row in rows:
        query = exp.union(query, one(row), distinct=False)
    return exp.Subquery(this=query, alias=alias.copy() if alias else exp.TableAlias(this=exp.to_identifier("FOUND")))
