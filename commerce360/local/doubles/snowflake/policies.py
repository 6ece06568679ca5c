"""Masking and row access policies: each is a macro of the engine, so that a view asks for its newest body whenever it is read.

The macro runs with the variables of the reader's session: it is the reader's role that CURRENT_ROLE() and IS_ROLE_IN_SESSION() tell.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from commerce360.local.doubles.snowflake.access import Access
from commerce360.local.doubles.snowflake.account import Account
from commerce360.local.doubles.snowflake.answers import Answer, done
from commerce360.local.doubles.snowflake.dialect import duck_sql, parsed, qualified
from commerce360.local.doubles.snowflake.refusals import Name, RefusedError, exists_already, insufficient, invalid, quoted, shown
from commerce360.local.doubles.snowflake.session import Session
from commerce360.local.doubles.snowflake.words import Words

MASKING, ROW_ACCESS = "MASKING POLICY", "ROW ACCESS POLICY"
KINDS = (MASKING, ROW_ACCESS)
FAMILIES = {
    **dict.fromkeys(("VARCHAR", "STRING", "TEXT", "CHAR"), "text"),
    **dict.fromkeys(("NUMBER", "DECIMAL", "NUMERIC", "INT", "INTEGER", "BIGINT", "SMALLINT", "HUGEINT", "UBIGINT"), "number"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "REAL"), "float"),
    **dict.fromkeys(("TIMESTAMP_NTZ", "TIMESTAMP", "DATETIME", "TIMESTAMP_NS"), "timestamp"),
    **dict.fromkeys(("TIMESTAMP_TZ", "TIMESTAMP_LTZ", "TIMESTAMP WITH TIME ZONE"), "zoned"),
    **dict.fromkeys(("VARIANT", "OBJECT", "ARRAY", "JSON"), "variant"),
}


class Policies:
    def __init__(self, account: Account, access: Access) -> None:
        self.account = account
        self.access = access

    def run(self, session: Session, words: Words) -> Answer | None:
        verb = words.take_any("CREATE", "ALTER", "DROP", "DESCRIBE", "DESC")
        replace = verb == "CREATE" and words.take("OR", "REPLACE")
        kind = words.take_any(*KINDS)
        if not kind:
            return None
        if verb == "CREATE":
            return self._create(session, words, kind, replace)
        lenient = words.take("IF", "EXISTS")
        name = session.resolve(kind, words.name())
        if lenient and (kind, name) not in self.account.objects:
            return done()
        found = self.account.get(kind, name)
        if not session.may("OWNERSHIP", kind, name):
            raise insufficient(kind, name)
        if verb == "ALTER":
            return self._alter(session, words, kind, name)
        words.end()
        if verb != "DROP":
            p = found.properties
            signature = "(" + ", ".join(" ".join(a) for a in p["arguments"]) + ")"
            return Answer(("name", "signature", "return_type", "body"), [(name[-1], signature, p["returns"], p["body"])])
        self._check_unused(kind, name)
        with self.account.change():
            session.connection._duck_conn.execute(f"DROP MACRO IF EXISTS {macro(kind, name)}")
            self.account.remove(kind, name)
        return done(f"{shown(name)} successfully dropped.")

    def users(self, kind: str, name: Name) -> list[Name]:
        """The views that a policy is on."""
        found = []
        for (of, view), obj in self.account.objects.items():
            if of == "VIEW" and name in {tuple(p) for p, _ in attached(obj.properties, kind).values()}:
                found.append(view)
        return found

    def _create(self, session: Session, words: Words, kind: str, replace: bool) -> Answer:
        lenient = words.take("IF", "NOT", "EXISTS")
        name = session.resolve(kind, words.name())
        self.account.get("SCHEMA", name[:2])
        session.need(f"CREATE {kind}", "SCHEMA", name[:2])
        if (kind, name) in self.account.objects:
            if lenient and not replace:
                return done(f"{shown(name)} already exists, statement succeeded.")
            if not replace:
                raise exists_already(kind, name)
            if not session.may("OWNERSHIP", kind, name):
                raise insufficient(kind, name)
            self._check_unused(kind, name)
        words.need("AS")
        arguments = _arguments(words)
        words.need("RETURNS")
        returns = _type(words)
        words.need("->")
        body, comment = _body(words)
        if kind == ROW_ACCESS and returns != "BOOLEAN":
            raise invalid("A row access policy returns BOOLEAN.")
        if kind == MASKING and family(returns) != family(arguments[0][1]):
            raise invalid(f"Masking policy function argument and return type mismatch ({arguments[0][1]}, {returns}).")
        self._define(session, kind, name, arguments, body)
        with self.account.change():
            self.account.add(kind, name, session.role, arguments=arguments, returns=returns, body=body, COMMENT=comment)
        return done(f"{kind.capitalize()} '{shown(name)}' successfully created.")

    def _alter(self, session: Session, words: Words, kind: str, name: Name) -> Answer:
        properties = self.account.get(kind, name).properties
        words.need("SET")
        if words.take("COMMENT"):
            words.need("=")
            with self.account.change():
                properties["COMMENT"] = words.string()
            return done()
        words.need("BODY", "->")
        body, _ = _body(words)
        self._define(session, kind, name, properties["arguments"], body)
        with self.account.change():
            properties["body"] = body
        return done()

    def _define(self, session: Session, kind: str, name: Name, arguments: list[list[str]], body: str) -> None:
        tree = _expression(body)
        self.access.reads(session, tree)
        full = qualified(tree, name[:2], lambda t: self.access.exists(session, t))
        expression = duck_sql(session.connection, _with_parameters(full, [a for a, _ in arguments]))
        expression = expression.removeprefix("SELECT ")
        if kind == ROW_ACCESS:
            expression = f"COALESCE(({expression}), FALSE)"
        parameters = ", ".join(f"c360_{n}" for n in range(len(arguments)))
        run = session.connection._duck_conn.execute
        run(f"CREATE OR REPLACE MACRO {macro(kind, name)}({parameters}) AS ({expression})")

    def _check_unused(self, kind: str, name: Name) -> None:
        if self.users(kind, name):
            message = (
                f"SQL compilation error:\nPolicy {shown(name)} cannot be dropped/replaced as it is associated with one or more entities."
            )
            raise RefusedError("003552", "42501", message)


def attached(properties: dict[str, Any], kind: str) -> dict[str, tuple[list[str], list[str]]]:
    """Column -> policy and the columns that it is called with; the row access policy stands under ''."""
    if kind == MASKING:
        return dict(properties.get("masks", {}))
    rows = properties.get("rows")
    return {"": rows} if rows else {}


def macro(kind: str, name: Name) -> str:
    return ".".join(map(quoted, (*name[:2], f"_C360_{kind.split()[0]}_{name[2]}")))


def call(kind: str, policy: Name, columns: list[str]) -> str:
    return f"{macro(kind, policy)}({', '.join(f'_v.{quoted(c)}' for c in columns)})"


def family(kind: str) -> str:
    """What a type is like, of Snowflake's and of the engine's names alike."""
    plain = kind.split("(")[0].strip().upper()
    return FAMILIES.get(plain, plain.lower())


def _arguments(words: Words) -> list[list[str]]:
    words.need("(")
    found = []
    while not words.take(")"):
        found.append([words.part(), _type(words)])
        words.take(",")
    if not found:
        raise words.wrong()
    return found


def _type(words: Words) -> str:
    name = words.part()
    if words.take("("):
        sizes = [words.value()]
        while words.take(","):
            sizes.append(words.value())
        words.need(")")
        name += f"({','.join(sizes)})"
    return name


def _body(words: Words) -> tuple[str, str]:
    """The expression as written, and the comment behind it."""
    start, tokens, comment = words.at, words.tokens, ""
    if len(tokens) - start > 3 and tokens[-3].text.upper() == "COMMENT" and tokens[-2].text == "=":
        comment = tokens[-1].text
        del tokens[-3:]
    return words.rest(), comment


def _expression(body: str) -> exp.Select:
    found = parsed(f"SELECT {body}")
    tree = found[0]
    only = isinstance(tree, exp.Select) and len(tree.expressions) == 1 and not any(v for k, v in tree.args.items() if k != "expressions")
    if len(found) != 1 or not only:
        raise invalid("The body of a policy is one expression.")
    assert isinstance(tree, exp.Select)
    return tree


def _with_parameters(tree: exp.Select, arguments: list[str]) -> exp.Select:
    for column in list(tree.find_all(exp.Column)):
        if not column.table and column.name.upper() in arguments:
            column.replace(exp.column(f"c360_{arguments.index(column.name.upper())}"))
        elif not column.table and column.find_ancestor(exp.Subquery, exp.Exists) is None:
            raise RefusedError("000904", "42000", f"SQL compilation error:\ninvalid identifier '{column.name}'")
    return tree
