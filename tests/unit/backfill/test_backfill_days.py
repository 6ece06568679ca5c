from __future__ import annotations

import datetime as dt

import pytest

from commerce360.backfill import days
from commerce360.backfill.collections import event_of
from commerce360.backfill.found import KEYS, PLACES, slices
from commerce360.backfill.landed import event_of as order_of
from commerce360.errors import ConfigError
from schemas.tables import DIM_DATE, FCT_SALES
from stream_jobs.slices import Place

NOON = dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC)


def test_a_day_is_over_when_it_is_over_in_the_shop():
    saturday = [dt.date(2026, 3, 28)]
    with pytest.raises(ConfigError, match="2026-03-28 is not over in Europe/Berlin"):
        days.refuse_open(saturday, [FCT_SALES], dt.datetime(2026, 3, 28, 22, 59, tzinfo=dt.UTC))
    days.refuse_open(saturday, [FCT_SALES], dt.datetime(2026, 3, 28, 23, 0, tzinfo=dt.UTC))
    days.refuse_open([dt.date(2040, 1, 1)], [DIM_DATE], NOON)


def test_the_bounds_of_a_day_follow_the_clocks_of_the_zone():
    first, end = days.bounds([dt.date(2026, 3, 29)])  # the clocks go forward
    assert (end.astimezone(dt.UTC) - first.astimezone(dt.UTC)) == dt.timedelta(hours=23)


@pytest.mark.parametrize(("first", "last", "said"), [(None, NOON.date(), "is of days"), (NOON.date(), dt.date(2026, 3, 1), "is after")])
def test_days_that_are_none_are_refused(first: dt.date | None, last: dt.date | None, said: str):
    with pytest.raises(ConfigError, match=said):
        days.wanted(first, last)


def test_tables_go_by_their_short_or_whole_name_each_once():
    assert days.named(["fct_sales", "gold.fct_sales"]) == (FCT_SALES,)
    with pytest.raises(ConfigError, match="orders cannot be backfilled"):
        days.named(["orders"])


def test_slices_are_bounded_by_keys_and_by_records_and_lose_none():
    many = {str(n): [Place("t", 0, n)] for n in range(KEYS * 2 + 1)}
    made = list(slices("r", FCT_SALES, "d", many, 5))
    assert [(s.number, len(s.keys)) for s in made] == [(5, KEYS), (6, KEYS), (7, 1)]
    heavy = {str(n): [Place("t", n, p) for p in range(PLACES - 1)] for n in range(3)}
    made = list(slices("r", FCT_SALES, "d", heavy, 0))
    assert [len(s.keys) for s in made] == [1, 1, 1]
    assert {p for s in made for p in s.places} == {p for places in heavy.values() for p in places}
    assert list(slices("r", FCT_SALES, "d", {}, 0)) == []


def test_a_document_becomes_the_connectors_record_of_it():
    at = dt.datetime(2026, 3, 1, 9, 8, 7, 654_000, tzinfo=dt.UTC)
    event = event_of({"_id": "k", "occurred_at": at, "n": 2**40, "tags": [None, True]}, 0)
    assert event["fullDocument"] == '{"_id": "k", "occurred_at": "2026-03-01T09:08:07.654Z", "n": 1099511627776, "tags": [null, true]}'
    assert (event["documentKey"], event["clusterTime"], event["operationType"]) == ('{"_id": "k"}', None, "insert")
    assert event_of({"_id": "k"}, 9)["clusterTime"] == '{"$timestamp": {"t": 9, "i": 0}}'


NO_LINES = {"event_ts": "2026-03-01T00:00:00Z", "lines": 3, "order_id": "x", "event_id": "y"}


@pytest.mark.parametrize("line", [[], {"event_ts": "2026-03-01"}, NO_LINES])
def test_a_line_that_is_no_order_event_is_refused(line: object):
    with pytest.raises((ValueError, KeyError, TypeError)):
        order_of(line)
