"""`c360 connect status`, `wait`, `plugins`, `describe` and `loggers` on the real stack, and what they say when a part of it is away."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from connect_cluster import ConnectCluster, connect_cluster, wait

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
OURS = ["oltp-postgres", "web-clickstream", "web-reviews"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectCluster]:
    with connect_cluster(tmp_path_factory.mktemp("watch")) as made:
        yield made


def entry(cluster: ConnectCluster, name: str) -> dict[str, Any]:
    (found,) = cluster.cli("status", name, "--json").json["connectors"]
    return dict(found)


def interrupted(cluster: ConnectCluster, *args: str, signum: int = signal.SIGINT, first: str = "") -> tuple[int, str, str]:
    """Run a command that stays, and end it by a signal once it has said `first`. Exit code, output, errors."""
    process = subprocess.Popen(cluster.command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = ""
        while first not in said:
            line = process.stdout.readline()
            assert line, f"ended without saying {first!r}: {said}"
            said += line
        process.send_signal(signum)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, said + out, errors


def test_a_healthy_cluster(cluster: ConnectCluster) -> None:
    wait("all are healthy", lambda: cluster.cli("status").code == 0)
    wait("a heartbeat is read", lambda: entry(cluster, "oltp-postgres")["heartbeat_age_s"] is not None)
    done = cluster.cli("status")
    assert [line.split()[:3] for line in done.out.splitlines()] == [["name", "state", "tasks"], *([n, "RUNNING", "1/1"] for n in OURS)]
    found = cluster.cli("status", "--json").json
    assert (found["health"], [c["name"] for c in found["connectors"]]) == ("healthy", OURS)
    oltp, _, reviews = found["connectors"]
    assert 0 <= oltp["heartbeat_age_s"] < 30
    assert (oltp["slot"]["name"], oltp["slot"]["active"], oltp["slot"]["cap_bytes"]) == ("c360_oltp", True, 4 * 2**30)
    assert 0 <= oltp["slot"]["lag_bytes"] <= oltp["slot"]["held_bytes"] < 2**30
    assert oltp["unseen"] == {}
    assert reviews["oplog"] is None
    assert "resume token" in reviews["unseen"]["oplog"]


def test_records_per_second_are_of_the_connector_alone(cluster: ConnectCluster) -> None:
    with cluster.database("busy") as db:
        cluster.client.deploy("busy", cluster.config("busy", heartbeat__interval__ms="1000"))
        cluster.client.wait_running("busy", restarts=3)
        db.execute("INSERT INTO items SELECT i, 'x', 1 FROM generate_series(1, 600) i")
        rate = wait("600 records within a minute", lambda: (r := entry(cluster, "busy")["records_per_s"]) >= 10 and r)
    assert rate < 12  # 600 and the markers of their transactions
    assert entry(cluster, "oltp-postgres")["records_per_s"] < 5
    cluster.client.stop("busy")
    assert cluster.cli("wait", "busy", "--for", "stopped").code == 0
    cluster.client.delete("busy")
    assert cluster.cli("wait", "busy", "--for", "gone", "--timeout", "20s").code == 0


def test_names(cluster: ConnectCluster) -> None:
    done = cluster.cli("status", "web-reviews", "nobody")
    assert (done.code, done.out) == (2, "")
    assert "there is no connector nobody" in done.err
    assert "oltp-postgres, web-clickstream, web-reviews" in done.err
    odd = "späte & frühe .."  # Connect itself refuses control characters
    config = cluster.client.config("oltp-postgres")
    assert config is not None
    cluster.client.create(odd, {**config, "slot.name": "c360_never"}, "STOPPED")
    try:
        wait("the cluster knows it", lambda: odd in cluster.cli("status").out)
        done = cluster.cli("status", odd)
        assert (done.code, done.out.splitlines()[1].split("  ")[0]) == (0, odd)
    finally:
        cluster.client.delete(odd)


def test_waiting_says_the_last_state_when_time_is_up(cluster: ConnectCluster) -> None:
    assert cluster.cli("wait", "--json").json == {
        "wanted": "running",
        "connectors": [{"name": n, "done": True, "failed": False, "state": "RUNNING"} for n in OURS],
    }
    done = cluster.cli("wait", "web-reviews", "--for", "paused", "--timeout", "300ms")
    assert (done.code, done.out, done.err) == (3, "", "web-reviews: RUNNING\n")
    assert cluster.cli("wait", "nobody", "--timeout", "0.1").code == 3
    assert cluster.cli("wait", "--for", "happy").code == 2


def test_a_piped_watch_tells_changes_once_and_ends_silently(cluster: ConnectCluster) -> None:
    code, _, errors = interrupted(cluster, "status", "--every", "200ms", first="web-reviews")
    assert (code, errors) == (130, "")
    process = subprocess.Popen(cluster.command("status", "--every", "200ms", "--rest-only"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("-- ")
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    assert "-- " not in process.communicate(timeout=60)[0]  # nothing changed, so nothing was said
    assert process.returncode == 130


def test_plugins_and_their_settings(cluster: ConnectCluster) -> None:
    found = cluster.cli("plugins", "--type", "source", "--json").json["plugins"]
    assert {p["class"].rpartition(".")[2] for p in found} >= {"PostgresConnector", "MongoSourceConnector"}
    done = cluster.cli("plugins", "search", "heartbeat", "query")
    assert "PostgresConnector" in done.out
    assert "    heartbeat.action.query: " in done.out
    assert "Mongo" not in done.out
    assert cluster.cli("plugins", "search", "no such word").code == 1
    assert cluster.cli("plugins", "--type", "engine").code == 2
    done = cluster.cli("describe", "postgres", "--search", "slot.name")
    assert "slot.name  (string, default debezium, medium importance" in done.out
    required = cluster.cli("describe", "PostgresConnector", "--required", "--json").json["settings"]
    assert required
    assert all(s["required"] for s in required)
    for unclear, said in (("mongo", "MongoSinkConnector, com.mongodb"), ("oracle", "PostgresConnector")):
        done = cluster.cli("describe", unclear)
        assert (done.code, done.out) == (2, "")
        assert said in done.err


def level(cluster: ConnectCluster, name: str) -> Any:
    return cluster.cli("loggers", "get", name, "--json").json["level"]


def test_a_level_for_a_while_is_set_back(cluster: ConnectCluster) -> None:
    logger, below = "io.debezium.connector", "io.debezium.connector.base.ChangeEventQueue"
    cluster.client.set_logger(below, "ERROR")
    done = cluster.cli("loggers", "set", logger, "debug", "--for", "1s")
    assert (done.code, done.err) == (0, "")
    assert "DEBUG on the worker that answers for 1 s (was INFO, inherited)" in done.out
    assert "set back to INFO and 1 loggers below it, time is over" in done.out
    assert [level(cluster, logger), level(cluster, below)] == ["INFO", "ERROR"]
    assert "ChangeEventQueue  ERROR  (set " in cluster.cli("loggers", "get").out
    cluster.client.set_logger(below, "INFO")


@pytest.mark.parametrize(("signum", "scope"), [(signal.SIGINT, []), (signal.SIGTERM, ["--cluster"])])
def test_a_signal_sets_it_back_at_once(cluster: ConnectCluster, signum: int, scope: list[str]) -> None:
    logger = "io.debezium.util"
    said = "io.debezium.util: TRACE"
    code, out, _ = interrupted(cluster, "loggers", "set", logger, "TRACE", "--for", "10m", *scope, signum=signum, first=said)
    assert code == 130
    assert "set back to INFO, interrupted" in out
    wait("the level is back", lambda: level(cluster, logger) == "INFO", timeout_s=10)


def test_levels_that_do_not_exist_are_refused(cluster: ConnectCluster) -> None:
    done = cluster.cli("loggers", "set", "root", "LOUD")
    assert (done.code, "levels are OFF, FATAL, ERROR" in done.err) == (2, True)
    assert level(cluster, "root") == "INFO"


def test_a_source_that_is_down_shows_and_the_silence_grows(cluster: ConnectCluster) -> None:
    cluster.stack.stop_service("postgres")
    try:
        done = cluster.cli("status", "oltp-postgres")
        assert done.code == 5, done.out
        assert "PostgreSQL at 127.0.0.1:" in done.out
        assert "RUNNING, degraded" in done.out  # as REST has it
        first = entry(cluster, "oltp-postgres")["last_heard_s"]
        silent = "nothing came for "
        wait("silence is noticed", lambda: silent in cluster.cli("status", "oltp-postgres").out)
        assert entry(cluster, "oltp-postgres")["last_heard_s"] > max(first, 30)
    finally:
        cluster.stack.start_service("postgres")
    wait("it is healthy again", lambda: cluster.cli("status", "oltp-postgres").code == 0, timeout_s=120)


def test_a_watch_survives_a_worker_that_is_away_and_a_status_does_not(cluster: ConnectCluster) -> None:
    watch = subprocess.Popen(cluster.command("status", "--every", "300ms", "--rest-only"), stdout=subprocess.PIPE, text=True)
    assert watch.stdout is not None
    try:
        for _ in range(2 + len(OURS)):
            watch.stdout.readline()
        cluster.stack.stop_service("connect")
        lines = iter(watch.stdout.readline, "")
        assert any("Connect does not answer, since " in line for line in lines)
        done = subprocess.run(
            [*cluster.command()[:-2], "--patience", "0.5", "--state", str(cluster.root), "status"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (3, "")
        assert "Kafka Connect at http://127.0.0.1:" in done.stderr
        cluster.stack.start_service("connect")
        assert any(line.startswith("web-reviews") for line in lines)
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=60)
        assert watch.returncode == 130
    finally:
        watch.kill()
        cluster.stack.start_service("connect")
    wait("all run again", lambda: cluster.cli("wait", "--timeout", "60s").code == 0, timeout_s=120)


def test_running_without_a_broker_is_degraded(cluster: ConnectCluster) -> None:
    """The last test: Kafka stays away. REST says RUNNING all the while."""
    cluster.stack.stop_service("kafka")
    done = cluster.cli("status", "--json")
    assert done.code in (1, 5), done.out
    for found in done.json["connectors"]:
        assert found["health"] != "healthy"
        assert any("Kafka at 127.0.0.1:" in r["text"] for r in found["reasons"])
        assert found["heartbeat_age_s"] is None
        assert "Kafka at" in found["unseen"]["heartbeat_age_s"]
    assert done.err == ""
