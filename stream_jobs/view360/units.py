"""Units of work: which rows of a table of the view are computed together, and how they are named."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

from schemas.behaviour import FCT_SESSIONS
from schemas.columns import Table
from schemas.marts import MART_ATTRIBUTION
from stream_jobs.entity import Row
from stream_jobs.values import literal, timestamp
from stream_jobs.view360 import sums
from stream_jobs.view360.memory import unit_text

SUMMED = {t.name: t for t in sums.TABLES}


def unit_of(table: Table, row: Row) -> tuple[str, str]:
    """(unit, sub) under which `Work` says a row of the table."""
    if table is FCT_SESSIONS:
        return row["session_id"] if row["visitor_id"] is None else row["visitor_id"], row["session_id"]
    if table is MART_ATTRIBUTION:
        return row["order_id"], str(row["touch_no"])
    if table.name in SUMMED:
        return unit_text([row[k] for k in table.key]), ""
    return str(row[table.key[0]]), ""


def summed_key(table: Table, unit: str) -> tuple[Any, ...]:
    """The key of a row of sums, from its unit. Raises ValueError for what is none."""
    kinds = {c.name: c.type for c in table.columns}
    parts = json.loads(unit)
    if not isinstance(parts, list) or len(parts) != len(table.key):
        raise ValueError(f"{unit} is no key of {table.name}")
    return tuple(_part(kinds[name], part) for name, part in zip(table.key, parts, strict=True))


def where_units(table: Table, units: Iterable[str]) -> str:
    """SQL of the rows of the units, and perhaps more."""
    if table.name in SUMMED:
        firsts = {summed_key(table, unit)[0] for unit in units}
        return f"{table.key[0]} IN ({', '.join(map(literal, sorted(firsts)))})"
    if table is FCT_SESSIONS:
        texts = ", ".join(map(literal, units))  # a session that is gone names no visitor: its older rows do
        return f"session_id IN ({texts}) OR session_id IN (SELECT session_id FROM fct_sessions WHERE visitor_id IN ({texts}))"
    kind = next(c.type for c in table.columns if c.name == table.key[0])
    return f"{table.key[0]} IN ({', '.join(literal(u if kind == 'string' else int(u)) for u in units)})"


def bigint(number: int) -> int:
    """Raises ValueError for what no table can hold."""
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{number} is too large")
    return number


def _part(kind: str, part: Any) -> Any:
    if kind == "timestamp":
        return timestamp(part)
    if kind == "date":
        return dt.date.fromisoformat(part)
    if type(part) is not (str if kind == "string" else int):
        raise ValueError(f"{part!r} is no {kind}")
    if isinstance(part, str):
        part.encode()  # what cannot be written cannot be asked for
    return part if kind == "string" else bigint(int(part))
