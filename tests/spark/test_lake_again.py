"""Backfills through the lake job's own hands: gaps that somebody made in any table, found and repaired beside live records."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from lake_job import job_settings, send
from lake_records import BACKFILL_ID, Shop, framed
from lake_servers import Broker, Registry
from lake_truth import differences

from commerce360.backfill.calendar import Calendar
from commerce360.backfill.derived import Derived
from commerce360.backfill.found import Days, slices
from commerce360.backfill.received import Bronze
from commerce360.lake import Lake
from commerce360.settings import Settings
from schemas.columns import Table
from schemas.marts import MART_REVENUE_MINUTE
from schemas.tables import BACKFILLS, DIM_CUSTOMER, FCT_SALES, SENTIMENTS
from schemas.topics import BACKFILL
from stream_jobs import calendar
from stream_jobs.batch import Batch, Done
from stream_jobs.checkpoint import Checkpoint
from stream_jobs.folds import Folds
from stream_jobs.job import prepare_tables, start_query
from stream_jobs.slices import AGAIN, Slice
from stream_jobs.values import literal
from stream_jobs.view360.view import TABLES as VIEWED
from stream_jobs.view360.view import View
from stream_jobs.wire import Decoder, RegistrySchemas

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

pytestmark = pytest.mark.spark
DATES = [dt.date(2026, 2, 1), dt.date(2026, 2, 3), dt.date(2026, 9, 21), dt.date(2026, 12, 25)]
TESTED = tuple(t for t in AGAIN if t is not SENTIMENTS)  # the shop of these tests scores nothing


@contextmanager
def running(session: SparkSession, settings: Settings) -> Iterator[tuple[StreamingQuery, list[Done]]]:
    """The lake job's query; its folds and its view stay in memory all the time."""
    lake, checkpoint, schemas = Lake(settings.lake), Checkpoint(settings.lake), RegistrySchemas(settings.registry)
    prepare_tables(lake, checkpoint)
    folds = Folds(Lake(settings.lake), schemas)
    batch = Batch(lake, checkpoint, folds, schemas, view=View(Lake(settings.lake), folds.logs))
    finished: list[Done] = []

    def run(frame: DataFrame, batch_id: int) -> None:
        finished.append(batch(frame, batch_id))

    query = start_query(session, settings, run)
    try:
        yield query, finished
    finally:
        query.stop()
        batch.threads.shutdown()


def find(settings: Settings, table: Table) -> Days:
    lake = Lake(settings.lake)
    upto = int((lake.last_batch() or {})["batch_id"])
    if table in VIEWED:
        return Derived(lake, upto).find(table, DATES)
    if table in calendar.TABLES:
        return Calendar(lake, settings.calendar, upto).find(table, DATES)
    return Bronze(lake, Decoder(RegistrySchemas(settings.registry)), upto).find(table, DATES)


def differing(settings: Settings) -> dict[str, int]:
    """How many keys differ, by table."""
    found = {t.name: sum(len(f.differing) for f in find(settings, t).values()) for t in TESTED}
    return {name: count for name, count in found.items() if count}


def ask(settings: Settings, run_id: str) -> int:
    """Slices for all that differs; how many."""
    made: list[Slice] = []
    for table in TESTED:
        for day, found in find(settings, table).items():
            made += slices(run_id, table, day, found.differing, len(made))
    send(settings, [(BACKFILL.name, run_id.encode(), framed(BACKFILL_ID, s.as_value())) for s in made])
    return len(made)


def plant(settings: Settings, rng: random.Random) -> dict[str, int]:
    """Take some rows out of every table; how many."""
    lake, gone = Lake(settings.lake), {}
    for table in TESTED:
        key = "currency" if table is MART_REVENUE_MINUTE else table.key[0]
        rows = lake.query(table, f"SELECT DISTINCT {key} AS key FROM {table.entity} WHERE {key} IS NOT NULL").to_pylist()
        values = sorted(row["key"] for row in rows)
        taken = rng.sample(values, max(1, len(values) // 3))
        if table in calendar.TABLES:
            taken = [int(d.strftime("%Y%m%d")) for d in DATES[2:]]
        gone[table.name] = int(lake.delta(table).delete(f"{key} IN ({', '.join(map(literal, taken))})")["num_deleted_rows"])
    return gone


@pytest.mark.parametrize("restarted", [False, True])
def test_gaps_in_every_table_are_repaired_and_a_second_backfill_asks_for_nothing(
    spark: SparkSession, tmp_path: Path, broker: Broker, registry: Registry, restarted: bool
) -> None:
    """`restarted`: the job read the damaged tables at a start, else it still believes what it wrote."""
    shop, settings, rng = Shop(seed=21), job_settings(tmp_path, broker, registry), random.Random(4)
    with running(spark, settings) as (query, _):
        send(settings, [*shop.some(150), *shop.each(), *shop.each()])
        query.processAllAvailable()
        assert differing(settings) == {}
        gone = plant(settings, rng)
        assert all(gone.values())
        asked = 0
        if not restarted:
            damaged = differing(settings)
            assert damaged.keys() >= {FCT_SALES.name, DIM_CUSTOMER.name, "silver.clickstream", "silver.reviews", "gold.dim_date"}
            for attempt in range(2):  # what follows from a damaged table is seen once that one is repaired
                asked += ask(settings, f"run {attempt}")
                send(settings, [*shop.some(40), *shop.each()])  # live records in the same batches
                query.processAllAvailable()
    if restarted:
        for attempt in range(2):
            with running(spark, settings) as (query, _):
                asked += ask(settings, f"run {attempt}")
                send(settings, [*shop.some(40), *shop.each()])
                query.processAllAvailable()
    lake = Lake(settings.lake)
    assert differing(settings) == {}
    assert differences(lake, settings.kafka, shop) == []
    served = lake.query(BACKFILLS, "SELECT * FROM backfills").to_pylist()
    assert len(served) == asked
    assert sum(row["changed"] for row in served) > 0
    assert not any(row["rejected"] for row in served)
