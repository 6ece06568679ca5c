"""Azure's own client against the local Azure AI Language: limits, errors, waits, and what is billed."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import requests

from commerce360.local.doubles.language.service import Language, Refusal
from commerce360.local.doubles.served import served
from commerce360.settings import Sentiment, Settings
from stream_jobs.sentiment.azure import AzureScorer, retry_after_s
from stream_jobs.sentiment.cache import Cache
from stream_jobs.sentiment.desk import Desk
from stream_jobs.sentiment.records import Answer
from stream_jobs.sentiment.scorer import BusyError, DeniedError, LostError, RefusedError
from stream_jobs.sentiment.service import Sentiments
from stream_jobs.sentiment.text import Text


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    def __init__(self, language: Language, endpoint: str, folder: Path) -> None:
        self.language = language
        self.key_file = folder / "key"
        self.key_file.write_text(language.key + "\n")
        self.settings = Sentiment(engine="azure", endpoint=endpoint, key_file=self.key_file)
        self.cache = Cache(folder / "cache.sqlite")
        self.clock = Clock()

    def scorer(self, **more: object) -> AzureScorer:
        return AzureScorer(self.settings.model_copy(update=more))

    def desk(self, **more: object) -> Desk:
        settings = self.settings.model_copy(update=more)
        return Desk(self.cache, AzureScorer(settings), settings, self.clock)


class ReviewsOf:
    """The consumer: a review for each text, read again unless they were committed."""

    undecodable = 0

    def __init__(self, texts: list[Text]) -> None:
        self.texts = texts
        self.read = False
        self.committed: list[tuple[str, str]] = []

    def poll(self, waiting: int, timeout_s: float) -> list[Text]:
        found, self.read = [] if self.read else self.texts, True
        return found

    def commit(self, is_open: Callable[[tuple[str, str]], bool]) -> None:
        self.committed = [t.key for t in self.texts if not is_open(t.key)]


class Acknowledging:
    """The producer, and a Kafka that takes everything."""

    def __init__(self) -> None:
        self.sent: list[Answer] = []

    def send(self, answers: Sequence[Answer]) -> list[Answer]:
        self.sent += answers
        return list(answers)


def fill(cache: Cache) -> None:
    """Until no answer fits into the file any more."""
    one = Answer("", "en", "m", "1", "positive", "1.0000", None, False, 1)
    cache._db.execute("PRAGMA max_page_count = 12")
    with contextlib.suppress(sqlite3.OperationalError):
        for n in range(10_000):
            cache.keep([one._replace(text_hash=f"{n:032x}")])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    language = Language()
    with served(language) as endpoint:
        made = World(language, endpoint, tmp_path)
        yield made
        made.cache.close()


def text(content: str, language: str = "en") -> Text:
    return Text.of(content, None, language)


def all_answers(desk: Desk) -> list[Answer]:
    found: list[Answer] = []
    while desk.ready():
        found += desk.ask()
    return found


def test_a_score_is_what_speaks_for_the_text_minus_what_speaks_against(world: World) -> None:
    said = [
        text("A good lamp"),
        text("A bad lamp"),
        text("A lamp"),
        text("Good and bad"),
        text("Eine gute Lampe, gut", "de"),
        text("good", ""),
    ]
    verdicts = world.scorer().score(said)
    assert [v[:3] for v in verdicts] == [
        ("positive", "0.9600", None),
        ("negative", "-0.9600", None),
        ("neutral", "0.0000", None),
        ("mixed", "0.0400", None),
        ("positive", "0.9600", None),
        ("positive", "0.9600", None),
    ]


def test_latest_becomes_the_version_that_answered(world: World) -> None:
    assert world.scorer().score([text("good")])[0].model_version == "2022-11-01"
    assert world.scorer(model_version="2022-06-01").score([text("good")])[0].model_version == "2022-06-01"


def test_the_real_limit_of_documents_is_refused_and_the_desk_keeps_to_it(world: World) -> None:
    with pytest.raises(RefusedError, match="InvalidDocumentBatch"):
        world.scorer().score([text(f"good {n}") for n in range(11)])
    desk = world.desk()
    for n in range(25):
        desk.add(text(f"good {n}"))
    assert len(all_answers(desk)) == 25
    assert world.language.sizes == [10, 10, 5]
    assert set(world.language.billed.values()) == {1}


def test_errors_of_single_documents_are_kept_beside_the_others(world: World) -> None:
    desk = world.desk()
    for said in (text("good"), text("  "), text("dobra", "pl"), text("bad")):
        desk.add(said)
    answers = all_answers(desk)
    assert [(a.label, a.score, a.error) for a in answers] == [
        ("positive", "0.9600", None),
        (None, None, "InvalidDocument"),
        (None, None, "UnsupportedLanguageCode"),
        ("negative", "-0.9600", None),
    ]
    assert {a.model_version for a in answers} == {"2022-11-01"}
    assert (desk.scored, desk.failed) == (2, 2)
    desk.add(text("dobra", "pl"))
    assert not desk.waiting  # not asked again
    assert sum(world.language.billed.values()) == 2


def test_a_document_that_is_too_large_is_an_error_so_the_desk_cuts_it(world: World) -> None:
    large = text("good " * 2000)
    assert world.scorer().score([large])[0].error == "InvalidDocument"
    desk = world.desk()
    desk.add(large)
    desk.add(text("good"))
    assert [(a.text_hash, a.label, a.truncated) for a in all_answers(desk)] == [
        (large.text_hash, "positive", True),
        (text("good").text_hash, "positive", False),
    ]
    assert world.language.text_records == 6 + 1
    desk.add(large)
    assert not desk.waiting


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", ["7", "date"])
def test_a_busy_api_is_left_alone_for_as_long_as_it_says(world: World, status: int, header: str) -> None:
    later = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=40), usegmt=True)
    world.language.busy(2, later if header == "date" else header, status)
    desk = world.desk()
    desk.add(text("good"))
    assert desk.ask() == []
    assert world.language.requests == 1  # the client did not try by itself
    assert str(status) in desk.error
    world.clock.now += 6.0
    assert desk.ask() == []
    assert world.language.requests == 1
    world.clock.now += 40.0
    assert desk.ask() == []  # told a second time
    world.clock.now += 40.0
    assert [a.label for a in desk.ask()] == ["positive"]
    assert (world.language.requests, world.language.billed[text("good").content], desk.error) == (3, 1, "")


def test_without_a_hint_the_wait_grows(world: World) -> None:
    world.language.busy(3, None)
    desk, waits = world.desk(), []
    desk.add(text("good"))
    while not desk.scored:
        began = world.clock.now
        while not desk.ready():
            world.clock.now += 0.5
        waits.append(world.clock.now - began)
        desk.ask()
    assert waits == [0.0, 1.0, 2.0, 5.0]


def test_nobody_at_the_endpoint_is_waited_for(world: World) -> None:
    with pytest.raises(BusyError):
        world.scorer(endpoint="http://127.0.0.1:9").score([text("good")])


def test_an_answer_that_takes_too_long_is_paid_for_a_few_times_and_not_without_end(world: World) -> None:
    world.language.delay_s = 2.0
    desk, waits = world.desk(timeout_s=0.2), []
    desk.add(text("good"))
    answers: list[Answer] = []
    while desk.waiting:
        began = world.clock.now
        while not desk.ready():
            world.clock.now += 1.0
        waits.append(world.clock.now - began)
        answers += desk.ask()
        desk.forget()  # a trouble with Kafka in between does not begin the count anew
        if not answers:
            desk.add(text("good"))
    assert waits == [0.0, 5.0, 30.0, 120.0, 600.0]
    assert [(a.label, a.error) for a in answers] == [(None, "Timeout")]
    assert world.language.billed["good\n"] == 5
    world.language.delay_s = 0.0
    world.clock.now += 60.0
    assert desk.ask() == []  # not by itself
    desk.add(text("good"))  # another review with the same words
    assert [a.label for a in desk.ask()] == ["positive"]
    assert world.language.billed["good\n"] == 6


@pytest.mark.parametrize(
    ("status", "code"), [(408, "Timeout"), (500, "InternalServerError"), (502, "InternalServerError"), (504, "Timeout")]
)
def test_a_failure_that_may_be_billed_ends_as_an_error_of_its_texts_and_the_next_ones_are_scored(
    world: World, status: int, code: str
) -> None:
    world.language.refusals.append(Refusal(status, "InternalServerError", "Failed.", 4 + 3))  # four with all of them, one with each
    desk = world.desk()
    for n in range(3):
        desk.add(text(f"good {n}"))
    answers: list[Answer] = []
    while desk.waiting:
        answers += desk.ask()
        world.clock.now += 1.0
    assert [a.error for a in answers] == [code] * 3
    assert (world.language.requests, desk.failed) == (7, 3)
    desk.add(text("bad"))
    world.clock.now += 60.0
    assert [a.label for a in desk.ask()] == ["negative"]
    assert desk.error == ""


def test_a_text_at_which_the_api_fails_spoils_no_other(world: World) -> None:
    world.language.refusals.append(Refusal(500, "InternalServerError", "Failed.", 4 + 1))  # the last one with the first text alone
    desk = world.desk()
    for n in range(3):
        desk.add(text(f"good {n}"))
    answers: list[Answer] = []
    while desk.waiting:
        answers += desk.ask()
        world.clock.now += 1.0
    assert [a.error for a in answers] == ["InternalServerError", None, None]
    assert set(world.language.billed.values()) == {1}


def test_an_answer_that_cannot_be_read_may_be_billed_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in ({}, {"documents": [], "errors": [], "modelVersion": "2022-11-01"}):
        monkeypatch.setattr(world.language, "_results", lambda *_, said=broken: said)
        with pytest.raises(LostError):
            world.scorer().score([text("good")])


def test_a_full_disk_costs_nothing_however_long_it_stays_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text(f"good {n}") for n in range(10)]
    intake, outlet = ReviewsOf(texts), Acknowledging()
    service = Sentiments(Settings(state=world.key_file.parent, sentiment=world.settings))
    monkeypatch.setattr(service, "_open", lambda: (intake, outlet))
    fill(service.cache)
    told = len(service.cache.unpublished(1000))
    for _ in range(4):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            service.step()
        service.close()
        intake.read = False  # from the committed offset again
    assert world.language.billed == {t.content: 1 for t in texts}
    assert intake.committed == []
    service.cache._db.execute("PRAGMA max_page_count = 1000")
    service.step()
    assert set(world.language.billed.values()) == {1}
    assert len(outlet.sent) == told + 10
    assert intake.committed == [t.key for t in texts]
    service.cache.close()


def test_a_bad_key_is_told_once_with_a_hint_and_a_new_one_in_the_file_heals_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.key_file.write_text("another")
    desk = world.desk(retry_s=60.0)
    desk.add(text("good"))
    for _ in range(3):
        assert desk.ask() == []
        assert desk.ask() == []  # and not again before the minute is over
        world.clock.now += 60.0
    assert desk.error.startswith("401")
    assert desk.calls == 3
    printed = "".join(capsys.readouterr())
    assert printed.count("denied_scoring") == 1
    assert "C360_SENTIMENT__ENDPOINT" in printed
    assert "another" not in printed
    world.key_file.write_text(world.language.key)
    assert [a.label for a in desk.ask()] == ["positive"]
    assert desk.error == ""


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"key_file": None}, "key of Azure AI Language is not set"),
        ({"endpoint": ""}, "not https"),
        ({"endpoint": "http://example.com"}, "not https"),
        ({"model_version": "1999-01-01"}, "ModelVersionIncorrect"),
    ],
)
def test_a_wrong_setting_is_no_error_of_a_text(world: World, setting: dict[str, object], told: str) -> None:
    with pytest.raises(DeniedError, match=told):
        world.scorer(**setting).score([text("good")])


def test_an_error_that_passes_is_tried_again_and_holds_up_nobody_else(world: World) -> None:
    world.language.failing["good 1\n"] = 2
    desk = world.desk()
    for n in range(3):
        desk.add(text(f"good {n}"))
    assert [a.text_hash for a in desk.ask()] == [text("good 0").text_hash, text("good 2").text_hash]
    assert list(desk.waiting) == [text("good 1").key]
    world.clock.now += 1.0
    assert desk.ask() == []
    world.clock.now += 2.0
    assert [a.error for a in desk.ask()] == [None]
    assert world.language.billed["good 1\n"] == 1


def test_the_texts_of_a_refused_request_are_asked_one_by_one(world: World) -> None:
    world.language.refusals += [Refusal(400, "InvalidDocument", "Invalid document in request.", 2)]  # the batch, then its first text
    desk = world.desk()
    for n in range(3):
        desk.add(text(f"good {n}"))
    assert desk.ask() == []
    assert [a.error for _ in range(3) for a in desk.ask()] == ["InvalidDocument", None, None]
    assert world.language.sizes == [1, 1]
    assert not desk.waiting


def test_an_error_that_should_pass_and_does_not_is_told_but_asked_again_later(world: World) -> None:
    world.language.failing["good\n"] = 5
    desk = world.desk()
    desk.add(text("good"))
    answers: list[Answer] = []
    while desk.waiting:
        answers += desk.ask()
        world.clock.now += 1.0
    assert [a.error for a in answers] == ["InternalServerError"]
    desk.add(text("good"))
    assert [a.label for a in desk.ask()] == ["positive"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        ({"Retry-After": "-1"}, 0.0),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_the_double_bills_nothing_that_it_refuses(world: World) -> None:
    url = f"{world.settings.endpoint}/language/:analyze-text"
    assert requests.post(url, json={}, timeout=5).json()["error"]["code"] == "401"
    headers = {"Ocp-Apim-Subscription-Key": world.language.key}
    assert requests.post(f"{url}?api-version=2023-04-01", data="{", headers=headers, timeout=5).status_code == 400
    assert requests.post(url, json={}, headers=headers, timeout=5).status_code == 404
    assert (sum(world.language.billed.values()), world.language.text_records) == (0, 0)
