"""The live warehouse as a model is compared with it: the views that people read, and the NULLs of the tables they stand on.

Views have no keys, and all of their columns may be NULL in INFORMATION_SCHEMA: keys are compared with the contract only, NULLs with
the landing tables. The warehouse knows no more than its answers say: comments and precisions that it does not give are not compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from schemas import star
from schemas.star import CORE, MART
from warehouse.client import Client
from warehouse.model.kinds import normal
from warehouse.model.tables import Entity, Field, Found

LANDING = "RAW"
VIEW_OF = {view.name: view for view in star.VIEWS}
WHERE = f"WHERE TABLE_SCHEMA IN ('{CORE}', '{MART}', '{LANDING}')"
COLUMNS = f"SELECT * FROM INFORMATION_SCHEMA.COLUMNS {WHERE} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
TABLES = f"SELECT * FROM INFORMATION_SCHEMA.TABLES {WHERE} ORDER BY TABLE_SCHEMA, TABLE_NAME"

Row = Mapping[str, Any]


def read(client: Client) -> Found:
    """Raises UnavailableError when nobody answers."""
    return found(client.query(COLUMNS), client.query(TABLES))


def found(columns: Iterable[Row], tables: Iterable[Row]) -> Found:
    """Of the rows of INFORMATION_SCHEMA.COLUMNS and TABLES, with lower-case names."""
    by_table: dict[str, list[Row]] = defaultdict(list)
    for row in columns:
        by_table[f"{row['table_schema']}.{row['table_name']}"].append(row)
    said = {f"{row['table_schema']}.{row['table_name']}": row.get("comment") or "" for row in tables}
    read_by_people = {name: rows for name, rows in by_table.items() if not name.startswith(f"{LANDING}.")}
    comments = {
        "columns": any(r.get("comment") for rows in read_by_people.values() for r in rows),
        "tables": any(said.get(name) for name in read_by_people),
    }
    notes = [f"the warehouse has no comments on its {what}: not compared" for what, there in comments.items() if not there]
    landing = {name.split(".")[1]: {r["column_name"]: r for r in rows} for name, rows in by_table.items() if name not in read_by_people}
    if not landing:
        notes.append("this role sees no landing tables: NULLs are not compared")
    made = {
        name: Entity(
            name,
            {f.name: f for f in (_field(name, r, landing.get(name.split(".")[1], {}), comments["columns"]) for r in rows)},
            said.get(name, "") if comments["tables"] else None,
        )
        for name, rows in read_by_people.items()
    }
    return Found(made, (*notes, *_arrived(read_by_people, landing)))


def _field(view: str, row: Row, landing: Mapping[str, Row], comments: bool) -> Field:
    name = row["column_name"]
    known = VIEW_OF.get(view)
    added = {c.name.upper() for c in known.added} if known else set()
    hidden = {k.upper() for k in known.key if k not in known.table.key} if known else set()
    below = None if name in added | hidden else landing.get(name)
    nullable = below["is_nullable"] == "YES" if below else None
    return Field(name, _kind(row, computed=name in added), nullable, (row.get("comment") or "") if comments else None)


def _kind(row: Row, computed: bool) -> str:
    """A computed text is as long as the longest that its SQL can give; that is no part of the model."""
    name = row["data_type"]
    if name == "NUMBER" and row.get("numeric_precision") is not None:
        return normal(f"NUMBER({row['numeric_precision']},{row['numeric_scale']})")
    if name in ("TEXT", "BINARY"):
        length = row.get("character_maximum_length")
        return normal(f"{name}({length})" if length and not computed else name)
    if name.startswith("TIME"):
        precision = row.get("datetime_precision")
        return name if precision is None else normal(f"{name}({precision})")
    return normal(name)


def _arrived(views: Mapping[str, list[Row]], landing: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Columns that landed and that no view shows: the source got them at run time, or somebody added them."""
    shown = {name.split(".")[1]: {r["column_name"] for r in rows} for name, rows in views.items()}
    extra = [(table, n) for table, rows in landing.items() if table in shown for n in rows if n not in shown[table]]
    return [f"{LANDING}.{table}.{column} has landed, and its view does not show it" for table, column in extra]
