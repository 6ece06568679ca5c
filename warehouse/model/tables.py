"""Tables as a model, the contract, the lake or the warehouse describe them. `None` is what a source does not say."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas import star
from schemas.star import Reference, View
from schemas.types import SNOWFLAKE
from warehouse.model.kinds import normal


@dataclass(frozen=True)
class Field:
    name: str  # upper case
    type: str  # as `kinds.normal` gives it; empty for none
    nullable: bool | None = None
    comment: str | None = None
    spelled: str = ""  # where the name is quoted, and not in upper case


@dataclass(frozen=True)
class Link:
    """A foreign key: pairs of own and target column, in the order of their names; its own name does not count."""

    target: str  # SCHEMA.TABLE
    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, columns: tuple[str, ...], target: str, target_columns: tuple[str, ...]) -> Link:
        return cls(target, tuple(sorted(zip(columns, target_columns, strict=True))))

    @property
    def columns(self) -> str:
        return ", ".join(own for own, _ in self.pairs)

    @property
    def goal(self) -> str:
        return f"{self.target} ({', '.join(theirs for _, theirs in self.pairs)})"


@dataclass(frozen=True)
class Entity:
    name: str  # SCHEMA.TABLE, upper case
    fields: dict[str, Field]
    comment: str | None = None
    key: frozenset[str] | None = None
    links: frozenset[Link] | None = None
    beyond: frozenset[str] = field(default=frozenset())  # columns that this source cannot have
    spelled: str = ""


@dataclass(frozen=True)
class Found:
    """What a source has, and what is to be said of it."""

    tables: dict[str, Entity]
    notes: tuple[str, ...] = ()


def contract() -> Found:
    """The star of `schemas/`."""
    return Found({view.name: _entity(view) for view in star.VIEWS})


def link(reference: Reference) -> Link:
    return Link.of(_upper(reference.columns), star.BY_ENTITY[reference.target].name, _upper(reference.target_columns))


def unique(view: View) -> list[tuple[str, ...]]:
    """Columns that a reference leads to, and that are not the key."""
    targets = {r.target_columns for v in star.VIEWS for r in v.references if star.BY_ENTITY[r.target] is view}
    return sorted(targets - {view.key})


def _entity(view: View) -> Entity:
    fields = [Field(c.name.upper(), normal(SNOWFLAKE[c.type]), c.nullable and c.name not in view.key, c.comment) for c in view.columns]
    links = frozenset(map(link, view.references))
    return Entity(view.name, {f.name: f for f in fields}, view.comment, frozenset(_upper(view.key)), links)


def _upper(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(n.upper() for n in names)
