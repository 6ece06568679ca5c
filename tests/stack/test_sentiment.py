"""Reviews from the shop's web store to scored texts, by Azure's own client: each text is paid for once, whatever is killed or lost."""

from __future__ import annotations

import datetime as dt
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pymongo
import pytest
from local_ports import new_state
from topic_records import Topics

from commerce360 import metrics
from commerce360.local.doubles.language.service import Language
from commerce360.local.doubles.served import served
from commerce360.local.stack import INGEST, Stack
from schemas.topics import REVIEWS, SENTIMENT
from stream_jobs.sentiment.intake import GROUP
from stream_jobs.sentiment.text import Text

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
SHOP = {"customers": 5, "products": 3, "past_orders": 0, "past_clicks": 0, "past_reviews": 0}
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class World:
    """Writes reviews; `texts` are the different ones so far."""

    def __init__(self, stack: Stack, language: Language) -> None:
        self.stack = stack
        self.language = language
        self.texts: set[tuple[str, str]] = set()
        self.next = 0
        settings = stack.settings()
        self.reviews = pymongo.MongoClient[dict[str, Any]](settings.mongo.uri)[settings.mongo.database].reviews
        self.topics = Topics(settings)

    def write(self, body: str, language: str | None = "en") -> str:
        self.next += 1
        said = {"product_id": 1, "customer_id": 1, "rating": 3, "title": "Lamp", "body": body, "language": language, "reviewed_at": NOW}
        self.reviews.insert_one({"_id": f"r{self.next}", **said})
        self.texts.add(Text.of("Lamp", body, language).key)
        return f"r{self.next}"

    def edit(self, review: str, body: str) -> None:
        self.reviews.update_one({"_id": review}, {"$set": {"body": body}})
        self.texts.add(Text.of("Lamp", body, "en").key)

    def answers(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(a["text_hash"], a["language"]): a for a in self.topics.values(SENTIMENT.name)}

    def wait_answered(self) -> None:
        wait(lambda: self.answers().keys() == self.texts, "not all texts have an answer")

    def metric(self, name: str) -> Any:
        return metrics.read(self.stack.state.root, "sentiment").get(name)

    def wait_idle(self, since: float) -> None:
        """A process that started after `since` has read everything."""

        def idle() -> bool:
            found = metrics.read(self.stack.state.root, "sentiment")
            has_read = found.get("scored", 0) + found.get("cached", 0) + found.get("failed", 0) > 0
            return bool(found["at"] > since and has_read and found["lag"] == found["waiting"] == 0 and not found["error"])

        wait(idle, "it does not come to rest")

    def bill(self) -> Counter[int]:
        return Counter(self.language.billed.values())


def wait(until: Callable[[], bool], why: str, timeout_s: float = 90.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not until():
        assert time.monotonic() < deadline, why
        time.sleep(0.2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    language = Language()
    root = tmp_path_factory.mktemp("sentiment")
    key_file = root / "key"
    key_file.write_text(language.key)
    with served(language) as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("C360_SENTIMENT__ENGINE", "azure")
        patch.setenv("C360_SENTIMENT__ENDPOINT", endpoint)
        patch.setenv("C360_SENTIMENT__KEY_FILE", str(key_file))
        patch.setenv("C360_SENTIMENT__RETRY_S", "1")
        stack = Stack.open(new_state(root / "state"), shop=SHOP)
        try:
            stack.start(services=(*INGEST, "sentiment"))
            yield World(stack, language)
        finally:
            stack.stop()


def test_reviews_and_their_edits_are_scored_and_equal_texts_once(world: World) -> None:
    for n in range(25):
        world.write(f"A good one, number {n % 9}")
    edited = world.write("bad, broken")
    world.edit(edited, "On second thought it is good")
    world.write("A good one, number 1", "de")  # another language is another question
    world.write("dobra", "pl")
    world.write("   \n", None)
    world.wait_answered()
    found = world.answers()
    told = {key: (a["label"], a["error"], a["model"], a["model_version"]) for key, a in found.items()}
    azure = ("azure-ai-language", "2022-11-01")
    assert told[Text.of("Lamp", "bad, broken", "en").key] == ("negative", None, *azure)
    assert told[Text.of("Lamp", "On second thought it is good", "en").key] == ("positive", None, *azure)
    assert told[Text.of("Lamp", "dobra", "pl").key] == (None, "UnsupportedLanguageCode", *azure)
    assert len(found) == 9 + 2 + 1 + 1 + 1
    # The same words in two languages are one text of the bill.
    assert sum(world.language.billed.values()) == len(found) - 1
    assert world.language.billed["Lamp\nA good one, number 1"] == 2
    assert max(world.language.sizes) <= 10


def test_a_busy_service_and_a_refused_key_hold_up_nothing_but_the_scores(world: World) -> None:
    before = sum(world.language.billed.values())
    world.language.busy(2, "1")
    world.write("good while busy")
    world.wait_answered()
    key_file = world.stack.settings().sentiment.key_file
    assert key_file is not None
    world.language.key, old = "another", world.language.key
    world.write("good while locked out")
    wait(lambda: str(world.metric("error")).startswith("401"), "nobody says that the key is refused")
    assert world.metric("waiting") == 1
    assert len(world.topics.values(REVIEWS.name)) > len(world.texts)
    key_file.write_text("another")  # a new key needs no restart
    world.wait_answered()
    wait(lambda: world.metric("error") == "", "the error stays")
    assert sum(world.language.billed.values()) == before + 2
    assert old not in world.stack.supervisor.log("sentiment").read_text()


def test_each_text_is_paid_for_once_whatever_is_killed(world: World) -> None:
    dice, start = random.Random(11), world.next
    world.language.billed.clear()
    for round_ in range(2):
        count = world.stack.restart_count("sentiment")
        for n in range(30):
            world.write(f"good {dice.randint(0, 19)} of round {round_}")
            if n == 20:
                wait(lambda: sum(world.language.billed.values()) > 0, "it asks nobody")
                world.stack.kill("sentiment", signal.SIGKILL)
        wait(lambda seen=count: world.stack.restart_count("sentiment") > seen, "it is not started again")  # type: ignore[misc]
    world.wait_answered()
    texts = {r["body"] for r in world.reviews.find({}) if int(r["_id"][1:]) > start}
    assert {t.removeprefix("Lamp\n") for t in world.language.billed} == texts
    # A kill between the service's answer and the disk loses an answer that was paid for: at most one request of it a kill.
    again = sum(times - 1 for times in world.language.billed.values())
    assert again <= 2 * 10
    assert all(times <= 3 for times in world.language.billed.values())


def test_a_restart_bills_nothing(world: World) -> None:
    before, requests = sum(world.language.billed.values()), world.language.requests
    world.stack.stop_service("sentiment")
    since = time.time()
    world.stack.start_service("sentiment")
    known = world.reviews.find_one({"_id": "r1"})
    assert known is not None
    world.reviews.insert_one({**known, "_id": "again"})
    world.wait_idle(since)
    assert (sum(world.language.billed.values()), world.language.requests) == (before, requests)


def test_everything_read_again_bills_nothing_with_a_lost_cache_neither(world: World) -> None:
    from confluent_kafka.admin import AdminClient

    before = sum(world.language.billed.values())
    admin = AdminClient(world.stack.settings().kafka.client())
    for lost in ("offsets", "cache and offsets"):
        world.stack.stop_service("sentiment")
        wait(lambda: _forgotten(admin), "the group is still there", 60)
        if "cache" in lost:
            shutil.rmtree(world.stack.state.root / "data" / "sentiment")
        since = time.time()
        world.stack.start_service("sentiment")
        reviews = len(world.topics.values(REVIEWS.name))
        wait(lambda seen=since, n=reviews: _has_read(world, seen, n), f"with lost {lost} it does not read again")  # type: ignore[misc]
        assert world.metric("calls") == 0, lost
    assert sum(world.language.billed.values()) == before


def _forgotten(admin: Any) -> bool:
    from confluent_kafka import KafkaException

    try:
        admin.delete_consumer_groups([GROUP])[GROUP].result(timeout=20)
    except KafkaException as error:
        return bool(error.args[0].name() == "GROUP_ID_NOT_FOUND")
    return True


def _has_read(world: World, since: float, reviews: int) -> bool:
    found = metrics.read(world.stack.state.root, "sentiment")
    return bool(found["at"] > since and found["cached"] == reviews and found["waiting"] == 0)


def test_it_ends_in_order_when_it_is_told_to(world: World) -> None:
    (pid,) = world.stack.pids("sentiment")
    world.stack.stop_service("sentiment")
    assert not psutil.pid_exists(pid)
    assert "Traceback" not in world.stack.supervisor.log("sentiment").read_text()
