"""Which text is scored, and that the service and the lake name it alike."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from typing import Any

import fastavro
import pytest

from stream_jobs.entity import Record, RejectedError
from stream_jobs.sentiment.reviews import text_of
from stream_jobs.sentiment.text import Text, text_hash
from stream_jobs.wire import Decoder

EVENT = {
    "type": "record",
    "name": "ChangeStream",
    "fields": [{"name": n, "type": ["null", "string"], "default": None} for n in ("operationType", "fullDocument", "documentKey")],
}


def record(op: str | None, document: Any = None, *, text: str | None = None) -> Record:
    out = io.BytesIO()
    full = text if text is not None else None if document is None else json.dumps(document)
    event = {"operationType": op, "fullDocument": full, "documentKey": '{"_id": "r1"}'}
    fastavro.schemaless_writer(out, fastavro.parse_schema(EVENT), event)
    return Record("web.shop.reviews", 0, 0, 0, b"not Avro", b"\0\0\0\0\7" + out.getvalue())


def read(told: Record) -> Text | None:
    return text_of(Decoder(lambda number: EVENT if number == 7 else None), told)


def test_the_hash_is_of_title_line_feed_body() -> None:
    expected = hashlib.sha256("Schön\nTolle Lampe".encode()).hexdigest()[:32]
    assert text_hash("Schön", "Tolle Lampe") == expected
    assert text_hash(None, "b") == text_hash("", "b") == hashlib.sha256(b"\nb").hexdigest()[:32]
    assert text_hash("a", "b") != text_hash("ab", None)


def test_half_a_surrogate_pair_has_a_hash_too() -> None:
    assert text_hash("\ud83d", None) == text_hash("?", None)
    assert Text.of("\ud83d", "b", "e\udc00").content == "?\nb"


@pytest.mark.parametrize("op", ["insert", "update", "replace"])
def test_a_change_says_the_text_that_the_review_has_then(op: str) -> None:
    found = read(record(op, {"title": "Good", "body": "Very", "language": "en", "rating": 5}))
    assert found == Text(text_hash("Good", "Very"), "en", "Good\nVery")


def test_a_review_may_lack_everything() -> None:
    assert read(record("insert", {})) == Text(text_hash(None, None), "", "\n")


def test_what_is_no_text_is_read_as_the_lake_reads_it() -> None:
    found = read(record("insert", {"title": 5, "body": {"a": [1, "ü"]}, "language": None}))
    assert found == Text(text_hash("5", '{"a":[1,"ü"]}'), "", '5\n{"a":[1,"ü"]}')


def test_a_number_is_written_as_the_connector_and_the_lake_write_it() -> None:
    found = read(record("insert", text='{"title": 1.2E19, "body": {"a": [1.0E-5, 2.5, 12345678901234567890]}}'))
    assert found == Text.of("1.2E19", '{"a":[1.0E-5,2.5,12345678901234567890]}', None)


@pytest.mark.parametrize("told", [record("delete"), record("update", None), record("drop"), record("insert")._replace(value=None)])
def test_deletes_tombstones_and_gone_documents_say_nothing(told: Record) -> None:
    assert read(told) is None


@pytest.mark.parametrize("told", [record("insert", text="{"), record("insert", text="[1]"), record("insert")._replace(value=b"\1nonsense")])
def test_what_cannot_be_decoded_is_left_to_the_lake_job(told: Record) -> None:
    with pytest.raises(RejectedError):
        read(told)


def test_the_lake_job_can_import_the_hash_alone() -> None:
    heavy = ("requests", "confluent_kafka", "vaderSentiment", "azure")
    code = f"import sys, stream_jobs.sentiment.text; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
