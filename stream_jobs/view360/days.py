"""Days of the shop's zone."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from schemas.shop import ZONE

_ZONE = ZoneInfo(ZONE)


def day_of(at: dt.datetime) -> dt.date:
    """The calendar day of an aware time, as the shop sees it."""
    return at.astimezone(_ZONE).date()


def days_between(first: dt.datetime, last: dt.date) -> int:
    """From the day of `first` to `last`."""
    return (last - day_of(first)).days
