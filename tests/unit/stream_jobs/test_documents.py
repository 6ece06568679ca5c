from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from schemas.types import arrow_schema
from stream_jobs.silver import DOCUMENTS, Sorted

CLICKS, REVIEWS = DOCUMENTS
AT = dt.datetime(2026, 3, 1, 9, 0, 0, 123_456, dt.UTC)
SCHEMA = pa.schema(
    [
        *(f.with_nullable(True) for f in arrow_schema(REVIEWS.table)),
        ("partition", pa.int32()),
        ("sid", pa.int64()),
        ("reason", pa.string()),
        ("bad_fields", pa.string()),
        ("is_change", pa.bool_()),
        ("key_bytes", pa.binary()),
        ("value_bytes", pa.binary()),
    ]
)


def read(offset: int, **values: Any) -> dict[str, Any]:
    """A row as Spark reads it."""
    row = {**dict.fromkeys(SCHEMA.names), "review_id": "r1", "seq": offset, "source_offset": offset, "is_deleted": False, "rating": offset}
    return {**row, "kafka_ts": AT, "batch_id": 3, "partition": 1, "sid": 6, "is_change": True, **values}


def split(*rows: dict[str, Any]) -> Sorted:
    return REVIEWS.sort(pa.Table.from_pylist(list(rows), SCHEMA))


def test_each_document_is_there_once_at_its_newest():
    found = split(read(3), read(1), read(2, review_id="r2"), read(0, review_id="r2"))
    assert [(r["review_id"], r["rating"]) for r in found.rows.to_pylist()] == [("r1", 3), ("r2", 2)]
    assert (found.records, found.rows.schema) == (4, arrow_schema(REVIEWS.table))


def test_of_one_time_the_later_record_counts():
    assert [r["rating"] for r in split(read(8, seq=5), read(9, seq=5), read(7, seq=5)).rows.to_pylist()] == [9]


@given(st.permutations(range(8)))
def test_the_order_within_a_batch_does_not_matter(order: list[int]):
    rows = [read(n, review_id=f"r{n % 3}", seq=n // 2) for n in range(8)]
    found = split(*(rows[n] for n in order)).rows.to_pylist()
    assert sorted((r["review_id"], r["rating"]) for r in found) == [("r0", 6), ("r1", 7), ("r2", 5)]


def test_a_deletion_is_a_newest_row_as_any_other():
    assert [r["is_deleted"] for r in split(read(1), read(2, is_deleted=True)).rows.to_pylist()] == [True]


def test_records_that_say_nothing_and_bad_ones_make_no_row():
    silent = read(5, is_change=False)
    bad = read(6, reason="undecodable", review_id=None, key_bytes=b"k", value_bytes=b"v")
    unknown = read(7, reason="unknown_schema", sid=88, is_change=False, value_bytes=b"w")
    found = split(read(1), silent, bad, unknown)
    assert [r["rating"] for r in found.rows.to_pylist()] == [1]
    assert [(r.record.topic, r.record.partition, r.record.offset) for r in found.rejections] == [
        (REVIEWS.topic.name, 1, 6),
        (REVIEWS.topic.name, 1, 7),
    ]
    assert [(r.reason, r.detail, r.record.value) for r in found.rejections] == [
        ("undecodable", "the value: bytes, JSON or key do not fit schema 6", b"v"),
        ("unknown_schema", "the value names schema 88", b"w"),
    ]
    assert (found.unknown_ids, found.records) == ({88}, 4)


def test_a_time_that_python_has_no_words_for_is_a_bad_record_and_named():
    table = pa.Table.from_pylist([read(1), read(2, reason="bad_value", bad_fields="reviewed_at", value_bytes=b"v")], SCHEMA)
    beyond = pa.array([None, 2**62], pa.int64()).cast(SCHEMA.field("reviewed_at").type)
    found = REVIEWS.sort(table.set_column(SCHEMA.get_field_index("reviewed_at"), SCHEMA.field("reviewed_at"), beyond))
    assert [r["rating"] for r in found.rows.to_pylist()] == [1]
    [bad] = found.rejections
    assert (bad.reason, bad.detail, bad.record.value) == ("bad_value", "the document: reviewed_at out of range", b"v")


def test_a_rejection_keeps_the_time_as_kafka_does():
    [rejection] = split(read(6, reason="bad_magic")).rejections
    assert rejection.record.timestamp_us == 1_772_355_600_123_000


def test_nothing_is_an_empty_table():
    found = split()
    assert (found.rows.num_rows, found.rows.schema, found.rejections, found.records) == (0, arrow_schema(REVIEWS.table), [], 0)


def test_every_field_of_a_document_has_its_column():
    assert [c.name for c in REVIEWS.fields] == ["product_id", "customer_id", "rating", "title", "body", "language", "reviewed_at"]
    assert (CLICKS.key, REVIEWS.key) == ("event_id", "review_id")
