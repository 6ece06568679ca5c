"""A lake without a person: killed anywhere and run again, no file has a word of theirs, and the history is what bronze says."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest
from lake_records import CUSTOMER, CUSTOMER_ID, SCHEMAS, change_event, envelope

from commerce360.lake import Lake
from commerce360.privacy import tables as privacy
from commerce360.privacy.erase import Eraser
from commerce360.privacy.records import People
from commerce360.privacy.tokens import Tokens
from commerce360.settings import Lake as LakeSettings
from commerce360.settings import Settings
from schemas.tables import DEAD_LETTERS, DIM_CUSTOMER, RECORDS, TABLES, Table
from schemas.topics import CUSTOMERS as CUSTOMERS_TOPIC
from schemas.topics import PRODUCTS, REVIEWS
from stream_jobs import rebuild
from stream_jobs.dimensions import CUSTOMERS
from stream_jobs.entity import Record
from stream_jobs.wire import Decoder

AT = 1_790_000_000_000_000
KAFKA_TS = dt.datetime(2026, 9, 21, tzinfo=dt.UTC)
WORDS = ("ada@x.example", "Ada Lovelace", "Marylebone", "Secret words", "Countess", "4917155512345")
NEW = {"phone": ["null", "long"], "photo": ["null", "bytes"], "nicknames": ["null", {"type": "array", "items": "string"}]}
WITH_NEW = 22  # schema id of customers that have more columns


def schema_of(number: int) -> Mapping[str, Any] | None:
    if number != WITH_NEW:
        known: Mapping[str, Any] | None = SCHEMAS.get(number)
        return known
    made: dict[str, Any] = json.loads(json.dumps(SCHEMAS[CUSTOMER_ID]))
    made["fields"][0]["type"][1]["fields"] += [{"name": n, "type": t, "default": None} for n, t in NEW.items()]
    return made


class DyingLake(Lake):
    """Dies behind its nth change of a table."""

    left = 10**9

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def rewrite(self, *args: Any) -> None:
        super().rewrite(*args)
        self._count()

    def settle_rewrite(self, table: Table) -> None:
        super().settle_rewrite(table)
        self._count()


def image(customer_id: int, **values: Any) -> dict[str, Any]:
    row = dict.fromkeys(CUSTOMER) | {"customer_id": customer_id, "tier": "gold", "marketing_consent": True, "points": 1}
    return {**row, "created_at": "2026-01-01T00:00:00.000000Z", **values}


def customer(after: dict[str, Any], lsn: int) -> tuple[str, bytes | None, bytes | None]:
    topic, key, value = envelope(
        CUSTOMER_ID, {"customer_id": after["customer_id"]}, None, {k: after.get(k) for k in CUSTOMER}, "u", lsn, AT + lsn
    )
    if not NEW.keys() & after.keys():
        return topic, key, value
    _, decoded = Decoder(SCHEMAS.get).decode(Record(topic, 0, 0, AT, None, value))
    out = io.BytesIO()
    fastavro.schemaless_writer(
        out, fastavro.parse_schema(dict(schema_of(WITH_NEW) or {})), {**(decoded or {}), "after": {**dict.fromkeys(NEW), **after}}
    )
    return topic, key, b"\0" + WITH_NEW.to_bytes(4, "big") + out.getvalue()


def sent() -> list[tuple[str, bytes | None, bytes | None]]:
    ada = {"email": WORDS[0], "full_name": WORDS[1], "city": WORDS[2]}
    new = {"phone": int(WORDS[5]), "photo": b"\1\2Ada", "nicknames": [WORDS[4], "A"]}
    review = {"product_id": 1, "customer_id": 7, "rating": 5, "title": WORDS[3], "body": WORDS[3], "language": "en"}
    return [
        customer(image(7, full_name="A", city=WORDS[2]), 1000),
        customer(image(7, **ada), 1100),
        customer(image(8, full_name="Grace", city=WORDS[2]), 1150),
        customer(image(7, **ada, **new), 1200),
        customer(image(7, **ada, **{**new, "phone": 5}), 1300),
        customer(image(7, **{**ada, "city": "Oslo"}, **new), 1400),
        customer(image(7, **{**ada, "city": "Rome"}, **new), 1400),  # another row at the same place
        (REVIEWS.name, b"r1", change_event(REVIEWS.name, "r1", "insert", review, (1, 1))[2]),
        (REVIEWS.name, b"r1", change_event(REVIEWS.name, "r1", "delete", None, (2, 1))[2]),
        (REVIEWS.name, None, b"\0\0\0\0\x63 about " + WORDS[1].encode()),
        (REVIEWS.name, None, b"\0\0\0\0\x63 about Marylebone"),
        (PRODUCTS.name, None, b"\0\0\0\0\x63 a poster of Ada Lovelace"),
    ]


@pytest.fixture
def lake(tmp_path: Path) -> DyingLake:
    """Bronze, its history, and dead letters, as the lake job would have them."""
    made = DyingLake(LakeSettings(root=str(tmp_path / "lake")))
    for table in TABLES:
        made.create(table)
    rows: list[dict[str, Any]] = [
        {"topic": topic, "partition": 0, "offset": n, "kafka_ts": KAFKA_TS, "headers": [], "key": key, "value": value, "batch_id": 0}
        for n, (topic, key, value) in enumerate(sent())
    ]
    made.append(RECORDS, rows, "q", 0)
    log, rejections = rebuild.refold(made, CUSTOMERS.extended(DIM_CUSTOMER), Decoder(schema_of))
    made.append(log.entity.table, [{**row, "batch_id": 0} for key in log.store for row in log.store.get(key)], "q", 0)
    letters = [(r.record[:3], r.reason, r.detail, r.record.value) for r in rejections]
    letters += [((row["topic"], 0, row["offset"]), "unknown_schema", "", row["value"]) for row in rows[-3:]]
    names = ("topic", "partition", "offset")
    made.append(
        DEAD_LETTERS,
        [
            {
                **dict(zip(names, at, strict=True)),
                "reason": reason,
                "detail": detail,
                "kafka_ts": KAFKA_TS,
                "key": None,
                "value": value,
                "batch_id": 0,
            }
            for at, reason, detail, value in letters
        ],
        "q",
        0,
    )
    assert len(letters) == 4
    return made


def erase(lake: DyingLake, state: Path, key: bytes | None) -> bytes:
    """What the command does with the lake. The key of an earlier run, or a new one."""
    eraser = Eraser(Settings(state=state, lake=lake.settings))
    eraser.lake = lake
    people = People(frozenset({7}), Tokens(key or b""), schema_of)
    theirs = privacy.their_records(lake, people)
    key = key or eraser._choose_key(people, theirs)
    values = theirs.values(people)
    eraser._note_erased(values)
    eraser._lake(people, values)
    return key


def words_in(lake: Lake) -> set[str]:
    found = set()
    for path in Path(lake.settings.root).rglob("*"):
        if path.is_file():
            rows = repr(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else ""
            found |= {w for w in WORDS if w in rows or w.encode() in path.read_bytes()}
    return found


def shape(lake: Lake) -> list[Any]:
    """What must stay: versions, their times, who is visible; how many rows each table has."""
    names = ("customer_id", "seq_pos", "version_key", "valid_from", "valid_to", "is_visible", "closed_by", "tier", "points", "origin")
    versions = lake.query(DIM_CUSTOMER, f"SELECT {', '.join(names)} FROM dim_customer ORDER BY seq_pos").to_pylist()
    return [versions, *(lake.query(t, f"SELECT COUNT(*) AS n FROM {t.entity}").to_pylist() for t in TABLES)]


def differences(lake: Lake) -> dict[str, int]:
    dimension = CUSTOMERS.extended(lake.extended(DIM_CUSTOMER))
    log, rejections = rebuild.refold(lake, dimension, Decoder(schema_of))
    assert [(r.record.offset, r.reason) for r in rejections] in ([(5, "seq_conflict")], [(6, "seq_conflict")])
    return dict(rebuild.compare(lake, dimension, log).kinds)


@pytest.mark.parametrize("dies_after", [0, 1, 2, 3, 5, 7, 8, 100])
def test_killed_anywhere_and_run_again_nothing_is_left_and_the_history_is_what_bronze_says(
    lake: DyingLake, tmp_path: Path, dies_after: int
) -> None:
    before, loser = shape(lake), rebuild.refold(lake, CUSTOMERS.extended(DIM_CUSTOMER), Decoder(schema_of))[1][0].record.offset
    assert words_in(lake) == set(WORDS)
    people = People(frozenset({7}), Tokens(b""), schema_of)
    key = Eraser(Settings(state=tmp_path, lake=lake.settings))._choose_key(people, privacy.their_records(lake, people))
    lake.left = dies_after
    try:
        erase(lake, tmp_path, key)
    except KeyboardInterrupt:
        assert dies_after < 100
    lake.left = 10**9
    erase(lake, tmp_path, key)
    assert words_in(lake) <= {"Marylebone", "Ada Lovelace"}, "where somebody else lives, and a poster"
    assert shape(lake) == before
    assert differences(lake) == {"equal": 6, "changed": 0, "missing": 0, "extra": 0}
    assert rebuild.refold(lake, CUSTOMERS.extended(DIM_CUSTOMER), Decoder(schema_of))[1][0].record.offset == loser
    letters = {(r["topic"], r["offset"]): r["value"] for r in lake.query(DEAD_LETTERS, "SELECT * FROM dead_letters").to_pylist()}
    assert letters[PRODUCTS.name, 11] == b"\0\0\0\0\x63 a poster of Ada Lovelace", "not one of their topics"
    assert letters[REVIEWS.name, 10] == b"\0\0\0\0\x63 about Marylebone"
    assert set(letters[REVIEWS.name, 9][5:]) == {255}


def test_a_second_erasure_changes_no_row(lake: DyingLake, tmp_path: Path) -> None:
    erase(lake, tmp_path, None)
    before = [lake.query(t, f"SELECT * FROM {t.entity}").to_pylist() for t in (RECORDS, DEAD_LETTERS, DIM_CUSTOMER)]
    erase(lake, tmp_path, None)
    assert [lake.query(t, f"SELECT * FROM {t.entity}").to_pylist() for t in (RECORDS, DEAD_LETTERS, DIM_CUSTOMER)] == before


def test_nobody_has_a_number_that_no_table_has(lake: Lake) -> None:
    assert privacy.unknown_of(lake, [7, 8, 9]) == [9]


def test_topics_are_cut_off_behind_the_last_record_of_theirs(lake: DyingLake, tmp_path: Path) -> None:
    from commerce360.reconcile.erased import erased_below

    erase(lake, tmp_path, None)
    assert erased_below(lake) == {CUSTOMERS_TOPIC.name: {0: 7}, REVIEWS.name: {0: 10}}
