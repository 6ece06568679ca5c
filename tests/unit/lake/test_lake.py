from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import obstore
import pytest
from deltalake import CommitProperties, write_deltalake
from deltalake.exceptions import TableNotFoundError

from commerce360.adls import open_store
from commerce360.errors import C360Error
from commerce360.lake import Commit, Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, CLICKSTREAM, DIM_DATE, FCT_SALES, RECORDS, TABLES, Table
from schemas.types import arrow_schema

AT = dt.datetime(2026, 3, 1, 9, 0, 0, 123_456, dt.UTC)


@pytest.fixture
def lake(place: LakeSettings) -> Lake:
    found = Lake(place)
    for table in (CLICKSTREAM, FCT_SALES, RECORDS, BATCHES):
        found.create(table)
    return found


def row(table: Table, **values: Any) -> dict[str, Any]:
    flags = {c.name: False for c in table.columns if c.type == "boolean" and not c.nullable}
    return {**dict.fromkeys(c.name for c in table.columns), **flags, **values}


def click(key: str, seq: int, offset: int = 0, batch_id: int = 0, **values: Any) -> dict[str, Any]:
    return row(CLICKSTREAM, event_id=key, seq=seq, source_offset=offset, batch_id=batch_id, **values)


def line(order_id: str, batch_id: int, quantity: int) -> dict[str, Any]:
    return row(FCT_SALES, order_id=order_id, line_no=1, quantity=quantity, batch_id=batch_id)


def files(lake: Lake, kind: str) -> list[str]:
    """Paths of the files of the sales, below their table."""
    found = obstore.list(open_store(lake.uri(FCT_SALES), lake.settings)).collect()
    return sorted(f["path"] for f in found if f["path"].endswith(kind))


def newest(lake: Lake, **bounds: Any) -> dict[str, int]:
    return {r["order_id"]: r["quantity"] for r in lake.newest(FCT_SALES, **bounds).to_pylist()}


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_table_of_the_contract_can_be_made_and_is_empty(place: LakeSettings, table: Table):
    lake = Lake(place)
    assert not lake.exists(table)
    with pytest.raises(TableNotFoundError):
        lake.delta(table)
    lake.create(table)
    assert lake.exists(table)
    assert lake.query(table, f"SELECT * FROM {table.entity}").to_pylist() == []
    assert list(lake.newest(table).schema.names) == [c.name for c in table.columns]


def test_making_a_table_again_keeps_its_rows(lake: Lake):
    lake.append(FCT_SALES, [line("a", 0, 1)], "q", 0)
    lake.create(FCT_SALES)
    assert newest(lake) == {"a": 1}


def test_values_come_back_as_they_were_written(lake: Lake):
    written = row(FCT_SALES, order_id="å", line_no=2, unit_price=Decimal("19.90"), quantity=3, ordered_at=AT, batch_id=1)
    lake.append(FCT_SALES, [written], "q", 1)
    assert lake.newest(FCT_SALES).to_pylist() == [written]


def test_a_row_without_a_key_is_refused(lake: Lake):
    with pytest.raises(Exception, match="order_id"):
        lake.append(FCT_SALES, [row(FCT_SALES, line_no=1, batch_id=1)], "q", 1)
    assert lake.delta(FCT_SALES).version() == 0


def test_an_append_is_one_version_that_names_its_query_and_batch(lake: Lake):
    assert lake.append(FCT_SALES, [line("a", 7, 1), line("b", 7, 1)], "query-1", 7) == 1
    assert lake.append(FCT_SALES, lake.arrow(FCT_SALES, [line("c", 8, 1)]), "query-1", 8) == 2
    assert [(c.version, c.query_id, c.batch_id) for c in lake.last_commits(FCT_SALES)] == [
        (2, "query-1", 8),
        (1, "query-1", 7),
    ]


def test_a_stamp_of_spark_is_read_as_well_and_a_foreign_one_is_nobodys(lake: Lake):
    """Spark's writer puts it into `userMetadata`."""
    data = lake.arrow(FCT_SALES, [line("a", 0, 1)])
    stamps = ['{"query": "q", "batch": 5}', "not JSON", "[1]", "{}"]
    for stamp in stamps:
        write_deltalake(
            lake.delta(FCT_SALES), data, mode="append", commit_properties=CommitProperties(custom_metadata={"userMetadata": stamp})
        )
    found = [(c.query_id, c.batch_id) for c in lake.commits(FCT_SALES, after=0)]
    assert found == [("q", 5), ("", -1), ("", -1), ("", -1)]


def test_commits_are_read_in_order_with_the_files_that_they_added(lake: Lake):
    for batch_id in range(4):
        lake.append(FCT_SALES, [line(f"o{batch_id}", batch_id, batch_id)], "q", batch_id)
    commits = list(lake.commits(FCT_SALES, after=1))
    assert [c.version for c in commits] == [2, 3, 4]
    assert [[r["order_id"] for r in lake.read_files(FCT_SALES, c.added).to_pylist()] for c in commits] == [["o1"], ["o2"], ["o3"]]
    assert [c.version for c in lake.commits(FCT_SALES, after=-1, upto=2)] == [0, 1, 2]
    assert list(lake.commits(FCT_SALES, after=4)) == []


def test_compaction_adds_no_rows_to_the_feed(lake: Lake):
    for batch_id in range(3):
        lake.append(FCT_SALES, [line(f"o{batch_id}", batch_id, 1)], "q", batch_id)
    lake.delta(FCT_SALES).optimize.compact()
    assert [(c.version, len(c.added)) for c in lake.commits(FCT_SALES, after=0)] == [(1, 1), (2, 1), (3, 1), (4, 0)]


def test_the_last_commits_are_those_that_the_log_still_has(lake: Lake):
    """Delta drops old entries of the log behind a checkpoint; a table that is rarely written keeps fewer than are asked for."""
    for batch_id in range(3):
        lake.append(FCT_SALES, [line("a", batch_id, 1)], "q", batch_id)
    lake.delta(FCT_SALES).create_checkpoint()
    for version in (0, 1, 2):
        obstore.delete(open_store(lake.uri(FCT_SALES), lake.settings), f"_delta_log/{version:020d}.json")
    assert [(c.version, c.batch_id) for c in Lake(lake.settings).last_commits(FCT_SALES)] == [(3, 2)]


def test_the_newest_row_of_a_key_counts(lake: Lake):
    lake.append(FCT_SALES, [line("a", 0, 1), line("b", 0, 1)], "q", 0)
    lake.append(FCT_SALES, [line("a", 1, 2)], "q", 1)
    lake.append(FCT_SALES, [line("a", 2, 3), line("c", 2, 9)], "q", 2)
    assert newest(lake) == {"a": 3, "b": 1, "c": 9}
    assert newest(lake, max_batch=1) == {"a": 2, "b": 1}
    assert newest(lake, max_batch=-1) == {}


def test_a_filter_looks_at_the_newest_rows_only(lake: Lake):
    """Else a row that was overwritten long ago would come back."""
    lake.append(FCT_SALES, [line("a", 0, 1), line("b", 0, 5)], "q", 0)
    lake.append(FCT_SALES, [line("a", 1, 7)], "q", 1)
    assert newest(lake, where="quantity = 1") == {}
    assert newest(lake, where="quantity > 4") == {"a": 7, "b": 5}
    assert newest(lake, max_batch=0, where="quantity = 1") == {"a": 1}


def test_a_late_document_is_not_the_newest(lake: Lake):
    lake.append(CLICKSTREAM, [click("k", 50, 9, page="/new")], "q", 0)
    lake.append(
        CLICKSTREAM, [click("k", 40, 99, batch_id=1, page="/old"), click("m", 1, 1, 1, page="/a"), click("m", 1, 2, 1, page="/b")], "q", 1
    )
    assert {r["event_id"]: r["page"] for r in lake.newest(CLICKSTREAM).to_pylist()} == {"k": "/new", "m": "/b"}


def test_another_handle_sees_what_was_appended(lake: Lake):
    reader = Lake(lake.settings)
    assert newest(reader) == {}
    lake.append(FCT_SALES, [line("a", 0, 1)], "q", 0)
    assert newest(reader) == {"a": 1}


def test_complete_batches_are_listed_oldest_first(lake: Lake):
    assert lake.last_batch() is None
    for batch_id in (0, 1, 2):
        lake.append(BATCHES, [row(BATCHES, batch_id=batch_id, records=batch_id * 10)], "q", batch_id)
    assert [b["batch_id"] for b in lake.batches(after=0)] == [1, 2]
    assert (lake.last_batch() or {})["records"] == 20


def added(lake: Lake, table: Table) -> Commit:
    return lake.last_commits(table, 1)[0]


def test_rows_of_files_are_read_in_a_fixed_order_with_the_columns_that_are_wanted(lake: Lake):
    files: list[str] = []
    for batch_id in range(3):
        lake.append(FCT_SALES, [line(f"{batch_id}-{n}", batch_id, n) for n in range(3)], "q", batch_id)
        files += added(lake, FCT_SALES).added
    forth, back = (lake.read_files(FCT_SALES, names, ("quantity", "order_id")) for names in (files, files[::-1]))
    assert forth.column_names == ["quantity", "order_id"]
    assert forth.to_pylist() == back.to_pylist()
    assert sorted(r["order_id"] for r in forth.to_pylist()) == [f"{b}-{n}" for b in range(3) for n in range(3)]
    assert lake.read_files(FCT_SALES, files).schema == arrow_schema(FCT_SALES)


def test_no_files_are_no_rows(lake: Lake):
    assert lake.read_files(FCT_SALES, []).schema == arrow_schema(FCT_SALES)


def test_the_calendar_of_dates_keeps_its_types(lake: Lake):
    lake.create(DIM_DATE)
    lake.append(DIM_DATE, [row(DIM_DATE, date_key=20260301, date=dt.date(2026, 3, 1), is_weekend=True, batch_id=0)], "q", 0)
    [found] = lake.newest(DIM_DATE, where="is_weekend").to_pylist()
    assert (found["date_key"], found["date"]) == (20260301, dt.date(2026, 3, 1))


def told(lake: Lake, after: int, done: int, upto: int | None = None) -> list[tuple[int, list[str]]]:
    """(version, orders) of each commit with rows, as a reader that has rows up to version `done` gets them."""
    found = [(c.version, lake.read_files(FCT_SALES, c.added).to_pylist()) for c in lake.commits(FCT_SALES, after, upto, done)]
    return [(version, sorted(f"{r['order_id']}={r['quantity']}" for r in rows)) for version, rows in found if rows]


@pytest.fixture
def rewritten(lake: Lake) -> Lake:
    """Versions 1 to 3 add a, b and c, 4 rewrites b, 5 says so, the last one adds d."""
    for batch_id, name in enumerate("abc"):
        lake.append(FCT_SALES, [line(name, batch_id, 1)], "q", batch_id)
    rows = lake.query(FCT_SALES, "SELECT * FROM fct_sales WHERE order_id = 'b'").to_pylist()
    lake.rewrite(FCT_SALES, lake.arrow(FCT_SALES, [{**row, "quantity": 7} for row in rows]), "order_id = 'b'")
    before = len(files(lake, ".parquet"))
    lake.settle_rewrite(FCT_SALES)
    assert len(files(lake, ".parquet")) == before - 1
    lake.append(FCT_SALES, [line("d", 3, 1)], "q", 3)
    return lake


def test_a_reader_that_has_everything_gets_nothing_of_a_rewrite(rewritten: Lake):
    last = rewritten.delta(FCT_SALES).version()
    assert told(rewritten, after=2, done=3) == [(last, ["d=1"])]
    assert told(rewritten, after=3, done=3) == [(last, ["d=1"])]
    assert told(rewritten, after=last - 1, done=last) == [(last, ["d=1"])]


def test_a_reader_that_has_nothing_gets_the_table_as_of_the_rewrite_at_once(rewritten: Lake):
    whole, last = (5, ["a=1", "b=7", "c=1"]), (rewritten.delta(FCT_SALES).version(), ["d=1"])
    assert told(rewritten, after=-1, done=-1) == [whole, last]
    assert told(rewritten, after=-1, done=-1, upto=1) == [whole]
    assert told(rewritten, after=4, done=5, upto=2) == [whole], "a part of it may be missing"
    assert told(rewritten, after=5, done=5) == [last]


def test_a_reader_that_has_a_part_of_what_was_rewritten_is_refused(rewritten: Lake):
    with pytest.raises(C360Error, match="up to version 2 of 3 only"):
        told(rewritten, after=1, done=2)


def test_a_second_rewrite_counts_alone(rewritten: Lake):
    d = rewritten.delta(FCT_SALES).version()
    rows = rewritten.query(FCT_SALES, "SELECT * FROM fct_sales WHERE order_id IN ('a', 'd')").to_pylist()
    rewritten.rewrite(FCT_SALES, rewritten.arrow(FCT_SALES, [{**r, "quantity": 9} for r in rows]), "order_id IN ('a', 'd')")
    again = Lake(rewritten.settings)
    assert told(again, after=4, done=5, upto=7)[:1] == [(5, ["a=1", "b=7", "c=1"])], "not settled: as before"
    for _ in range(2):
        again.settle_rewrite(FCT_SALES)
        [(version, found)] = told(again, after=-1, done=-1)
        assert version > d
        assert found == ["a=9", "b=7", "c=1", "d=9"]
        assert told(again, after=d, done=d) == []
    assert [(c.version, c.batch_id) for c in again.last_commits(FCT_SALES, 3)] == [(d, 3), (3, 2), (2, 1)]


@pytest.mark.parametrize("done", [-1, 4])
def test_files_that_a_compaction_replaced_are_not_missed_when_nothing_was_rewritten(lake: Lake, done: int):
    for batch_id, name in enumerate("abcd"):
        lake.append(FCT_SALES, [line(name, batch_id, 1)], "q", batch_id)
    lake.compact(FCT_SALES, 1 << 20)
    lake.settle_rewrite(FCT_SALES)
    assert [rows for _, rows in told(lake, max(-1, done - 1), done)] == ([["a=1", "b=1", "c=1", "d=1"]] if done < 0 else [])
    lake.append(FCT_SALES, [line("e", 4, 1)], "q", 4)
    assert [rows for _, rows in told(lake, max(-1, done - 1), done)][-1:] == [["e=1"]]


def test_a_file_that_a_killed_writer_left_is_removed(rewritten: Lake):
    store = open_store(rewritten.uri(FCT_SALES), rewritten.settings)
    obstore.put(store, "part-left.parquet", obstore.get(store, files(rewritten, ".parquet")[0]).bytes())
    assert "part-left.parquet" in files(rewritten, ".parquet")
    rewritten.settle_rewrite(FCT_SALES)
    assert "part-left.parquet" not in files(rewritten, ".parquet")


def test_statistics_hold_no_values_but_those_of_the_first_columns(lake: Lake):
    lake.replace(FCT_SALES, [line("a", 0, 1)])
    store = open_store(lake.uri(FCT_SALES), lake.settings)
    log = "".join(bytes(obstore.get(store, path).bytes()).decode() for path in files(lake, ".json"))
    (stats,) = re.findall(r'"stats":"(.*?[^\\])"', log)[-1:]
    assert "order_id" in stats
    assert "status" not in stats


def test_columns_that_the_contract_got_later_are_added_once_and_are_empty_in_rows_of_before(lake: Lake):
    older = replace(DIM_DATE, columns=tuple(c for c in DIM_DATE.columns if not c.name.startswith("fiscal")))
    lake.create(older)
    lake.append(older, [row(older, date_key=20260301, date=dt.date(2026, 3, 1), batch_id=0)], "q", 0)
    old_files = lake.last_commits(older, 1)[0].added
    lake.add_columns(DIM_DATE)
    lake.add_columns(DIM_DATE)
    assert lake.delta(DIM_DATE).version() == 2
    assert [c.added for c in lake.commits(DIM_DATE, 1)] == [()]  # nothing for the loader
    lake.append(DIM_DATE, [row(DIM_DATE, date_key=20260302, date=dt.date(2026, 3, 2), fiscal_year=2026, batch_id=1)], "q", 1)
    assert {r["date_key"]: r["fiscal_year"] for r in lake.newest(DIM_DATE).to_pylist()} == {20260301: None, 20260302: 2026}
    read = lake.read_files(lake.extended(DIM_DATE), old_files, [c.name for c in DIM_DATE.fed_columns])
    assert (read["date_key"].to_pylist(), read["fiscal_year"].to_pylist()) == ([20260301], [None])
