from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from lake_records import MONGO_ID, ORDER_EVENT, ORDER_ID, SCHEMAS, change_event, framed

from stream_jobs import decode
from stream_jobs.entity import Record, RejectedError
from stream_jobs.silver import FIELDS
from stream_jobs.wire import Decoder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

NO_RECORD = 20
KNOWN = {**SCHEMAS, NO_RECORD: {"type": "string"}}
INSERT = change_event("web.shop.clickstream", "k1", "insert", {"session_id": "å€𝄞", "page": "/"}, (1_790_000_000, 6))[2]
DELETE = change_event("web.shop.clickstream", "k1", "delete", None, (1_790_000_000, 7))[2]
FRAME = b"\0\0\0\0" + bytes([MONGO_ID])


def corpus() -> list[bytes | None]:
    """Good records, and what can go wrong with bytes: cut, changed, lengthened, of another schema, or never in the format."""
    dice = random.Random(360)
    made: list[bytes | None] = [None, b"", b"\0", FRAME, b"\x01" + INSERT[1:], b"\0\0\0\x03\xe7abc", b"\0\xff\xff\xff\xffabc"]
    made += [framed(ORDER_ID, ORDER_EVENT), framed(12, {"customer_id": 1}), b"\0\0\0\0\x14\x02a"]
    made += [FRAME + length + b"abc" for length in (b"\x01", b"\xfe\xff\xff\xff\x0d", b"\xff" * 9 + b"\x01", b"\xff" * 12)]
    for good in (INSERT, DELETE):
        made += [good, good + b"\0", good + decode.SEAL[:-1], *(good[:n] for n in range(len(good)))]
        for _ in range(400):
            spoiled = bytearray(good)
            for _ in range(dice.choice((1, 1, 2, 5))):
                spoiled[dice.randrange(5, len(good))] = dice.randrange(256)
            made.append(bytes(spoiled))
    return made


def on_the_driver(value: bytes | None) -> tuple[str | None, str, tuple[str | None, ...]]:
    nothing = (None,) * len(FIELDS)
    try:
        _, found = Decoder(KNOWN.get).decode(Record("web.shop.clickstream", 0, 0, 0, None, value))
    except RejectedError as error:
        return error.reason, error.detail, nothing
    return None, "", nothing if found is None else tuple(found.get(f) for f in FIELDS)


def in_the_jvm(spark: SparkSession, values: list[bytes | None]) -> list[tuple[str | None, tuple[str | None, ...]]]:
    frame = spark.createDataFrame(list(enumerate(values)), "n INT, value BINARY").coalesce(1)
    frame = frame.selectExpr("*", f"{decode.schema_id()} AS sid").selectExpr("*", f"{decode.avro_struct(KNOWN, FIELDS)} AS e")
    frame = frame.selectExpr("n", f"{decode.reason(KNOWN, 'e', FIELDS)} AS reason", "e")
    rows = frame.selectExpr("n", "reason", *(f"CASE WHEN reason IS NULL THEN e.{f} END AS {f}" for f in FIELDS)).toArrow().to_pylist()
    return [(r["reason"], tuple(r[f] for f in FIELDS)) for r in rows]


def test_the_jvm_reads_what_the_driver_would_read_and_refuses_what_it_would_refuse(spark: SparkSession) -> None:
    values = corpus()
    found = in_the_jvm(spark, values)
    assert len(found) == len(values)
    accepted, differing = 0, []
    for value, (reason, fields) in zip(values, found, strict=True):
        expected, detail, wanted = on_the_driver(value)
        if "UnicodeDecodeError" in detail and reason is None:
            continue  # a text that is not among the fields is skipped here, and read there
        if (reason, fields) != (expected, wanted):
            differing.append((value, expected, detail, reason, fields))
        accepted += reason is None
    assert differing == []
    assert accepted > 100
    assert {reason for reason, _ in found} == {None, "bad_magic", "unknown_schema", "undecodable"}


def test_with_no_schema_known_every_record_waits_for_one(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(INSERT,), (None,)], "value BINARY").selectExpr("*", f"{decode.schema_id()} AS sid")
    frame = frame.selectExpr("*", f"{decode.avro_struct({}, FIELDS)} AS e").selectExpr(f"{decode.reason({}, 'e', FIELDS)} AS reason")
    assert [r["reason"] for r in frame.toArrow().to_pylist()] == ["unknown_schema", None]


def test_texts_of_a_schema_pass_through_sql_unharmed(spark: SparkSession) -> None:
    """A schema's text stands in the statement: quotes and backslashes of a documentation must not end it."""
    schema = {**SCHEMAS[MONGO_ID], "doc": 'it\'s a \\ "test" with ${x} and \\u0041 and \n'}
    frame = spark.createDataFrame([(INSERT,)], "value BINARY").selectExpr("*", f"{decode.schema_id()} AS sid")
    [row] = frame.selectExpr(f"{decode.avro_struct({MONGO_ID: schema}, FIELDS)}.operationType AS op").toArrow().to_pylist()
    assert row["op"] == "insert"
