"""Snapshots over live writes, killed workers, lost slots: the captures that decide whether a rule for the order is right."""

from __future__ import annotations

import random
import threading
from typing import Any

import psycopg
from scene import Act, Scene
from servers import wait

KILLED_ROWS = 120
KILLS = 8  # tries to hit the middle of a transaction
LIVE_ROWS, LIVE_WRITES, BEFORE = 24, 80, 15


def _walsender_waits_for(scene: Scene, holder: psycopg.Connection[Any]) -> None:
    """Until the making of the connector's slot waits for that transaction."""
    query = "SELECT %s = ANY(pg_blocking_pids(pid)) FROM pg_stat_activity WHERE backend_type = 'walsender' AND datname = %s"
    pid = holder.info.backend_pid

    def blocked() -> bool:
        return any(row[0] for row in scene.db.execute(query, (pid, scene.name)).fetchall())

    wait("the new slot waits for the open transaction", blocked)


def _straddle(scene: Scene, somebody_between: bool) -> dict[str, Any]:
    """A transaction that wrote before the snapshot's point and commits after it.

    Making a slot waits twice for what is open; who begins during the second wait is not waited for.
    """
    scene.tables()
    scene.run("INSERT INTO items VALUES (1, 'Ada', 10), (2, 'Bob', 20), (3, 'Cem', 30), (4, 'Dan', 40)")
    first = scene.begin("UPDATE items SET qty = 11 WHERE id = 1")
    scene.deploy(snapshot_mode="initial", heartbeat_action_query="")  # whose commit could come between
    _walsender_waits_for(scene, first)
    second = scene.begin("UPDATE items SET qty = 21 WHERE id = 2")
    first.commit()
    _walsender_waits_for(scene, second)
    straddler = scene.begin("UPDATE items SET qty = 31 WHERE id = 3", "INSERT INTO items VALUES (5, 'Eve', 50)")
    second.commit()
    wait("the snapshot is read", lambda: scene.seen() == 4)
    if somebody_between:
        scene.run("UPDATE items SET qty = 41 WHERE id = 4")
    straddler.commit()
    scene.run("UPDATE items SET qty = 12 WHERE id = 1")
    wait("the changes after the snapshot are sent", lambda: scene.seen() >= (8 if somebody_between else 7))
    return {}


def snapshot_open(scene: Scene) -> dict[str, Any]:
    """An initial snapshot; the transaction over it is not the first one to commit after it."""
    return _straddle(scene, somebody_between=True)


def snapshot_straddler_first(scene: Scene) -> dict[str, Any]:
    """The same, and it is the first: what no rule can order."""
    return {**_straddle(scene, somebody_between=False), "misplaced": [3]}


def snapshot_existing_slot(scene: Scene) -> dict[str, Any]:
    """An initial snapshot on a slot that is there already: changes before it come again behind it."""
    scene.tables()
    scene.run("INSERT INTO items VALUES (1, 'Ada', 10), (2, 'Bob', 20), (3, 'Cem', 30)")
    scene.db.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (f"dbz_{scene.name}",))
    scene.run("UPDATE items SET qty = 11 WHERE id = 1", "UPDATE items SET qty = 12 WHERE id = 1", "DELETE FROM items WHERE id = 2")
    straddler = scene.begin("UPDATE items SET qty = 31 WHERE id = 3", "INSERT INTO items VALUES (2, 'Bo', 22)")
    scene.run("UPDATE items SET name = 'Ada B' WHERE id = 1")  # its commit writes the log, and the snapshot's point is where that ends
    scene.deploy(snapshot_mode="initial")
    wait("the snapshot is read", lambda: scene.seen() >= 2)
    scene.wait_streaming()
    scene.run("UPDATE items SET qty = 13 WHERE id = 1")
    straddler.commit()
    scene.run("UPDATE items SET qty = 14 WHERE id = 1", "UPDATE items SET qty = 32 WHERE id = 3")
    return {}


def incremental_snapshot(scene: Scene) -> dict[str, Any]:
    """Rows that were there before are read one by one, while all of them are written, moved and deleted.

    It can happen that it meets what `snapshot_stale_read` shows. Make it again then.
    """
    scene.tables()
    scene.run(f"INSERT INTO items SELECT n, 'row ' || n, 0 FROM generate_series(1, {LIVE_ROWS}) n")
    scene.start(incremental_snapshot_chunk_size="1")
    stop, begun = threading.Event(), threading.Event()
    thread = threading.Thread(target=_write_on, args=(scene.session(autocommit=True), scene.session(), begun, stop))
    thread.start()
    try:
        wait("rows are being written", begun.is_set, pause_s=0.01)
        scene.signal_snapshot()
        wait("the writers have written", lambda: not thread.is_alive())
    finally:
        stop.set()
        thread.join()
    return {}


def snapshot_stale_read(scene: Scene) -> dict[str, Any]:
    """A commit that is in the log, and in the topic, before anybody can see it: a chunk that is read then shows what was before.

    PostgreSQL lets a commit be seen a moment after it is logged. Here that moment is stretched by a standby that does not exist.
    """
    scene.tables()
    scene.run("INSERT INTO items VALUES (1, 'Ada', 10), (2, 'Bob', 20), (3, 'Cem', 30)")
    scene.start()
    scene.run("ALTER SYSTEM SET synchronous_commit = 'local'", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    scene.run("SELECT pg_reload_conf()")
    wait("the standby is waited for", lambda: scene.db.execute("SHOW synchronous_standby_names").fetchone() == ("nobody",))
    unseen = scene.begin("SET synchronous_commit = 'on'", "UPDATE items SET qty = 21 WHERE id = 2")
    thread = threading.Thread(target=unseen.commit, daemon=True)
    thread.start()
    try:
        wait("the update is sent", lambda: scene.seen() == 1)
        scene.signal_snapshot()
        wait("the rows are read", lambda: scene.seen() == 4)
    finally:
        scene.run("ALTER SYSTEM RESET synchronous_standby_names", "ALTER SYSTEM RESET synchronous_commit", "SELECT pg_reload_conf()")
        thread.join()
    return {"misplaced": [2]}


def _write_on(db: psycopg.Connection[Any], slow: psycopg.Connection[Any], begun: threading.Event, stop: threading.Event) -> None:
    """Quick commits, and beside them transactions that stay open over chunks; every fourth key is theirs."""
    dice = random.Random(360)
    for n in range(1, LIVE_WRITES + 1):
        if stop.wait(0.02):
            break
        slow.execute("UPDATE items SET qty = %s WHERE id = %s", (-n, 4 * dice.randint(1, LIVE_ROWS // 4)))
        if n % 7 == 0:
            slow.commit()
        key = dice.choice([k for k in range(1, LIVE_ROWS + 1) if k % 4])
        for statement in _a_write(n, key, dice.random()):
            db.execute(statement)
        if n == BEFORE:
            begun.set()
    slow.commit()


def _a_write(n: int, key: int, fate: float) -> list[str]:
    upsert = f"INSERT INTO items VALUES ({key}, 'new', {n}) ON CONFLICT (id) DO UPDATE SET qty = {n}"
    if fate < 0.6:
        return [upsert]
    if fate < 0.75:
        return [f"DELETE FROM items WHERE id = {key}"]
    if fate < 0.85:
        return [f"UPDATE items SET id = {key + 1000} WHERE id = {key} AND NOT EXISTS (SELECT FROM items WHERE id = {key + 1000})"]
    return ["BEGIN", f"DELETE FROM items WHERE id = {key}", upsert, "COMMIT"]


def worker_killed(scene: Scene) -> dict[str, Any]:
    """SIGKILL while a transaction of many rows is half sent, over transactions that overlap; what was sent is sent again."""
    scene.tables()
    one_by_one = {"producer.override.batch.size": "1", "producer.override.max.in.flight.requests.per.connection": "1"}
    scene.start(max_batch_size="8", max_queue_size="16", **one_by_one)
    scene.run(f"INSERT INTO items SELECT n, 'row ' || n, 0 FROM generate_series(1, {KILLED_ROWS}) n")
    for round_ in range(1, KILLS + 1):
        scene.wait_stored()
        if sent := _kill_in_the_middle(scene, round_):
            scene.servers.supervisor.wait_ready("connect")
            scene.servers.client.wait_running(scene.connector, restarts=3)
            scene.run("DELETE FROM items WHERE id % 10 = 0", "UPDATE items SET qty = -1 WHERE id % 10 = 1")
            return {"sent_before_kill": sent, "rows_of_transaction": KILLED_ROWS}
        scene.servers.supervisor.wait_ready("connect")
    raise TimeoutError(f"no kill out of {KILLS} hit the middle of the transaction")


def _kill_in_the_middle(scene: Scene, round_: int) -> int:
    """How many rows of the big transaction were in the topic when the worker died; 0 if it was all of them."""
    with scene.servers.tail(scene.topic) as arrived:
        early = scene.begin(f"UPDATE items SET name = 'early {round_}' WHERE id <= 5")
        scene.run(f"UPDATE items SET name = 'between {round_}' WHERE id BETWEEN 6 AND 10")
        early.commit()
        for _ in range(10):
            next(arrived)
        big = scene.begin(f"UPDATE items SET qty = {round_}")
        big.commit()
        next(arrived)
        scene.servers.kill_worker()
    values = [scene.line(record).value for record in scene.servers.records(scene.topic)]
    sent = sum(bool(value and value["after"] and value["after"]["qty"] == round_) for value in values)
    print(f"  round {round_}: {sent} of {KILLED_ROWS} rows were sent")
    return sent if sent < KILLED_ROWS else 0


def slot_lost(scene: Scene) -> dict[str, Any]:
    """The slot is dropped, rows are written, it is made again and the rows are read again: nobody tells what was deleted meanwhile."""
    scene.tables()
    scene.start()
    scene.run(
        "INSERT INTO items VALUES (1, 'Ada', 10), (2, 'Bob', 20), (3, 'Cem', 30), (4, 'Dan', 40)", "UPDATE items SET qty = 41 WHERE id = 4"
    )
    scene.wait_stored()
    scene.remove_connector()
    scene.run("UPDATE items SET qty = 11 WHERE id = 1", "UPDATE items SET qty = 12 WHERE id = 1", "DELETE FROM items WHERE id = 2")
    scene.run("UPDATE items SET id = 33 WHERE id = 3", "INSERT INTO items VALUES (5, 'Eve', 50)")
    scene.start(suffix="-again")
    scene.run("UPDATE items SET qty = 42 WHERE id = 4")
    scene.signal_snapshot()
    scene.wait_stored()
    scene.run("UPDATE items SET qty = 51 WHERE id = 5")
    return {"never_sent_deletes": [2, 3], "never_sent_versions": [1, 33, 5]}


FAULTS: list[Act] = [
    snapshot_open,
    snapshot_straddler_first,
    snapshot_existing_slot,
    incremental_snapshot,
    snapshot_stale_read,
    worker_killed,
    slot_lost,
]
