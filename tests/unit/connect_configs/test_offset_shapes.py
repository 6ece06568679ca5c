"""Offsets that a connector could not read never reach Connect, and what a change would do is said before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connect_configs.offsets import offset_meaning as means
from connect_configs.offsets import offset_shapes as shapes
from connect_configs.offsets.offset_shapes import ShapeError

SERVER = {"server": "shop"}
GOOD = {"lsn": 100, "lsn_proc": 100, "lsn_commit": 100, "txId": 7, "ts_usec": 1795575468667416, "messageType": "COMMIT"}
DURING = {
    **GOOD,
    "snapshot": "INCREMENTAL",
    "snapshot_completed": False,
    "last_snapshot_record": False,
    "lsn_events_processed": 1,
    "incremental_snapshot_collections": "[]",
    "incremental_snapshot_total_rows": "1000",
}
TOKEN = {"_id": '{"_data": "8265A1B2C3000000012B"}', "HEARTBEAT": "true"}
CONFIG = {"slot.name": "c360", "snapshot.mode": "no_data"}
SLOT = means.Slot(restart=50, confirmed=100, end=200)


def entry(offset: Any, partition: Any = None) -> dict[str, Any]:
    return {"partition": partition or SERVER, "offset": offset}


def postgres_problems(offset: dict[str, Any]) -> list[str]:
    with pytest.raises(ShapeError) as raised:
        shapes.check("postgres", [entry(offset)], [entry(GOOD)], SERVER)
    assert raised.value.exit_code == 2
    return raised.value.problems


@pytest.mark.parametrize("offset", [GOOD, DURING, {"lsn": 1}, {**GOOD, "transaction_id": None}])
def test_what_debezium_stores_is_let_through(offset: dict[str, Any]) -> None:
    shapes.check("postgres", [entry(offset)], [], SERVER)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("lsn", "zzz", "is a text, not a whole number"),
        ("lsn", 1.5, "is a number with a point, not a whole number"),
        ("lsn", True, "is a truth value, not a whole number"),
        ("lsn", 2**63, "not between 1 and 2^63 - 1"),
        ("lsn", 0, "not between 1 and"),
        ("lsn_proc", -1, "not between 1 and"),
        ("lsn_commit", None, "is null, not a whole number"),
        ("ts_usec", "x", "is a text"),
        ("txId", "7", "is a text"),
        ("messageType", 7, "none of BEGIN"),
        ("messageType", "commit", "none of BEGIN"),
        ("snapshot_completed", "false", "not true or false"),
        ("incremental_snapshot_primary_key", 3, "not a text"),
        ("lns", 3, "is no field of a Debezium PostgreSQL offset"),
    ],
)
def test_a_field_that_debezium_cannot_read_is_named(field: str, value: Any, said: str) -> None:
    (problem,) = postgres_problems({**GOOD, field: value})
    assert problem.startswith(f"offsets[0].offset.{field} ")
    assert said in problem


def test_an_offset_without_a_position_is_refused() -> None:
    assert postgres_problems({"lsn_proc": 1}) == ["offsets[0].offset.lsn is missing: Debezium would not know where to go on"]


@pytest.mark.parametrize("partition", [{"server": "other"}, {"server": "shop", "database": "d"}, {"Server": "shop"}])
def test_a_partition_of_another_connector_is_refused_even_as_a_new_one(partition: dict[str, str]) -> None:
    with pytest.raises(ShapeError, match="reads only"):
        shapes.check("postgres", [entry(GOOD, partition)], [], SERVER, new_partition=True)


def test_a_wrong_partition_that_got_in_can_be_taken_away() -> None:
    wrong = {"server": "other"}
    shapes.check("postgres", [entry(None, wrong)], [entry(GOOD), entry(GOOD, wrong)], SERVER)


def test_the_same_partition_twice_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"offsets\[1\]\.partition stands twice"):
        shapes.check("postgres", [entry(GOOD), entry(None)], [entry(GOOD)], SERVER)


@pytest.mark.parametrize(
    "offset",
    [
        {"_id": {"_data": "82"}},
        {"_id": "82"},
        {"_id": "{}"},
        {"_id": '{"_data": "zz"}'},
        {"_id": "not JSON"},
        {"HEARTBEAT": "true"},
        {**TOKEN, "HEARTBEAT": True},
        {**TOKEN, "x": "y"},
    ],
)
def test_no_resume_token_no_offset(offset: dict[str, Any]) -> None:
    ns = {"ns": "a-reviews"}
    shapes.check("mongo", [entry(TOKEN, ns)], [], ns)
    with pytest.raises(ShapeError, match=r"offsets\[0\]\.offset\."):
        shapes.check("mongo", [entry(offset, ns)], [], ns)


def test_while_it_copies_an_id_of_a_document_stands_there() -> None:
    shapes.check("mongo", [entry({"_id": '{"_id": 1, "copyingData": true}', "copy": "true"}, {"ns": "a"})], [], {"ns": "a"})


def test_another_connector_is_compared_with_what_it_has() -> None:
    file = {"filename": "/a"}
    now = [entry({"position": 5}, file)]
    shapes.check("", [entry({"position": 9}, file)], now)
    for wrong in ({"position": "9"}, {"position": 9.0}, {"position": 9, "x": 1}, {}):
        with pytest.raises(ShapeError):
            shapes.check("", [entry(wrong, file)], now)
    with pytest.raises(ShapeError, match="--new-partition"):
        shapes.check("", [entry({"position": 9}, {"filename": "/b"})], now)
    with pytest.raises(ShapeError, match="--unchecked"):
        shapes.check("", [entry({"position": 9}, {"filename": "/b"})], now, new_partition=True)
    shapes.check("", [entry({"position": "9"}, file)], now, unchecked=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "no list of offsets"),
        ('{"offsets": {}}', "no list of offsets"),
        ('{"offsets": [3]}', r"offsets\[0\] is a whole number"),
        ('{"offsets": [{"partition": {}, "offset": null}]}', "partition is an object, not an object with something in it"),
        ('{"offsets": [{"partition": {"a": "b"}}]}', "offset is missing"),
        ('{"offsets": [{"partition": {"a": "b"}, "offset": {}}]}', "not an object with something in it"),
        ('{"offsets": [{"partition": {"a": "b"}, "offset": {"c": {"d": 1}}}]}', r"offset\.c is an object"),
        ('{"offsets": [{"partition": {"a": "b"}, "offset": {"c": NaN}}]}', "NaN is no JSON number"),
        ('{"offsets": [{"partition": {"a": "b"}, "offset": {"c": 1, "c": 2}}]}', "stands twice"),
        ('{"offsets": [{"partition": {"a": "b"}, "offset": null, "x": 1}]}', "has x"),
    ],
)
def test_a_file_that_holds_no_offsets_is_refused(text: str, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        shapes.parse(text)


def test_positions_as_people_write_them() -> None:
    assert shapes.parse_lsn("0/1A2B3C") == shapes.parse_lsn("1715004") == 0x1A2B3C
    assert shapes.lsn_text(shapes.parse_lsn("16/B374D848")) == "16/B374D848"
    for wrong in ("", "0/", "0/XYZ", "-1", "0/0", "123456789/0", "FFFFFFFF/FFFFFFFF"):
        with pytest.raises(ShapeError):
            shapes.parse_lsn(wrong)
    assert dict(shapes.readable("postgres", GOOD))["ts_usec"] == "2026-11-25 02:57:48.667416 UTC"
    assert dict(shapes.readable("mongo", TOKEN))["time"] == "2024-01-12 21:44:35 UTC"


def test_another_position_forgets_what_was_said_of_the_old_one() -> None:
    moved = shapes.with_lsn({**DURING, "messageType": "INSERT"}, 500)
    assert {moved[k] for k in shapes.POSITIONS} == {500}
    assert (moved["messageType"], moved["txId"], "lsn_events_processed" in moved) == ("COMMIT", 7, False)
    shapes.check("postgres", [entry(moved)], [], SERVER)


def test_what_is_stored_after_a_partial_change() -> None:
    other = {"server": "other"}
    now = [entry(GOOD), entry(GOOD, other)]
    assert shapes.same(shapes.changed(now, [entry(None, other)]), [entry(GOOD)])
    assert shapes.same(shapes.changed(now, shapes.replacing(now, [entry({"lsn": 1})])), [entry({"lsn": 1})])
    assert not shapes.same([entry({"lsn": 1})], [entry({"lsn": 1.0})])
    assert not shapes.same([entry({"lsn": 1})], [entry({"lsn": True})])


def at(lsn: int) -> dict[str, Any]:
    return shapes.with_lsn(GOOD, lsn)


@pytest.mark.parametrize(
    ("stored", "wanted", "loses", "impossible", "warns"),
    [
        (100, 100, False, False, False),
        (120, 110, False, False, False),  # not confirmed yet: comes again
        (120, 121, True, False, False),
        (90, 110, True, False, False),  # the slot stands behind the stored one
        (100, 60, False, False, True),  # without effect
        (100, 49, False, True, False),
        (100, 5000, True, False, True),  # beyond the end of the log
        (5000, 100, False, False, False),  # and back: nothing was confirmed there
        (5000, 150, True, False, False),
    ],
)
def test_what_a_position_means_to_the_slot(stored: int, wanted: int, loses: bool, impossible: bool, warns: bool) -> None:
    found = means.postgres_meaning(CONFIG, at(stored), at(wanted), SLOT)
    assert (bool(found.loss), bool(found.impossible), bool(found.warnings)) == (loses, impossible, warns)


def test_a_slot_that_cannot_be_seen_does_not_hide_a_loss() -> None:
    assert means.postgres_meaning(CONFIG, at(100), at(101), None).loss
    assert not means.postgres_meaning(CONFIG, at(100), at(99), None).loss


def test_a_slot_that_is_gone_cannot_be_read() -> None:
    gone = means.Slot(0, 0, 200)
    assert "no slot c360" in means.postgres_meaning(CONFIG, at(100), at(100), gone).impossible
    assert "never sent" in means.postgres_meaning(CONFIG, at(100), None, gone).warnings[0]


def test_a_reset_says_what_is_read_again() -> None:
    assert "no row is read again" in means.postgres_meaning(CONFIG, at(100), None, SLOT).lines[1]
    assert "every row" in means.postgres_meaning({}, at(100), None, SLOT).lines[1]  # Debezium's default is initial


def test_resume_tokens_are_compared_by_their_time() -> None:
    newer = {"_id": json.dumps({"_data": "8265A1B2C4000000012B"})}
    assert means.mongo_meaning({}, TOKEN, newer).loss
    assert not means.mongo_meaning({}, newer, TOKEN).loss
    assert means.mongo_meaning({}, TOKEN, {"_id": '{"_data": "33"}'}).warnings
    assert means.mongo_meaning({}, TOKEN, None).loss
    assert not means.mongo_meaning({"startup.mode": "copy_existing"}, TOKEN, None).loss
