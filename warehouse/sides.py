"""Where each table is, in the lake and in the warehouse, asked without the loader and without taking its channels."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error
from commerce360.lake import Lake
from commerce360.settings import Settings
from schemas.tables import BATCHES, FED, Table
from warehouse import streams
from warehouse.ddl import landing
from warehouse.tail import START, Place, Tail
from warehouse.watch import Side

if TYPE_CHECKING:
    from snowflake.ingest.streaming import ChannelStatus

ANSWER_S = 15.0
LOOK_BACK = 300  # batches in which a table may have changed last


def sides(settings: Settings) -> dict[str, Side]:
    """By table. Raises C360Error when the lake has not been made."""
    lake = Lake(settings.lake)
    if missing := [t.name for t in FED if not lake.exists(t)]:
        raise C360Error(f"the lake has no table {missing[0]}", "start the lake job: `c360 up`")
    told = streams.statuses(settings.warehouse, FED, ANSWER_S)
    last = lake.last_batch()
    recent = [_read(b) for b in lake.batches(after=last["batch_id"] - LOOK_BACK)] if last else []
    return {t.name: _side(lake, t, told[t.name], recent) for t in FED}


Batch = tuple[float, dict[str, int]]  # when it was complete, and versions


def _read(batch: dict[str, Any]) -> Batch:
    at: dt.datetime = batch["committed_at"]
    return at.timestamp() if at else 0.0, {name: int(v) for name, v in json.loads(batch["versions"]).items()}


def _side(lake: Lake, table: Table, told: ChannelStatus | BaseException | None, recent: list[Batch]) -> Side:
    end = int(lake.delta(table).version())
    needed = end if table is BATCHES else (recent[-1][1].get(table.name, 0) if recent else 0)
    if isinstance(told, BaseException):
        return Side(landing(table), needed, end, None, problem=f"{landing(table)} does not answer: {str(told)[:300]}")
    committed = Place.parse(told.latest_committed_offset_token) if told is not None else START
    if committed.version > end:
        return Side(landing(table), needed, end, committed)
    try:
        waiting = Tail(lake).rows_behind(table, needed, committed)
    except C360Error as error:
        return Side(landing(table), needed, end, None, problem=error.message)
    lacking, changed = _times(table, recent, committed, waiting)
    rejected = int(told.rows_error_count) if told is not None else 0
    return Side(landing(table), needed, end, committed, waiting, rejected, lacking if waiting else None, changed)


def _times(table: Table, recent: list[Batch], committed: Place, waiting: int) -> tuple[float | None, float | None]:
    """When the first of these batches was complete that the warehouse lacks, and the last one that changed the table."""
    if not recent:
        return None, None
    if table is BATCHES:  # a row each
        return recent[-min(waiting, len(recent))][0], recent[-1][0]
    lacking = next((at for at, versions in recent if versions.get(table.name, 0) > committed.version), None)
    changed = [at for (_, before), (at, after) in pairwise(recent) if after.get(table.name, 0) > before.get(table.name, 0)]
    return lacking, changed[-1] if changed else None
