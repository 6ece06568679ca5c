from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import fastavro
import pytest

from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.behaviour import SENTIMENTS
from schemas.tables import DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES
from schemas.topics import CUSTOMERS, ORDER_EVENTS, ORDER_ITEMS
from stream_jobs.entity import Record
from stream_jobs.folds import Folded, Folds

T0 = 1_770_000_000_000_000
SOURCE = [{"name": "lsn", "type": "long"}, {"name": "ts_us", "type": ["null", "long"]}]


def record_of(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields.items()]}


def envelope(row: dict[str, Any]) -> dict[str, Any]:
    return record_of(
        "Envelope", {"after": record_of("Row", row), "source": {"type": "record", "name": "Source", "fields": SOURCE}, "op": "string"}
    )


LINE = record_of("Line", {"line_no": "int", "product_id": "long", "quantity": "int", "unit_price": "string", "discount": "string"})
EVENT = {"event_id": "string", "order_id": "string", "customer_id": "long", "event_ts": "long", "currency": "string"}
SCHEMAS: dict[int, Any] = {
    1: envelope({"customer_id": "long", "city": "string", "photo": "bytes"}),
    2: record_of("Key", {"customer_id": "long"}),
    3: record_of("Event", {**EVENT, "campaign_id": ["null", "string"], "lines": {"type": "array", "items": LINE}}),
    4: envelope({"order_id": "string", "line_no": "int", "product_id": "long", "quantity": "int", "unit_price": "string"}),
}
ONE_LINE = {"line_no": 1, "product_id": 5, "quantity": 2, "unit_price": "3.00", "discount": "0.00"}


def framed(schema_id: int, value: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(dict(SCHEMAS[schema_id])), value)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


def event(order_id: str, offset: int, **more: Any) -> Record:
    value = {"event_id": f"e-{order_id}", "order_id": order_id, "customer_id": 7, "event_ts": T0, "currency": "EUR", "campaign_id": None}
    return Record(ORDER_EVENTS.name, 0, offset, T0, b"k", framed(3, {**value, "lines": [ONE_LINE], **more}))


def envelope_of(schema_id: int, topic: str, offset: int, row: dict[str, Any], key: dict[str, Any] | None, ts_us: int | None = T0) -> Record:
    value = {"after": row, "source": {"lsn": offset + 10, "ts_us": ts_us}, "op": "c"}
    return Record(topic, 0, offset, T0, None if key is None else framed(2, key), framed(schema_id, value))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(LakeSettings(root=str(tmp_path)))
    for table in (DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, SENTIMENTS):
        found.create(table)
    return found


def write(lake: Lake, folded: Folded, batch_id: int) -> None:
    for table, rows in folded.rows.items():
        lake.append(table, [{**row, "batch_id": batch_id} for row in rows], "q", batch_id)


def reasons(folded: Folded) -> list[tuple[int, str]]:
    return [(r.record.offset, r.reason) for r in folded.rejections]


def test_a_bad_record_is_named_and_the_others_are_folded(lake: Lake):
    folded = Folds(lake, SCHEMAS.get).apply([event("a", 1), Record(ORDER_EVENTS.name, 0, 2, T0, b"k", b"?"), event("b", 3)])
    assert {(r["order_id"], r["line_no"]) for r in folded.rows[FCT_SALES]} == {("a", 0), ("a", 1), ("b", 0), ("b", 1)}
    assert reasons(folded) == [(2, "bad_magic")]


def test_a_record_of_another_topics_schema_is_a_bad_record(lake: Lake):
    """It decodes, but has nothing that its topic needs; one of them must not stop the job for ever."""
    customer = {"customer_id": 7, "city": "Oslo", "photo": b""}
    wrong = [
        Record(CUSTOMERS.name, 0, 1, T0, framed(2, {"customer_id": 7}), event("a", 1).value),
        Record(ORDER_EVENTS.name, 0, 2, T0, b"k", framed(2, {"customer_id": 7})),
        envelope_of(1, ORDER_ITEMS.name, 3, customer, None),
    ]
    folded = Folds(lake, SCHEMAS.get).apply(wrong)
    assert reasons(folded) == [(1, "undecodable"), (2, "undecodable"), (3, "null_key")]
    assert not any(folded.rows.values())


def test_what_could_only_fail_later_is_rejected_when_it_is_read(lake: Lake):
    item = {"order_id": "a", "line_no": 1, "product_id": 5, "quantity": 1, "unit_price": "1.00"}
    bad = [
        envelope_of(4, ORDER_ITEMS.name, 1, item, None, ts_us=None),
        envelope_of(4, ORDER_ITEMS.name, 2, item, None, ts_us=-1),
        event("b", 3, event_ts=2**62),
    ]
    folded = Folds(lake, SCHEMAS.get).apply(bad)
    assert reasons(folded) == [(1, "bad_ts"), (2, "bad_ts"), (3, "undecodable")]
    assert not any(folded.rows.values())


def test_a_registry_that_is_away_is_not_the_records_fault(lake: Lake):
    def away(schema_id: int) -> None:
        raise UnavailableError("the registry does not answer", "wait")

    with pytest.raises(UnavailableError):
        Folds(lake, away).apply([event("a", 1)])


def test_a_start_knows_what_the_table_holds(lake: Lake):
    folds = Folds(lake, SCHEMAS.get)
    write(lake, folds.apply([event("a", 1)]), 0)
    assert not any(Folds(lake, SCHEMAS.get).apply([event("a", 1)]).rows.values())


def test_after_an_error_the_table_is_asked_what_was_written(lake: Lake):
    """One table was written, then the batch failed: its repetition writes only what is missing."""
    folds = Folds(lake, SCHEMAS.get)
    batch = [event("a", 1), event("o'b", 2), event("c", 3)]
    first = folds.apply(batch)
    lake.append(FCT_SALES, [{**r, "batch_id": 0} for r in first.rows[FCT_SALES] if r["order_id"] != "c"], "q", 0)
    folds.discard()
    again = folds.apply(batch)
    assert {r["order_id"] for r in again.rows[FCT_SALES]} == {"c"}


def test_a_finished_batch_is_known_and_an_unfinished_one_is_not(lake: Lake):
    folds = Folds(lake, SCHEMAS.get)
    folds.apply([event("a", 1)])
    folds.commit()
    assert folds.apply([event("a", 1)]).rows[FCT_SALES] == []
    folds.apply([event("b", 2)])
    folds.discard()
    assert {r["order_id"] for r in folds.apply([event("b", 2)]).rows[FCT_SALES]} == {"b"}
