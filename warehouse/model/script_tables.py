"""Tables of a script while it is read: made by CREATE TABLE, changed by ALTER TABLE and COMMENT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from schemas import star
from warehouse.model.kinds import normal
from warehouse.model.tables import Entity, Field, Found, Link

SCHEMA_OF = {view.name.split(".")[1]: view.schema for view in star.VIEWS}
NO_SCHEMA = "tables without a schema were taken for those of the star that have their name"


@dataclass
class Draft:
    """One table. `key` and `links` are what constraints say; each constraint by its name, so that it can be dropped."""

    table: exp.Table
    fields: dict[str, Field] = field(default_factory=dict)
    comment: str = ""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    links: dict[str, tuple[tuple[str, ...], exp.Table, tuple[str, ...]]] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)  # columns

    @classmethod
    def of(cls, made: exp.Create) -> Draft:
        draft = cls(made.this.this)
        for part in made.this.expressions:
            draft.add(part)
        for said in made.find_all(exp.SchemaCommentProperty):
            draft.comment = said.this.name
        return draft

    def add(self, part: exp.Expression) -> None:
        """A column, or a constraint of the table, named or not."""
        if isinstance(part, exp.ColumnDef):
            self._column(part)
        elif isinstance(part, exp.Constraint):
            for inner in part.expressions:
                self._constraint(part.name.upper(), inner)
        else:
            self._constraint("", part)

    def _column(self, part: exp.ColumnDef) -> None:
        nullable, comment, name = True, "", upper(part.this)
        for said in (c.kind for c in part.constraints):
            if isinstance(said, exp.NotNullColumnConstraint):
                nullable = bool(said.args.get("allow_null"))
            elif isinstance(said, exp.CommentColumnConstraint):
                comment = said.this.name
            elif isinstance(said, exp.PrimaryKeyColumnConstraint):
                self.keys[f"PRIMARY {name}"] = (name,)
            elif isinstance(said, exp.Reference):
                self._link(f"REFERENCES {name}", (name,), said)
        kind = part.args.get("kind")
        self.doubled += [name] if name in self.fields else []
        self.fields[name] = Field(name, kind_of(kind) if kind else "", nullable, comment, spelled(part.this))

    def _constraint(self, name: str, part: exp.Expression) -> None:
        if isinstance(part, exp.PrimaryKey):
            self.keys[name or "PRIMARY KEY"] = tuple(map(upper, part.expressions))
        elif isinstance(part, exp.ForeignKey):
            columns = tuple(map(upper, part.expressions))
            self._link(name or f"FOREIGN {columns}", columns, part.args["reference"])

    def _link(self, name: str, columns: tuple[str, ...], said: exp.Reference) -> None:
        target = said.this
        named = isinstance(target, exp.Schema)
        self.links[name] = (columns, target.this if named else target, tuple(map(upper, target.expressions)) if named else ())

    def drop(self, name: str) -> bool:
        """Whether there was such a constraint."""
        held: list[dict[str, Any]] = [constraints for constraints in (self.keys, self.links) if name in constraints]
        for constraints in held:
            del constraints[name]
        return bool(held)


@dataclass
class Drafts:
    tables: dict[str, Draft] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    schema: str = ""

    def create(self, draft: Draft, line: int) -> None:
        name = self.name(draft.table)
        if name in self.tables:
            self.notes.append(f"line {line}: {name} is made again; the later one counts")
        self.notes += [f"line {line}: {name}.{column} is there twice; the later one counts" for column in draft.doubled]
        self.tables[name] = draft

    def use(self, said: Any) -> None:
        """`USE SCHEMA b`, `USE a.b`; `USE a` names a database."""
        if isinstance(said, exp.Use) and isinstance(said.this, exp.Table):
            kind = str(said.args.get("kind") or "").upper()
            if kind == "SCHEMA" or (not kind and said.this.db):
                self.schema = upper(said.this.this)

    def comment(self, said: Any) -> None:
        if not isinstance(said, exp.Comment):
            return
        text = said.expression.name
        if isinstance(said.this, exp.Table) and (draft := self.tables.get(self.name(said.this))):
            draft.comment = text
        elif isinstance(said.this, exp.Column) and (draft := self.tables.get(self._table_of(said.this))):
            name = upper(said.this.this)
            if name in draft.fields:
                draft.fields[name] = replace(draft.fields[name], comment=text)

    def alter(self, said: exp.Alter, line: int, error: Callable[[int, str], Exception]) -> None:
        name = self.name(said.this)
        draft = self.tables.get(name)
        if draft is None:
            raise error(line, f"ALTER TABLE {name}, which the script does not create: a script of changes is not a model")
        for action in said.args["actions"]:
            if not _apply(draft, action):
                self.notes.append(f"line {line}: not understood, and passed over: ALTER TABLE {name} {action.sql('snowflake')[:40]}")

    def name(self, table: exp.Table) -> str:
        """`SCHEMA.TABLE`; a table without a schema is the one of the star that has its name."""
        bare = table.name.upper()
        schema = table.db.upper() or self.schema or SCHEMA_OF.get(bare, "PUBLIC")
        if not (table.db or self.schema) and NO_SCHEMA not in self.notes:
            self.notes.append(NO_SCHEMA)
        return f"{schema}.{bare}"

    def _table_of(self, column: exp.Column) -> str:
        schema, table = column.args.get("db"), column.args.get("table")
        return self.name(exp.Table(this=table, db=schema))

    def found(self) -> Found:
        return Found({name: self._entity(name, draft) for name, draft in self.tables.items()}, tuple(self.notes))

    def _entity(self, name: str, draft: Draft) -> Entity:
        links = [Link.of(columns, goal, self._goal(goal, given, columns)) for columns, goal, given in self._links(draft)]
        key = next(reversed(draft.keys.values()), ())
        fields = {n: replace(f, nullable=bool(f.nullable) and n not in key) for n, f in draft.fields.items()}
        return Entity(name, fields, draft.comment, frozenset(key), frozenset(links), spelled=spelled(draft.table.this))

    def _links(self, draft: Draft) -> list[tuple[tuple[str, ...], str, tuple[str, ...]]]:
        return [(columns, self.name(table), given) for columns, table, given in draft.links.values()]

    def _goal(self, target: str, given: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, ...]:
        """Without target columns, the target's primary key is meant."""
        key = next(reversed(self.tables[target].keys.values()), ()) if target in self.tables else ()
        named = given or key
        return named if len(named) == len(columns) else tuple("?" for _ in columns)


def _apply(draft: Draft, action: exp.Expression) -> bool:
    """Whether it was understood."""
    if isinstance(action, exp.AddConstraint):
        for part in action.expressions:
            draft.add(part)
    elif isinstance(action, exp.ColumnDef):
        draft.add(action)
    elif isinstance(action, exp.AlterColumn):
        return _alter_column(draft, action)
    elif isinstance(action, exp.Drop):
        return _drop(draft, action)
    elif isinstance(action, exp.AlterSet):
        for said in action.find_all(exp.SchemaCommentProperty):
            draft.comment = said.this.name
    else:
        return isinstance(action, exp.ClusterProperty)
    return True


def _alter_column(draft: Draft, action: exp.AlterColumn) -> bool:
    name = upper(action.this)
    if name not in draft.fields:
        return False
    before = draft.fields[name]
    kind, comment, allowed = (action.args.get(a) for a in ("dtype", "comment", "allow_null"))
    draft.fields[name] = replace(
        before,
        type=kind_of(kind) if kind else before.type,
        comment=comment.name if comment else before.comment,
        nullable=before.nullable if allowed is None else bool(allowed),
    )
    return bool(kind or comment or allowed is not None)


def _drop(draft: Draft, action: exp.Drop) -> bool:
    names = [t.name.upper() for t in action.args.get("tables") or ()]
    if str(action.args.get("kind")).upper() == "COLUMN":
        dropped = [draft.fields.pop(n, None) is not None for n in names]
    else:
        dropped = [draft.drop(n) for n in names]
    return all(dropped)


def kind_of(kind: exp.DataType) -> str:
    """A type of types, such as an array of numbers, stays as it is written."""
    if any(not isinstance(p, exp.DataTypeParam) for p in kind.expressions):
        return normal(kind.sql("snowflake"))
    name = kind.this.value if isinstance(kind.this, exp.DataType.Type) else kind.sql("snowflake")
    args = ",".join(p.name for p in kind.expressions)
    return normal(f"{name}({args})" if args else name)


def upper(name: exp.Expression) -> str:
    return name.name.upper()


def spelled(name: exp.Expression) -> str:
    """The name where it is not the upper-case one: Snowflake keeps quoted names as they are."""
    return name.name if name.args.get("quoted") and name.name != name.name.upper() else ""
