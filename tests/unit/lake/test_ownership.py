"""Two lake jobs and one lake: who may write."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import obstore
import pytest
from deltalake.exceptions import CommitFailedError

from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from commerce360.settings import Settings
from schemas.tables import DEAD_LETTERS, DIM_CUSTOMER
from stream_jobs.ownership import OWNER, Ownership, TakenOverError

LEASE_S = 1.0
LETTER = {
    "topic": "orders",
    "partition": 0,
    "offset": 1,
    "reason": "malformed",
    "detail": "",
    "kafka_ts": dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
    "key": b"k",
    "value": b"v",
    "batch_id": 0,
}
Job = Callable[..., Ownership]


@pytest.fixture
def job(place: LakeSettings, tmp_path: Path) -> Iterator[Job]:
    """A lake job with a state folder of its own, as one of another machine would have it."""
    made: list[Ownership] = []

    def start(name: str, clock: Callable[[], float] = time.monotonic) -> Ownership:
        settings = Settings(state=tmp_path / name, lake=place.model_copy(update={"lease_s": LEASE_S}))
        made.append(Ownership(settings, clock))
        return made[-1]

    yield start
    for owner in made:
        owner.leave()  # its thread must not outlive the folder


def takes(owner: Ownership, timeout_s: float) -> bool:
    stop = threading.Event()
    timer = threading.Timer(timeout_s, stop.set)
    timer.start()
    try:
        return owner.take(stop)
    finally:
        timer.cancel()


def falls_silent(owner: Ownership) -> None:
    """As a process that was killed, or halted."""
    owner.leave()


def put(owner: Ownership, number: int, text: bytes) -> None:
    obstore.put(owner._store, f"owners/{number:012d}", text)


def test_the_first_job_owns_the_lake(job: Job) -> None:
    owner = job("a")
    assert takes(owner, 5)
    owner.ensure()


def test_a_second_job_waits_while_the_first_one_lives(job: Job) -> None:
    first, second = job("a"), job("b")
    assert takes(first, 5)
    assert not takes(second, 3 * LEASE_S)
    first.ensure()


def test_a_released_lake_is_taken_at_once(job: Job) -> None:
    first, second = job("a"), job("b")
    assert takes(first, 5)
    first.release()
    began = time.monotonic()
    assert takes(second, 5)
    assert time.monotonic() - began < LEASE_S


def test_a_silent_owner_is_succeeded_after_its_lease_and_may_not_write_then(job: Job) -> None:
    first, second = job("a"), job("b")
    assert takes(first, 5)
    falls_silent(first)
    began = time.monotonic()
    assert takes(second, 10)
    assert time.monotonic() - began >= LEASE_S
    with pytest.raises(TakenOverError, match=r":/.*/b .*now"):
        first.ensure()
    with pytest.raises(TakenOverError):
        first.ensure_fresh()
    second.ensure()


def test_an_owner_that_wakes_up_sees_that_it_lost_the_lake(job: Job) -> None:
    first, second = job("a"), job("b")
    assert takes(first, 5)
    falls_silent(first)
    assert takes(second, 10)
    first._ended.clear()
    first._keep()
    assert first.lost
    with pytest.raises(TakenOverError):
        first.ensure_fresh()


def test_a_machine_of_the_same_name_is_another_one(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = job("a")
    assert takes(first, 5)
    (tmp_path / "boot").write_text("another start of a machine\n")
    monkeypatch.setattr("stream_jobs.ownership.BOOT", tmp_path / "boot")
    assert not takes(job("a"), 2 * LEASE_S)
    first.ensure()


@pytest.mark.parametrize("halted_at", [1, 2])
def test_a_waiting_job_that_was_halted_looks_again_before_it_takes(job: Job, monkeypatch: pytest.MonkeyPatch, halted_at: int) -> None:
    """What it read before is old, however long ago that was; and what it reads first may be new, however long ago it asked."""
    first, now = job("a"), [0.0]
    second = job("b", lambda: now[0])
    assert takes(first, 5)
    read, stop, found = second._read, threading.Event(), list[Any]()

    def halted(number: int) -> dict[str, Any] | None:
        found.append(read(number))
        if len(found) == halted_at:  # the answer is there, and then the machine sleeps
            now[0] += 100 * LEASE_S
        if len(found) == 2:
            stop.set()
        return found[0]

    monkeypatch.setattr(second, "_read", halted)
    assert not second.take(stop)
    assert second.number == -1
    first.ensure()


def test_a_renewal_that_took_long_is_as_old_as_its_beginning(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    first = job("a", lambda: now[0])
    assert takes(first, 5)
    first.leave()
    first._ended.clear()
    write = first._write

    def slow() -> None:
        write()
        now[0] += LEASE_S
        first._ended.set()

    monkeypatch.setattr(first, "_write", slow)
    first._keep()
    put(first, first.number + 1, b'{"who": "elsewhere"}')
    with pytest.raises(TakenOverError, match="elsewhere"):
        first.ensure_fresh()


@pytest.mark.parametrize("text", [b"", b"\x00\x00", b"[1]", b"7", b'"who"', b'{"lease_s": "long"}'])
def test_an_owner_of_whom_nothing_can_be_read_is_waited_for_once(job: Job, text: bytes) -> None:
    owner = job("a")
    put(owner, 9, text)
    began = time.monotonic()
    assert takes(owner, 10)
    assert time.monotonic() - began >= LEASE_S
    assert owner.number == 10


def test_the_longer_lease_of_two_counts(job: Job) -> None:
    owner = job("a")
    put(owner, 0, b'{"who": "elsewhere", "lease_s": 60}')
    assert not takes(owner, 2 * LEASE_S)


def test_a_storage_that_does_not_answer_is_waited_for(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, asked = job("a"), list[int]()
    newest = owner._newest

    def failing() -> int:
        asked.append(1)
        if len(asked) < 4:
            raise OSError("no answer")
        return newest()

    monkeypatch.setattr(owner, "_newest", failing)
    assert takes(owner, 10)
    assert len(asked) >= 4


def test_a_job_of_the_same_state_folder_need_not_wait(job: Job) -> None:
    first, again = job("a"), job("a")
    assert takes(first, 5)
    began = time.monotonic()
    assert takes(again, 5)
    assert time.monotonic() - began < LEASE_S
    with pytest.raises(TakenOverError):
        first.ensure()


def test_an_owner_that_told_of_itself_lately_is_not_asked_for(job: Job) -> None:
    now = [100.0]
    first, second = job("a", lambda: now[0]), job("b")
    assert takes(first, 5)
    falls_silent(first)
    assert takes(second, 10)
    first.ensure_fresh()
    now[0] += LEASE_S * 0.6
    with pytest.raises(TakenOverError):
        first.ensure_fresh()


def test_of_many_that_want_a_free_lake_one_gets_it(job: Job) -> None:
    owners = [job(str(n)) for n in range(8)]
    with ThreadPoolExecutor(len(owners)) as threads:
        got = list(threads.map(lambda owner: takes(owner, LEASE_S / 2), owners))
    assert got.count(True) == 1
    owners[got.index(True)].ensure()


def test_old_files_are_removed(job: Job, place: Lake) -> None:
    for _ in range(6):
        owner = job("a")
        assert takes(owner, 5)
        falls_silent(owner)
    assert owner.number == 5
    assert owner._newest() == 5
    assert [n for n in range(6) if owner._read(n) is not None] == [5]


# --- what an owner began before it was halted


def test_only_who_takes_it_from_one_that_may_still_write_has_to_fence(job: Job) -> None:
    def takes_as(name: str) -> Ownership:
        owner = job(name)
        assert takes(owner, 10)
        return owner

    first = takes_as("a")
    assert first.fenced, "an empty lake"
    first.release()
    second = takes_as("b")
    assert second.fenced, "released"
    falls_silent(second)
    third = takes_as("c")
    assert not third.fenced, "taken from one that is silent"
    falls_silent(third)
    again = takes_as("c")
    assert not again.fenced, "its own, but it did not come to fence it"
    again.fence(Lake(Settings().lake), [])
    falls_silent(again)
    assert takes_as("c").fenced


def test_a_lake_that_was_released_without_a_fence_is_owed_one(job: Job) -> None:
    first, second, third = job("a"), job("b"), job("c")
    assert takes(first, 5)
    falls_silent(first)
    assert takes(second, 10)
    second.release()
    assert takes(third, 5)
    assert not third.fenced


class Commits:
    """What a lake job commits, by name."""

    def append(self, lake: Lake) -> None:
        lake.append(DEAD_LETTERS, [LETTER], "query", 7)

    def append_with_a_new_column(self, lake: Lake) -> None:
        row = lake.arrow(DEAD_LETTERS, [LETTER])
        lake.append(DEAD_LETTERS, row.append_column("later", row["reason"]), "query", 7)

    def set_properties(self, lake: Lake) -> None:
        lake.set_properties(DEAD_LETTERS, {"c360.note": "late"})

    def compact(self, lake: Lake) -> None:
        lake.compact(DEAD_LETTERS, 2**20)


@pytest.mark.parametrize("commit", [name for name in vars(Commits) if not name.startswith("_")])
def test_a_commit_that_was_begun_before_the_lake_was_taken_fails(job: Job, place: LakeSettings, commit: str) -> None:
    """The first owner is halted behind its last look, and all of its successor's start fits in there."""
    first, second = job("a"), job("b")
    assert takes(first, 5)
    theirs = Lake(place)
    theirs.create(DEAD_LETTERS)
    for batch in range(2):
        theirs.append(DEAD_LETTERS, [LETTER], "query", batch)

    def halted() -> None:
        first.ensure_fresh()
        falls_silent(first)
        assert takes(second, 10)
        second.fence(theirs, [DEAD_LETTERS, DIM_CUSTOMER])

    with pytest.raises(CommitFailedError, match="Metadata changed"):
        getattr(Commits(), commit)(Lake(place, halted))
    assert second.fenced
    assert theirs.query(DEAD_LETTERS, "SELECT COUNT(*) AS n FROM dead_letters")["n"].to_pylist() == [2]
    assert theirs.properties(DEAD_LETTERS)[OWNER] == str(second.number)
    assert "c360.note" not in theirs.properties(DEAD_LETTERS)


def test_the_new_owner_itself_goes_on(job: Job, place: LakeSettings) -> None:
    first, second = job("a"), job("b")
    assert takes(first, 5)
    Lake(place).create(DEAD_LETTERS)
    falls_silent(first)
    assert takes(second, 10)
    lake = Lake(place, second.ensure_fresh)
    second.fence(lake, [DEAD_LETTERS])
    versions = [lake.append(DEAD_LETTERS, [LETTER], "query", batch) for batch in range(3)]
    assert versions == [2, 3, 4]
    with pytest.raises(TakenOverError):
        Lake(place, first.ensure).append(DEAD_LETTERS, [LETTER], "query", 3)
