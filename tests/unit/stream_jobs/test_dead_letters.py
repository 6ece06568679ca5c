from __future__ import annotations

import datetime as dt

from schemas.tables import DEAD_LETTERS
from stream_jobs.batch import dead_letters
from stream_jobs.entity import Record, Rejection


def rejected(offset: int, reason: str, detail: str = "") -> Rejection:
    return Rejection(Record("t", 2, offset, 1_772_355_600_123_000, b"k", b"v"), reason, detail)


def test_a_dead_letter_has_the_bytes_and_says_why():
    assert dead_letters([rejected(5, "bad_magic", "no frame")], 9) == [
        {
            "topic": "t",
            "partition": 2,
            "offset": 5,
            "reason": "bad_magic",
            "detail": "no frame",
            "kafka_ts": dt.datetime(2026, 3, 1, 9, 0, 0, 123_000, dt.UTC),
            "key": b"k",
            "value": b"v",
            "batch_id": 9,
        }
    ]
    assert set(dead_letters([rejected(5, "x")], 9)[0]) == {c.name for c in DEAD_LETTERS.columns}


def test_a_record_is_named_once_for_each_reason():
    made = dead_letters(
        [rejected(5, "seq_conflict"), rejected(6, "seq_conflict"), rejected(5, "seq_conflict"), rejected(5, "bad_value")], 9
    )
    assert sorted((r["offset"], r["reason"]) for r in made) == [(5, "bad_value"), (5, "seq_conflict"), (6, "seq_conflict")]
