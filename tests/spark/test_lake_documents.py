from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from lake_records import CHANGE, MONGO_ID, SCHEMAS, change_event, framed, utc

from commerce360.reconcile import documents
from schemas.types import arrow_schema
from stream_jobs.entity import Record, RejectedError
from stream_jobs.silver import DOCUMENTS, Sorted
from stream_jobs.wire import Decoder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

CLICKS, REVIEWS = DOCUMENTS
KNOWN = {MONGO_ID: SCHEMAS[MONGO_ID]}
RAW = "topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP, headers ARRAY<STRUCT<key: STRING, value: BINARY>>, "
RAW += "key BINARY, value BINARY"
OUT_OF_RANGE: list[tuple[dict[str, Any], str]] = [
    ({"reviewed_at": 1_772_355_600_123}, "reviewed_at"),  # Date.now() is milliseconds
    ({"reviewed_at": -1}, "reviewed_at"),
    ({"reviewed_at": "12026-03-01T09:00:00Z"}, "reviewed_at"),
    ({"reviewed_at": "+58133-10-26T00:00:00Z"}, "reviewed_at"),
    ({"reviewed_at": "-0044-03-15T12:00:00Z"}, "reviewed_at"),
    ({"reviewed_at": "0000-01-01T00:00:00Z"}, "reviewed_at"),
    ({"reviewed_at": "0001-01-01T00:00:00+14:00"}, "reviewed_at"),
    ({"reviewed_at": "1969-12-31T23:59:59.999999Z"}, "reviewed_at"),
    ({"reviewed_at": "2200-01-01T00:00:00Z"}, "reviewed_at"),
    ({"reviewed_at": "9999-12-31T23:59:59Z"}, "reviewed_at"),
    ({"rating": 0}, "rating"),
    ({"rating": 6}, "rating"),
    ({"rating": -(2**31)}, "rating"),
    ({"rating": 2**31 - 1, "reviewed_at": "9999-12-31"}, "rating, reviewed_at"),
]
RECEIVED = utc(2026, 3, 1, 9, 0, 0, 123_000)
REVIEW = {"product_id": 5, "customer_id": 7, "rating": 4, "title": "t", "body": "b", "language": "en"}
REVIEW |= {"reviewed_at": "2026-02-03T04:05:06.789Z"}


def take(spark: SparkSession, *values: bytes | None, part: Any = REVIEWS, known: Any = KNOWN) -> Sorted:
    """The values as records 0, 1, .. of one partition, between records of a topic that is not ours."""
    rows = [(part.topic.name, 1, n, RECEIVED, None, b"k%d" % n, v) for n, v in enumerate(values)]
    other = ("other", 0, 0, RECEIVED, None, None, b"other")
    return part.take(spark.createDataFrame([other, *rows, other], RAW).coalesce(1), known, batch_id=7)


def changed(op: str, document: dict[str, Any] | None = REVIEW, id_: str = "r1", at: tuple[int, int] | None = (1_790_000_000, 3)) -> bytes:
    return change_event(REVIEWS.topic.name, id_, op, document, at)[2]  # type: ignore[return-value]


def spoiled(**fields: Any) -> bytes:
    at = json.dumps({"$timestamp": {"t": 1, "i": 1}})
    good = {"operationType": "insert", "fullDocument": json.dumps({"_id": "x", **REVIEW}), "documentKey": '{"_id": "x"}', "clusterTime": at}
    return framed(MONGO_ID, {**CHANGE, **good, **fields})


def test_a_document_is_a_typed_row(spark: SparkSession) -> None:
    found = take(spark, changed("insert"))
    [row] = found.rows.to_pylist()
    at = dt.datetime.fromtimestamp(1_790_000_000, dt.UTC)
    lineage = {"event_ts": at, "kafka_ts": RECEIVED, "origin": "web.shop.reviews/1/0", "batch_id": 7}
    place = {"review_id": "r1", "seq": (1_790_000_000 << 32) + 3, "source_offset": 0, "is_deleted": False}
    assert row == {**place, **REVIEW, "reviewed_at": utc(2026, 2, 3, 4, 5, 6, 789_000), **lineage}
    assert found.rows.schema == arrow_schema(REVIEWS.table)
    assert (found.records, found.rejections, found.unknown_ids) == (1, [], frozenset())


@pytest.mark.parametrize("op", ["insert", "update", "replace"])
def test_every_kind_of_change_holds_the_whole_document(spark: SparkSession, op: str) -> None:
    [row] = take(spark, changed(op, {**REVIEW, "rating": 2})).rows.to_pylist()
    assert (row["rating"], row["is_deleted"]) == (2, False)


def test_a_delete_keeps_the_key_and_says_that_it_is_one(spark: SparkSession) -> None:
    [row] = take(spark, changed("delete", None)).rows.to_pylist()
    assert (row["review_id"], row["is_deleted"], row["rating"], row["reviewed_at"]) == ("r1", True, None, None)


def test_a_copied_document_is_older_than_any_change(spark: SparkSession) -> None:
    found = take(spark, changed("update", {**REVIEW, "rating": 1}), changed("insert", at=None), changed("insert", id_="r2", at=None))
    rows = {r["review_id"]: r for r in found.rows.to_pylist()}
    assert (rows["r1"]["rating"], rows["r2"]["seq"], rows["r2"]["event_ts"]) == (1, 0, None)


def test_of_the_changes_of_a_document_the_newest_counts_whatever_came_last(spark: SparkSession) -> None:
    late, newest = changed("update", {**REVIEW, "rating": 1}, at=(5, 1)), changed("update", {**REVIEW, "rating": 2}, at=(5, 9))
    assert [r["rating"] for r in take(spark, newest, late, newest, late).rows.to_pylist()] == [2]


def test_fields_that_are_missing_or_new_do_no_harm(spark: SparkSession) -> None:
    [row] = take(spark, changed("insert", {"rating": 3, "mood": {"deep": [1]}})).rows.to_pylist()
    assert (row["rating"], row["title"]) == (3, None)


def test_what_says_nothing_of_a_document_is_no_row_and_no_bad_record(spark: SparkSession) -> None:
    gone = changed("update", None)  # deleted before the connector could look it up
    dropped = framed(MONGO_ID, {**CHANGE, "operationType": "drop", "documentKey": None})
    found = take(spark, None, gone, dropped)
    assert (found.rows.num_rows, found.rejections, found.records) == (0, [], 3)


@pytest.mark.parametrize(
    "value",
    [
        spoiled(fullDocument='{"_id": "x", "rating": 4'),
        spoiled(fullDocument='{"_id": "x", "rating": "four"}'),
        spoiled(fullDocument='{"_id": "x", "reviewed_at": "yesterday"}'),
        spoiled(fullDocument="null"),
        spoiled(fullDocument=""),
        spoiled(documentKey=None),
        spoiled(documentKey='{"id": "x"}'),
        spoiled(documentKey="{"),
        spoiled(clusterTime="soon"),
        spoiled(clusterTime='{"$timestamp": {"t": 1}}'),
        spoiled(clusterTime='{"$timestamp": {"t": 9223372036854775807, "i": 1}}'),
        spoiled(clusterTime='{"$timestamp": {"t": -9223372036854775808, "i": 1}}'),
        spoiled(operationType=None),
        spoiled() + b"\0",
        spoiled()[:-1],
        spoiled(documentKey='{"_id": "@"}').replace(b"@", b"\xff"),
    ],
)
def test_a_change_that_does_not_make_sense_is_undecodable_and_kept_whole(spark: SparkSession, value: bytes) -> None:
    found = take(spark, changed("insert"), value)
    assert [r["review_id"] for r in found.rows.to_pylist()] == ["r1"]
    [rejection] = found.rejections
    assert (rejection.reason, rejection.record.value, rejection.record.key) == ("undecodable", value, b"k1")
    assert (rejection.record.origin, rejection.record.timestamp_us) == ("web.shop.reviews/1/1", 1_772_355_600_123_000)


def test_a_value_that_cannot_be_meant_is_named_and_its_record_kept_whole(spark: SparkSession) -> None:
    values = [changed("update", document, id_=f"x{n}") for n, (document, _) in enumerate(OUT_OF_RANGE)]
    found = take(spark, changed("insert"), *values)
    assert [r["review_id"] for r in found.rows.to_pylist()] == ["r1"]
    details = [(r.reason, r.detail, r.record.value) for r in found.rejections]
    assert details == [
        ("bad_value", f"the document: {fields} out of range", value) for value, (_, fields) in zip(values, OUT_OF_RANGE, strict=True)
    ]


@pytest.mark.parametrize(
    "document",
    [
        *(document for document, _ in OUT_OF_RANGE),
        *({"reviewed_at": value} for value in ("1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z", "2200-01-01T01:59:59+02:00")),
        *({"reviewed_at": value} for value in ("+2026-03-01T09:00:00", 1_772_355_600, 0, 2**62, -(2**63), 2**63, 1e9)),
        *({"reviewed_at": value} for value in ("12026-13-01T00:00:00Z", "12026-02-29T00:00:00Z", "294248-01-01T00:00:00Z", "-0001-02-29")),
        *({"rating": value} for value in (1, 5, None, 4.5)),
    ],
)
def test_both_readers_judge_values_alike(spark: SparkSession, document: dict[str, Any]) -> None:
    """What silver takes or refuses, the reconciliation takes or refuses for the same reason, with the same values."""
    value = spoiled(fullDocument=json.dumps(document))
    found = take(spark, value)
    record = Record(REVIEWS.topic.name, 1, 0, 1_772_355_600_123_000, b"k0", value)
    try:
        _, event = Decoder(SCHEMAS.get).decode(record._replace(key=None))
        change = documents.read(REVIEWS, record, event or {})
        other: Any = [change.row if change else None]
    except RejectedError as error:
        other = error.reason
    here = [{k: v for k, v in row.items() if k != "batch_id"} for row in found.rows.to_pylist()]
    assert (here or found.rejections[0].reason) == other


def test_frames_and_schemas_that_are_not_known_are_told_apart(spark: SparkSession) -> None:
    found = take(spark, b"{}", b"\0\0\0\0\x63 of nobody", changed("insert"), known={})
    assert [r.reason for r in found.rejections] == ["bad_magic", "unknown_schema", "unknown_schema"]
    assert found.unknown_ids == {99, MONGO_ID}


def test_a_page_event_is_a_typed_row(spark: SparkSession) -> None:
    document = {"session_id": "s", "visitor_id": "v", "customer_id": None, "event_type": "view", "product_id": 2**40, "page": "/p/å"}
    document |= {"device": "phone", "campaign_id": "c", "occurred_at": "2026-02-03T04:05:06.789Z"}
    [row] = take(spark, change_event(CLICKS.topic.name, "k1", "insert", document, (5, 1))[2], part=CLICKS).rows.to_pylist()
    assert {k: row[k] for k in document} == {**document, "occurred_at": utc(2026, 2, 3, 4, 5, 6, 789_000)}


def test_a_topic_without_records_is_an_empty_table(spark: SparkSession) -> None:
    found = take(spark)
    assert (found.rows.num_rows, found.rows.schema, found.records) == (0, arrow_schema(REVIEWS.table), 0)
