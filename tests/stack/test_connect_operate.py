"""`c360 connect restart`, `pause`, `resume` and `stop` on the real stack: a killed task is seen, repaired, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from connect_cluster import ConnectCluster, connect_cluster, wait
from topic_records import Topics

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
NAME = "repairs"
PUBLICATION = "CREATE PUBLICATION dbz_publication FOR TABLE items, dbz_signal, dbz_heartbeat"
CAUSE = "task 0 FAILED: ConnectException: Publication autocreation is disabled"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectCluster]:
    with connect_cluster(tmp_path_factory.mktemp("operate")) as made:
        yield made


@pytest.fixture(scope="module")
def db(cluster: ConnectCluster) -> Iterator[psycopg.Connection[Any]]:
    """With the connector under test on it, which streams."""
    with cluster.database(NAME) as made:
        cluster.client.deploy(NAME, cluster.config(NAME, heartbeat__interval__ms="1000"))
        cluster.client.wait_running(NAME, restarts=3)
        wait("it is healthy", lambda: cluster.cli("status", NAME).code == 0)
        yield made


def states(cluster: ConnectCluster) -> tuple[str, list[str]]:
    found = cluster.client.status(NAME)
    assert found is not None
    return found.connector, [t.state for t in found.tasks]


def kill_task(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    """Drop the publication while nothing is written: what was written without it could never be decoded, with a new one neither."""
    cluster.client.stop(NAME)
    cluster.client.wait_stopped(NAME)
    db.execute("DROP PUBLICATION dbz_publication")
    cluster.client.resume(NAME)
    wait("the task fails", lambda: states(cluster) == ("RUNNING", ["FAILED"]))


def test_nothing_failed(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    done = cluster.cli("restart", "--failed")
    assert (done.code, done.out) == (0, "nothing failed, so nothing was restarted\n")
    assert cluster.cli("restart", "--failed", NAME, "--json").json == {"connectors": []}


def test_a_killed_task_is_seen_with_its_cause_and_repaired(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    db.execute("INSERT INTO items VALUES (1, 'before')")
    kill_task(cluster, db)

    done = cluster.cli("status")
    assert done.code == 5
    assert [line for line in done.out.splitlines() if line.startswith(NAME) and CAUSE in line]
    assert "PostgresReplicationConnection" not in done.out
    done = cluster.cli("status", NAME, "--trace")
    assert "at io.debezium.connector.postgresql.connection.PostgresReplicationConnection" in done.out
    done = cluster.cli("wait", NAME)
    assert (done.code, CAUSE in done.err) == (1, True)
    done = cluster.cli("restart", "--failed")
    assert (done.code, done.out, CAUSE in done.err) == (1, "", True)

    db.execute(PUBLICATION)
    db.execute("INSERT INTO items VALUES (2, 'after')")
    done = cluster.cli("restart", "--failed", "--json")
    (entry,) = done.json["connectors"]
    assert (done.code, entry["name"], entry["error"]) == (0, NAME, "")
    wait("it is healthy again", lambda: cluster.cli("status", NAME).code == 0)
    found = Topics(cluster.stack.settings()).wait(f"{NAME}.public.items", lambda found: len(found) >= 2)
    assert [c.key["id"] for c in sorted(found, key=lambda c: c.key["id"])] == [1, 2]


def test_waiting_can_restart_what_failed(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    kill_task(cluster, db)
    db.execute(PUBLICATION)
    done = cluster.cli("wait", NAME, "--restart", "2")
    assert (done.code, done.out) == (0, f"{NAME}: RUNNING\n")
    wait("it is healthy again", lambda: cluster.cli("status", NAME).code == 0)


def test_pause_stop_and_resume_are_idempotent_and_wait(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    for verb, said, after in (
        ("pause", "paused", ("PAUSED", ["PAUSED"])),
        ("pause", "was paused already", ("PAUSED", ["PAUSED"])),
        ("resume", "resumed", ("RUNNING", ["RUNNING"])),
        ("resume", "was running already", ("RUNNING", ["RUNNING"])),
        ("stop", "stopped", ("STOPPED", [])),
        ("stop", "was stopped already", ("STOPPED", [])),
    ):
        done = cluster.cli(verb, NAME)
        assert (done.code, done.err, states(cluster)) == (0, "", after), verb
        assert done.out.splitlines()[0] == f"{NAME}: {said}"
        assert (f"slot c360_{NAME} keeps WAL while it is stopped: up to 4.0 GB, then it is lost" in done.out) == (verb == "stop")
    done = cluster.cli("status", NAME)
    assert (done.code, "note: slot c360_repairs keeps " in done.out) == (0, True)
    done = cluster.cli("restart", NAME)
    assert (done.code, "nothing to restart" in done.out, states(cluster)) == (0, True, ("STOPPED", []))
    assert (cluster.cli("pause", NAME).code, states(cluster)[0]) == (0, "PAUSED")
    assert (cluster.cli("resume", NAME).code, states(cluster)) == (0, ("RUNNING", ["RUNNING"]))
    wait("it is healthy again", lambda: cluster.cli("status", NAME).code == 0)


def test_a_failed_task_stays_failed_when_paused(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    kill_task(cluster, db)
    done = cluster.cli("pause", NAME)
    assert (done.code, "note: what failed stays failed: PAUSED, task 0 FAILED" in done.out) == (0, True)
    done = cluster.cli("resume", NAME)
    assert (done.code, CAUSE.partition(": ")[0] in done.err, "restart --failed" in done.err) == (1, True, True)
    db.execute(PUBLICATION)
    assert cluster.cli("restart", NAME).code == 0
    wait("it is healthy again", lambda: cluster.cli("status", NAME).code == 0)


def test_what_is_restarted(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    for args, did in (
        ([NAME], "restarted, RUNNING"),
        ([NAME, "--task", "0"], "task 0 restarted, RUNNING"),
        ([NAME, "--connector-only"], "restarted, without its tasks, RUNNING"),
        ([NAME, "--no-wait"], "restarted"),
    ):
        done = cluster.cli("restart", *args)
        assert (done.code, done.out) == (0, f"{NAME}: {did}\n")
    assert cluster.cli("wait", "--timeout", "60s").code == 0
    done = cluster.cli("restart", "--all", "--json")
    assert (done.code, {c["name"]: c["error"] for c in done.json["connectors"]}) == (0, dict.fromkeys(cluster.client.names(), ""))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["restart"], "no connector is named"),
        (["pause", "--all", NAME], "--all are both given"),
        (["stop", "nobody"], f"oltp-postgres, {NAME}, web-clickstream"),
        (["restart", NAME, "--task", "7"], "has no task 7"),
        (["restart", "--all", "--task", "0"], "exactly one connector"),
        (["restart", NAME, "--task", "0", "--failed"], "leave one out"),
        (["restart", NAME, "--timeout", "soon"], "no duration"),
    ],
)
def test_wrong_usage_changes_nothing(cluster: ConnectCluster, db: psycopg.Connection[Any], args: list[str], said: str) -> None:
    wait("all run", lambda: all(c.status.running for c in cluster.client.overview().values()))
    done = cluster.cli(*args)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert all(c.status.running for c in cluster.client.overview().values())


def test_not_in_time(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    done = cluster.cli("restart", NAME, "--timeout", "0")
    assert (done.code, f"{NAME}: not within 0 s: " in done.err) == (3, True)
    assert cluster.cli("wait", NAME).code == 0


def test_a_slot_that_nobody_can_read_shows_though_rest_says_running(cluster: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    """The last test of this connector: PostgreSQL cannot decode what was written without the publication, so this stays."""
    db.execute("DROP PUBLICATION dbz_publication")
    db.execute("INSERT INTO items VALUES (3, 'without')")
    db.execute(PUBLICATION)
    wait(
        "the slot is not read",
        lambda: f"slot c360_{NAME} is not read" in cluster.cli("status", NAME).out or states(cluster)[1] == ["FAILED"],
    )
    cluster.client.restart(NAME)
    wait("it says that it runs", lambda: states(cluster) == ("RUNNING", ["RUNNING"]))

    def noticed() -> bool:
        done = cluster.cli("status", NAME)
        return states(cluster) == ("RUNNING", ["RUNNING"]) and done.code == 5 and "nothing came for" in done.out

    wait("the silence is noticed", noticed)
