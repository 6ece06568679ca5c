"""Where a model and a source differ, named by table and column. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from warehouse.model.kinds import same
from warehouse.model.tables import Entity, Field, Found, Link

WORDS = {
    "missing_table": "the model has no such table",
    "surplus_table": "only the model has this table",
    "missing_column": "the model has no such column",
    "surplus_column": "only the model has this column",
    "type": "type is {model} in the model, {other} there",
    "nullability": "{model} in the model, {other} there",
    "comment": "comment is {model} in the model, {other} there",
    "primary_key": "primary key is {model} in the model, {other} there",
    "missing_foreign_key": "the model has no foreign key to {other}",
    "surplus_foreign_key": "only the model has a foreign key to {model}",
    "spelling": "spelled {model} in the model, so quotes would be needed to read it; {other} there",
}


@dataclass(frozen=True)
class Drift:
    kind: str  # of WORDS
    table: str  # SCHEMA.TABLE
    column: str = ""  # empty where it is about the table; of a key that has several, all of them
    model: str = ""
    other: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        said = WORDS[self.kind].format(model=self.model or "none", other=self.other or "none")
        return f"{said} ({self.note})" if self.note else said


def compare(model: Found, source: Found, whole: bool = True) -> list[Drift]:
    """By table and column. A source that is not `whole` may lack tables that the model has."""
    names = sorted({*model.tables, *source.tables})
    return [drift for name in names for drift in _table(name, model.tables.get(name), source.tables.get(name), whole)]


def _table(name: str, model: Entity | None, other: Entity | None, whole: bool) -> Iterator[Drift]:
    if model is None:
        yield Drift("missing_table", name)
    elif other is None:
        if whole:
            yield Drift("surplus_table", name)
    else:
        if model.spelled and other.key is not None:
            yield Drift("spelling", name, model=f'"{model.spelled}"', other=name.split(".")[1])
        yield from _comment(name, "", model.comment, other.comment)
        yield from _columns(model, other)
        yield from _keys(model, other)


def _columns(model: Entity, other: Entity) -> Iterator[Drift]:
    surplus = [n for n in model.fields if n not in other.fields and n not in other.beyond]
    for name in (n for n in other.fields if n not in model.fields):
        renamed = _renamed(model, other, name, surplus)
        yield Drift("missing_column", model.name, name, other=other.fields[name].type, note=f"renamed to {renamed}?" if renamed else "")
    yield from (Drift("surplus_column", model.name, n, model=model.fields[n].type) for n in surplus)
    for name, field in model.fields.items():
        if name in other.fields:
            yield from _field(model.name, field, other.fields[name], contract=other.key is not None)


def _renamed(model: Entity, other: Entity, name: str, surplus: list[str]) -> str:
    """The column at the same place and of the same type that only the model has."""
    place = list(other.fields).index(name)
    there = list(model.fields)[place : place + 1]
    return next((n for n in there if n in surplus and same(model.fields[n].type, other.fields[name].type)), "")


def _field(table: str, model: Field, other: Field, contract: bool) -> Iterator[Drift]:
    if not same(model.type, other.type):
        yield Drift("type", table, model.name, model.type, other.type)
    if None not in (model.nullable, other.nullable) and model.nullable != other.nullable:
        said = {True: "may be NULL", False: "NOT NULL", None: ""}
        yield Drift("nullability", table, model.name, said[model.nullable], said[other.nullable])
    if model.spelled and contract:
        yield Drift("spelling", table, model.name, f'"{model.spelled}"', model.name)
    yield from _comment(table, model.name, model.comment, other.comment)


def _comment(table: str, column: str, model: str | None, other: str | None) -> Iterator[Drift]:
    if model is not None and other is not None and _words(model) != _words(other):
        yield Drift("comment", table, column, _quoted(model), _quoted(other))


def _keys(model: Entity, other: Entity) -> Iterator[Drift]:
    if model.key is not None and other.key is not None and model.key != other.key:
        shown = [", ".join(sorted(k)) for k in (model.key, other.key)]
        yield Drift("primary_key", model.name, shown[1] or shown[0], *shown)
    if model.links is not None and other.links is not None:
        yield from (Drift("missing_foreign_key", model.name, k.columns, other=k.goal) for k in _sorted(other.links - model.links))
        yield from (Drift("surplus_foreign_key", model.name, k.columns, k.goal) for k in _sorted(model.links - other.links))


def _sorted(links: frozenset[Link]) -> list[Link]:
    return sorted(links, key=lambda k: (k.columns, k.goal))


def _words(text: str) -> str:
    """Editors break lines."""
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return f"'{text}'" if text else ""
