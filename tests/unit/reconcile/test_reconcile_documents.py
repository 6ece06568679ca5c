"""What the JVM's reader does with the same events is in tests/spark/test_lake_documents.py."""

import datetime as dt
import json

import pytest

from commerce360.reconcile import documents
from stream_jobs.entity import Record, RejectedError
from stream_jobs.silver import DOCUMENTS

CLICKS, REVIEWS = DOCUMENTS
RECORD = Record(REVIEWS.topic.name, 1, 7, 1_772_355_600_123_000, None, None)
REVIEW = {"product_id": 5, "customer_id": 7, "rating": 4, "title": "t", "body": "b", "language": "en"}
REVIEW |= {"reviewed_at": "2026-02-03T04:05:06.789Z"}
OUT_OF_RANGE = [
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
AT = '{"$timestamp": {"t": 1790000000, "i": 3}}'


def event(**fields):
    good = {"operationType": "insert", "fullDocument": json.dumps({"_id": "x", **REVIEW}), "documentKey": '{"_id": "x"}', "clusterTime": AT}
    return {**good, **fields}


def read(**fields):
    return documents.read(REVIEWS, RECORD, event(**fields))


def test_a_document_is_a_typed_row_with_all_columns_but_the_batch():
    row = read().row
    place = {"review_id": "x", "seq": (1_790_000_000 << 32) + 3, "source_offset": 7, "is_deleted": False}
    lineage = {
        "event_ts": dt.datetime.fromtimestamp(1_790_000_000, dt.UTC),
        "kafka_ts": dt.datetime(2026, 3, 1, 9, 0, 0, 123_000, dt.UTC),
        "origin": "web.shop.reviews/1/7",
    }
    assert row == {**place, **REVIEW, "reviewed_at": dt.datetime(2026, 2, 3, 4, 5, 6, 789_000, dt.UTC), **lineage}
    assert row.keys() | {"batch_id"} == {c.name for c in REVIEWS.table.columns}


def test_a_copied_document_is_older_than_any_change():
    copied = read(clusterTime=None)
    assert (copied.row["seq"], copied.row["event_ts"]) == (0, None)
    assert copied.order < read(clusterTime='{"$timestamp": {"t": 1, "i": 1}}').order


def test_a_delete_keeps_the_key():
    gone = read(operationType="delete", fullDocument=None)
    assert (gone.id, gone.is_delete, gone.row["is_deleted"], gone.row["rating"]) == ("x", True, True, None)


@pytest.mark.parametrize("fields", [{"operationType": "drop", "documentKey": None}, {"operationType": "update", "fullDocument": None}])
def test_what_says_nothing_of_a_document_is_no_change_and_no_bad_record(fields):
    assert read(**fields) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"fullDocument": '{"_id": "x", "rating": 4'},
        {"fullDocument": '{"_id": "x", "rating": "four"}'},
        {"fullDocument": '{"_id": "x", "rating": 2147483648}'},
        {"fullDocument": '{"_id": "x", "reviewed_at": "yesterday"}'},
        {"fullDocument": "null"},
        {"fullDocument": ""},
        {"documentKey": None},
        {"documentKey": '{"id": "x"}'},
        {"documentKey": "{"},
        {"documentKey": "text"},
        {"clusterTime": "soon"},
        {"clusterTime": '{"$timestamp": {"t": 1}}'},
        {"clusterTime": '{"$timestamp": {"t": 9223372036854775807, "i": 1}}'},
        {"clusterTime": '{"$timestamp": {"t": -1, "i": 1}}'},
        {"operationType": None},
    ],
)
def test_a_change_that_does_not_make_sense_is_undecodable(fields):
    with pytest.raises(RejectedError) as caught:
        read(**fields)
    assert caught.value.reason == "undecodable"


@pytest.mark.parametrize(("document", "fields"), OUT_OF_RANGE)
def test_a_value_that_cannot_be_meant_is_named(document, fields):
    with pytest.raises(RejectedError) as caught:
        read(fullDocument=json.dumps(document))
    assert (caught.value.reason, caught.value.detail) == ("bad_value", f"the document: {fields} out of range")


@pytest.mark.parametrize("value", [2**63, 1e9, "0x0-01-01", "12026-13-01T00:00:00Z", "12026-02-29T00:00:00Z", "294248-01-01T00:00:00Z"])
def test_what_is_no_time_in_any_year_is_undecodable(value):
    with pytest.raises(RejectedError) as caught:
        read(fullDocument=json.dumps({"reviewed_at": value}))
    assert caught.value.reason == "undecodable"


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("1970-01-01T00:00:00Z", dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        ("2199-12-31T23:59:59.999999Z", dt.datetime(2199, 12, 31, 23, 59, 59, 999_999, dt.UTC)),
        ("2200-01-01T01:59:59+02:00", dt.datetime(2199, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
        ("+2026-03-01T09:00:00", dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)),
        (1_772_355_600, dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)),
    ],
)
def test_times_in_range_are_kept_and_a_number_is_seconds(value, at):
    assert read(fullDocument=json.dumps({"reviewed_at": value})).row["reviewed_at"] == at


def test_what_is_no_change_is_undecodable_before_anything_else():
    with pytest.raises(RejectedError) as caught:
        read(fullDocument='{"rating": 9}', clusterTime="soon")
    assert caught.value.reason == "undecodable"


def test_what_stands_in_a_text_column_is_text_and_new_fields_are_left_out():
    row = read(fullDocument=json.dumps({"title": 5, "body": {"deep": [1]}, "mood": "?"}), documentKey='{"_id": 12}').row
    assert (row["review_id"], row["title"], row["body"], row["rating"]) == ("12", "5", '{"deep":[1]}', None)
    assert "mood" not in row
