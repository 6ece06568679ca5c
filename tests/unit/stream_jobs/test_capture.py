"""The capture format: what is read, what is refused, and what a replay sets aside."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce360.errors import ConfigError
from stream_jobs import capture
from stream_jobs.capture import Captured
from stream_jobs.entity import Record
from stream_jobs.scd2.roles import Roles
from stream_jobs.wire import Decoder

ROLES = Roles(key=("id",), tracked=("city",))
TOPIC = "shop.public.items"


def envelope(lsn: int, city: Any = "Oslo", op: str = "u", key: Any = 1, **changed: Any) -> dict[str, Any]:
    source = {"sequence": f'["{lsn - 1}","{lsn}"]', "lsn": lsn, "ts_us": lsn * 1000, "snapshot": "false"}
    return {"op": op, "before": None, "after": None if op == "d" else {"id": key, "city": city}, "source": source, **changed}


def line(value: Any, key: Any = None, offset: int = 0, **changed: Any) -> dict[str, Any]:
    key = {"id": 1} if key is None else key
    return {"topic": TOPIC, "partition": 0, "offset": offset, "timestamp": 5, "key": key, "headers": [], "value": value, **changed}


def record(value: Any, key: Any = None, offset: int = 0) -> Captured:
    return Captured(TOPIC, 0, offset, 5, {"id": 1} if key is None else key, (), value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "made.jsonl"


def put(file: Path, *lines: Any) -> Path:
    file.write_text("".join((text if isinstance(text, str) else json.dumps(text)) + "\n" for text in lines), encoding="utf-8")
    return file


def test_what_is_written_is_read_again(file: Path):
    records = [
        Captured(TOPIC, 2, 7, 1_790_000_000_000, {"id": 1}, (("a", "b"), ("c", None)), envelope(5, "Århus\n")),
        Captured(TOPIC, 2, 8, 1_790_000_000_001, {"id": 1}, (), None),
    ]
    with file.open("w", encoding="utf-8") as out:
        assert capture.write(records, out) == 2
    assert capture.read(file) == records
    assert set(json.loads(file.read_text(encoding="utf-8").splitlines()[0])) == set(Captured._fields)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 3 is no Kafka record"),
        ("[]", "not an object"),
        ('{"topic": "t", "partition": 0, "offset": 1}', "it has no value"),
        ('{"topic": "t", "partition": "0", "offset": 1, "value": null}', "whole numbers"),
        ('{"topic": "t", "partition": true, "offset": 1, "value": null}', "whole numbers"),
        ('{"topic": 1, "partition": 0, "offset": 1, "value": null}', "topic must be text"),
        ('{"topic": "t", "partition": 0, "offset": 1, "timestamp": "now", "value": null}', "milliseconds"),
        ('{"topic": "t", "partition": 0, "offset": 1, "value": null, "headers": ["a", "b"]}', "headers"),
        ('{"topic": "t", "partition": 0, "offset": 1, "value": NaN}', "NaN"),
        ("[" * 100_000, "line 3"),
    ],
)
def test_a_bad_line_is_named_with_its_number(file: Path, text: str, said: str):
    put(file, line(envelope(5)), "", text)
    with pytest.raises(ConfigError, match=said) as caught:
        capture.read(file)
    assert f"{file}, line 3" in caught.value.message
    assert "c360 scd2 record" in caught.value.hint
    assert caught.value.exit_code == 2


def test_bytes_that_are_no_text_are_a_bad_line(file: Path):
    file.write_bytes(json.dumps(line(None)).encode() + b"\n\xff\xfe\n")
    with pytest.raises(ConfigError, match="line 2 is no Kafka record: it is not UTF-8"):
        capture.read(file)


def test_one_of_several_topics_must_be_chosen(file: Path):
    put(file, line(envelope(5)), line(envelope(6), topic="other"))
    with pytest.raises(ConfigError, match=r"2 topics: other, shop\.public\.items") as caught:
        capture.read(file)
    assert "--topic" in caught.value.hint
    assert [r.topic for r in capture.read(file, "other")] == ["other"]
    with pytest.raises(ConfigError, match="no record of third") as caught:
        capture.read(file, "third")
    assert "other" in caught.value.hint


def test_an_empty_file_is_an_empty_history(file: Path):
    assert capture.fold(capture.read(put(file, "")), ROLES) == {"rows": [], "rejected": []}


def rows(file: Path, *lines: Any) -> list[dict[str, Any]]:
    result = capture.fold(capture.read(put(file, *lines)), ROLES)
    assert result["rejected"] == []
    return result["rows"]


def test_files_of_other_converters_say_the_same(file: Path):
    """With `schemas.enable`, with JSON in texts, with a byte order mark, with headers as a mapping, without what is not needed."""
    values = [envelope(5), envelope(6, "Rome"), None]
    plain = rows(file, *(line(v) for v in values))
    assert [row["city"] for row in plain] == ["Oslo", "Rome"]
    wrapped = [line(v and {"schema": {"type": "struct"}, "payload": v}, {"schema": {}, "payload": {"id": 1}}) for v in values]
    assert rows(file, *wrapped) == plain
    assert rows(file, *(line({"schema": None, "payload": v}) for v in values)) == plain  # a tombstone in its wrapper, too
    assert rows(file, *(line(v and json.dumps(v), '{"id": 1}') for v in values)) == plain
    assert rows(file, "\ufeff" + json.dumps(line(values[0])), line(values[1])) == plain
    assert rows(file, *({k: v for k, v in line(v, headers={}).items() if k != "timestamp"} for v in values)) == plain


@pytest.mark.parametrize(
    "header",
    ['{"id": 2}', "Struct{id=2}", {"id": 2}, '{"schema": {"type": "struct"}, "payload": {"id": 2}}', {"schema": {}, "payload": {"id": 2}}],
)
def test_the_other_key_of_a_move_is_read_in_every_spelling(file: Path, header: Any):
    (row,) = rows(file, line(envelope(5)), line(envelope(6, op="d"), headers=[["__debezium.newkey", header]]))
    assert (row["closed_by"], row["moved_to"]) == ("move", 2)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("text", None),
        (7, None),
        ([], None),
        ({}, None),
        ({"op": "u"}, None),
        ({"op": "u", "source": "x"}, None),
        ({"after": {}, "source": {}}, None),
        ({"op": None, "source": {}}, None),
        (envelope(5, after=[1]), None),
        (envelope(5, after="x"), None),
        (envelope(5), "key"),
        (envelope(5), [1]),
        (envelope(5), {"id": [1]}),
        (envelope(5), {"id": {"a": 1}}),
        (envelope(5, "\ud800"), None),
        (envelope(5, key="\ud800"), {"id": "\ud800"}),
        (envelope(5, float("inf")), None),
    ],
)
def test_what_is_no_envelope_is_set_aside_with_its_place(value: Any, key: Any):
    result = capture.fold([record(envelope(4)), record(value, key, 9)], ROLES)
    expected = {"reason": "undecodable", "op": None, "key": None, "seq": None, "topic": TOPIC, "partition": 0, "offset": 9}
    assert result["rejected"] == [expected]
    assert len(result["rows"]) == 1


def test_a_header_that_holds_no_plain_key_is_set_aside():
    bad = record(envelope(5, op="d"))._replace(headers=(("__debezium.newkey", '{"id": [1]}'),))
    assert [r["reason"] for r in capture.fold([bad], ROLES)["rejected"]] == ["undecodable"]


def without(value: dict[str, Any], **source: Any) -> dict[str, Any]:
    return {**value, "source": {**value["source"], **source}}


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (without(envelope(5), lsn=None), None, "null_seq"),
        (without(envelope(5), lsn=10**400), None, "null_seq"),
        (without(envelope(5), lsn=float("1e300")), None, "null_seq"),
        (without(envelope(5), sequence="[" * 100_000), None, "null_seq"),
        (without(envelope(5, op="q"), lsn=None), None, "unknown_op"),  # the first reason of R5 that applies
        (without(envelope(5, op="t"), lsn=None), None, "truncate_refused"),
        (without(envelope(5), lsn=None), {"other": 1}, "null_key"),
        (envelope(5), {"id": None}, "null_key"),
        (without(envelope(5), ts_us=None), None, "bad_ts"),
        (envelope(5, after=None), None, "missing_after"),
        (envelope(5, key=2), None, "key_mismatch"),
    ],
)
def test_other_bad_records_have_the_reasons_of_the_rules(value: Any, key: Any, reason: str):
    result = capture.fold([record(value, key)], ROLES)
    assert [r["reason"] for r in result["rejected"]] == [reason]
    assert result["rows"] == []


def test_a_record_without_a_key_is_null_key():
    result = capture.fold([record(envelope(5))._replace(key=None)], ROLES)
    assert [(r["reason"], r["seq"]) for r in result["rejected"]] == [("null_key", [5, 5])]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


KEYS = (
    st.none() | st.text() | st.just({"id": 1}) | st.dictionaries(st.sampled_from(["id", "x"]), st.none() | st.integers() | st.lists(JSON))
)


@given(st.lists(st.tuples(JSON, KEYS, st.sampled_from([None, *envelope(1)]))))
def test_no_value_stops_a_replay(parts: list[tuple[Any, Any, str | None]]):
    """Any value, alone or in any place of an envelope."""
    records = [record(any_ if name is None else {**envelope(5), name: any_}, key, n) for n, (any_, key, name) in enumerate(parts)]
    result = capture.fold(records, ROLES)
    assert capture.fold(records[::-1], ROLES) == result
    json.dumps(result, allow_nan=False)


def avro(schema: dict[str, Any], value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(dict(schema)), value)
    return b"\0\0\0\0\x01" + out.getvalue()


SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "photo", "type": ["null", "bytes"]},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "share", "type": {"type": "array", "items": "double"}},
    ],
}
ROW = {
    "photo": b"\xc0\xff",
    "price": decimal.Decimal("10.50"),
    "at": dt.datetime(2026, 1, 2, 3, 4, 5, 6, dt.UTC),
    "day": dt.date(2026, 1, 2),
    "share": [0.5, float("nan"), float("-inf")],
}


def of_broker(value: bytes | None, key: bytes | None = None, topic: str = TOPIC, headers: Any = ()) -> Captured:
    schemas: Any = {1: SCHEMA}
    return capture.decoded(Record(topic, 1, 2, 1_790_000_000_123_000, key, value, headers), Decoder(schemas.get))


def test_a_record_of_the_broker_becomes_json():
    found = of_broker(avro(SCHEMA, ROW), b'{"id": 3}', headers=(("a", b"b"), ("c", None), ("d", b"\xff")))
    assert found[:4] == (TOPIC, 1, 2, 1_790_000_000_123)
    assert found.value == {
        "photo": "wP8=",
        "price": "10.50",
        "at": "2026-01-02T03:04:05.000006+00:00",
        "day": "2026-01-02",
        "share": [0.5, "NaN", "-Infinity"],
    }
    assert found.key == {"id": 3}
    assert found.headers == (("a", "b"), ("c", None), ("d", "\ufffd"))
    assert capture.write([found], io.StringIO()) == 1


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        (None, None),
        (b'{"a": 1}', {"a": 1}),
        (b"W000001", "W000001"),
        (b"\0\0\0\0\x09abc", "\0\0\0\0\tabc"),
        (b"\xff\xfe", "//4="),
        (b"[NaN]", "[NaN]"),
    ],
)
def test_what_cannot_be_decoded_is_kept_as_it_can_be(payload: bytes | None, kept: Any):
    assert of_broker(payload).value == kept
    assert of_broker(None, payload, "shop.orders.events").key == kept
