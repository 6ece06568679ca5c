"""The calendar in the lake: what differs from what the settings ask for is appended, and nothing when nothing does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from commerce360.lake import Lake
from commerce360.settings import Calendar
from schemas.tables import DIM_HOLIDAY, Table
from stream_jobs import calendar
from stream_jobs.entity import Row
from stream_jobs.values import literal

ORIGIN = "c360.calendar"  # property of the holidays: what they were made from. To compute them takes longer than all else at a start


def keep(lake: Lake, settings: Calendar, query_id: str) -> dict[str, int]:
    """How many rows were appended, by table; may be repeated.

    They carry the next batch, so that they are fed and become visible once it is complete: batch 0 at the first start.
    Raises ConfigError for a country that has no known holidays, before anything is written.
    """
    wanted = {t: calendar.whole(t, settings) for t in calendar.TABLES if not _is_kept(lake, t, settings)}
    made: dict[str, int] = {}
    for table, rows in wanted.items():
        lake.add_columns(table)
        there = [row for row in lake.newest(table).to_pylist() if calendar.FIRST <= row["date"] <= calendar.LAST]  # others stay
        if differing := calendar.corrections(table, there, rows):
            batch_id = _next_batch(lake, table)
            lake.append(table, [{**row, "batch_id": batch_id} for row in differing], query_id, batch_id)
            made[table.name] = len(differing)
        if table == DIM_HOLIDAY:
            lake.set_properties(table, {ORIGIN: calendar.origin(settings)})
    return made


def stored(lake: Lake, table: Table, days: Collection[dt.date], upto: int | None = None) -> list[Row]:
    """The newest rows of the days, among batches up to `upto`."""
    bound = f"date IN ({', '.join(map(literal, sorted(days)))})" + ("" if upto is None else f" AND batch_id <= {upto}")
    found: list[Row] = lake.query(table, table.newest_sql(table.entity, bound)).to_pylist()
    return found


def _is_kept(lake: Lake, table: Table, settings: Calendar) -> bool:
    return table == DIM_HOLIDAY and lake.properties(table).get(ORIGIN) == calendar.origin(settings)


def _next_batch(lake: Lake, table: Table) -> int:
    """Behind all that is complete, and behind what an earlier start appended for a batch that did not come: one row a key and batch."""
    last = lake.last_batch()
    newest = lake.query(table, f"SELECT MAX(batch_id) AS batch_id FROM {table.entity}").to_pylist()[0]["batch_id"]
    return max(-1 if last is None else int(last["batch_id"]), -1 if newest is None else int(newest)) + 1
