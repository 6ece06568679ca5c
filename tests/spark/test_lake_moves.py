"""Moves of sales when the job is killed between two commits of a batch. What Kafka would hand to it is made here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lake_bazaar import START_US, STEP_US, Bazaar, moment
from lake_moves import differences
from lake_records import CUSTOMER_ID, ITEM_ID, OLTP_ORDER_ID, SCHEMAS, Sent, envelope

from commerce360.conformance.spark import FRAME, Plan
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.reconcile import moves
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, FCT_SALES_MOVES, RECORDS, TABLES
from stream_jobs.batch import Batch, Done
from stream_jobs.dimensions import CUSTOMERS, PRODUCTS, Dimension
from stream_jobs.entity import Record
from stream_jobs.folds import Folds
from stream_jobs.rebuild import rebase
from stream_jobs.sales import SALES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

MOVES = FCT_SALES_MOVES.name
GOLD = (MOVES, DIM_CUSTOMER.name, DIM_PRODUCT.name, FCT_SALES.name)
POINTS = (RECORDS.name, "bronze.dead_letters", *GOLD, BATCHES.name)
BY_POINTS = Dimension(
    DIM_CUSTOMER, CUSTOMERS.topics, replace(CUSTOMERS.roles, tracked=(*CUSTOMERS.roles.tracked, "points"), in_place=("last_login_at",))
)


class CrashError(Exception):
    """Stands for the end of the process."""


class Job:
    """The job's batches; `point` names the commit behind which the next one is killed. After that only the tables know anything."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        self.spark = spark
        self.settings = LakeSettings(root=str(root / "lake"))
        self.lake, self.plan = Lake(self.settings), Plan()
        for table in TABLES:
            self.lake.create(table)
        self.batch: Batch | None = None
        self.next, self.point, self.offset = 0, "", 0
        self.start()

    def start(self, customers: Dimension = CUSTOMERS, again: bool = False) -> None:
        """As the job starts; `again`: with the history of customers folded again, since somebody approved its roles."""
        self.stop()
        folds = Folds(Lake(self.settings), SCHEMAS.get, (customers, PRODUCTS, SALES))
        if again:
            rebase(self.lake, folds, customers)
        self.batch = Batch(Lake(self.settings), self.plan, folds, SCHEMAS.get, self._reached)

    def stop(self) -> None:
        if self.batch is not None:
            self.batch.threads.shutdown()

    def run(self, records: Sequence[Record], point: str = "") -> Done | None:
        """The batch; None when it did not get to its end. The next call is the next batch, or this one again."""
        assert self.batch is not None
        self.point = point
        self.plan.note(self.next, {r.topic: {0: self.next + 1} for r in records})
        rows = [(r.topic, r.partition, r.offset, moment(r.timestamp_us), [], r.key, r.value) for r in records]
        try:
            done = self.batch(self.spark.createDataFrame(rows, FRAME), self.next)
        except CrashError:
            return None
        self.next += 1
        return done

    def sends(self, *sent: Sent, point: str = "") -> Done | None:
        self.offset += len(sent)
        return self.run([Record(topic, 0, self.offset - n, START_US, key, value) for n, (topic, key, value) in enumerate(sent)], point)

    def moves(self) -> list[tuple[str, str, str, int]]:
        rows = self.lake.query(FCT_SALES_MOVES, "SELECT * FROM fct_sales_moves ORDER BY batch_id").to_pylist()
        return [(r["from_match"], r["to_match"], r["cause"], r["batch_id"]) for r in rows]

    def _reached(self, table: str, batch_id: int) -> None:
        if table == self.point:
            self.point = ""
            raise CrashError(table)


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path) -> Iterator[Job]:
    made = Job(spark, tmp_path)
    yield made
    made.stop()


def at(instant: int) -> int:
    return START_US + instant * STEP_US


def customer(lsn: int, city: str, instant: int, points: int = 0) -> Sent:
    row = {"customer_id": 7, "email": None, "full_name": "n", "city": city, "country": "NO", "tier": "gold", "marketing_consent": True}
    row |= {"points": points, "last_login_at": None, "created_at": "2026-01-01T00:00:00Z"}
    return envelope(CUSTOMER_ID, {"customer_id": 7}, None, row, "u", lsn, at(instant))


def order(lsn: int, instant: int) -> Sent:
    row = {"order_id": "o", "customer_id": 7, "status": "paid", "currency": "EUR", "campaign_id": None}
    row |= {"ordered_at": moment(at(instant)).isoformat()}
    return envelope(OLTP_ORDER_ID, {"order_id": "o"}, None, row, "u", lsn, at(instant))


def line(lsn: int) -> Sent:
    row = {"order_id": "o", "line_no": 1, "product_id": 5, "quantity": 1, "unit_price": "3.00", "discount": "0.00", "unit_cost": None}
    return envelope(ITEM_ID, {"order_id": "o", "line_no": 1}, None, row, "u", lsn, at(0))


def test_killed_behind_any_commit_each_move_is_told_once_in_its_batch(job: Job) -> None:
    bazaar, killed = Bazaar(3), list[str]()
    for point in ("", *POINTS):
        records = [*bazaar.records(25), bazaar.record("oltp.sales.customers", b"k", b"no frame")]
        while job.run(records, point) is None:
            killed.append(point)
            point = MOVES if point == "bronze.dead_letters" else ""  # its repetition is killed too
            job.start()
    assert killed == [*POINTS[:2], MOVES, *POINTS[2:]]
    assert differences(job.lake) == []
    found = {t: job.lake.query(t, f"SELECT * FROM {t.entity}").to_pylist() for t in (DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, FCT_SALES_MOVES)}
    told = found.pop(FCT_SALES_MOVES)
    assert len(told) > 30
    assert sorted(map(repr, told)) == sorted(map(repr, moves.of_logs(found)))


def test_a_batch_that_moves_nothing_moves_nothing_when_it_is_repeated_half_way(job: Job) -> None:
    """The customer's new version would take the sale, but the same batch gives the sale another time."""
    job.sends(customer(100, "Oslo", 0), order(200, 5), line(210))
    sent = (customer(150, "Rome", 4), order(220, 3))
    assert job.sends(*sent, point=DIM_CUSTOMER.name) is None
    job.start()
    job.sends(*sent)
    assert job.moves() == []
    assert differences(job.lake) == []


@pytest.mark.parametrize("point", [RECORDS.name, *GOLD[:2], BATCHES.name])
def test_a_history_that_is_folded_again_tells_its_moves_once(job: Job, point: str) -> None:
    job.sends(customer(100, "Oslo", 0), customer(150, "Oslo", 5, points=9), order(200, 10), line(210))
    job.start(BY_POINTS, again=True)
    late = customer(160, "Oslo", 6, points=10)
    assert job.sends(late, point=point) is None
    job.start(BY_POINTS, again=True)
    job.sends(late)
    job.sends(customer(300, "Oslo", 30))
    assert job.moves() == [("exact", "exact", "dimension", 1)]
    assert differences(job.lake) == []


def test_roles_that_come_while_a_batch_is_half_written_wait_for_its_end(job: Job) -> None:
    job.sends(customer(100, "Oslo", 0), customer(150, "Oslo", 5, points=9), order(200, 10), line(210))
    news = customer(300, "Rome", 8, points=9)
    assert job.sends(news, point=MOVES) is None
    job.start(BY_POINTS, again=True)
    with pytest.raises(ConfigError, match=r"batch 1 was begun with other column roles of gold\.dim_customer"):
        job.sends(news)
    job.start()
    job.sends(news)
    job.start(BY_POINTS, again=True)
    job.sends(customer(310, "Rome", 9, points=9))
    assert differences(job.lake) == []


def test_a_batch_that_is_whole_leaves_new_roles_to_the_next(job: Job) -> None:
    job.sends(customer(100, "Oslo", 0), customer(150, "Oslo", 5, points=9), order(200, 10), line(210))
    news = customer(300, "Oslo", 20, points=9)
    assert job.sends(news, point=BATCHES.name) is None
    job.start(BY_POINTS, again=True)
    job.sends(news)
    assert job.moves() == []
    job.sends(news)
    assert job.moves() == [("exact", "exact", "roles", 2)]
    assert differences(job.lake) == []
