"""The star as a script that SqlDBM imports, and that Snowflake would run: CREATE TABLE with keys and comments. Pure.

The warehouse has views, which carry no keys; the script says what their rows are to each other. Names are quoted as in SqlDBM's own
exports, since some are words of SQL. Tables stand behind those that they refer to.
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

from schemas import star
from schemas.star import Reference, View
from schemas.types import SNOWFLAKE
from warehouse.model.tables import unique

FILE = Path(__file__).with_name("star.sql")
HEAD = """\
-- The star schema of commerce360, for SqlDBM. Made by `make docs` from schemas/star.py; edit that.
-- FK_...: each value has its row. LINK_...: some values have none, such as the campaign 'direct' (see docs/warehouse-model.md).
"""


def script() -> str:
    """The same on every machine."""
    schemas = "\n".join(f'CREATE SCHEMA IF NOT EXISTS "{schema}";' for schema in sorted({v.schema for v in star.VIEWS}))
    return "\n\n".join([f"{HEAD}\n{schemas}", *(f"{_banner(view)}\n{create(view)}" for view in in_order())]) + "\n"


def in_order() -> list[View]:
    """Each behind those that it refers to. Raises graphlib's CycleError when there is no such order."""
    graph = {view.entity: {r.target for r in view.references} for view in star.VIEWS}
    sorter = TopologicalSorter(graph)
    return [star.BY_ENTITY[entity] for entity in sorter.static_order()]


def create(view: View) -> str:
    widest = max(len(c.name) for c in view.columns) + 2
    columns = [
        f" {_quoted(c.name):<{widest}} {SNOWFLAKE[c.type].lower()}"
        f"{'' if c.nullable and c.name not in view.key else ' NOT NULL'}{_comment(c.comment)}"
        for c in view.columns
    ]
    name = view.entity.upper()
    keys = [f' CONSTRAINT "PK_{name}" PRIMARY KEY ( {_names(view.key)} )']
    keys += [f' CONSTRAINT "AK_{name}_{_joined(columns)}" UNIQUE ( {_names(columns)} )' for columns in unique(view)]
    keys += [_foreign_key(name, r) for r in view.references]
    body = ",\n".join(columns) + ",\n\n" + ",\n".join(keys)
    return f"CREATE TABLE {_quoted_name(view)}\n(\n{body}\n){_comment(view.comment, chr(10), ' = ')};"


def _foreign_key(name: str, reference: Reference) -> str:
    target = star.BY_ENTITY[reference.target]
    kind = "FK" if reference.whole else "LINK"
    constraint = f'"{kind}_{name}_{_joined(reference.columns)}"'
    goal = f"{_quoted_name(target)} ( {_names(reference.target_columns)} )"
    return f" CONSTRAINT {constraint} FOREIGN KEY ( {_names(reference.columns)} ) REFERENCES {goal}"


def _banner(view: View) -> str:
    return f"-- ************************************** {_quoted_name(view)}"


def _quoted_name(view: View) -> str:
    return ".".join(f'"{part}"' for part in view.name.split("."))


def _quoted(name: str) -> str:
    return f'"{name.upper()}"'


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(map(_quoted, columns))


def _joined(columns: tuple[str, ...]) -> str:
    return "_".join(columns).upper()


def _comment(text: str, before: str = " ", sign: str = " ") -> str:
    escaped = text.replace("'", "''")
    return f"{before}COMMENT{sign}'{escaped}'" if text else ""
