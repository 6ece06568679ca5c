from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.tables import FCT_SALES, Table
from stream_jobs.entity import Contribution, Key, Record, Rejection, Row
from stream_jobs.keyed import KeyedLog


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


def says(key: str, number: int, offset: int = 0) -> list[Contribution]:
    return Greatest().read(Record("t", 0, offset, 0, None, None), key, number)


class Stored:
    """A table: answers loads, and remembers which keys were asked for."""

    def __init__(self, **quantities: int) -> None:
        self.rows = {(k,): [{"order_id": k, "line_no": 1, "quantity": q, "origin": "old"}] for k, q in quantities.items()}
        self.asked: list[Key] = []

    def load(self, keys: list[Key]) -> dict[Key, list[Row]]:
        self.asked += keys
        return {k: self.rows[k] for k in keys if k in self.rows}

    def take(self, rows: list[Row]) -> None:
        for row in rows:
            self.rows[(row["order_id"],)] = [row]


@pytest.fixture
def table() -> Stored:
    return Stored(a=5)


@pytest.fixture
def log(table: Stored) -> KeyedLog:
    found = KeyedLog(Greatest(), table.load, max_keys=2)
    found.fill(dict(table.rows))
    return found


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
    assert table.asked == []


def test_a_discarded_batch_is_forgotten_and_the_table_is_asked(log: KeyedLog, table: Stored):
    log.apply([*says("a", 8), *says("b", 3)])
    log.discard()
    assert quantities(log.apply([*says("a", 8), *says("b", 3)]).rows) == {"a": 8, "b": 3}
    assert table.asked == [("a",), ("b",)]


def test_what_was_written_before_a_crash_is_not_written_again(log: KeyedLog, table: Stored):
    table.take(log.apply(says("b", 3)).rows)
    log.discard()
    assert log.apply(says("b", 3)).rows == []


def test_keys_beyond_the_bound_are_read_from_the_table_again(log: KeyedLog, table: Stored):
    table.take(log.apply([*says("b", 1), *says("c", 1)]).rows)
    log.commit()
    assert len(log.cache) == 2
    assert quantities(log.apply([*says("a", 5), *says("b", 1), *says("c", 2)]).rows) == {"c": 2}
    assert table.asked == [("a",)]


def test_the_key_that_was_used_last_stays(log: KeyedLog, table: Stored):
    table.take(log.apply(says("b", 1)).rows)
    log.commit()
    log.apply(says("a", 5))
    log.commit()
    table.take(log.apply(says("c", 1)).rows)
    log.commit()
    log.apply([*says("a", 5), *says("c", 1)])
    assert table.asked == []
    log.apply(says("b", 1))
    assert table.asked == [("b",)]


def test_a_table_larger_than_the_bound_is_not_taken_for_complete():
    table = Stored(a=1, b=2, c=3)
    log = KeyedLog(Greatest(), table.load, max_keys=2)
    log.fill(dict(table.rows))
    assert log.apply([*says("a", 1), *says("b", 2), *says("c", 3)]).rows == []


def test_contributions_that_cannot_count_are_handed_back(log: KeyedLog):
    outcome = log.apply([*says("a", -1, offset=3), *says("a", 6)])
    assert [(r.record.offset, r.reason) for r in outcome.rejections] == [(3, "negative")]
    assert quantities(outcome.rows) == {"a": 6}
