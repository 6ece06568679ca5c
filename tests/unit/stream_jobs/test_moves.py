from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lake_bazaar import START_US, STEP_US, Bazaar, moment
from lake_moves import unequal
from lake_records import CUSTOMER_ID, ITEM_ID, OLTP_ORDER_ID, PRODUCT_ID, SCHEMAS, Sent, envelope

from commerce360.lake import Lake
from commerce360.reconcile import moves as reconcile
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BY_NAME, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, FCT_SALES_MOVES, RECORDS, Table
from stream_jobs.dimensions import CUSTOMERS, PRODUCTS, Dimension
from stream_jobs.entity import Entity, Record, Row
from stream_jobs.folds import Folds
from stream_jobs.rebuild import rebase
from stream_jobs.sales import SALES
from stream_jobs.scd2.fold import version_key

GOLD = (DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES)
DEFAULT: tuple[Entity, ...] = (CUSTOMERS, PRODUCTS, SALES)


class Job:
    """Batches over the folds, with the rows that each of them adds. `start` makes new folds from what the tables hold."""

    def __init__(self, root: Path, entities: tuple[Entity, ...] = DEFAULT) -> None:
        self.lake = Lake(LakeSettings(root=str(root)))
        for table in (*GOLD, RECORDS):
            self.lake.create(table)
        self.logs: dict[Table, list[Row]] = {t: [] for t in GOLD}
        self.moves: list[Row] = []
        self.batches = 0
        self._unwritten: dict[Table, list[Row]] = {t: [] for t in (*GOLD, RECORDS)}
        self.start(entities)

    def start(self, entities: tuple[Entity, ...] = DEFAULT) -> None:
        for table, rows in self._unwritten.items():
            if rows:
                self.lake.append(table, rows, "q", self.batches)
                rows.clear()
        self.folds = Folds(self.lake, SCHEMAS.get, entities)

    def batch(self, records: list[Record]) -> list[Row]:
        """The moves of the batch."""
        folded = self.folds.apply(records)
        self._unwritten[RECORDS] += [received(r, self.batches) for r in records]
        for table, rows in folded.rows.items():
            made = [{**row, "batch_id": self.batches} for row in rows]
            self.logs[BY_NAME[table.name]] += made
            self._unwritten[BY_NAME[table.name]] += made
        self.moves += [{**move, "batch_id": self.batches} for move in folded.moves]
        self.folds.commit()
        self.batches += 1
        return folded.moves

    def sends(self, *sent: Sent) -> list[Row]:
        return self.batch([Record(topic, 0, self.batches * 100 + n, START_US, k, v) for n, (topic, k, v) in enumerate(sent)])

    def problems(self) -> list[str]:
        return unequal(self.logs, self.moves, range(self.batches))

    def told_again(self) -> list[str]:
        """Rows in which the log and reconciliation, which tells the moves from the other logs, differ in any column."""
        names = [c.name for c in FCT_SALES_MOVES.columns]
        ours = Counter(repr([m[c] for c in names]) for m in self.moves)
        theirs = Counter(repr([m[c] for c in names]) for m in reconcile.of_logs(self.logs))
        return [*(ours - theirs).elements(), *(theirs - ours).elements()]


def received(record: Record, batch_id: int) -> Row:
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    return {**place, "kafka_ts": moment(record.timestamp_us), "headers": [], "key": record.key, "value": record.value, "batch_id": batch_id}


def with_roles(dimension: Dimension, **settings: Any) -> Dimension:
    return Dimension(dimension.table, dimension.topics, replace(dimension.roles, **settings))


def at(instant: int) -> int:
    return START_US + instant * STEP_US


def customer(lsn: int, city: str, instant: int, number: int = 7, op: str = "u") -> Sent:
    row = {"customer_id": number, "email": None, "full_name": "n", "city": city, "country": "NO", "tier": "gold", "marketing_consent": True}
    row |= {"points": lsn, "last_login_at": None, "created_at": "2026-01-01T00:00:00Z"}
    gone = op == "d"
    return envelope(CUSTOMER_ID, {"customer_id": number}, row if gone else None, None if gone else row, op, lsn, at(instant))


def product(lsn: int, category: str, instant: int) -> Sent:
    row = {"product_id": 5, "sku": "s", "name": "n", "description": None, "category": category, "price": "1.00", "cost": None}
    return envelope(
        PRODUCT_ID, {"product_id": 5}, None, {**row, "active": True, "created_at": "2026-01-01T00:00:00Z"}, "u", lsn, at(instant)
    )


def header(lsn: int, instant: int, customer_id: int = 7, op: str = "u") -> Sent:
    row = {"order_id": "o", "customer_id": customer_id, "status": "paid", "currency": "EUR", "campaign_id": None}
    row |= {"ordered_at": moment(at(instant)).isoformat()}
    gone = op == "d"
    return envelope(OLTP_ORDER_ID, {"order_id": "o"}, row if gone else None, None if gone else row, op, lsn, at(instant))


def item(lsn: int, product_id: int = 5) -> Sent:
    row = {"order_id": "o", "line_no": 1, "product_id": product_id, "quantity": 1, "unit_price": "3.00", "discount": "0.00"}
    return envelope(ITEM_ID, {"order_id": "o", "line_no": 1}, None, {**row, "unit_cost": None}, "u", lsn, at(0))


def told(moves: list[Row]) -> list[tuple[Any, ...]]:
    """(dimension, match before, match now, cause, its position)"""
    return [(m["dimension"], m["from_match"], m["to_match"], m["cause"], m["cause_seq_pos"]) for m in moves]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_the_log_says_of_each_batch_which_sales_moved(job: Job, seed: int):
    bazaar = Bazaar(seed)
    for number in range(30):
        job.batch(bazaar.records(12))
        if number % 10 == 9:
            job.start()
    assert job.problems() == []
    assert job.told_again() == []
    assert Counter(m["cause"] for m in job.moves).keys() == {"dimension", "fact"}
    assert len(job.moves) > 50


def test_other_settings_of_a_history_move_sales_as_well(tmp_path: Path):
    entities = (with_roles(CUSTOMERS, truncate="close"), with_roles(PRODUCTS, truncate="close", delete="mark"), SALES)
    job, bazaar = Job(tmp_path, entities), Bazaar(9)
    for number in range(16):
        job.batch([*bazaar.records(12), *([bazaar.truncate(CUSTOMER_ID), bazaar.truncate(PRODUCT_ID)] if number in (5, 11) else [])])
    assert job.problems() == []
    assert job.told_again() == []
    assert "t" in {m["cause_op"] for m in job.moves}


def test_a_late_change_moves_the_sales_behind_it_and_is_their_cause(job: Job):
    job.sends(customer(100, "Oslo", 0), header(200, 10), item(210))
    [move] = job.sends(customer(150, "Rome", 5))
    record = f"oltp.sales.customers/0/{(job.batches - 1) * 100}"
    assert {k: move[k] for k in ("order_id", "line_no", "dimension", "source_key")} == {
        "order_id": "o", "line_no": 1, "dimension": "dim_customer", "source_key": 7,
    }  # fmt: skip
    assert (move["from_version_key"], move["to_version_key"]) == (version_key((7,), at(0)), version_key((7,), at(5)))
    assert (move["cause"], move["cause_op"], move["cause_seq_pos"], move["cause_seq_ord"]) == ("dimension", "u", 150, 150)
    assert (move["fact_ts"], move["event_ts"], move["origin"]) == (moment(at(10)), moment(at(5)), record)
    assert job.sends(customer(300, "Lima", 20)) == []  # behind the sale
    assert job.sends(customer(160, "Rome", 6)) == []  # no version


def test_a_customer_who_comes_late_takes_over_from_the_inferred_row_and_an_earlier_start_from_that(job: Job):
    job.sends(header(200, 10), item(210))
    [move] = job.sends(customer(100, "Oslo", 15))
    assert (move["from_match"], move["to_match"]) == ("inferred", "early")
    assert (move["from_version_key"], move["to_version_key"]) == (version_key((7,), None), version_key((7,), at(15)))
    assert told(job.sends(customer(90, "Oslo", 12))) == [("dim_customer", "early", "early", "dimension", 90)]
    assert told(job.sends(customer(80, "Oslo", 5))) == [("dim_customer", "early", "exact", "dimension", 80)]
    assert told(job.sends(customer(85, "Oslo", 8, op="d"))) == [("dim_customer", "exact", "gap", "dimension", 85)]


def test_a_product_without_versions_has_no_key(job: Job):
    job.sends(header(200, 10), item(210))
    [move] = job.sends(product(100, "toys", 0))
    assert (move["from_match"], move["from_version_key"], move["to_match"]) == ("inferred", None, "exact")


def test_a_sale_that_names_another_customer_or_time_has_moved_by_itself(job: Job):
    job.sends(customer(100, "Oslo", 0), customer(150, "Rome", 5), header(200, 10), item(210))
    [move] = job.sends(header(220, 3))
    assert (move["cause"], move["cause_op"], move["fact_ts"]) == ("fact", None, moment(at(3)))
    assert move["origin"].startswith("oltp.sales.orders/")
    [move] = job.sends(header(230, 3, customer_id=8))
    assert (move["cause"], move["source_key"], move["from_match"], move["to_match"]) == ("fact", 8, "exact", "inferred")
    [move] = job.sends(product(100, "toys", 0))
    [move] = job.sends(item(240, product_id=6))
    assert (move["dimension"], move["cause"], move["source_key"]) == ("dim_product", "fact", 6)
    assert move["origin"].startswith("oltp.sales.order_items/")


def test_a_sale_that_comes_or_goes_has_not_moved(job: Job):
    job.sends(customer(100, "Oslo", 0), header(200, 10))
    assert job.sends(item(210)) == []
    assert job.sends(header(220, 10, op="d"), customer(150, "Rome", 5)) == []
    assert job.sends(header(230, 10)) == []
    assert told(job.sends(customer(160, "Lima", 6))) == [("dim_customer", "exact", "exact", "dimension", 160)]


def test_what_was_not_written_is_told_again(job: Job):
    job.sends(customer(100, "Oslo", 0), header(200, 10), item(210))
    job.start()
    late = Record(customer(150, "Rome", 5)[0], 0, 900, START_US, *customer(150, "Rome", 5)[1:])
    first = job.folds.apply([late]).moves
    job.folds.discard()
    assert told(first) == [("dim_customer", "exact", "exact", "dimension", 150)]
    assert job.folds.apply([late]).moves == first


def test_a_history_that_is_folded_again_moves_sales_with_the_batch_that_brings_it(job: Job):
    """Its records are in bronze already when the batch is tried again: they still are what is new in it."""
    job.sends(customer(100, "Oslo", 0), customer(150, "Oslo", 5), header(200, 10), item(210))
    by_points = with_roles(CUSTOMERS, tracked=(*CUSTOMERS.roles.tracked, "points"), in_place=("last_login_at",))
    job.start((by_points, PRODUCTS, SALES))
    rebase(job.lake, job.folds, by_points)
    assert told(job.sends(product(100, "toys", 0))) == [
        ("dim_customer", "exact", "exact", "roles", None),
        ("dim_product", "inferred", "exact", "dimension", 100),
    ]
    assert job.problems() == []
    assert job.told_again() == []
    job.start((by_points, PRODUCTS, SALES))
    assert told(job.sends(customer(160, "Oslo", 6))) == [("dim_customer", "exact", "exact", "dimension", 160)]
    assert job.problems() == []


def test_histories_without_sales_have_no_moves(job: Job):
    job.start((CUSTOMERS, PRODUCTS))
    assert job.folds.moves is None
    assert job.sends(customer(100, "Oslo", 0), customer(150, "Rome", 5)) == []
