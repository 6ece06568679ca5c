"""What counts as healthy, paused, degraded and failed, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connect_configs.model import Status, Task
from connect_configs.watching.health import Facts, Oplog, Slot, age, judge, size, worst

GB = 2**30
FINE = Facts(
    heartbeat_interval_s=3.0,
    heartbeat_age_s=2.0,
    slot=Slot("c360_oltp", active=True, wal_status="reserved", lag_bytes=100, held_bytes=1_000, cap_bytes=4 * GB),
)
TRACE = "org.apache.kafka.connect.errors.ConnectException: it stopped\n\tat a.B.c(B.java:1)\nCaused by: java.net.UnknownHostException: db\n"


def status(connector: str = "RUNNING", *tasks: str) -> Status:
    made = tuple(Task(i, s, "w:8083", TRACE if s == "FAILED" else "") for i, s in enumerate(tasks))
    return Status("oltp", connector, made, "w:8083")


def running() -> Status:
    return status("RUNNING", "RUNNING")


def told(about: Status, facts: Facts = FINE) -> tuple[str, list[tuple[str, str]]]:
    found = judge(about, facts)
    return found.level, [(r.level, r.text) for r in found.reasons]


def test_one_that_runs_and_is_heard_of_is_healthy() -> None:
    assert told(running()) == ("healthy", [])
    assert told(running(), Facts()) == ("healthy", [])


def test_a_failed_task_degrades_and_a_failed_connector_fails() -> None:
    assert told(status("RUNNING", "FAILED")) == ("degraded", [("degraded", "task 0 FAILED: UnknownHostException: db")])
    level, reasons = told(status("RUNNING", "FAILED", "RUNNING"))
    assert (level, reasons) == ("degraded", [("degraded", "task 0 FAILED: UnknownHostException: db")])
    assert told(status("FAILED"))[0] == "failed"


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        (status("RUNNING"), "no tasks"),
        (status("RUNNING", "UNASSIGNED"), "task 0 UNASSIGNED"),
        (status("RUNNING", "RUNNING", "RESTARTING"), "task 1 RESTARTING"),
        (status("UNASSIGNED", "RUNNING"), "connector UNASSIGNED"),
    ],
)
def test_what_is_not_there_degrades(about: Status, reason: str) -> None:
    assert told(about) == ("degraded", [("degraded", reason)])


@pytest.mark.parametrize(("about", "tasks"), [("PAUSED", ["PAUSED"]), ("STOPPED", [])])
def test_a_wish_is_no_fault_but_the_wal_that_it_costs_is_told(about: str, tasks: list[str]) -> None:
    idle = replace(FINE, heartbeat_age_s=9_000.0, slot=replace(FINE.slot, active=False, held_bytes=2**20))
    level, reasons = told(status(about, *tasks), idle)
    assert (level, reasons) == ("paused", [("warning", "slot c360_oltp keeps 1.0 MB of WAL of at most 4.0 GB while nobody reads it")])
    assert worst(["healthy", "paused"]) == "healthy"


def test_a_paused_connector_can_fail_and_be_about_to_lose_data() -> None:
    assert told(status("PAUSED", "FAILED"))[0] == "degraded"
    full = replace(FINE, slot=replace(FINE.slot, active=False, held_bytes=3 * GB))
    assert told(status("STOPPED"), full) == ("degraded", [("degraded", "slot c360_oltp keeps 3.0 GB of WAL of at most 4.0 GB")])


def test_silence_is_judged_by_the_interval_and_never_below_half_a_minute() -> None:
    def level(age_s: float, interval_s: float = 3.0) -> str:
        return told(running(), replace(FINE, heartbeat_age_s=age_s, heartbeat_interval_s=interval_s))[0]

    assert [level(30.0), level(30.1)] == ["healthy", "degraded"]
    assert [level(100.0, interval_s=10.0), level(100.1, interval_s=10.0)] == ["healthy", "degraded"]
    assert [level(29.0, interval_s=0.1), level(31.0, interval_s=0.1)] == ["healthy", "degraded"]
    text = "nothing came for 10 min, though heartbeats are due every 3 s"
    assert told(running(), replace(FINE, heartbeat_age_s=600.0))[1] == [("degraded", text)]


def test_silence_says_nothing_where_none_has_to_speak() -> None:
    old = replace(FINE, heartbeat_age_s=9_000.0)
    assert told(running(), replace(old, heartbeat_interval_s=None))[0] == "healthy"
    assert told(running(), replace(old, beats_when_idle=False))[0] == "healthy"
    assert told(running(), replace(old, record_age_s=1.0))[0] == "healthy"  # it had records to send instead
    assert told(status("RUNNING", "FAILED"), old)[1] == [("degraded", "task 0 FAILED: UnknownHostException: db")]


def test_without_kafka_the_stored_position_has_to_do_where_it_moves_by_itself() -> None:
    blind = replace(FINE, heartbeat_age_s=None, position_age_s=121.0)
    assert told(running(), blind)[0] == "healthy"  # nothing may have happened in the source
    assert told(running(), replace(blind, position_moves=True))[0] == "degraded"
    assert told(running(), replace(blind, position_moves=True, position_age_s=119.0))[0] == "healthy"


@pytest.mark.parametrize(
    ("change", "level", "reason"),
    [
        ({"wal_status": "lost"}, "failed", "slot c360_oltp is lost"),
        ({"wal_status": "unreserved", "held_bytes": 5 * GB}, "degraded", "keeps 5.0 GB of WAL of at most 4.0 GB: it is over the limit"),
        ({"held_bytes": 2 * GB + 1}, "degraded", "keeps 2.0 GB of WAL of at most 4.0 GB"),
        ({"active": False}, "degraded", "slot c360_oltp is not read, though the task is RUNNING; see the logs"),
        ({"wal_status": "missing"}, "degraded", "slot c360_oltp does not exist"),
    ],
)
def test_the_slot(change: dict[str, object], level: str, reason: str) -> None:
    found, reasons = told(running(), replace(FINE, slot=replace(FINE.slot, **change)))
    assert found == level
    assert [reason in text for _, text in reasons] == [True]


def test_half_of_the_cap_and_no_cap_are_fine() -> None:
    assert told(running(), replace(FINE, slot=replace(FINE.slot, held_bytes=2 * GB)))[0] == "healthy"
    assert told(running(), replace(FINE, slot=replace(FINE.slot, held_bytes=900 * GB, cap_bytes=None)))[0] == "healthy"
    assert told(status("STOPPED"), replace(FINE, slot=Slot("gone")))[0] == "paused"  # nobody needs it then


def test_the_oplog_must_reach_back_twice_as_far_as_the_connector_is_behind() -> None:
    assert told(running(), Facts(oplog=Oplog(1_000.0, 500.0)))[0] == "healthy"
    assert told(running(), Facts(oplog=Oplog(1_000.0)))[0] == "healthy"
    level, reasons = told(running(), Facts(oplog=Oplog(1_000.0, 501.0)))
    assert (level, reasons) == ("degraded", [("degraded", "it is 8 min behind, and the oplog reaches back only 17 min")])


def test_a_server_that_does_not_answer_degrades_whatever_rest_says() -> None:
    level, reasons = told(running(), replace(FINE, troubles=("Kafka at h:1 does not answer",)))
    assert (level, reasons) == ("degraded", [("degraded", "Kafka at h:1 does not answer")])


def test_the_worst_of_all_counts() -> None:
    assert worst([]) == "healthy"
    assert worst(["degraded", "failed", "healthy"]) == "failed"
    assert worst(["paused", "degraded"]) == "degraded"


def test_numbers_as_people_read_them() -> None:
    assert [size(n) for n in (0, 1023, 1536, 5 * 2**20, 4 * GB, 3 * 2**40)] == ["0 B", "1023 B", "1.5 kB", "5.0 MB", "4.0 GB", "3.0 TB"]
    assert [age(s) for s in (0.42, 34, 720, 18_720, 267_840)] == ["0.4 s", "34 s", "12 min", "5.2 h", "3.1 d"]
