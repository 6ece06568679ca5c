"""Histories from what Debezium really sent, against what the database says. `tests/captures/make.py` makes the files anew."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from typing import Any

import pytest
from captured import HOME, NAMES, Capture, Order, Row, collapsed, load, open_rows, shown, states_in
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs import capture
from stream_jobs.capture import Captured
from stream_jobs.scd2.history import History
from stream_jobs.scd2.invariants import check_rows
from stream_jobs.wire import PLACEHOLDER, sequence

TOASTED = ("toast", "toast_bytes")  # default replica identity: not every value is in the log
BEYOND = ("deferrable_key", "slot_lost", "snapshot_stale_read", "snapshot_straddler_first")  # what no rule can know; asserted below as such
EXACT = [name for name in NAMES if name not in (*TOASTED, *BEYOND)]
LARGE = {"note", "code", "photo", "tags", "docs", "blobs", "counts", "bigs", "ids", "doc", "page", "amount", "props"}
BASE64_PLACEHOLDER = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="

of_all = pytest.mark.parametrize("name", NAMES)
of_exact = pytest.mark.parametrize("name", EXACT)


def by_lsn(source: dict[str, Any], op: str) -> tuple[int, ...]:
    return (int(source["lsn"] or json.loads(source["sequence"])[0]),)  # a read of a chunk has none


def of_key(result: dict[str, list[Row]], key: int) -> list[Row]:
    return [row for row in result["rows"] if row["id"] == key]


def test_every_kind_of_capture_is_there():
    wanted = {"insert", "update", "delete", "primary_key_change", "one_transaction", "multi_row_insert", "copy", "truncate", "insert_waits"}
    wanted |= {"toast", "toast_bytes", "snapshot_open", "snapshot_straddler_first", "snapshot_existing_slot", "incremental_snapshot"}
    assert {*wanted, "worker_killed", "slot_lost", "deferrable_key", "snapshot_stale_read"} == set(NAMES)
    assert all((HOME / name / file).is_file() for name in NAMES for file in ("records.jsonl", "roles.yaml"))


@of_all
def test_nothing_is_rejected_and_the_table_is_sound(name: str):
    case = load(name)
    result = case.fold()
    assert result["rejected"] == []
    assert check_rows(result["rows"], case.roles.key, case.roles.tracked) == []


@of_exact
def test_the_open_rows_are_the_rows_of_the_table(name: str):
    case = load(name)
    assert open_rows(case.fold(), case.roles) == case.final()


@pytest.mark.parametrize("name", [name for name in EXACT if not load(name).has_reads])
def test_versions_are_the_commits_with_their_times(name: str):
    case = load(name)
    assert shown(case.fold()["rows"], ("id", *case.roles.tracked)) == shown(case.versions(), ("id", *case.roles.tracked))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BEYOND])
def test_each_key_goes_through_its_states_in_the_order_of_the_commits(name: str):
    """Of rows that were there before the connector, only what came since is known."""
    case = load(name)
    columns = ("id", "name") if name in TOASTED else ("id", *case.roles.tracked)
    committed = case.committed()
    for key, states in states_in(case.records, sequence, columns).items():
        known = committed.get(key, [])
        if case.has_reads or (name in TOASTED and key == 3):
            known = known[len(known) - len(states) :]
        assert states == known, f"key {key}"


def test_the_row_lsn_alone_would_be_wrong():
    """An insert that is logged before it waits at the unique index; a transaction that is older in the log than a snapshot it outlives."""
    case = load("insert_waits")
    final, wrong = case.final(), states_in(case.records, by_lsn, ("id", "name", "qty"))
    for key in case.truth["waited"]:
        assert wrong[key][-1:] != [final[key]], "the capture does not show what it is for"
        assert wrong[key] != case.committed()[key]
    assert open_rows(case.fold(without_commit_positions(case)), case.roles) == {2: final[2], 4: final[4]}


@pytest.mark.parametrize("name", ["snapshot_open", "snapshot_existing_slot", "incremental_snapshot"])
def test_the_row_lsn_alone_would_put_a_transaction_over_a_snapshot_before_it(name: str):
    case = load(name)
    columns, committed = ("id", "name", "qty"), case.committed()

    def misplaced(order: Order) -> set[int]:
        found = states_in(case.records, order, columns)
        return {key for key, states in found.items() if states != committed[key][len(committed[key]) - len(states) :]}

    assert misplaced(by_lsn), "the capture does not show what it is for"
    assert misplaced(sequence) == set()


def without_commit_positions(case: Capture) -> list[Captured]:
    """The same records as they would be if Debezium told the row's LSN only."""

    def stripped(value: dict[str, Any]) -> dict[str, Any]:
        return {**value, "source": {**value["source"], "sequence": None}}

    return [r._replace(value=r.value and stripped(r.value)) for r in case.records]


@of_all
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_order_repetition_and_cuts_do_not_matter(name: str, seed: int):
    case, dice = load(name), random.Random(seed)
    records = [*case.records, *dice.choices(case.records, k=len(case.records) // 3)]
    dice.shuffle(records)
    expected = case.fold()
    assert case.fold(records) == expected
    changes = [c for r in records if (c := capture.change_of(r, case.roles, frozenset({"note"}))) is not None]
    history = History(case.roles)
    while changes:
        cut = dice.randint(1, len(changes))
        history.apply(changes[:cut])
        del changes[:cut]
    assert sorted(history.rows(), key=lambda r: (r["id"], r["valid_from"])) == expected["rows"]


@of_all
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_has_come_so_far_is_a_history_too(name: str, seed: int):
    case, dice = load(name), random.Random(seed)
    some = dice.sample(case.records, dice.randint(0, len(case.records)))
    result = case.fold(some)
    assert check_rows(result["rows"], case.roles.key, case.roles.tracked) == []
    assert case.fold(sorted(some, key=lambda r: r[:3])) == result


def test_one_transaction_is_one_version():
    result = load("one_transaction").fold()
    (only,) = of_key(result, 1)  # an insert and two updates
    assert (only["name"], only["qty"], only["valid_to"]) == ("Ada B", 3, None)
    assert of_key(result, 3) == []  # inserted and deleted again
    before, after = of_key(result, 2)  # deleted and inserted again: no gap
    assert (before["valid_to"], before["closed_by"], after["qty"]) == (after["valid_from"], "change", 21)
    assert [row["qty"] for row in of_key(result, 4)] == [40, 0]  # 99 was never committed


def test_rows_of_one_copy_share_a_position_and_keep_their_keys():
    case = load("copy")
    inserts = [r for r in case.records if r.value and r.value["op"] == "c"]
    assert len({r.value["source"]["lsn"] for r in inserts}) < len(inserts) == 30
    assert len(of_key(case.fold(), 7)) == 2


def test_a_value_that_does_not_change_begins_no_version():
    result = load("update").fold()
    assert [row["qty"] for row in of_key(result, 1)] == [10, 11, 10, 11]
    assert [row["name"] for row in of_key(result, 2)] == ["Bob", None, "", ""]
    assert [row["qty"] for row in of_key(result, 2)] == [20, 20, 20, 21]


def test_a_new_key_tells_where_the_row_came_from():
    result = load("primary_key_change").fold()
    first, back = of_key(result, 1)
    assert (first["closed_by"], first["moved_to"], first["valid_to"]) == ("move", 2, of_key(result, 2)[0]["valid_from"])
    assert [row["moved_from"] for row in of_key(result, 2)] == [1, 1]
    assert of_key(result, 2)[-1]["moved_to"] == 3
    assert (back["moved_from"], back["is_current"], back["qty"]) == (3, True, 12)


def test_a_truncate_ends_every_key_where_the_roles_say_so():
    case = load("truncate")
    assert [row["closed_by"] for row in of_key(case.fold(), 1)] == ["truncate", "truncate"]
    assert of_key(case.fold(), 4) == []  # inserted, and truncated away before it was committed
    refused = case.fold(truncate="refuse")
    assert [(r["reason"], r["op"], r["key"]) for r in refused["rejected"]] == [("truncate_refused", "t", None)] * 2
    assert {1, 2, 3, 4, 5} == set(open_rows(refused, case.roles))
    assert case.fold(truncate="ignore") == {"rows": refused["rows"], "rejected": []}


def test_a_killed_worker_sends_again_and_says_the_same():
    case = load("worker_killed")
    assert 0 < case.truth["sent_before_kill"] < case.truth["rows_of_transaction"]
    told = defaultdict(list)
    for r in case.records:
        if r.value:
            told[r.key["id"], r.value["op"], r.value["source"]["lsn"]].append(r.value)
    assert sum(len(values) - 1 for values in told.values()) == case.truth["doubles"] > 0
    for values in told.values():
        assert len({sequence(v["source"], v["op"]) for v in values}) == 1
        assert len({v["source"]["ts_us"] for v in values}) == 1
    assert len(told) == case.truth["changes"]


def test_live_writes_and_chunks_that_are_read_do_not_mix():
    case = load("incremental_snapshot")
    ops = Counter(r.value["op"] for r in case.records if r.value)
    assert min(ops[op] for op in "cudr") > 3
    reads = [r.timestamp for r in case.records if r.value and r.value["op"] == "r"]
    writes = [r.timestamp for r in case.records if r.value and r.value["op"] != "r"]
    assert sum(min(reads) < at < max(reads) for at in writes) > 3, "nobody wrote while the snapshot was taken"


def test_a_lost_slot_hides_deletes_and_versions():
    """Nobody sends them: a comparison with the table has to find them, which `c360 reconcile` does for the shop."""
    case = load("slot_lost")
    result = case.fold()
    rows = open_rows(result, case.roles)
    assert {key for key in rows if key not in case.final()} == set(case.truth["never_sent_deletes"])
    assert {key: row for key, row in rows.items() if key in case.final()} == case.final()
    committed = case.committed()
    missed = {k for k, states in committed.items() if collapsed(states) != _kept(result, k)}
    assert missed == {*case.truth["never_sent_deletes"], 1}  # two updates of key 1, of which the read shows the last
    assert of_key(result, 33)[0]["moved_from"] is None  # nor was it said that 3 became 33


def _kept(result: dict[str, list[Row]], key: int) -> list[Row | None]:
    rows = of_key(result, key)
    states: list[Row | None] = [{c: row[c] for c in ("id", "name", "qty")} for row in rows]
    return states if rows[-1]["is_current"] else [*states, None]


def test_the_first_transaction_over_an_initial_snapshot_is_misplaced():
    """The known limit of the rule. `snapshot.mode=no_data` and an incremental snapshot do not have it."""
    case = load("snapshot_straddler_first")
    rows, final = open_rows(case.fold(), case.roles), case.final()
    assert {key for key in final if rows.get(key) != final[key]} == set(case.truth["misplaced"])


def test_a_chunk_can_be_older_than_its_place():
    """PostgreSQL logs a commit before it lets it be seen: a chunk that is read in between shows the row of before, behind the commit."""
    case = load("snapshot_stale_read")
    rows, final = open_rows(case.fold(), case.roles), case.final()
    assert {key for key in final if rows.get(key) != final[key]} == set(case.truth["misplaced"])
    (key,) = case.truth["misplaced"]
    assert [row["qty"] for row in of_key(case.fold(), key)] == [final[key]["qty"], 20]


def test_a_swap_that_only_a_deferrable_key_allows_loses_a_row():
    """A key is given before it is taken away, in one transaction. A source with such a primary key must not be captured."""
    case = load("deferrable_key")
    rows, final = open_rows(case.fold(), case.roles), case.final()
    assert {key for key in final if key not in rows} == set(case.truth["misplaced"])


@pytest.mark.parametrize("name", TOASTED)
def test_a_large_value_that_was_not_sent_is_carried_inside_its_life(name: str):
    case = load(name)
    row, final = open_rows(case.fold(), case.roles)[1], case.final()[1]
    lost = {"photo", "blobs"} if name == "toast" else set()  # see the next test
    assert row["name"] == final["name"] == "renamed"
    assert {c for c in LARGE if row[c] != final[c]} == lost
    assert of_key(case.fold(), 1)[-1]["unresolved"] == []


def test_base64_handling_of_bytes_sends_null_for_what_it_does_not_know():
    """Debezium 3.7 with `binary.handling.mode=base64`: a NULL like any other, so the value is lost. `bytes` says it, see `toast_bytes`."""
    sent = [r.value["after"] for r in load("toast").records if r.key == {"id": 1} and r.value and r.value["op"] == "u"]
    assert [(row["photo"], row["blobs"]) for row in sent] == [(None, None)]
    sent = [r.value["after"] for r in load("toast_bytes").records if r.key == {"id": 1} and r.value and r.value["op"] == "u"]
    assert [(row["photo"], row["blobs"]) for row in sent] == [(BASE64_PLACEHOLDER, [BASE64_PLACEHOLDER])]


@pytest.mark.parametrize("name", TOASTED)
def test_what_was_never_sent_in_a_life_is_unresolved_and_null(name: str):
    result = load(name).fold()
    lost = {"photo", "blobs"} if name == "toast" else set()
    (last_of_old,) = of_key(result, 2)
    assert (last_of_old["moved_to"], last_of_old["unresolved"]) == (20, [])
    moved, with_note = of_key(result, 20)  # a new key is a new life, and only `name` was small enough to be in the log
    assert moved["unresolved"] == sorted(LARGE - lost)
    assert with_note["unresolved"] == sorted(LARGE - lost - {"note"})
    assert (with_note["note"], with_note["moved_from"]) == ("short", 2)
    unknown, with_photo = of_key(result, 3)  # was there before the connector
    assert set(unknown["unresolved"]) - set(with_photo["unresolved"]) == {"photo"} - lost
    assert with_photo["photo"] == "AA=="
    for row in (moved, with_note, unknown, with_photo):
        assert all(row[c] is None for c in row["unresolved"])
    assert PLACEHOLDER not in str(result)


@pytest.mark.parametrize("name", TOASTED)
def test_a_text_that_looks_like_the_placeholder_of_bytes_is_kept_where_the_type_is_told(name: str):
    case = load(name)
    (row,) = of_key(case.fold(), 4)
    assert (row["note"], row["unresolved"]) == (BASE64_PLACEHOLDER, [])
    (row,) = of_key(case.fold(types={}), 4)
    assert (row["note"], row["unresolved"]) == (None, ["note"])
