"""Databases, schemas, tables and stages: made by the engine, known to the account. What the engine would drop is kept here: owner,
comments, clustering key, table options."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from commerce360.local.doubles.snowflake.access import Access, parts_of
from commerce360.local.doubles.snowflake.account import ACCOUNT, PUBLIC, Account
from commerce360.local.doubles.snowflake.answers import Answer, done
from commerce360.local.doubles.snowflake.refusals import Name, exists_already, hidden, insufficient, invalid, quoted, shown, unsupported
from commerce360.local.doubles.snowflake.session import Session, literal
from commerce360.local.doubles.snowflake.views import commit_open, placed, run_ddl
from commerce360.local.doubles.snowflake.words import Words

OPTIONS = ("ERROR_LOGGING", "ENABLE_SCHEMA_EVOLUTION", "CHANGE_TRACKING", "DATA_RETENTION_TIME_IN_DAYS")
THROUGH = ("DATABASE", "SCHEMA", "TABLE", "STAGE", "FILE FORMAT", "SEQUENCE")
KEYS_OF_TABLE = (exp.Constraint, exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint)
KEYS_OF_COLUMN = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference)
SAFE = re.compile(r"[A-Z0-9_$]+")  # the name of a database is that of its file
After = Callable[[], None]


class Tables:
    def __init__(self, account: Account, access: Access, folder: Path) -> None:
        self.account = account
        self.access = access
        self.folder = folder

    def run(self, session: Session, words: Words) -> Answer | None:
        """The forms that the engine does not know or gets wrong."""
        if words.take("COMMENT"):
            return self._comment(session, words)
        if words.take("DROP", "DATABASE"):
            return self._drop_database(session, words)
        if words.take("ALTER", "TABLE"):
            return self._alter(session, words)
        if kind := words.take_any("ALTER DATABASE", "ALTER SCHEMA"):
            return self._alter_container(session, words, kind.split()[1])
        return None

    def change(self, session: Session, tree: Any) -> tuple[Any, After]:
        """A CREATE, DROP or ALTER for the engine, checked; and what is to be done when it has run."""
        kind = str(tree.args.get("kind") or "").upper()
        if isinstance(tree, exp.Alter) and kind == "TABLE":
            return self._alter_through(session, tree)
        if kind not in THROUGH or isinstance(tree, exp.Alter):
            raise unsupported(f"{tree.key.upper()} {kind}")
        return self._create(session, tree, kind) if isinstance(tree, exp.Create) else self._drop(session, tree, kind)

    # CREATE

    def _create(self, session: Session, tree: Any, kind: str) -> tuple[Any, After]:
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        name = session.resolve(kind, parts_of(target))
        if kind == "DATABASE" and not SAFE.fullmatch(name[0]):
            raise unsupported(f"the database name {shown(name)}")
        known = self.access.find(session, name) if kind == "TABLE" else (kind if (kind, name) in self.account.objects else None)
        self._check_place(session, tree, kind, name, known)
        self.access.reads(session, tree, but=(target,))
        properties, comments = _taken(tree) if kind == "TABLE" else ({}, {})
        if kind == "TABLE" and tree.find(exp.TemporaryProperty):
            return tree, lambda: session.temporary.add(name)
        if tree.find(exp.TemporaryProperty) or (known is not None and tree.args.get("exists")):
            return tree, lambda: None

        def after() -> None:
            with self.account.change():
                self.account.remove(kind, name)
                self.account.add(kind, name, session.role, **properties)
            if kind == "TABLE":
                _write_comments(session, name, properties.get("COMMENT", ""), comments)
            if kind == "DATABASE":
                self._enter(session, name[0])

        return tree, after

    def _check_place(self, session: Session, tree: Any, kind: str, name: Name, known: str | None) -> None:
        """May this be made here, and in the place of what is there?"""
        around: tuple[str, Name] = ("SCHEMA", name[:2])
        if kind in ("DATABASE", "SCHEMA"):
            around = ("DATABASE", name[:1]) if kind == "SCHEMA" else ACCOUNT
        if around not in self.account.objects or not (session.admin or around == ACCOUNT or self._known(session, *around)):
            raise hidden(*around)
        if known is None or not tree.args.get("exists"):
            session.need(f"CREATE {kind}", *around)
        if known is not None and tree.args.get("replace") and not session.may("OWNERSHIP", known, name):
            raise insufficient(known, name)
        if known not in (None, kind):
            raise exists_already("OBJECT", name)

    def _enter(self, session: Session, database: str) -> None:
        """A new database has a schema PUBLIC, and both are the session's current ones."""
        run_ddl(session, f"CREATE SCHEMA IF NOT EXISTS {quoted(database)}.{quoted(PUBLIC)}")
        with self.account.change():
            self.account.add("SCHEMA", (database, PUBLIC), session.role)
        connection = session.connection
        connection._duck_conn.execute(f"USE {quoted(database)}.{quoted(PUBLIC)}")
        connection.database, connection._schema = database, PUBLIC
        connection.database_set = connection.schema_set = True

    def _known(self, session: Session, kind: str, name: Name) -> bool:
        return self.account.reaches(session.role, kind, name) and bool(self.account.privileges(session.role, kind, name))

    # DROP

    def _drop(self, session: Session, tree: Any, kind: str) -> tuple[Any, After]:
        tables = tree.args.get("tables") or ([tree.this] if tree.this else [])
        names = []
        for table in tables:
            name = session.resolve(kind, parts_of(table))
            known = self.access.find(session, name) if kind == "TABLE" else (kind if (kind, name) in self.account.objects else None)
            if known != kind:
                if tree.args.get("exists"):
                    continue
                raise hidden(kind, name)
            if not session.may("OWNERSHIP", kind, name):
                raise insufficient(kind, name) if self._known(session, kind, name) else hidden(kind, name)
            names.append(name)

        def after() -> None:
            with self.account.change():
                for name in names:
                    if kind == "TABLE" and name in session.temporary:
                        session.temporary.remove(name)
                    else:
                        self.account.remove(kind, name)

        return tree, after

    def _drop_database(self, session: Session, words: Words) -> Answer:
        lenient = words.take("IF", "EXISTS")
        name = session.resolve("DATABASE", words.name())
        words.take_any("CASCADE", "RESTRICT")
        words.end()
        if ("DATABASE", name) not in self.account.objects:
            if lenient:
                return done(f"Drop statement executed successfully ({shown(name)} already dropped).")
            raise hidden("DATABASE", name)
        if not session.may("OWNERSHIP", "DATABASE", name):
            raise insufficient("DATABASE", name) if self._known(session, "DATABASE", name) else hidden("DATABASE", name)
        commit_open(session)
        connection, duck = session.connection, session.connection._duck_conn
        if connection.database == name[0]:
            duck.execute("USE memory.main")
            connection.database, connection._schema = None, None
            connection.database_set = connection.schema_set = False
        with self.account.change():
            try:
                duck.execute(f"DETACH {quoted(name[0])}")
            except duckdb.Error as error:
                raise invalid(str(error).splitlines()[0]) from error
            for file in self.folder.glob(f"{name[0]}.db*"):
                file.unlink()
            self.account.remove("DATABASE", name)
        return done(f"{shown(name)} successfully dropped.")

    # ALTER

    def _owned(self, session: Session, words: Words) -> Name:
        lenient = words.take("IF", "EXISTS")
        name = session.resolve("TABLE", words.name())
        if self.access.find(session, name) != "TABLE" and not lenient:
            raise hidden("TABLE", name)
        if not session.may("OWNERSHIP", "TABLE", name):
            raise insufficient("TABLE", name) if self._known(session, "TABLE", name) else hidden("TABLE", name)
        return name

    def _alter(self, session: Session, words: Words) -> Answer | None:
        name = self._owned(session, words)
        properties = dict(self.account.get("TABLE", name).properties)
        if words.take("CLUSTER BY"):  # one word to the tokenizer
            properties["CLUSTERING_KEY"] = f"LINEAR{words.rest()}"
        elif words.take("DROP", "CLUSTERING", "KEY"):
            properties.pop("CLUSTERING_KEY", None)
        elif words.take("SET"):
            given = words.properties()
            if strange := set(given) - {*OPTIONS, "COMMENT"}:
                raise unsupported(f"ALTER TABLE SET {min(strange)}")
            properties.update({k: v.upper() if k in OPTIONS else v for k, v in given.items()})
            if "COMMENT" in given:
                _write_comments(session, name, given["COMMENT"], {})
        elif words.take("UNSET"):
            while words.next is not None:
                properties.pop(words.part(), None)
                words.take(",")
        else:
            return self._columns(session, words, name)
        with self.account.change():
            self.account.get("TABLE", name).properties = properties
        return done()

    def _columns(self, session: Session, words: Words, name: Name) -> Answer | None:
        """Comments of columns; None for what the engine knows. Policies on tables are not known here."""
        if words.take("ADD", "ROW", "ACCESS", "POLICY") or words.take("DROP", "ROW", "ACCESS", "POLICY"):
            raise unsupported("ROW ACCESS POLICY on a table")
        if not words.take_any("MODIFY", "ALTER"):
            return None
        words.take("COLUMN")
        column = words.part()
        if words.sees("SET", "MASKING") or words.sees("UNSET", "MASKING"):
            raise unsupported("MASKING POLICY on a table")
        if not words.take("COMMENT"):
            return None
        _write_comments(session, name, "", {column: words.string()})
        words.end()
        return done()

    def _alter_through(self, session: Session, tree: Any) -> tuple[Any, After]:
        """ADD, DROP, RENAME, ALTER COLUMN; the owner was checked when the words were looked at."""
        name = session.resolve("TABLE", parts_of(tree.this))
        comments: dict[str, str] = {}
        for action in tree.args.get("actions") or []:
            if isinstance(action, exp.ColumnDef):
                comments |= _column_comments(action)
        renamed = next((a for a in tree.args.get("actions") or [] if isinstance(a, exp.AlterRename)), None)

        def after() -> None:
            if renamed is not None:
                new = session.resolve("TABLE", parts_of(renamed.this))
                with self.account.change():
                    found = self.account.get("TABLE", name)
                    self.account.objects.pop(("TABLE", name))
                    found.name = new
                    self.account.objects["TABLE", new] = found
            else:
                with self.account.change():
                    pass  # what was decided on the old columns is decided again
                _write_comments(session, name, "", comments)

        return tree, after

    def _alter_container(self, session: Session, words: Words, kind: str) -> Answer:
        words.take("IF", "EXISTS")
        name = session.resolve(kind, words.name())
        if not (session.may("OWNERSHIP", kind, name) or session.may("MODIFY", kind, name)):
            raise insufficient(kind, name) if self._known(session, kind, name) else hidden(kind, name)
        found = self.account.get(kind, name)
        words.need("SET")
        given = words.properties()
        with self.account.change():
            found.properties.update(given)
        return done()

    # COMMENT ON

    def _comment(self, session: Session, words: Words) -> Answer:
        words.take("IF", "EXISTS")
        words.need("ON")
        kind = words.take_any("COLUMN", "TABLE", "VIEW", "SCHEMA", "DATABASE", "ROLE", "USER", "WAREHOUSE", "STAGE")
        if not kind:
            raise words.wrong()
        parts = words.name()
        words.need("IS")
        text = words.string()
        words.end()
        column = None
        if kind == "COLUMN":
            parts, column = parts[:-1], parts[-1]
            kind = self.access.find(session, session.resolve("TABLE", parts)) or "TABLE"
        name = session.resolve(kind, parts)
        if kind in ("TABLE", "VIEW") and self.access.find(session, name) != kind:
            raise hidden(kind, name)
        if not session.may("OWNERSHIP", kind, name):
            raise insufficient(kind, name) if self._known(session, kind, name) else hidden(kind, name)
        found = self.account.get(kind, name)
        with self.account.change():
            if column is not None:
                run_ddl(session, f"COMMENT ON COLUMN {placed(name)}.{quoted(column)} IS {literal(text)}")
                if column in found.properties.get("columns", {}):
                    found.properties["columns"][column] = text
            else:
                if kind in ("TABLE", "VIEW"):
                    run_ddl(session, f"COMMENT ON {kind} {placed(name)} IS {literal(text)}")
                found.properties["COMMENT"] = text
        return done()


def without_keys(tree: Any) -> Any:
    """A new table without the keys that Snowflake would not enforce either; other statements stay."""
    if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema):
        tree.this.set("expressions", [e for e in tree.this.expressions if not isinstance(e, KEYS_OF_TABLE)])
        for column in tree.this.find_all(exp.ColumnDef):
            column.set("constraints", [c for c in column.constraints if not isinstance(c.kind, KEYS_OF_COLUMN)])
    return tree


def _taken(tree: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """What the account keeps of a new table, and the comments of its columns; both leave the statement."""
    comments, lengths, properties = _column_comments(tree), _bounded(tree), _kept(tree)
    return properties | ({"lengths": lengths} if lengths else {}), comments


def _kept(tree: Any) -> dict[str, Any]:
    """Properties of a new table that the engine does not keep, taken out of the statement."""
    found: dict[str, Any] = {}
    properties = tree.args.get("properties")
    for one in list(properties.expressions) if properties else []:
        if isinstance(one, exp.SchemaCommentProperty):
            found["COMMENT"] = one.this.name
        elif isinstance(one, exp.ClusterProperty):
            found["CLUSTERING_KEY"] = f"LINEAR({', '.join(e.sql('snowflake') for e in one.expressions)})"
        elif isinstance(one, exp.Property) and one.name.upper() in OPTIONS:
            found[one.name.upper()] = one.args["value"].sql("snowflake").upper()
        else:
            continue
        one.pop()
    return found


def _column_comments(tree: Any) -> dict[str, str]:
    found = {}
    for column in tree.find_all(exp.ColumnDef):
        for constraint in list(column.constraints):
            if isinstance(constraint.kind, exp.CommentColumnConstraint):
                found[column.name if column.this.args.get("quoted") else column.name.upper()] = constraint.kind.this.name
                constraint.pop()
    return found


def _bounded(tree: Any) -> dict[str, int]:
    """VARCHAR(n) of a new table, each with a check that the engine keeps: by itself it takes any length."""
    found = {}
    for column in tree.find_all(exp.ColumnDef):
        kind = column.args.get("kind")
        if kind is not None and kind.this in exp.DataType.TEXT_TYPES and kind.expressions:
            name, length = column.this.copy(), int(kind.expressions[0].name)
            check = exp.CheckColumnConstraint(
                this=exp.LTE(this=exp.Anonymous(this="length", expressions=[exp.column(name)]), expression=exp.Literal.number(length))
            )
            column.append("constraints", exp.ColumnConstraint(kind=check))
            found[name.name if name.args.get("quoted") else name.name.upper()] = length
    return found


def _write_comments(session: Session, name: Name, comment: str, columns: dict[str, str]) -> None:
    statements = [f"COMMENT ON COLUMN {placed(name)}.{quoted(c)} IS {literal(t)}" for c, t in columns.items()]
    if comment:
        statements.append(f"COMMENT ON TABLE {placed(name)} IS {literal(comment)}")
    if statements:
        run_ddl(session, *statements)
