"""Views: columns with comments and masking policies, a row access policy, and a definition that the account keeps.

The engine's view applies the policies itself, around the query: the row access policy sees the values before they are masked.
"""

from __future__ import annotations

import contextlib
from typing import Any

import duckdb
from sqlglot import exp

from commerce360.local.doubles.snowflake.access import Access
from commerce360.local.doubles.snowflake.account import Account
from commerce360.local.doubles.snowflake.answers import Answer, done
from commerce360.local.doubles.snowflake.dialect import duck_sql, parsed, qualified
from commerce360.local.doubles.snowflake.policies import MASKING, ROW_ACCESS, call, family
from commerce360.local.doubles.snowflake.refusals import Name, exists_already, hidden, insufficient, invalid, quoted, shown, syntax
from commerce360.local.doubles.snowflake.session import Session, literal
from commerce360.local.doubles.snowflake.words import Words

Properties = dict[str, Any]


class Views:
    def __init__(self, account: Account, access: Access) -> None:
        self.account = account
        self.access = access

    def run(self, session: Session, words: Words) -> Answer | None:
        verb = words.take_any("CREATE", "ALTER", "DROP")
        replace = verb == "CREATE" and words.take("OR", "REPLACE")
        words.take_any("SECURE", "RECURSIVE") if verb == "CREATE" else ""
        if not words.take("VIEW"):
            return None
        if verb == "CREATE":
            return self._create(session, words, replace)
        lenient = words.take("IF", "EXISTS")
        name = session.resolve("VIEW", words.name())
        if self.access.find(session, name) != "VIEW":
            if lenient:
                return done()
            raise hidden("VIEW", name)
        if not session.may("OWNERSHIP", "VIEW", name):
            raise insufficient("VIEW", name) if session.may("SELECT", "VIEW", name) else hidden("VIEW", name)
        if verb == "ALTER":
            return self._alter(session, words, name)
        words.end()
        with self.account.change():
            run_ddl(session, f"DROP VIEW {placed(name)}")
            self.account.remove("VIEW", name)
        return done(f"{shown(name)} successfully dropped.")

    def _create(self, session: Session, words: Words, replace: bool) -> Answer:
        lenient = words.take("IF", "NOT", "EXISTS")
        name = session.resolve("VIEW", words.name())
        self.account.get("SCHEMA", name[:2])
        session.need("CREATE VIEW", "SCHEMA", name[:2])
        known = self.access.find(session, name)
        if known is not None and not replace:
            if lenient:
                return done(f"{shown(name)} already exists, statement succeeded.")
            raise exists_already("OBJECT", name)
        if known == "TABLE" or (known == "VIEW" and not session.may("OWNERSHIP", "VIEW", name)):
            raise exists_already("OBJECT", name) if known == "TABLE" else insufficient("VIEW", name)
        properties = self._header(session, words)
        copy_grants = properties.pop("copy_grants")
        words.need("AS")
        text = words.rest()
        tree = _query(text)
        self.access.reads(session, tree)
        place = [session.connection.database or "", session.connection.schema or ""]
        properties.update(definition=text, place=place, text=words.text)
        properties["columns"] = _columns(session, self._inner(session, properties), properties["columns"])
        before = self.account.objects.get(("VIEW", name))
        with self.account.change():
            self._build(session, name, properties)
            made = self.account.add("VIEW", name, session.role, **properties)
            if copy_grants and before is not None:
                made.grants = before.grants
        return done(f"View {name[-1]} successfully created.")

    def _header(self, session: Session, words: Words) -> Properties:
        found: Properties = {"columns": {}, "masks": {}, "rows": None, "COMMENT": "", "copy_grants": False}
        if words.take("("):
            while not words.take(")"):
                self._column(session, words, found)
                words.take(",")
        while not words.sees("AS"):
            if words.take("COMMENT"):
                words.need("=")
                found["COMMENT"] = words.string()
            elif words.take("COPY", "GRANTS"):
                found["copy_grants"] = True
            elif words.take("CHANGE_TRACKING"):
                words.need("=")
                words.value()
            else:
                words.take("WITH")
                words.need("ROW", "ACCESS", "POLICY")
                found["rows"] = self._row_policy(session, words)
        return found

    def _column(self, session: Session, words: Words, found: Properties) -> None:
        column = words.part()
        found["columns"][column] = ""
        while not (words.sees(",") or words.sees(")")):
            if words.take("COMMENT"):
                words.take("=")
                found["columns"][column] = words.string()
                continue
            words.take("WITH")
            words.need("MASKING", "POLICY")
            found["masks"][column] = self._mask(session, words, column)

    def _mask(self, session: Session, words: Words, column: str) -> list[Any]:
        policy = self._policy(session, words, MASKING)
        columns = _list(words) if words.take("USING") else [column]
        if columns[0] != column:
            raise invalid(f"The first column in USING must be the masked column {column}.")
        return [list(policy), columns]

    def _row_policy(self, session: Session, words: Words) -> list[Any]:
        policy = self._policy(session, words, ROW_ACCESS)
        words.need("ON")
        return [list(policy), _list(words)]

    def _policy(self, session: Session, words: Words, kind: str) -> Name:
        name = session.resolve(kind, words.name())
        held = self.account.privileges(session.role, kind, name)
        if not (session.admin or session.may("APPLY", kind, name) or session.may(f"APPLY {kind}", "ACCOUNT")):
            raise insufficient(kind, name) if held else hidden(kind, name)
        self.account.get(kind, name)
        return name

    def _alter(self, session: Session, words: Words, name: Name) -> Answer:
        properties = dict(self.account.get("VIEW", name).properties)
        if "definition" not in properties:
            raise invalid(f"View {shown(name)} is older than this account's registry: create it again.")
        properties["masks"], properties["columns"] = dict(properties["masks"]), dict(properties["columns"])
        if words.take("ADD", "ROW", "ACCESS", "POLICY"):
            if properties["rows"]:
                raise invalid(f"Object {shown(name)} already has a ROW_ACCESS_POLICY.")
            properties["rows"] = self._row_policy(session, words)
        elif words.take("DROP", "ALL", "ROW", "ACCESS", "POLICIES"):
            properties["rows"] = None
        elif words.take("DROP", "ROW", "ACCESS", "POLICY"):
            self._drop_row_policy(session, words, name, properties)
        elif words.take("SET"):
            words.need("COMMENT", "=")
            properties["COMMENT"] = words.string()
        elif words.take("UNSET", "COMMENT"):
            properties["COMMENT"] = ""
        else:
            self._modify(session, words, properties)
        words.end()
        with self.account.change():
            self._build(session, name, properties)
            self.account.get("VIEW", name).properties = properties
        return done()

    def _drop_row_policy(self, session: Session, words: Words, name: Name, properties: Properties) -> None:
        policy = self._policy(session, words, ROW_ACCESS)
        if not properties["rows"] or tuple(properties["rows"][0]) != policy:
            raise invalid(f"Row access policy {shown(policy)} is not on {shown(name)}.")
        properties["rows"] = None
        if words.take(","):  # the form that swaps one for another in one step
            words.need("ADD", "ROW", "ACCESS", "POLICY")
            properties["rows"] = self._row_policy(session, words)

    def _modify(self, session: Session, words: Words, properties: Properties) -> None:
        if not words.take_any("MODIFY", "ALTER"):
            raise words.wrong()
        words.take("COLUMN")
        column = words.part()
        if column not in properties["columns"]:
            raise invalid(f"invalid identifier '{column}'")
        if words.take("UNSET", "MASKING", "POLICY"):
            properties["masks"].pop(column, None)
        elif words.take("COMMENT"):
            properties["columns"][column] = words.string()
        else:
            words.need("SET", "MASKING", "POLICY")
            mask = self._mask(session, words, column)
            forced = words.take("FORCE")
            if column in properties["masks"] and not forced:
                raise invalid(f"Column {column} already has a masking policy: unset it or say FORCE.")
            properties["masks"][column] = mask

    def _build(self, session: Session, name: Name, properties: Properties) -> None:
        inner = self._inner(session, properties)
        columns: dict[str, str] = properties["columns"]
        self._check_policies(session, inner, properties)
        shape = []
        for column in columns:
            mask = properties["masks"].get(column)
            value = call(MASKING, tuple(mask[0]), mask[1]) if mask else f"_v.{quoted(column)}"
            shape.append(f"{value} AS {quoted(column)}")
        rows = properties["rows"]
        where = f" WHERE {call(ROW_ACCESS, tuple(rows[0]), rows[1])}" if rows else ""
        body = f"SELECT {', '.join(shape)} FROM ({inner}) AS _v({', '.join(map(quoted, columns))}){where}"
        plain = not properties["masks"] and not rows and list(columns) == [c for c, _ in described(session, inner)]
        statements = [f"CREATE OR REPLACE VIEW {placed(name)} AS {inner if plain else body}"]
        if properties["COMMENT"]:
            statements.append(f"COMMENT ON VIEW {placed(name)} IS {literal(properties['COMMENT'])}")
        statements += [f"COMMENT ON COLUMN {placed(name)}.{quoted(c)} IS {literal(t)}" for c, t in columns.items() if t]
        run_ddl(session, *statements)

    def _inner(self, session: Session, properties: Properties) -> str:
        place = tuple(properties["place"])
        return duck_sql(session.connection, qualified(_query(properties["definition"]), place, lambda t: self.access.exists(session, t)))

    def _check_policies(self, session: Session, inner: str, properties: Properties) -> None:
        """Every column that a policy is called with is there, and of the type of the policy's argument."""
        types = dict(zip(properties["columns"], (t for _, t in described(session, inner)), strict=True))
        wanted = [(MASKING, *m) for m in properties["masks"].values()] + ([(ROW_ACCESS, *properties["rows"])] if properties["rows"] else [])
        for kind, policy, columns in wanted:
            arguments = self.account.get(kind, tuple(policy)).properties["arguments"]
            if len(arguments) != len(columns):
                raise invalid(f"Policy {shown(tuple(policy))} takes {len(arguments)} columns, not {len(columns)}.")
            for column, (_, kind_of_argument) in zip(columns, arguments, strict=True):
                if column not in types:
                    raise invalid(f"invalid identifier '{column}'")
                if family(types[column]) != family(kind_of_argument):
                    raise invalid(f"Column {column} is {types[column]}, policy {shown(tuple(policy))} takes {kind_of_argument}.")


def described(session: Session, sql: str) -> list[tuple[str, str]]:
    rows = session.connection._duck_conn.execute(f"DESCRIBE {sql}").fetchall()
    return [(row[0], row[1]) for row in rows]


def _columns(session: Session, inner: str, named: dict[str, str]) -> dict[str, str]:
    """Names and comments: those of the column list, else those of the query."""
    try:
        found = [c for c, _ in described(session, inner)]
    except duckdb.Error as error:
        raise invalid(str(error).splitlines()[0]) from None
    if named and len(named) != len(found):
        raise invalid(f"View has {len(named)} columns, its query has {len(found)}.")
    if len({c.upper() for c in found}) != len(found) and not named:
        raise invalid("duplicate column name in the view's query")
    return named or dict.fromkeys(found, "")


def _query(text: str) -> Any:
    found = parsed(text)
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise syntax(text[:40])
    return found[0]


def _list(words: Words) -> list[str]:
    words.need("(")
    found = []
    while not words.take(")"):
        found.append(words.part())
        words.take(",")
    return found


def placed(name: Name) -> str:
    return ".".join(map(quoted, name))


def run_ddl(session: Session, *statements: str) -> None:
    """In one transaction of the engine; as in Snowflake, DDL commits the one that is open."""
    duck = session.connection._duck_conn
    commit_open(session)
    duck.execute("BEGIN")
    try:
        for statement in statements:
            duck.execute(statement)
        duck.execute("COMMIT")
    except duckdb.Error as error:
        duck.execute("ROLLBACK")
        raise invalid(str(error).splitlines()[0]) from error


def commit_open(session: Session) -> None:
    with contextlib.suppress(duckdb.TransactionException):  # none was open
        session.connection._duck_conn.execute("COMMIT")
    session.connection._in_transaction = False
