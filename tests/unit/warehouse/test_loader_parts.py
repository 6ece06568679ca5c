"""Where the loader goes on: whatever token the warehouse has committed, exactly the rest of the log is behind it."""

import datetime as dt
from types import SimpleNamespace

import pytest

from commerce360.errors import C360Error
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from commerce360.settings import Settings
from schemas.tables import BATCHES, DIM_DATE, Column
from warehouse import loader, tail
from warehouse.client import Client
from warehouse.loader import Loader
from warehouse.tail import START, Batch, Place, Tail


def day(number, batch_id):
    row = {c.name: None for c in DIM_DATE.columns}
    return {**row, "date_key": number, "date": dt.date(2026, 1, 1) + dt.timedelta(days=number), "batch_id": batch_id}


@pytest.fixture
def lake(tmp_path):
    lake = Lake(LakeSettings(root=str(tmp_path / "lake")))
    lake.create(DIM_DATE)
    return lake


@pytest.fixture
def log(lake, monkeypatch):
    monkeypatch.setattr(tail, "PART_ROWS", 3)
    return Tail(lake)


def parts(log, token, upto):
    """[(place, numbers of its rows)] behind a token that the warehouse has committed."""
    return [(place, rows["date_key"].to_pylist()) for place, rows in log.parts(DIM_DATE, upto, Place.parse(token))]


def fill(lake, *sizes):
    """A commit of each size, numbered on; the version of the last one."""
    first, version = 0, 0
    for batch, size in enumerate(sizes):
        version = lake.append(DIM_DATE, [day(first + n, batch) for n in range(size)], "q", batch)
        first += size
    return version


def test_behind_every_token_is_exactly_the_rest_in_the_order_of_the_log(lake, log):
    last = fill(lake, 7, 1, 3, 4)
    whole = parts(log, None, last)
    assert [n for _, rows in whole for n in rows] == list(range(15))
    assert max(len(rows) for _, rows in whole) == 3
    for done in range(len(whole)):
        assert parts(log, whole[done][0].token(), last) == whole[done + 1 :]


def test_a_table_without_rows_has_no_parts_and_later_versions_are_left_for_later(lake, log):
    assert parts(log, None, 0) == []
    fill(lake, 2, 2)
    assert [n for _, rows in parts(log, None, 1) for n in rows] == [0, 1]


def test_a_compaction_is_no_change(lake, log):
    fill(lake, 2, 2)
    before = parts(log, None, lake.delta(DIM_DATE).version())
    lake.delta(DIM_DATE).optimize.compact()
    last = lake.delta(DIM_DATE).version()
    assert last == 3
    assert parts(log, None, last) == before
    assert parts(log, before[-1][0].token(), last) == []


def test_a_column_that_the_lake_gets_later_is_there_from_its_version_on(lake, log):
    fill(lake, 2)
    extended = DIM_DATE.with_columns(Column("moon", "string"))
    lake.append(DIM_DATE, lake.arrow(extended, [{**day(2, 1), "moon": "full"}, {**day(3, 1), "moon": None}]), "q", 1)
    found = [rows.to_pylist() for _, rows in log.parts(DIM_DATE, 2, Place.parse(None))]
    assert [[(r["date_key"], r["moon"]) for r in rows] for rows in found] == [[(0, None), (1, None)], [(2, "full"), (3, None)]]


def test_a_warehouse_that_another_lake_has_filled_is_refused(lake, tmp_path):
    fill(lake, 2)
    made = Loader(Settings(state=tmp_path, lake=lake.settings))
    made.streams = {DIM_DATE.name: SimpleNamespace(place=Place(1, 0))}
    made._refuse_other_lake(DIM_DATE)
    made.streams = {DIM_DATE.name: SimpleNamespace(place=Place(2, 0))}
    with pytest.raises(C360Error, match=r"another lake.*version 2 of gold\.dim_date.*ends at 1"):
        made._refuse_other_lake(DIM_DATE)


@pytest.mark.parametrize(("versions", "rows"), [({}, []), ({DIM_DATE.name: 1}, [0, 1])])
def test_a_batch_of_before_a_table_has_nothing_of_it(lake, tmp_path, versions, rows):
    fill(lake, 2)
    sent = []
    stream = SimpleNamespace(place=START, in_flight=0, append=lambda part, place: sent.extend(part["date_key"].to_pylist()), flush=int)
    made = Loader(Settings(state=tmp_path, lake=lake.settings), tables=(BATCHES, DIM_DATE))
    made.streams = {DIM_DATE.name: stream}
    made._stream_all(Batch(START, 0, versions, lake.arrow(BATCHES, [])))
    assert sent == rows


def test_a_line_that_a_killed_loader_left_half_does_not_swallow_the_next_one(tmp_path):
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"batch_id": 1}\n{"batch')
    loader._end_half_line(notes)
    loader._end_half_line(notes)
    assert notes.read_text() == '{"batch_id": 1}\n{"batch\n'


def test_another_lake_that_has_got_as_far_as_the_warehouse_is_refused_as_well(migrated, tmp_path):
    here, there = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    lake = Lake(LakeSettings(root=str(tmp_path / "lake")))
    lake.create(BATCHES)
    lake.append(BATCHES, [{**{c.name: None for c in BATCHES.columns}, "batch_id": 0, "versions": "{}", "committed_at": here}], "q", 0)
    made = Loader(Settings(state=tmp_path, lake=lake.settings, warehouse=migrated.warehouse))
    made._loaded = Place(1, 0)
    with Client(migrated.warehouse) as owner:
        made._refuse_other_history()
        owner.query("INSERT INTO OPS.LAKE_BATCHES (BATCH_ID, COMMITTED_AT) SELECT 0, %s::TIMESTAMP_NTZ", (str(there)[:19],))
        with pytest.raises(C360Error, match=r"another lake: batch 0 was complete at 2026-01-01.*at 2026-01-02"):
            made._refuse_other_history()
        owner.query("UPDATE OPS.LAKE_BATCHES SET COMMITTED_AT = %s::TIMESTAMP_NTZ", (str(here)[:26],))
        made._refuse_other_history()
    made.client.close()
