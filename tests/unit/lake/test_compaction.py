"""Which tables are compacted, when, and that no row changes by it."""

import datetime as dt
import json
import threading

import obstore
import pytest

from commerce360.adls import open_store
from commerce360.lake import Lake
from schemas.tables import BATCHES, DIM_DATE
from schemas.types import arrow_schema
from stream_jobs import compaction
from stream_jobs.compaction import Compactor

TABLES = (BATCHES, DIM_DATE)
FIRST = {BATCHES: {}, DIM_DATE: {"date_key": 20260301, "date": dt.date(2026, 3, 1)}}  # what may not be null


@pytest.fixture
def lake(place, monkeypatch):
    monkeypatch.setattr(compaction, "EVERY_COMMITS", 3)
    found = Lake(place)
    for table in TABLES:
        found.create(table)
    return found


def append(lake, table, commits):
    """A row a commit."""
    for _ in range(commits):
        lake.append(table, [dict.fromkeys(arrow_schema(table).names) | FIRST[table] | {"batch_id": lake.delta(table).version()}], "q", 0)


def due(compactor):
    return [t for t in compactor.tables if compactor.is_due(t)]


def files(lake, table):
    return len(lake.delta(table).file_uris())


def checkpoint(lake, table):
    """The newest one of the table."""
    return json.loads(obstore.get(open_store(lake.uri(table), lake.settings), "_delta_log/_last_checkpoint").bytes().to_bytes())


def test_a_table_is_due_after_enough_commits_and_not_again_before_as_many(lake):
    compactor = Compactor(Lake(lake.settings), TABLES)
    assert due(compactor) == []
    append(lake, BATCHES, 3)
    assert due(compactor) == [BATCHES]
    before = lake.query(BATCHES, "SELECT * FROM batches")
    assert compactor.compact(BATCHES)
    assert (files(lake, BATCHES), due(compactor)) == (1, [])
    assert checkpoint(lake, BATCHES)["version"] == lake.delta(BATCHES).version()
    assert lake.query(BATCHES, "SELECT * FROM batches").equals(before)
    append(lake, BATCHES, 2)
    assert due(compactor) == []


def test_a_table_that_spark_writes_rests_longer(lake, monkeypatch):
    monkeypatch.setattr(compaction, "EVERY_COMMITS_OF_SPARK", {BATCHES: 5})
    for table in TABLES:
        append(lake, table, 4)
    compactor = Compactor(Lake(lake.settings), TABLES)
    assert due(compactor) == [DIM_DATE]
    append(lake, BATCHES, 1)
    assert due(compactor) == [BATCHES, DIM_DATE]


def test_at_its_start_it_takes_each_file_for_a_commit(lake):
    append(lake, BATCHES, 3)
    assert due(Compactor(Lake(lake.settings), TABLES)) == [BATCHES]
    assert Compactor(Lake(lake.settings), TABLES).compact(BATCHES)
    append(lake, BATCHES, 1)
    assert due(Compactor(Lake(lake.settings), TABLES)) == []


def test_between_two_tables_it_leaves_the_processor_to_the_batches(lake):
    class Stop(threading.Event):
        def __init__(self):
            super().__init__()
            self.waits = []

        def wait(self, timeout=None):
            self.waits.append((timeout, [files(lake, t) for t in TABLES]))
            return len(self.waits) > 3

    for table in TABLES:
        append(lake, table, 3)
    stop = Stop()
    Compactor(Lake(lake.settings), TABLES).run(stop)
    look, pause = compaction.LOOK_S, compaction.PAUSE_S
    assert stop.waits == [(look, [3, 3]), (pause, [1, 3]), (pause, [1, 1]), (look, [1, 1])]


@pytest.mark.parametrize("failing", ["compact", "checkpoint", "delta"])
def test_a_table_that_fails_keeps_nobody_from_it_and_is_not_tried_again_at_once(lake, monkeypatch, failing):
    class Failing(Lake):
        failed = 0

        def __getattribute__(self, name):
            found = super().__getattribute__(name)
            return (lambda table, *more: self.fails() if table is BATCHES else found(table, *more)) if name == failing else found

        def fails(self):
            Failing.failed += 1
            raise OSError("no answer")

    class Stop(threading.Event):
        looks = 0

        def wait(self, timeout=None):
            self.looks += timeout == compaction.LOOK_S
            return self.looks > 4

    for table in TABLES:
        append(lake, table, 3)
    Compactor(Failing(lake.settings), TABLES).run(Stop())
    assert Failing.failed == (4 if failing == "delta" else 1)
    assert files(lake, DIM_DATE) == 1
