"""Stream and backfill in any order, any number of times, over tables that somebody damages: in the end equal to a clean rebuild."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import LINEAGE_NAMES
from schemas.topics import CUSTOMERS as CUSTOMERS_TOPIC
from schemas.topics import ORDER_EVENTS, ORDER_ITEMS, ORDERS
from stream_jobs.calendar import TABLES as CALENDAR
from stream_jobs.dimensions import CUSTOMERS
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, Row
from stream_jobs.keyed import KeyedLog
from stream_jobs.sales import SALES
from stream_jobs.slices import AGAIN, KEYED, Place, Slice, key_text
from stream_jobs.view360.units import SUMMED

T0 = 1_790_000_000_000_000


class Table:
    """A log that is appended to: of each place the newest row counts."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.rows: dict[tuple[Any, ...], Row] = {}

    def place(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[c] for c in self.entity.table.key)

    def append(self, rows: Iterable[Row]) -> None:
        self.rows |= {self.place(r): r for r in rows}

    def load(self) -> list[tuple[Key, Row]]:
        return [(self.entity.key_of(r), r) for r in self.rows.values()]

    def of(self, keys: Iterable[Key]) -> dict[Key, list[Row]]:
        found: dict[Key, list[Row]] = {key: [] for key in keys}
        for key, row in self.load():
            if key in found:
                found[key].append(row)
        return found

    def content(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        return {place: {c: v for c, v in row.items() if c not in LINEAGE_NAMES} for place, row in self.rows.items()}


@dataclass
class Job:
    """The lake job's memory of one table, and its batches."""

    table: Table
    log: KeyedLog

    @classmethod
    def start(cls, table: Table) -> Job:
        return cls(table, KeyedLog(table.entity, table.load))

    def batch(self, contributions: Sequence[Contribution], looked: Sequence[Key] = ()) -> None:
        if looked:
            self.log.look(self.table.of(looked))
        self.table.append(self.log.apply(contributions, looked).rows)
        self.log.commit()


def record(topic: str, offset: int) -> Record:
    return Record(topic, 0, offset, T0 + offset, None, None)


def customer(number: int, op: str, lsn: int, city: str, points: int, offset: int) -> list[Contribution]:
    row = {"customer_id": number, "email": None, "full_name": "n", "city": city, "country": "NO", "tier": "gold", "points": points}
    row |= {"marketing_consent": True, "last_login_at": None}
    source = {"lsn": lsn, "sequence": json.dumps([str(lsn - 1), str(lsn)]), "ts_us": T0 + lsn}
    envelope = {"op": op, "before": row, "after": None if op == "d" else row, "source": source}
    try:
        return CUSTOMERS.read(record(CUSTOMERS_TOPIC.name, offset), {"customer_id": number}, envelope)
    except RejectedError:
        return []


def sale(number: int, kind: str, lsn: int, quantity: int, offset: int) -> list[Contribution]:
    order_id, source = f"o{number}", {"lsn": lsn, "sequence": None, "ts_us": T0 + lsn}
    if kind == "web":
        line = {"line_no": 1, "product_id": 5, "quantity": quantity, "unit_price": "2.00", "discount": "0"}
        event = {
            "event_id": f"e{lsn}",
            "order_id": order_id,
            "customer_id": 7,
            "event_ts": T0 + lsn,
            "currency": "EUR",
            "campaign_id": None,
        }
        return SALES.read(record(ORDER_EVENTS.name, offset), None, {**event, "lines": [line]})
    if kind == "order":
        row = {"order_id": order_id, "customer_id": 7, "status": f"s{lsn}", "currency": "EUR", "ordered_at": "2026-02-01T00:00:00Z"}
        return SALES.read(record(ORDERS.name, offset), None, {"op": "u", "before": None, "after": row, "source": source})
    row = {"order_id": order_id, "line_no": 1, "product_id": 5, "quantity": quantity, "unit_price": "3.00", "discount": "0"}
    gone = kind == "gone"
    change = {"op": "d" if gone else "u", "before": row, "after": None if gone else row, "source": source}
    return SALES.read(record(ORDER_ITEMS.name, offset), None, change)


changes = st.tuples(st.integers(1, 3), st.sampled_from("cuud"), st.integers(1, 12), st.sampled_from(("Oslo", "Rome")), st.integers(0, 2))
sales = st.tuples(st.integers(1, 3), st.sampled_from(("web", "order", "item", "gone")), st.integers(1, 12), st.integers(1, 3))
steps = st.lists(
    st.tuples(st.sampled_from(("batch", "batch", "gap", "backfill", "restart")), st.integers(0, 2**16)), min_size=4, max_size=14
)


def differences(entity: Entity, received: list[list[Contribution]], order: list[tuple[str, int]]) -> tuple[Table, Table]:
    """The table that went through the steps and a last backfill, and a clean rebuild."""
    waiting, there = list(received), list[Contribution]()
    table = Table(entity)
    job = Job.start(table)
    for step, dice in order:
        if step == "batch" and waiting:
            taken, waiting = waiting[: 1 + dice % 3], waiting[1 + dice % 3 :]
            there += [c for found in taken for c in found]
            job.batch([c for found in taken for c in found])
        elif step == "gap":
            for n, place in enumerate(list(table.rows)):
                if dice >> (n % 16) & 1:
                    del table.rows[place]
        elif step == "backfill":  # of some keys, from what was received; live records may come with it
            keys = [key for n, key in enumerate(dict.fromkeys(c.key for c in there)) if dice >> (n % 16) & 1]
            live, waiting = waiting[:1], waiting[1:]
            there += [c for found in live for c in found]
            again = [c for c in there if c.key in keys]
            job.batch([*(c for found in live for c in found), *again], keys)
        elif step == "restart":
            job = Job.start(table)
    job.batch([c for found in waiting for c in found])
    everything = [c for found in received for c in found]
    job.batch(everything, list(dict.fromkeys(c.key for c in everything)))
    before = dict(table.rows)
    job.batch(everything, list(dict.fromkeys(c.key for c in everything)))
    assert table.rows == before  # twice is once
    clean = Table(entity)
    Job.start(clean).batch(everything)
    return table, clean


@settings(max_examples=150, deadline=None)
@given(st.lists(changes, min_size=1, max_size=12), steps)
def test_histories(said: list[tuple[Any, ...]], order: list[tuple[str, int]]) -> None:
    table, clean = differences(CUSTOMERS, [customer(*change, offset) for offset, change in enumerate(said)], order)
    assert table.content() == clean.content()


@settings(max_examples=150, deadline=None)
@given(st.lists(sales, min_size=1, max_size=12), steps)
def test_sales(said: list[tuple[Any, ...]], order: list[tuple[str, int]]) -> None:
    table, clean = differences(SALES, [sale(*change, offset) for offset, change in enumerate(said)], order)
    assert table.content() == clean.content()


NEVER = ("[]", "[1, 2, 3, 4]", "{}", "[1.5]", "[true]", "nan", "[" * 5000, "2026-13-01", f"[{2**70}]", str(2**70))


@pytest.mark.parametrize("table", [t for t in AGAIN if t.name in KEYED or t.name in SUMMED or t in CALENDAR], ids=lambda t: t.entity)
@pytest.mark.parametrize("key", NEVER, ids=range(len(NEVER)))
def test_a_slice_of_a_key_that_cannot_be_is_rejected(table: Any, key: str) -> None:
    with pytest.raises(RejectedError, match="bad_value"):
        Slice.read(Slice("r", 0, "", table, (key,), (Place("t", 0, 1),)).as_value())


def test_keys_are_read_back_as_they_were_written() -> None:
    row = {"customer_id": 7, "op": "u", "seq_ord": 1}
    assert key_text(CUSTOMERS.table, row) == "[7]"
    assert Slice("r", 0, "", CUSTOMERS.table, ("[7]",), ()).parsed_keys() == [(7,)]
    assert Slice("r", 0, "", SALES.table, ('["ö"]',), ()).parsed_keys() == [("ö",)]
    assert set(KEYED) <= {t.name for t in AGAIN}
