"""Which days and tables a backfill is about. Days are those of the shop's zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from commerce360.errors import ConfigError
from schemas.behaviour import FIRST_TIME
from schemas.columns import Table
from schemas.marts import MART_CUSTOMER_360
from schemas.shop import ZONE
from schemas.tables import DIM_CAMPAIGN
from stream_jobs.calendar import TABLES as CALENDAR
from stream_jobs.slices import AGAIN

DAYLESS = (DIM_CAMPAIGN, MART_CUSTOMER_360)  # their rows belong to no day: looked at whole, whatever the days
ZONE_INFO = ZoneInfo(ZONE)
EARLIEST = FIRST_TIME.date() + dt.timedelta(days=1)
WHOLE = ""  # stands for the day of a table without days


def wanted(first: dt.date | None, last: dt.date | None) -> list[dt.date]:
    """Raises ConfigError for days that are none."""
    if first is None or last is None:
        raise ConfigError("a backfill is of days", "give --from and --to, such as --from 2026-11-01 --to 2026-11-07")
    if first < EARLIEST:
        raise ConfigError(f"--from {first} is before {EARLIEST}", "no record can be of such a day")
    if first > last:
        raise ConfigError(f"--from {first} is after --to {last}", "exchange them")
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


def refuse_open(days: Sequence[dt.date], tables: Sequence[Table], now: dt.datetime) -> None:
    """Raises ConfigError for a day that is not over yet: the stream still writes it. The calendar knows no such days."""
    today = now.astimezone(ZONE_INFO).date()
    if days[-1] >= today and any(t not in CALENDAR for t in tables):
        raise ConfigError(
            f"{max(days[0], today)} is not over in {ZONE}: the stream still writes it",
            f"the last day that can be backfilled is {today - dt.timedelta(days=1)}",
        )


def named(names: Sequence[str]) -> tuple[Table, ...]:
    """Tables by entity (`fct_sales`) or name (`gold.fct_sales`), each once. Raises ConfigError."""
    known = {t.entity: t for t in AGAIN}
    if not names:
        raise ConfigError("no table is named", f"give --table, one of {', '.join(known)}")
    found = [known.get(n.rpartition(".")[2]) for n in names]
    if None in found:
        raise ConfigError(f"{names[found.index(None)]} cannot be backfilled", f"one of {', '.join(known)}")
    return tuple(dict.fromkeys(t for t in found if t is not None))


def bounds(days: Sequence[dt.date]) -> tuple[dt.datetime, dt.datetime]:
    """Begin of the first day, and end of the last one, which is not in it."""
    first, end = days[0], days[-1] + dt.timedelta(days=1)
    return dt.datetime.combine(first, dt.time(), ZONE_INFO), dt.datetime.combine(end, dt.time(), ZONE_INFO)
