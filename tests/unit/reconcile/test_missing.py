"""Keys that are open in the history and gone at the source: which ones are found, and what is sent for them."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest

from commerce360.errors import C360Error
from commerce360.reconcile.missing import HEADER, Mark, Missing, _compare
from commerce360.settings import Registry
from stream_jobs.entity import Record
from stream_jobs.wire import Decoder, RegistrySchemas, sequence

END = 1000
MARK = Mark(lsn=END, ts_us=1_790_000_000_000_000, running_below=77)
TOPIC = "shop.public.items"
SOURCE = {
    "type": "record",
    "name": "Source",
    "fields": [
        {"name": "lsn", "type": ["null", "long"]},
        {"name": "sequence", "type": ["null", "string"]},
        {"name": "txId", "type": ["null", "long"]},
        {"name": "snapshot", "type": ["null", "string"]},
        {"name": "ts_ms", "type": "long"},
        {"name": "table", "type": "string"},
    ],
}
ROW = {"type": "record", "name": "Value", "fields": [{"name": "id", "type": "int"}, {"name": "name", "type": ["null", "string"]}]}
SCHEMAS: dict[int, Any] = {
    1: {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "int"}]},
    2: {
        "type": "record",
        "name": "Envelope",
        "fields": [
            {"name": "before", "type": ["null", ROW]},
            {"name": "after", "type": ["null", "Value"]},
            {"name": "source", "type": SOURCE},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"]},
        ],
    },
}


def schemas() -> RegistrySchemas:
    """All that it is asked for is known already, so no registry is."""
    made = RegistrySchemas(Registry(url="http://127.0.0.1:9"))
    made.known.update(SCHEMAS)
    return made


def framed(number: int, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(dict(SCHEMAS[number])), value)
    return b"\0" + number.to_bytes(4, "big") + out.getvalue()


def change(key: int, op: str, previous: int, lsn: int, name: str = "Ada", partition: int = 0) -> Record:
    """As Debezium sends it; `previous`: where the commit before its transaction ended."""
    row = {"id": key, "name": name}
    kind = "incremental" if op == "r" else "false"
    source = {"lsn": lsn, "sequence": json.dumps([str(previous), str(lsn)]), "txId": 5, "snapshot": kind, "ts_ms": 1, "table": "items"}
    images = {"before": row, "after": None} if op == "d" else {"before": None, "after": row}
    value = {**images, "source": source, "op": op, "ts_ms": 2}
    return Record(TOPIC, partition, 0, 0, framed(1, {"id": key}), framed(2, value))


def compare(present: set[tuple[Any, ...]], *records: Record) -> Missing:
    start = Missing(TOPIC, ("public", "items"), ["id"], MARK, len(present), 0)
    return _compare(start, present, records, schemas())


def found(present: set[tuple[Any, ...]], *records: Record) -> list[Any]:
    return [key for key, _ in compare(present, *records).deletes]


def test_open_keys_that_the_source_lacks_are_missing_and_no_others():
    records = [change(1, "c", 10, 20), change(2, "c", 10, 30), change(3, "c", 10, 40), change(3, "d", 50, 60)]
    result = compare({(1,)}, *records)
    assert [key for key, _ in result.deletes] == [(2,)]
    assert (result.at_source, result.open, result.unread) == (1, 2, 0)


def test_a_key_is_open_by_the_position_of_its_changes_and_not_by_their_place_in_the_topic():
    assert found({(1,)}, change(1, "c", 10, 20), change(2, "d", 50, 60), change(2, "c", 10, 20)) == []


@pytest.mark.parametrize(
    ("previous", "lsn", "is_missing"),
    [
        (END - 30, END - 24, True),
        (END, END - 24, True),  # began below the mark; the commit before it ended there
        (END, END, False),  # the first row behind the mark begins at it
        (END + 50, END - 24, False),  # committed behind others that came after the mark
        (END + 50, END + 60, False),
    ],
)
def test_a_row_that_came_after_the_mark_is_not_missing(previous: int, lsn: int, is_missing: bool):
    assert found({(1,)}, change(1, "c", 10, 20), change(2, "c", previous, lsn)) == ([(2,)] if is_missing else [])


def test_a_row_that_a_snapshot_read_right_before_the_mark_can_be_missing():
    assert found({(1,)}, change(1, "c", 10, 20), change(2, "r", END, 0)) == [(2,)]


def test_the_delete_is_the_one_that_debezium_would_have_sent():
    result = compare({(1,)}, change(1, "c", 10, 20), change(2, "c", 10, 20), change(2, "u", 30, 40, name="Eve", partition=2))
    ((_, record),) = result.deletes
    key, value = Decoder(SCHEMAS.get).decode(record)
    assert (record.topic, record.partition, record.headers, key) == (TOPIC, 2, (HEADER,), {"id": 2})
    assert value is not None
    assert (value["op"], value["before"], value["after"]) == ("d", {"id": 2, "name": "Eve"}, None)
    assert (value["source"]["table"], value["source"]["txId"], value["source"]["ts_ms"]) == ("items", None, MARK.ts_us // 1000)


@pytest.mark.parametrize(("previous", "lsn"), [(END, END), (END - 100, END), (END + 1, END + 2)])
def test_the_delete_is_before_every_row_that_begins_at_the_mark_and_behind_all_before_it(previous: int, lsn: int):
    """A key that is made again: whoever begins at the very end of the log must not share a position with the delete."""
    below = change(2, "u", END, END - 24)
    ((_, record),) = compare({(1,)}, change(1, "c", 10, 20), below).deletes
    positions = [sequence((Decoder(SCHEMAS.get).decode(r)[1] or {})["source"], "c") for r in (below, record, change(2, "c", previous, lsn))]
    assert positions[0] < positions[1] < positions[2]


def test_bytes_that_are_no_record_are_counted():
    assert compare({(1,)}, change(1, "c", 10, 20), Record(TOPIC, 0, 0, 0, None, b"junk")).unread == 1


def test_keys_that_are_written_in_another_way_are_not_all_missing():
    with pytest.raises(C360Error, match=r"no key of shop\.public\.items is among those of the table"):
        compare({("1.0",)}, change(1, "c", 10, 20))


def test_an_empty_table_misses_every_key_and_says_that_it_is_empty():
    result = compare(set(), change(1, "c", 10, 20), change(2, "c", 10, 30))
    assert (result.at_source, [key for key, _ in result.deletes]) == (0, [(1,), (2,)])
