"""What was answered once is on disk, is published, and is never asked again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fastavro
import pytest

from commerce360.settings import Sentiment
from schemas.topics import SENTIMENT
from stream_jobs.entity import Record
from stream_jobs.sentiment.cache import Cache
from stream_jobs.sentiment.desk import Desk
from stream_jobs.sentiment.local import LocalScorer
from stream_jobs.sentiment.records import Answer, Codec, schema
from stream_jobs.sentiment.scorer import LATEST
from stream_jobs.sentiment.text import Text
from stream_jobs.sentiments import SENTIMENTS
from stream_jobs.wire import Decoder

SCORED = Answer("a" * 32, "en", "azure-ai-language", "2022-11-01", "positive", "0.9600", None, False, 1_790_000_000_000_001)
REFUSED = SCORED._replace(text_hash="b" * 32, label=None, score=None, error="InvalidDocument")
PASSING = SCORED._replace(text_hash="c" * 32, label=None, score=None, error="ServiceUnavailable")
KILLED = """
import os, signal, sys
from pathlib import Path
from stream_jobs.sentiment.cache import Cache
from stream_jobs.sentiment.records import Answer
cache = Cache(Path(sys.argv[1]))
cache.keep([Answer("k" * 32, "en", "m", "1", "positive", "1.0000", None, False, 1)])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sentiment" / "cache.sqlite"


@pytest.fixture
def cache(file: Path) -> Iterator[Cache]:
    made = Cache(file)
    yield made
    made.close()


def has(cache: Cache, answer: Answer, version: str = "2022-11-01") -> bool:
    return cache.has(answer.text_hash, answer.language, answer.model, version)


def record_of(answer: Answer) -> Record:
    return Record(SENTIMENT.name, 0, 0, 0, answer.text_hash.encode(), Codec(9).encode(answer))


def test_an_answer_counts_for_its_text_language_model_and_version(cache: Cache) -> None:
    cache.keep([SCORED])
    assert has(cache, SCORED)
    others = [SCORED._replace(text_hash="d"), SCORED._replace(language=""), SCORED._replace(model="vader")]
    assert not any(has(cache, other) for other in others)
    assert not has(cache, SCORED, "2022-06-01")
    assert has(cache, SCORED, LATEST)  # a newer latest model does not bill everything again


def test_errors_count_as_answers_unless_they_may_pass(cache: Cache) -> None:
    cache.keep([REFUSED, PASSING])
    assert has(cache, REFUSED)
    assert not has(cache, PASSING)
    assert cache.unpublished(10) == [REFUSED, PASSING]  # both are told


def test_the_outbox_holds_what_kafka_has_not_acknowledged(cache: Cache, file: Path) -> None:
    cache.keep([SCORED, REFUSED])
    cache.mark([SCORED])
    cache.close()
    again = Cache(file)
    assert again.unpublished(10) == [REFUSED]
    again.mark([REFUSED])
    assert again.unpublished(10) == []
    again.close()


def test_an_acknowledgement_of_an_error_does_not_hide_the_score_that_followed(cache: Cache) -> None:
    cache.keep([PASSING])
    later = PASSING._replace(error=None, label="positive", score="0.5000", scored_at=PASSING.scored_at + 1)
    cache.keep([later])
    cache.mark([PASSING])
    assert cache.unpublished(10) == [later]


def test_an_answer_survives_a_kill_right_behind_it(file: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False)
    assert done.returncode == -signal.SIGKILL
    cache = Cache(file)
    assert [a.text_hash for a in cache.unpublished(10)] == ["k" * 32]
    assert not cache.is_filled  # the topic has to be recalled still, and does not hide what is in the outbox
    cache.recall([SCORED])
    assert [a.text_hash for a in cache.unpublished(10)] == ["k" * 32]
    cache.close()


def test_a_lost_cache_is_recalled_from_the_topic(cache: Cache) -> None:
    assert not cache.is_filled
    later = PASSING._replace(error=None, label="negative", score="-0.5000", scored_at=PASSING.scored_at + 1)
    assert cache.recall([SCORED, later, SCORED, PASSING, REFUSED]) == 5
    assert cache.is_filled
    assert all(has(cache, answer) for answer in (SCORED, REFUSED, PASSING))  # of several records the score counts
    assert cache.unpublished(10) == []


def test_a_recall_that_breaks_off_leaves_nothing(cache: Cache) -> None:
    def broken() -> Iterator[Answer]:
        yield SCORED
        raise ConnectionError

    with pytest.raises(ConnectionError):
        cache.recall(broken())
    assert not cache.is_filled
    assert not has(cache, SCORED)
    assert cache.recall([SCORED]) == 1


def test_a_full_disk_leaves_nothing_of_what_it_could_not_take_and_room_is_used_again(cache: Cache) -> None:
    many = [SCORED._replace(text_hash=f"{n:032x}") for n in range(500)]
    cache._db.execute("PRAGMA max_page_count = 12")
    for attempt in (cache.keep, cache.recall, cache.keep):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            attempt(many)
    assert cache.unpublished(10) == []
    cache._db.execute("PRAGMA max_page_count = 1000")
    cache.keep(many)
    assert len(cache.unpublished(1000)) == 500
    cache._db.execute("CREATE TRIGGER broken BEFORE UPDATE ON answers WHEN OLD.text_hash LIKE '%3' BEGIN SELECT RAISE(FAIL, 'I/O'); END")
    for _ in range(2):
        with pytest.raises(sqlite3.IntegrityError, match="I/O"):
            cache.mark(many)
    assert len(cache.unpublished(1000)) == 500


def test_a_text_is_scored_once_however_often_it_comes(cache: Cache, file: Path) -> None:
    texts = [Text.of(f"Great lamp {n % 7}", None, "en") for n in range(50)]
    desk = Desk(cache, LocalScorer(), Sentiment())
    for text in texts:
        desk.add(text)
    answers = desk.ask()
    assert len(answers) == desk.scored == 7
    assert desk.cached == 43
    cache.close()
    restarted = Desk(Cache(file), LocalScorer(), Sentiment())
    for text in texts:
        restarted.add(text)
    assert (restarted.ask(), restarted.calls, restarted.cached) == ([], 0, 50)


def test_a_record_says_what_the_answer_says_and_the_lake_job_takes_it() -> None:
    decoder = Decoder(lambda _: schema())
    for answer in (SCORED, REFUSED, SCORED._replace(truncated=True, language="")):
        record = record_of(answer)
        key, value = decoder.decode(record)
        assert key is None  # plain text
        assert value is not None
        assert Answer.of_record(value) == answer
        (said,) = SENTIMENTS.read(record, key, value)
        assert said.key == answer.text_key
        assert said.payload["error"] == answer.error


def test_the_schema_is_one_that_every_reader_takes() -> None:
    fastavro.parse_schema(json.loads(json.dumps(schema())))
    assert tuple(f["name"] for f in schema()["fields"]) == Answer._fields
