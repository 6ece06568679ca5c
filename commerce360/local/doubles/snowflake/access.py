"""Who may run a statement: the objects that it names, against the privileges of the session's role.

A view runs with its owner's rights, so its reader needs SELECT on the view only. What cannot be followed to an object by name is refused:
the engine below has functions that read files and run other statements.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import Expr, exp

from commerce360.local.doubles.snowflake.dialect import is_cte
from commerce360.local.doubles.snowflake.refusals import Name, hidden, insufficient, invalid, unsupported
from commerce360.local.doubles.snowflake.session import Session

RELATIONS = ("TABLE", "VIEW")
ROW_FUNCTIONS = (exp.Explode, exp.Generator)
NAMED_ROW_FUNCTIONS = ("RESULT_SCAN", "SPLIT_TO_TABLE", "STRTOK_SPLIT_TO_TABLE")
SOURCES = (exp.Table, exp.Subquery, exp.Values, exp.TableFromRows, exp.Lateral)
INFORMATION = "INFORMATION_SCHEMA"
INFORMATION_VIEWS = ("TABLES", "VIEWS", "COLUMNS", "SCHEMATA", "DATABASES")
Find = Callable[[Session, Name], str | None]  # TABLE, VIEW, or None when there is no such relation


class Access:
    def __init__(self, find: Find) -> None:
        self.find = find

    def check(self, session: Session, tree: Expr) -> None:
        """Raises RefusedError. Does not know statements that are answered elsewhere, and refuses them."""
        for kind, check in CHECKS.items():
            if isinstance(tree, kind):
                check(self, session, tree)
                return
        raise unsupported(tree.sql("snowflake")[:60])

    def relation(self, session: Session, table: exp.Table, *privileges: str) -> Name:
        """The name of an existing table or view, on which the role has all of these privileges, or any when none is named."""
        name = session.resolve("TABLE", parts_of(table))
        if name[1] == INFORMATION:
            self._information(session, name, privileges)
            return name
        kind = self.find(session, name)
        if kind is None or not (session.admin or self._sees(session, kind, name)):
            raise hidden("OBJECT", name)
        for privilege in privileges:
            if not session.may(privilege, kind, name):
                raise insufficient(kind, name)
        return name

    def _information(self, session: Session, name: Name, privileges: tuple[str, ...]) -> None:
        if not (session.may("USAGE", "DATABASE", name[:1]) or session.may("MONITOR", "DATABASE", name[:1])):
            raise hidden("OBJECT", name)
        if name[2] not in INFORMATION_VIEWS and not session.admin:
            raise unsupported(f"{INFORMATION}.{name[2]}")  # the engine's own, which shows everything
        if set(privileges) - {"SELECT"}:
            raise insufficient("VIEW", name)

    def _sees(self, session: Session, kind: str, name: Name) -> bool:
        account = session.account
        if kind == "TABLE" and name in session.temporary:
            return True
        return account.reaches(session.role, kind, name) and bool(account.privileges(session.role, kind, name))

    def reads(self, session: Session, tree: Expr, but: tuple[Expr | None, ...] = ()) -> None:
        """SELECT on every table and view that the statement reads, wherever it stands in it."""
        for node in tree.walk():
            if isinstance(node, exp.Table):
                if not any(node is b for b in but):
                    self._source(session, node)
            elif isinstance(node, exp.From | exp.Join):
                if not isinstance(node.this, SOURCES):
                    raise unsupported(node.sql("snowflake")[:60])
            elif isinstance(node, exp.TableFromRows | exp.Lateral):
                _row_function(session, node)
            elif (
                isinstance(node, exp.Dot)
                and isinstance(node.expression, exp.Func)
                and not isinstance(node.parent, exp.TableFromRows | exp.Dot)
            ):
                raise invalid(f"Unknown user-defined function {node.sql('snowflake')[:60]}.")
            elif isinstance(node, exp.Anonymous) and not isinstance(node.this, str):
                raise invalid(f"Unknown function {node.sql('snowflake')[:60]}.")

    def _source(self, session: Session, table: exp.Table) -> None:
        if isinstance(table.this, exp.Var) and table.this.name.startswith("@"):
            self.stage(session, table.this.name, "READ")
        elif not isinstance(table.this, exp.Identifier):
            raise unsupported(f"FROM {table.sql('snowflake')[:60]}")
        elif not is_cte(table, lambda: self.exists(session, table)):
            self.relation(session, table, "SELECT")

    def exists(self, session: Session, table: exp.Table) -> bool:
        return self.find(session, session.resolve("TABLE", parts_of(table))) is not None

    def stage(self, session: Session, text: str, privilege: str) -> None:
        """`@DB.SCHEMA.NAME/path`, `@%TABLE` (its owner's), `@~` (everybody's own)."""
        place = text.lstrip("@").split("/")[0]
        if place == "~":
            return
        if place.startswith("%") or ".%" in place:
            table = exp.to_table(place.replace("%", ""), dialect="snowflake")
            self.relation(session, table, "OWNERSHIP")
            return
        name = session.resolve("STAGE", parts_of(exp.to_table(place, dialect="snowflake")))
        if not session.account.reaches(session.role, "STAGE", name):
            raise hidden("STAGE", name)
        if ("STAGE", name) in session.account.objects and not (
            session.may(privilege, "STAGE", name) or session.may("USAGE", "STAGE", name)
        ):
            raise insufficient("STAGE", name) if session.account.privileges(session.role, "STAGE", name) else hidden("STAGE", name)


def parts_of(table: exp.Table) -> Name:
    found = [table.args.get(k) for k in ("catalog", "db", "this")]
    if any(p is not None and not isinstance(p, exp.Identifier) for p in found):
        raise unsupported(table.sql("snowflake")[:60])
    return tuple(p.name for p in found if p is not None)


def target_of(tree: Expr) -> exp.Table:
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if not isinstance(target, exp.Table):
        raise unsupported(tree.sql("snowflake")[:60])
    return target


def _row_function(session: Session, node: exp.TableFromRows | exp.Lateral) -> None:
    called = node.this
    if isinstance(called, ROW_FUNCTIONS) or (isinstance(node, exp.Lateral) and isinstance(called, exp.Subquery)):
        return
    name = called.name.upper() if isinstance(called, exp.Anonymous) else ""
    if name not in NAMED_ROW_FUNCTIONS:
        raise unsupported(f"table function {node.sql('snowflake')[:60]}")
    if name == "RESULT_SCAN":
        wanted = called.expressions[0]
        if isinstance(wanted, exp.Literal) and wanted.name not in {q["id"] for q in session.queries}:
            raise invalid(f"Statement {wanted.name} not found")


def _query(access: Access, session: Session, tree: Expr) -> None:
    access.reads(session, tree)


def _insert(access: Access, session: Session, tree: Expr) -> None:
    target = target_of(tree)
    access.relation(session, target, "INSERT", *(["DELETE"] if tree.args.get("overwrite") else []))
    access.reads(session, tree, but=(target,))


def _update(access: Access, session: Session, tree: Expr) -> None:
    target = target_of(tree)
    access.relation(session, target, "UPDATE" if isinstance(tree, exp.Update) else "DELETE", "SELECT")
    access.reads(session, tree, but=(target,))


def _merge(access: Access, session: Session, tree: Expr) -> None:
    target = target_of(tree)
    needed = {_merged(when.args["then"]) for when in tree.args["whens"].expressions}
    access.relation(session, target, "SELECT", *sorted(needed))
    access.reads(session, tree, but=(target,))


def _merged(then: Expr) -> str:
    if isinstance(then, exp.Update):
        return "UPDATE"
    return "INSERT" if isinstance(then, exp.Insert) else "DELETE"


def _truncate(access: Access, session: Session, tree: Expr) -> None:
    for table in tree.expressions:
        access.relation(session, table, "TRUNCATE")


def _copy(access: Access, session: Session, tree: Expr) -> None:
    if isinstance(tree.this, exp.Table) and isinstance(tree.this.this, exp.Var):
        raise unsupported("COPY INTO a stage")
    target = target_of(tree)
    access.relation(session, target, "INSERT")
    access.reads(session, tree, but=(target,))


def _put(access: Access, session: Session, tree: Expr) -> None:
    if not isinstance(tree.args.get("target"), exp.Var):
        raise unsupported("PUT to a place that is not written out")
    access.stage(session, tree.args["target"].name, "WRITE")


def _list(access: Access, session: Session, tree: Expr) -> None:
    access.stage(session, tree.this.name, "READ")


def _describe(access: Access, session: Session, tree: Expr) -> None:
    if isinstance(tree.this, exp.Query):
        access.reads(session, tree.this)
    elif isinstance(tree.this, exp.Table) and str(tree.args.get("kind")).upper() in RELATIONS:
        access.relation(session, tree.this)
    else:
        raise unsupported(tree.sql("snowflake")[:60])


def _nothing(_: Access, __: Session, tree: Expr) -> None:
    if isinstance(tree, exp.Alias) and not (isinstance(tree.this, exp.Column) and tree.this.sql().upper() == "UNSET"):
        raise unsupported(tree.sql("snowflake")[:60])


CHECKS: dict[type[Expr], Callable[[Access, Session, Expr], None]] = {
    exp.Query: _query,
    exp.Insert: _insert,
    exp.Update: _update,
    exp.Delete: _update,
    exp.Merge: _merge,
    exp.TruncateTable: _truncate,
    exp.Copy: _copy,
    exp.Put: _put,
    exp.ListStage: _list,
    exp.Describe: _describe,
    exp.Transaction: _nothing,
    exp.Commit: _nothing,
    exp.Rollback: _nothing,
    exp.Set: _nothing,
    exp.Alias: _nothing,
}
