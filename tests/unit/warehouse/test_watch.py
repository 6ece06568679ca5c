"""The watchdog's verdicts, table by table and of the whole load."""

from dataclasses import replace

import pytest

from warehouse import watch
from warehouse.tail import START, Place
from warehouse.watch import Loading, Side, Verdict

NOW = 1_000_000.0
HAS = Place(10, 0)
SIDE = Side("RAW.T", lake_version=10, lake_end=12, committed=HAS, changed_at=NOW - 5)
BEHIND = replace(SIDE, committed=Place(8, 2), rows_waiting=7, waiting_since=NOW - 31)
RUNS = Loading(told_at=NOW - 1)


def judge(side, before=None, loader=RUNS):
    return watch.table(side, before, loader, NOW)


def test_a_table_without_rows_that_wait_is_current_or_idle():
    assert judge(SIDE) == Verdict("current")
    assert judge(replace(SIDE, changed_at=NOW - 301)) == Verdict("idle")
    assert judge(replace(SIDE, committed=START, lake_version=0, changed_at=None)) == Verdict("idle")


def test_rows_that_wait_are_on_their_way_until_the_token_stands_still_for_too_long():
    assert judge(replace(BEHIND, waiting_since=NOW - 29)).kind == "loading"
    assert judge(BEHIND, before=Place(8, 1)).kind == "loading"
    assert judge(BEHIND, before=Place(8, 2)) == judge(BEHIND) == Verdict("stalled", "no row was taken, and some wait for 31 s")


@pytest.mark.parametrize(
    ("side", "loader", "reason"),
    [
        (BEHIND, Loading(None), "the loader does not run"),
        (BEHIND, Loading(NOW - 11), "the loader does not run"),
        (BEHIND, Loading(NOW, error="InvalidChannelError: x"), "refused: InvalidChannelError: x"),
        (replace(SIDE, committed=None, problem="RAW.T does not answer: 404"), RUNS, "RAW.T does not answer: 404"),
        (
            replace(SIDE, committed=Place(13, 0)),
            RUNS,
            "the warehouse has version 13 and the lake ends at 12: they do not belong together",
        ),
    ],
)
def test_what_stalls_has_its_reason(side, loader, reason):
    assert judge(side, loader=loader) == Verdict("stalled", reason)


def test_an_error_of_the_loader_is_no_reason_while_nothing_waits():
    assert judge(SIDE, loader=Loading(None)).kind == "current"


def test_a_table_that_was_replaced_is_loaded_from_the_start():
    assert judge(replace(BEHIND, committed=START, waiting_since=NOW - 3)) == Verdict("loading", "from the start")
    assert judge(replace(BEHIND, waiting_since=None), loader=Loading(NOW, again=("RAW.T",))) == Verdict("loading", "from the start")


def test_rejected_rows_are_told_where_to_find():
    assert judge(replace(SIDE, rejected=3)) == Verdict("current", "3 rows rejected, see ERROR_TABLE(RAW.T)")


@pytest.mark.parametrize(
    ("lag", "still_s", "error", "again", "found"),
    [
        (0, 0.0, "", (), Verdict("current")),
        (3, 29.0, "", (), Verdict("loading")),
        (3, 31.0, "", (), Verdict("stalled", "no row was taken for 31 s")),
        (3, 31.0, "no", (), Verdict("stalled", "no")),
        (0, 1.0, "no", (), Verdict("loading", "no")),
        (0, 31.0, "", (), Verdict("current")),
        (0, 1.0, "", ("RAW.T",), Verdict("loading", "again from the start: RAW.T")),
        (0, 31.0, "", ("RAW.T",), Verdict("stalled", "no row was taken for 31 s")),
    ],
)
def test_the_load_as_a_whole(lag, still_s, error, again, found):
    assert watch.overall(lag, still_s, error, again) == found
