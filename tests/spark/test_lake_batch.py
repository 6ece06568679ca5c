from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import stamina
from confluent_kafka import Producer
from lake_job import drain, job_settings, send
from lake_moves import differences as moves_that_differ
from lake_records import CHANGE_STREAM, SCHEMAS, Shop, change_event, envelope
from lake_servers import Broker, Registry
from lake_truth import bronze_positions, differences, doubled

from commerce360.lake import Lake
from commerce360.settings import Settings
from schemas.tables import BATCHES, CLICKSTREAM, DEAD_LETTERS, DIM_CUSTOMER, FCT_SALES
from schemas.tables import RECORDS as BRONZE
from stream_jobs import bronze

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def rows(lake: Lake, sql: str, table: object = DEAD_LETTERS) -> list[dict]:
    return lake.query(table, sql).to_pylist()


def test_whatever_the_cuts_the_lake_says_what_the_shop_says(
    spark: SparkSession, tmp_path: Path, broker: Broker, registry: Registry
) -> None:
    shop, settings = Shop(seed=11), job_settings(tmp_path, broker, registry, max_offsets=60)
    for count in (120, 7, 60):  # the job is stopped and started between
        send(settings, [*shop.some(count), *shop.each()])
        assert drain(spark, settings)
    lake = Lake(settings.lake)
    assert differences(lake, settings.kafka, shop) == []
    assert doubled(lake) == []
    assert moves_that_differ(lake) == []
    assert len(lake.batches()) >= 5
    assert len(shop.bad) > 3


class CrashError(Exception):
    """Stands for the end of the process."""


POINTS = ("bronze.records", "bronze.dead_letters", "silver.clickstream", "silver.reviews")
POINTS += ("gold.fct_sales_moves", "gold.dim_customer", "gold.dim_product", "gold.fct_sales")
POINTS += ("gold.fct_page_events", "gold.mart_customer_360", "ops.batches")


def test_a_batch_that_failed_behind_any_commit_is_made_whole(spark: SparkSession, settings: Settings) -> None:
    shop, lake = Shop(seed=5), Lake(settings.lake)
    failed: dict[str, int] = {}
    for point in POINTS:

        def reached(table: str, batch_id: int, point: str = point) -> None:
            if table == point and batch_id not in failed.values():
                failed[point] = batch_id
                raise CrashError(point)

        send(settings, [*shop.some(20), *shop.each()])
        with pytest.raises(Exception, match="CrashError"):  # repeats the batch that failed before, then fails in the next one
            drain(spark, settings, reached)
    assert list(failed) == list(POINTS)
    assert drain(spark, settings)
    assert differences(lake, settings.kafka, shop) == []
    assert doubled(lake) == []
    assert moves_that_differ(lake) == []


def test_gold_that_is_ahead_of_bronze_waits_for_it(spark: SparkSession, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, lake = Shop(seed=6), Lake(settings.lake)

    def disk_full(*_: object) -> None:
        raise OSError("no space left")

    send(settings, shop.each())
    with monkeypatch.context() as patch:
        patch.setattr(bronze, "append", disk_full)
        with pytest.raises(Exception, match="no space left"):
            drain(spark, settings)
    assert rows(lake, "SELECT * FROM fct_sales", FCT_SALES)
    assert lake.last_batch() is None
    drain(spark, settings)
    assert differences(lake, settings.kafka, shop) == []
    assert doubled(lake) == []


def test_a_bad_record_is_kept_with_its_reason_and_its_neighbours_go_on(spark: SparkSession, settings: Settings) -> None:
    shop, lake = Shop(seed=7), Lake(settings.lake)
    after = {"customer_id": 3, "email": None, "full_name": "n", "city": "Oslo", "country": "NO", "tier": "gold"}
    after |= {"marketing_consent": True, "points": 1, "last_login_at": "yesterday", "created_at": "2026-01-01T00:00:00Z"}
    late = envelope(2, {"customer_id": 3}, None, after, "c", 50, 1_790_000_000_000_000)
    made = [sent for _ in range(60) for sent in shop.spoiled()]
    send(settings, [*made, late, *shop.some(10)])
    [done] = drain(spark, settings)
    shop.bad["oltp.sales.customers", "bad_value"] += 1
    assert len(shop.bad) == 9
    assert done.rejected == shop.bad.total()
    assert differences(lake, settings.kafka, shop) == []
    letters = rows(lake, 'SELECT topic, "partition", "offset", key, value FROM dead_letters')
    received = rows(lake, 'SELECT topic, "partition", "offset", key, value FROM records', BRONZE)
    assert Counter(map(repr, letters)) <= Counter(map(repr, received))


def test_a_schema_that_appears_while_the_job_runs_is_looked_up(spark: SparkSession, settings: Settings, registry: Registry) -> None:
    lake = Lake(settings.lake)
    evolved = {**CHANGE_STREAM, "fields": [*CHANGE_STREAM["fields"], {"name": "wallTime", "type": ["null", "string"], "default": None}]}
    topic, key, value = change_event("web.shop.clickstream", "k2", "insert", {"event_type": "cart"}, (9, 2))
    newer = b"\0\0\0\0\x10" + value[5:] + b"\0"

    def register(table: str, batch_id: int) -> None:
        registry.schemas[16] = evolved
        if (table, batch_id) == (BATCHES.name, 0):
            send(settings, [(topic, key, newer), (topic, b"x", b"\0\0\0\0\x11" + value[5:])])

    send(settings, [change_event("web.shop.clickstream", "k1", "insert", {"event_type": "view"}, (9, 1))])
    drain(spark, settings, register)
    assert {r["event_id"]: r["event_type"] for r in lake.newest(CLICKSTREAM).to_pylist()} == {"k1": "view", "k2": "cart"}
    assert [(r["reason"], r["detail"]) for r in rows(lake, "SELECT * FROM dead_letters")] == [
        ("unknown_schema", "the value names schema 17")
    ]


def test_a_registry_that_is_down_stops_the_batch_and_loses_nothing(
    spark: SparkSession, tmp_path: Path, broker: Broker, registry: Registry
) -> None:
    shop, settings = Shop(seed=8), job_settings(tmp_path, broker, registry)
    send(settings, shop.each())
    away = Registry(SCHEMAS)
    away.stop()
    with stamina.set_testing(True), pytest.raises(Exception, match="does not answer"):
        drain(spark, job_settings(tmp_path, broker, away))
    lake = Lake(settings.lake)
    assert rows(lake, "SELECT * FROM dead_letters") == []
    drain(spark, settings)
    assert differences(lake, settings.kafka, shop) == []
    assert doubled(lake) == []


def test_a_batch_of_aborted_records_alone_is_complete_and_empty(spark: SparkSession, settings: Settings) -> None:
    lake = Lake(settings.lake)
    producer = Producer(settings.kafka.client(**{"transactional.id": "t"}))
    producer.init_transactions()
    producer.begin_transaction()
    for topic, key, value in Shop().each():
        producer.produce(topic, key=key, value=value)
    producer.flush()
    producer.abort_transaction()
    assert {(d.records, d.rejected) for d in drain(spark, settings)} == {(0, 0)}
    assert bronze_positions(lake) == Counter()
    assert {r["records"] for r in lake.batches()} == {0}


def test_a_changed_key_links_both_histories(spark: SparkSession, settings: Settings) -> None:
    """As Debezium tells it: a delete of the old key and an insert of the new one, each with a header."""
    lake = Lake(settings.lake)
    row = {"customer_id": 1, "email": None, "full_name": "n", "city": "Oslo", "country": "NO", "tier": "gold", "marketing_consent": True}
    row |= {"points": 1, "last_login_at": None, "created_at": "2026-01-01T00:00:00Z"}
    moved, at = {**row, "customer_id": 2}, 1_790_000_000_000_000
    producer = Producer(settings.kafka.client())
    for (topic, key, value), headers in (
        (envelope(2, {"customer_id": 1}, None, row, "c", 10, at), []),
        (envelope(2, {"customer_id": 1}, row, None, "d", 20, at + 5), [("__debezium.newkey", b"Struct{customer_id=2}")]),
        (envelope(2, {"customer_id": 2}, None, moved, "c", 21, at + 5), [("__debezium.oldkey", b'{"customer_id": 1}')]),
        (envelope(2, {"customer_id": 9}, None, {**row, "customer_id": 9}, "c", 30, at), [("__debezium.oldkey", b"\xff\xfe")]),
    ):
        producer.produce(topic, key=key, value=value, headers=headers)
    producer.flush()
    drain(spark, settings)
    found = {
        r["customer_id"]: (r["moved_from"], r["moved_to"], r["closed_by"])
        for r in lake.newest(DIM_CUSTOMER, where="is_visible").to_pylist()
    }
    assert found == {1: (None, "[2]", "move"), 2: ("[1]", None, None)}
    assert [r["reason"] for r in rows(lake, "SELECT reason FROM dead_letters")] == ["undecodable"]
