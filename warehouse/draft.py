"""The next versioned migration: what is between the tables that the migrations build and those of the contract. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from commerce360.errors import ConfigError
from schemas.landing import BY_NAME
from warehouse.catalog import TABLE, Catalog, Column, Relation, same_type
from warehouse.ddl import DATABASE, comment, literal
from warehouse.generated import table_statements
from warehouse.scripts import Script, order

WORDS = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


def statements(built: Catalog, wanted: Catalog) -> list[str]:
    """In the order of the contract. Raises ConfigError for what no migration can do without losing rows."""
    made: list[str] = []
    for name, relation in wanted.relations.items():
        if relation.kind != TABLE:
            continue
        found = built.relations.get(name)
        made += table_statements(BY_NAME[name]) if found is None else _changes(relation, found)
    gone = [n for n, r in built.relations.items() if r.kind == TABLE and n not in wanted.relations]
    if gone:
        raise ConfigError(f"{', '.join(gone)} left the contract", "rows would be lost: write the migration by hand, or keep the table")
    return made


def file_name(words: str, found: Sequence[Script]) -> str:
    """`V<major>.<minor + 1>.0__<words>.sql`. Raises ConfigError for words that are no name."""
    if not WORDS.fullmatch(words):
        raise ConfigError(f"{words!r} is no name of a migration", "small letters, digits and single underscores, such as add_birthday")
    newest = max((s.version for s in found if s.version), key=order, default="1.0.0")
    major, minor = [*re.findall(r"\d+", newest), "0", "0"][:2]
    return f"V{major}.{int(minor) + 1}.0__{words}.sql"


def _changes(wanted: Relation, found: Relation) -> Iterator[str]:
    name = f"{DATABASE}.{wanted.name}"
    if wanted.comment != found.comment:
        yield f"COMMENT ON TABLE {name} IS {literal(wanted.comment)}"
    for column in wanted.columns:
        other = found.column(column.name)
        if other is None:
            yield _added(name, column)
            continue
        _refuse_retyped(wanted.name, column, other)
        if not other.nullable and column.nullable:
            yield f"ALTER TABLE {name} ALTER COLUMN {column.name} DROP NOT NULL"
        if column.comment != other.comment:
            yield f"COMMENT ON COLUMN {name}.{column.name} IS {literal(column.comment)}"
    if lost := [c.name for c in found.columns if wanted.column(c.name) is None]:
        raise ConfigError(
            f"{wanted.name} has no {', '.join(lost)} any more",
            "the lake still has it, and so do rows that were loaded: keep the column in schemas/, or write the migration by hand",
        )
    if wanted.cluster_by != found.cluster_by:
        key = f"CLUSTER BY ({', '.join(wanted.cluster_by)})" if wanted.cluster_by else "DROP CLUSTERING KEY"
        yield f"ALTER TABLE {name} {key}"


def _added(name: str, column: Column) -> str:
    if not column.nullable:
        raise ConfigError(
            f"{name.removeprefix(f'{DATABASE}.')}.{column.name} is new and not nullable",
            "rows that are there have no value: make it nullable",
        )
    return f'ALTER TABLE {name} ADD COLUMN IF NOT EXISTS "{column.name}" {column.type}{comment(column.comment)}'


def _refuse_retyped(table: str, wanted: Column, found: Column) -> None:
    where = f"{table}.{wanted.name}"
    if not same_type(wanted.type, found.type):
        raise ConfigError(f"{where} is {found.type} and shall be {wanted.type}", "add a column of another name, and fill it")
    if found.nullable and not wanted.nullable:
        raise ConfigError(f"{where} shall not be NULL any more", "rows that are there may have none: leave it nullable")
