"""The lake's tables that feed the star, as a model is compared with them: columns, types, NULLs. A Delta table has no keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from commerce360.lake import Lake
from schemas import star
from schemas.star import View
from schemas.types import SNOWFLAKE
from warehouse.model.kinds import normal
from warehouse.model.tables import Entity, Field, Found

if TYPE_CHECKING:
    from collections.abc import Iterable

PRIMITIVE = {
    **dict.fromkeys(("long", "integer", "short", "byte"), SNOWFLAKE["bigint"]),
    **dict.fromkeys(("double", "float"), SNOWFLAKE["double"]),
    **dict.fromkeys(("timestamp", "timestamp_ntz"), SNOWFLAKE["timestamp"]),
}


def read(lake: Lake) -> Found:
    """Tables that are not there yet are named in the notes. An unreachable store raises what deltalake raises."""
    there = [view for view in star.VIEWS if lake.exists(view.table)]
    notes = [f"{view.table.name} is not in the lake yet" for view in star.VIEWS if view not in there]
    made: dict[str, Entity] = {}
    for view in there:
        fields = lake.delta(view.table).schema().fields
        made[view.name] = entity(view, fields)
        known = {c.name for c in view.table.columns}
        notes += [f"{view.table.name}.{f.name} came at run time: the contract does not know it" for f in fields if f.name not in known]
    return Found(made, tuple(notes))


def entity(view: View, fields: Iterable[Any]) -> Entity:
    """`fields` of the Delta table. The writer's own columns are left out; a column that came at run time is not.

    The key of a view may be NULL in rows that the view hides, so the lake says nothing of it.
    """
    hidden = set(view.key) - set(view.table.key)
    shown = [f for f in fields if not f.name.startswith("_")]
    made = [Field(f.name.upper(), _kind(f.type), None if f.name in hidden else f.nullable) for f in shown]
    return Entity(view.name, {f.name: f for f in made}, beyond=frozenset(c.name.upper() for c in view.added))


def _kind(delta: Any) -> str:
    name = str(getattr(delta, "type", delta))
    return normal(PRIMITIVE.get(name, name))
