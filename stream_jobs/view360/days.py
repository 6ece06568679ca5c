"""Days of the shop's zone, and values that were stored before they were refused for being out of range (docs/model.md)."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from schemas.behaviour import END_OF_TIME, FIRST_TIME, RATINGS
from schemas.columns import Table
from schemas.shop import ZONE
from schemas.tables import CLICKSTREAM, REVIEWS
from stream_jobs.entity import Row

if TYPE_CHECKING:
    import pyarrow as pa

_ZONE = ZoneInfo(ZONE)
LAST_TIME = END_OF_TIME - dt.timedelta(microseconds=1)
BOUNDS: dict[Table, dict[str, tuple[Any, Any]]] = {
    CLICKSTREAM: {"occurred_at": (FIRST_TIME, LAST_TIME)},
    REVIEWS: {"reviewed_at": (FIRST_TIME, LAST_TIME), "rating": RATINGS},
}


def day_of(at: dt.datetime) -> dt.date:
    """The calendar day of an aware time, as the shop sees it."""
    return at.astimezone(_ZONE).date()


def days_between(first: dt.datetime, last: dt.date) -> int:
    """From the day of `first` to `last`."""
    return (last - day_of(first)).days


def bounded(at: dt.datetime | None) -> dt.datetime | None:
    """The time, or the end of the range that it is beyond; in UTC."""
    return None if at is None else min(max(at, FIRST_TIME), LAST_TIME).astimezone(dt.UTC)


def rows_of(table: Table, batch: pa.RecordBatch) -> list[Row]:
    """Rows of a table of the lake, with documents' values in their range. They are bounded in Arrow: Python does not know all times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, (least, most) in BOUNDS.get(table, {}).items():
        place = batch.schema.get_field_index(name)
        values = batch.column(place)
        for beyond, bound in ((pc.less, pa.scalar(least, values.type)), (pc.greater, pa.scalar(most, values.type))):
            values = pc.if_else(beyond(values, bound), bound, values)
        batch = batch.set_column(place, name, values)
    return batch.to_pylist()  # type: ignore[no-any-return]
