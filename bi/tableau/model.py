"""The data source over the star: which views it has, and how they are related. Pure.

Tableau's logical layer relates tables, it does not join them: each sheet queries only the tables that it uses, at their own grain.
Facts stand on the left, what they share on the right (several base tables: Tableau 2024.2 and newer). A table must not be reached twice
from the same fact.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

from bi.tableau.fields import TABLES, Field, of_view
from schemas.star import BY_ENTITY, Reference, View

# A second way to a table that the fact reaches already. An order's attribution names the campaign itself, a page event is in a session.
DETOURS = frozenset(
    {
        ("mart_attribution", "fct_sessions"),
        ("fct_page_events", "dim_campaign"),
        ("fct_page_events", "dim_date"),
        ("fct_page_events", "mart_customer_360"),
    },
)


@dataclass(frozen=True)
class Relationship:
    """Rows of `first` belong to one row of `second`, where the fields of each pair are equal."""

    first: str  # relation names
    second: str
    pairs: tuple[tuple[Field, Field], ...]


def views() -> tuple[View, ...]:
    return tuple(BY_ENTITY[entity] for entity in TABLES)


def references(view: View) -> tuple[Reference, ...]:
    """Those of a view that the data source follows."""
    return tuple(r for r in view.references if r.target in TABLES and (view.entity, r.target) not in DETOURS)


@cache
def fields() -> tuple[Field, ...]:
    """Of every table; a column's name that several tables have is followed by its table's."""
    count = Counter(c.name for view in views() for c in view.columns)
    return tuple(
        of_view(view, column, count[column.name] > 1, any(r.whole and column.name in r.columns for r in references(view)))
        for view in views()
        for column in view.columns
    )


@cache
def by_column() -> dict[tuple[str, str], Field]:
    """By entity and column."""
    return {(field.table.lower(), field.column.lower()): field for field in fields()}


def relationships() -> tuple[Relationship, ...]:
    return tuple(
        Relationship(
            view.entity.upper(),
            reference.target.upper(),
            tuple(
                (by_column()[view.entity, a], by_column()[reference.target, b])
                for a, b in zip(reference.columns, reference.target_columns, strict=True)
            ),
        )
        for view in views()
        for reference in references(view)
    )
