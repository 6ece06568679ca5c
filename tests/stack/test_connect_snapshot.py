"""`c360 connect snapshot` on a real Connect: every row is read, the signal table is clean, and what cannot be done is said before."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from connect_cluster import ConnectCluster, connect_cluster, wait
from topic_records import Topics

from commerce360.errors import UnavailableError
from connect_configs import snapshot
from connect_configs.model import Config

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
NAME, CHUNK = "shots", 8  # so many chunks that their progress can be seen
ROWS = 3000
TABLES = """
CREATE TABLE docs (kind text, n bigint, body text, PRIMARY KEY (kind, n));
CREATE TABLE things (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n integer);
CREATE TABLE empty_one (id integer PRIMARY KEY);
CREATE TABLE keyless (id integer);
CREATE TABLE unpublished (id integer PRIMARY KEY);
INSERT INTO docs SELECT 'k' || g % 7, g, 'b' FROM generate_series(1, 120) g;
INSERT INTO things (n) SELECT g FROM generate_series(1, 120) g;
ALTER PUBLICATION dbz_publication ADD TABLE docs, things, empty_one, keyless;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO debezium;
"""
CAPTURED = "public.items,public.docs,public.things,public.empty_one,public.keyless,public.unpublished,public.dbz_heartbeat"


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectCluster]:
    with connect_cluster(tmp_path_factory.mktemp("snapshot")) as made:
        yield made


@pytest.fixture(scope="module")
def db(connect: ConnectCluster) -> Iterator[psycopg.Connection[Any]]:
    """A database with rows that were there before its connector, which has read none of them."""
    with connect.database(NAME) as made:
        made.execute(TABLES.encode())
        made.execute("INSERT INTO items SELECT g, 'n' || g, g FROM generate_series(1, %s) g", (ROWS,))
        size = {"incremental__snapshot__chunk__size": str(CHUNK)}
        connect.client.put_config(NAME, connect.config(NAME, table__include__list=CAPTURED, heartbeat__interval__ms="1000", **size))
        connect.client.wait_running(NAME, restarts=3)
        yield made


@pytest.fixture
def config(connect: ConnectCluster, db: psycopg.Connection[Any]) -> Config:
    snapshot.wait_streaming(connect.cluster, connect.client.config(NAME) or {})
    return connect.client.config(NAME) or {}


@pytest.fixture
def topics(connect: ConnectCluster) -> Topics:
    return Topics(connect.stack.settings())


def reads(topics: Topics, table: str = "items") -> Counter[Any]:
    """Rows of a topic that a snapshot has read, by key."""
    try:
        found = topics.read(f"{NAME}.public.{table}")
    except UnavailableError:
        found = []  # Connect makes the topic when the first row comes
    return Counter(tuple(c.key.values()) for c in found if c.value is not None and c.value["op"] == "r")


def signals(db: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return db.execute("SELECT id, type FROM dbz_signal ORDER BY id").fetchall()


def test_every_row_is_read_with_progress_and_the_signal_table_is_clean(
    connect: ConnectCluster, db: psycopg.Connection[Any], config: Config, topics: Topics
) -> None:
    db.execute("INSERT INTO dbz_signal VALUES ('c360-load-shots', 'noted', '{}'), ('c360-first-load', 'noted', '{}'), ('own', 'x', '')")
    kept = signals(db)
    done = connect.cli("snapshot", f"{NAME}:public.items")
    assert done.code == 0, done.err
    assert reads(topics) == Counter((n,) for n in range(1, ROWS + 1))
    assert f"public.items: about {ROWS:,} rows in" in done.out
    assert len(re.findall(r"public\.items: about \d+ %, key \d+ of 3000", done.out)) >= 1, done.out
    assert "the signal table is clean" in done.out
    assert signals(db) == kept
    db.execute("DELETE FROM dbz_signal")


def test_only_rows_that_meet_a_condition(connect: ConnectCluster, db: psycopg.Connection[Any], config: Config, topics: Topics) -> None:
    before = reads(topics)
    done = connect.cli("snapshot", "--connector", NAME, "public.items", "--where", "id > 2900 AND name <> 'n2950'", "--json")
    assert done.code == 0, done.err
    assert reads(topics) - before == Counter((n,) for n in range(2901, ROWS + 1) if n != 2950)
    assert done.json["connector"] == NAME
    assert [t["table"] for t in done.json["tables"]] == ["public.items"]
    assert done.json["tables"][0]["rows_about"] < 1000
    assert done.json["signal_rows_removed"] > 0
    assert signals(db) == []


def test_all_but_the_tables_of_signals_and_heartbeats(
    connect: ConnectCluster, db: psycopg.Connection[Any], config: Config, topics: Topics
) -> None:
    db.execute("ALTER PUBLICATION dbz_publication ADD TABLE unpublished; ALTER TABLE keyless ADD PRIMARY KEY (id)")
    try:
        done = connect.cli("snapshot", "--connector", NAME, "--all", "--json")
    finally:
        db.execute("ALTER PUBLICATION dbz_publication DROP TABLE unpublished; ALTER TABLE keyless DROP CONSTRAINT keyless_pkey")
    assert done.code == 0, done.err
    names = [t["table"] for t in done.json["tables"]]
    assert names == [f"public.{t}" for t in ("docs", "empty_one", "items", "keyless", "things", "unpublished")]
    assert len(reads(topics, "docs")) == len(reads(topics, "things")) == 120
    assert signals(db) == []


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["shots:public.nothing"], 2, "does not capture public.nothing"),
        (["shots:public.dbz_signal"], 2, "does not capture public.dbz_signal"),
        (["shots:public.keyless"], 2, "has no primary key"),
        (["shots:public.unpublished"], 2, "is not in the publication dbz_publication"),
        (["shots:items"], 2, "items is no table"),
        (["nobody:public.items"], 1, "there is no connector nobody"),
        (["web-reviews:a.b"], 2, "is no Debezium PostgreSQL connector"),
        (["shots:public.items", "oltp-postgres:sales.orders"], 2, "one connector at a time"),
        (["shots:public.items", "--where", "nope > 3"], 2, 'column "nope" does not exist'),
        (["shots:public.items", "--where", "true); DELETE FROM dbz_heartbeat; --"], 2, "takes no such condition"),
        (["--all", "--connector", NAME, "--where", "id > 3"], 2, "--where needs tables"),
        ([], 2, "say which tables"),
        (["--cancel", "--status", "--connector", NAME], 2, "give one"),
    ],
)
def test_what_cannot_be_done_is_said_and_not_asked_for(
    connect: ConnectCluster, db: psycopg.Connection[Any], config: Config, args: list[str], code: int, said: str
) -> None:
    done = connect.cli("snapshot", *args)
    assert said in done.err
    assert done.code == code
    assert signals(db) == []
    assert db.execute("SELECT count(*) FROM dbz_heartbeat").fetchone() == (1,)


def test_a_connector_that_would_not_see_the_signal_is_not_asked(
    connect: ConnectCluster, db: psycopg.Connection[Any], config: Config
) -> None:
    connect.client.stop(NAME)
    connect.client.wait_stopped(NAME)
    try:
        done = connect.cli("snapshot", f"{NAME}:public.items")
    finally:
        connect.client.resume(NAME)
        connect.client.wait_running(NAME, settle_s=2.5)
    assert (done.code, f"c360 connect resume {NAME}" in done.err) == (1, True), done.err
    assert signals(db) == []


def test_ctrl_c_ends_the_waiting_and_not_the_snapshot(
    connect: ConnectCluster, db: psycopg.Connection[Any], config: Config, topics: Topics
) -> None:
    before = reads(topics)
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = connect.command("snapshot", f"{NAME}:public.items")
    running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
    assert running.stdout
    for line in running.stdout:
        if "asked for public.items" in line:
            break
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert f"snapshot --status --connector {NAME}" in errors
    wait("all rows were read again", lambda: sum((reads(topics) - before).values()) == ROWS)
    wait("none runs", lambda: connect.cli("snapshot", "--status", "--connector", NAME, "--json").json["running"] is False)
    assert snapshot.clean(connect.cluster, NAME, config) > 0
    assert signals(db) == []


def test_one_that_runs_is_seen_appended_to_and_ended(connect: ConnectCluster, db: psycopg.Connection[Any], config: Config) -> None:
    db.execute("CREATE TABLE many (id integer PRIMARY KEY); INSERT INTO many SELECT generate_series(1, 300000)")
    db.execute("GRANT SELECT ON many TO debezium; ALTER PUBLICATION dbz_publication ADD TABLE many")
    wider = {**config, "table.include.list": f"{CAPTURED},public.many"}
    connect.client.put_config(NAME, wider)
    connect.client.wait_running(NAME, settle_s=2.5)
    snapshot.request(connect.cluster, wider, [("public", "many")], "c360-snapshot-one")
    found = wait("it is stored as running", lambda: (p := snapshot.progress(connect.cluster, NAME, wider)).left and p)
    assert found.left == ("public.many",)
    assert found.last_key == (300_000,)
    assert snapshot.clean(connect.cluster, NAME, wider) == 0  # not while it runs
    snapshot.request(connect.cluster, wider, [("public", "docs")], "c360-snapshot-two")
    wait("the second is appended", lambda: snapshot.left(connect.client.offsets(NAME)) == ("public.many", "public.docs"))
    done = connect.cli("snapshot", "--cancel", "--connector", NAME, "--json")
    assert done.code == 0, done.err
    assert done.json["ended"] == ["public.docs", "public.many"]
    assert snapshot.left(connect.client.offsets(NAME)) == ()
    assert signals(db) == []
    connect.client.put_config(NAME, config)
    connect.client.wait_running(NAME, settle_s=2.5)


def test_a_request_with_the_same_id_is_made_once(
    connect: ConnectCluster, db: psycopg.Connection[Any], config: Config, topics: Topics
) -> None:
    before = reads(topics, "docs")
    for _ in range(2):
        position = snapshot.request(connect.cluster, config, [("public", "docs")], "c360-load-again")
        found = snapshot.wait(connect.cluster, NAME, config, position, lambda _: None, timeout_s=60)
        assert found.done
    assert sum((reads(topics, "docs") - before).values()) == 120
    snapshot.clean(connect.cluster, NAME, config)
    assert [row[0] for row in signals(db)] == ["c360-load-again"]
    db.execute("DELETE FROM dbz_signal")


def test_without_heartbeats_the_end_is_seen_too(connect: ConnectCluster, db: psycopg.Connection[Any], config: Config) -> None:
    connect.client.put_config(NAME, {k: v for k, v in config.items() if not k.startswith("heartbeat")})
    try:
        connect.client.wait_running(NAME, settle_s=2.5)
        done = connect.cli("snapshot", f"{NAME}:public.empty_one", "--timeout", "60s", "--json")
    finally:
        connect.client.put_config(NAME, config)
        connect.client.wait_running(NAME, settle_s=2.5)
    assert done.code == 0, done.err
    assert json.loads(done.out)["tables"][0]["rows_about"] == 0
