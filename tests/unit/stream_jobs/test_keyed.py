from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.tables import FCT_SALES, Table
from stream_jobs.entity import Contribution, Entity, Key, Record, Rejection, Row
from stream_jobs.keyed import KeyedLog, Rows


class Greatest:
    """The smallest entity: a row per key that holds the greatest number seen; a negative one is a bad record."""

    table: Table = FCT_SALES
    topics = frozenset({"t"})

    def read(self, record: Record, key: Any, value: Any) -> list[Contribution]:
        return [Contribution((key,), value, record)]

    def fold(self, key: Key, stored: Sequence[Row], new: Sequence[Contribution]) -> tuple[list[Row], list[Rejection]]:
        good = [c.payload for c in new if c.payload >= 0]
        top = max([*(r["quantity"] for r in stored), *good], default=None)
        bad = [Rejection(c.record, "negative") for c in new if c.payload < 0]
        rows = [] if top is None else [{"order_id": key[0], "line_no": 1, "quantity": top, "origin": new[0].record.origin}]
        return rows, bad

    def key_of(self, row: Row) -> Key:
        return (row["order_id"],)

    def shared(self, key: Key) -> Key | None:
        return None

    def over(self, table: Table) -> Entity:
        return self


def says(key: str, number: int, offset: int = 0) -> list[Contribution]:
    return Greatest().read(Record("t", 0, offset, 0, None, None), key, number)


class Stored:
    """A table: answers loads, and counts them."""

    def __init__(self, **quantities: int) -> None:
        self.rows = {(k,): {"order_id": k, "line_no": 1, "quantity": q, "origin": "old"} for k, q in quantities.items()}
        self.loads = 0

    def load(self) -> Rows:
        self.loads += 1
        return list(self.rows.items())

    def take(self, rows: list[Row]) -> None:
        self.rows.update({(row["order_id"],): row for row in rows})


@pytest.fixture
def table() -> Stored:
    return Stored(a=5)


@pytest.fixture
def log(table: Stored) -> KeyedLog:
    return KeyedLog(Greatest(), table.load)


def quantities(rows: list[Row]) -> dict[str, int]:
    return {r["order_id"]: r["quantity"] for r in rows}


def test_only_rows_that_differ_from_the_stored_ones_come_out(log: KeyedLog):
    outcome = log.apply([*says("a", 5), *says("b", 3)])
    assert quantities(outcome.rows) == {"b": 3}


def test_where_a_row_came_from_makes_no_difference(log: KeyedLog):
    assert log.apply(says("a", 4, offset=77)).rows == []


def test_several_contributions_of_a_key_are_one_row(log: KeyedLog):
    assert quantities(log.apply([*says("a", 6), *says("b", 1), *says("a", 9)]).rows) == {"a": 9, "b": 1}


def test_a_committed_batch_is_known_to_the_next_one_without_the_table(log: KeyedLog, table: Stored):
    log.apply(says("b", 3))
    log.commit()
    assert log.apply(says("b", 3)).rows == []
    assert table.loads == 1


def test_a_discarded_batch_is_forgotten_and_the_table_is_read_again(log: KeyedLog, table: Stored):
    log.apply([*says("a", 8), *says("b", 3)])
    log.discard()
    assert quantities(log.apply([*says("a", 8), *says("b", 3)]).rows) == {"a": 8, "b": 3}
    assert table.loads == 2


def test_what_was_written_before_a_crash_is_not_written_again(log: KeyedLog, table: Stored):
    table.take(log.apply(says("b", 3)).rows)
    log.discard()
    assert log.apply(says("b", 3)).rows == []


def test_rows_that_a_table_should_hold_come_with_the_next_batch_once(log: KeyedLog):
    wanted = {"order_id": "a", "line_no": 1, "quantity": 7, "origin": "bronze"}
    log.rebase([(("a",), wanted)])
    assert quantities(log.apply(says("b", 3)).rows) == {"a": 7, "b": 3}
    log.commit()
    assert log.apply([*says("a", 7), *says("b", 3)]).rows == []


def test_a_carried_row_that_its_batch_changes_again_is_one_row(log: KeyedLog):
    log.rebase([(("a",), {"order_id": "a", "line_no": 1, "quantity": 7, "origin": "bronze"})])
    assert quantities(log.apply(says("a", 9)).rows) == {"a": 9}


def test_contributions_that_cannot_count_are_handed_back(log: KeyedLog):
    outcome = log.apply([*says("a", -1, offset=3), *says("a", 6)])
    assert [(r.record.offset, r.reason) for r in outcome.rejections] == [(3, "negative")]
    assert quantities(outcome.rows) == {"a": 6}
