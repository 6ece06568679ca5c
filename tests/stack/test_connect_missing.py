"""Deletes that nobody sent, and purging: on a real Connect, nothing that is alive is closed and nothing that others use is dropped."""

from __future__ import annotations

import itertools
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from connect_cluster import ConnectCluster, Done, connect_cluster, wait
from topic_records import Change, Topics

from commerce360.reconcile import missing
from connect_configs.plans import removal
from connect_configs.sources import SourceError
from connect_configs.variables import Variables

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
TABLE = ("public", "items")
RUNNING, READING = "waiting for transactions that run at the source", "waiting for the connector to have read that far"
NUMBERS = itertools.count(1)
Make = Callable[..., "Scene"]


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectCluster]:
    """Without the shop's own heartbeats: their transactions would end after one that a test holds open."""
    with connect_cluster(tmp_path_factory.mktemp("missing")) as made:
        made.client.stop("oltp-postgres")
        made.client.wait_stopped("oltp-postgres")
        yield made


class Scene:
    """A database with a connector of the same name, which runs and has received every row."""

    def __init__(self, it: ConnectCluster, name: str, rows: int = 5, **changes: str) -> None:
        self.it, self.name, self.slot = it, name, f"c360_{name}"
        self.db = it.database(name)
        self.config = it.config(name, heartbeat__interval__ms="500", **changes)
        it.client.put_config(name, self.config)
        it.client.wait_running(name, restarts=3)
        wait(
            "it reads the slot", lambda: self.one("SELECT active FROM pg_replication_slots WHERE slot_name = %s", self.config["slot.name"])
        )
        self.read = Topics(it.stack.settings())
        self.db.execute("INSERT INTO items SELECT g, 'n' || g, g FROM generate_series(1, %s) g", (rows,))
        if rows:
            wait("rows", lambda: self.topic_exists() and len(self.changes("c")) == rows)

    def topic_exists(self) -> bool:
        return f"{self.name}.public.items" in self.it.client.topics(self.name)

    def changes(self, op: str) -> list[Change]:
        return [c for c in self.all_changes() if c.value is not None and c.value["op"] == op]

    def all_changes(self) -> list[Change]:
        return self.read.read(f"{self.name}.public.items")

    def one(self, query: str, *values: Any) -> Any:
        return (self.db.execute(query.encode(), values).fetchone() or [None])[0]

    def unsent(self, statement: str) -> None:
        """As if the slot had been lost meanwhile: the connector never hears of it."""
        self.db.execute("ALTER PUBLICATION dbz_publication DROP TABLE items")
        self.db.execute(statement.encode())
        self.db.execute("ALTER PUBLICATION dbz_publication ADD TABLE items")

    def find(self, note: Callable[[str], None] = lambda _: None) -> missing.Missing:
        return missing.find(self.it.cluster, self.name, self.config, TABLE, None, note)

    def slots(self) -> set[str]:
        return {row[0] for row in self.db.execute("SELECT slot_name FROM pg_replication_slots").fetchall()}

    def has_publication(self) -> bool:
        return bool(self.one("SELECT count(*) FROM pg_publication"))

    def stopped(self) -> None:
        self.it.client.stop(self.name)
        self.it.client.wait_stopped(self.name)
        wait("nobody reads the slot", lambda: not self.one("SELECT active FROM pg_replication_slots WHERE slot_name = %s", self.slot))


@pytest.fixture
def make(it: ConnectCluster) -> Iterator[Make]:
    """Makes scenes; what they leave is removed."""
    made: list[Scene] = []

    def new(rows: int = 0, **changes: str) -> Scene:
        made.append(Scene(it, f"m{next(NUMBERS)}", rows, **changes))
        return made[-1]

    yield new
    for name in set(it.client.names()) - {"oltp-postgres", "web-clickstream", "web-reviews"}:
        it.client.delete(name)
        it.client.wait_gone(name)
    for scene in made:
        query = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
        for (slot,) in scene.db.execute(query).fetchall():
            active = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
            wait("nobody reads the slot", lambda slot=slot, scene=scene, active=active: not scene.one(active, slot))  # type: ignore[misc]
            scene.db.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
        scene.db.close()


# --- keys that are gone


def test_a_transaction_that_is_open_is_waited_for_and_its_row_is_not_closed(it: ConnectCluster, make: Make) -> None:
    """It has the highest id there is and nothing ended after it: the newest id that a snapshot knows would not tell of it."""
    scene = make(5, heartbeat__action__query="")
    scene.unsent("DELETE FROM items WHERE id = 3")
    time.sleep(1)  # so that nothing of Connect's own start is written any more
    conninfo = it.stack._postgres.conninfo(scene.name)
    notes: list[str] = []
    result: list[missing.Missing] = []
    with psycopg.connect(conninfo) as other:
        other.execute("INSERT INTO items VALUES (777, 'alive', 1)")
        finding = threading.Thread(target=lambda: result.append(scene.find(notes.append)), daemon=True)
        finding.start()
        wait("it waits", lambda: RUNNING in notes)
        time.sleep(2)  # long enough for one that does not wait to go on
        waited = list(notes)
        other.commit()
    while finding.is_alive():
        scene.db.execute("UPDATE items SET qty = qty + 1 WHERE id = 1")  # there is no heartbeat to go on by
        finding.join(0.3)
    assert waited == [RUNNING]
    assert notes[1] == READING
    assert [key for key, _ in result[0].deletes] == [(3,)]
    assert 777 in {c.key["id"] for c in scene.changes("c")}


def test_rows_that_a_policy_hides_are_not_gone(it: ConnectCluster, make: Make) -> None:
    scene = make(5)
    scene.db.execute("ALTER TABLE items ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON items FOR SELECT TO debezium USING (id <= 2)")
    with pytest.raises(SourceError, match=r"row-level security hides rows of public\.items from debezium") as refused:
        scene.find()
    assert "BYPASSRLS" in refused.value.hint
    scene.db.execute("ALTER TABLE items DISABLE ROW LEVEL SECURITY")
    assert scene.find().deletes == []


def test_an_empty_table_is_closed_only_when_somebody_says_so(it: ConnectCluster, make: Make) -> None:
    scene = make(5)
    scene.unsent("DELETE FROM items")
    command = ["snapshot", f"{scene.name}:public.items", "--close-missing", "--yes"]
    refused = it.cli(*command)
    assert refused.code == 6, refused.err
    assert "public.items is empty" in refused.err
    assert "--close-all closes all 5 keys" in refused.err
    assert scene.changes("d") == []

    asked = terminal(it, command, "n\n")
    assert (asked.code, scene.changes("d")) == (0, []), asked.err
    assert "0 rows at the source, 5 open keys, 0 closed" in asked.out

    done = it.cli(*command, "--close-all", "--json")
    assert done.code == 0, done.err
    assert done.json["missing"][0]["closed"] == 5
    assert sorted(c.key["id"] for c in scene.changes("d")) == [1, 2, 3, 4, 5]
    assert {c.headers["c360.origin"] for c in scene.changes("d")} == {"missing-at-source"}
    assert it.cli("snapshot", f"{scene.name}:public.items", "--close-all").code == 2


def test_no_tombstone_is_sent_and_a_key_that_is_back_is_left_alone(it: ConnectCluster, make: Make) -> None:
    """Between find and close somebody thinks; a tombstone has no position, and would take the new row out of a compacted topic."""
    scene = make(5)
    assert scene.config["tombstones.on.delete"] == "true"
    scene.unsent("DELETE FROM items WHERE id IN (3, 4)")
    found = scene.find()
    assert [key for key, _ in found.deletes] == [(3,), (4,)]
    scene.db.execute("INSERT INTO items VALUES (4, 'is back', 1)")
    assert missing.close(it.cluster, scene.config, found) == 1
    assert [c.key["id"] for c in scene.changes("d")] == [3]
    assert [c for c in scene.all_changes() if c.value is None] == []
    assert scene.find().deletes == []


def test_more_deletes_than_the_producers_queue_holds(it: ConnectCluster, make: Make) -> None:
    scene = make(300)
    scene.unsent("DELETE FROM items WHERE id > 1")
    found = scene.find()
    narrow = replace(it.cluster, kafka={**it.cluster.kafka, "queue.buffering.max.messages": "10"})
    assert missing.close(narrow, scene.config, found) == 299
    assert sorted(c.key["id"] for c in scene.changes("d")) == list(range(2, 301))


# --- purge


def terminal(it: ConnectCluster, args: list[str], answers: str) -> Done:
    """The command with a person at the terminal, who has typed ahead."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answers.encode())
        done = subprocess.run(it.command(*args), stdin=theirs, capture_output=True, text=True, timeout=180, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_slot_of_another_database_is_never_dropped(it: ConnectCluster, make: Make) -> None:
    """Slot names are the server's: the stopped connector of one database, and one of another database that names the same slot."""
    owner, other = make(), make()
    owner.stopped()
    other.stopped()
    it.client.put_config(other.name, {**other.config, "slot.name": owner.slot})
    config = it.client.config(other.name) or {}
    with pytest.raises(SourceError, match=f"slot {owner.slot} is of database {owner.name}"):
        removal.delete(it.cluster, other.name, [removal.Left("slot", owner.slot, "")])
    assert it.client.status(other.name) is not None

    it.client.delete(owner.name)  # nobody that is deployed uses it any more, and it is kept all the same
    it.client.wait_gone(owner.name)
    assert [i.is_kept for i in removal.left_behind(it.cluster, other.name, config, removal.configs_of(it.cluster)) if i.kind == "slot"] == [
        True
    ]
    done = it.cli("delete", other.name, "--purge", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json[0]["left"] == [f"replication slot {owner.slot}: stays, as it is of database {owner.name}"]
    assert owner.slot in owner.slots()
    assert not other.has_publication()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_another_connector_uses_is_kept_however_its_address_is_written(it: ConnectCluster, make: Make, host: str) -> None:
    scene = make()
    port = str(it.stack.state.ports["postgres"])
    twin = {**scene.config, "database.hostname": host, "database.port": port, "topic.prefix": f"{scene.name}b"}
    it.client.create(f"{scene.name}b", twin, "STOPPED")
    done = it.cli("delete", scene.name, "--purge", "--yes", "--json")
    assert done.code == 0, done.err
    slot, publication = f"replication slot {scene.slot}", "publication dbz_publication"
    user = f"{scene.name}b"
    assert done.json[0]["left"] == [f"{slot}: stays, as {user} reads it too", f"{publication}: stays, as {user} uses it too"]
    assert scene.slot in scene.slots()
    assert scene.has_publication()


def test_what_an_address_that_cannot_be_resolved_here_may_use_is_kept(it: ConnectCluster, make: Make) -> None:
    scene = make(database__hostname="127.0.0.1")
    twin = {**scene.config, "database.hostname": "${env:C360_SOURCE_PG_HOST}", "topic.prefix": f"{scene.name}b"}
    it.client.create(f"{scene.name}b", twin, "STOPPED")
    env = {k: v for k, v in it.cluster.variables.env.items() if k != "C360_SOURCE_PG_HOST"}
    cluster = replace(it.cluster, variables=Variables(env))
    left = removal.left_behind(cluster, scene.name, scene.config, removal.configs_of(it.cluster))
    assert {i.kind: i.is_kept for i in left if i.kind != "offsets"} == {"slot": True, "publication": True}


def test_the_last_of_two_that_share_takes_what_they_shared(it: ConnectCluster, make: Make) -> None:
    scene = make()
    it.client.create(f"{scene.name}b", {**scene.config, "topic.prefix": f"{scene.name}b"}, "STOPPED")
    done = it.cli("delete", scene.name, f"{scene.name}b", "--purge", "--yes")
    assert done.code == 0, done.err
    assert scene.slot not in scene.slots()
    assert not scene.has_publication()


def test_a_source_that_cannot_be_reached_is_said_before_anything_is_done(it: ConnectCluster, make: Make) -> None:
    scene = make(2)
    command = [sys.executable, "-m", "commerce360.cli.main", "connect", "--url", it.client.url, "delete", scene.name, "--purge", "--yes"]
    env = {**os.environ, **it.login}
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "cannot be resolved here" in done.stderr
    assert "MiB" not in done.stdout
    status = it.client.status(scene.name)
    assert status is not None
    assert status.running
    assert it.client.offsets(scene.name)
    again = it.cli("delete", scene.name, "--purge", "--yes")
    assert again.code == 0, again.err
    assert scene.slot not in scene.slots()


def test_a_publication_that_nobody_here_may_drop_is_said_before_anything_is_done(it: ConnectCluster, make: Make) -> None:
    scene = make(2)
    left = removal.left_behind(it.cluster, scene.name, scene.config, removal.configs_of(it.cluster))
    with pytest.raises(SourceError, match="debezium may not drop publication dbz_publication"):
        removal.delete(replace(it.cluster, admin=None), scene.name, left)
    status = it.client.status(scene.name)
    assert status is not None
    assert status.running


@pytest.mark.parametrize("step", ["stopped", "notes of its first load removed", "offsets reset", "slot ", "publication "])
def test_a_purge_that_is_killed_goes_on_with_the_same_command(it: ConnectCluster, make: Make, step: str) -> None:
    scene = make(2)
    command = it.command("delete", scene.name, "--purge", "--yes")
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environ)
    assert child.stdout
    seen = next((line for line in child.stdout if line.startswith(f"  {step}") and not line.rstrip().endswith("again")), "")
    child.kill()
    child.communicate()
    assert seen
    again = it.cli("delete", scene.name, "--purge", "--yes", "--json")
    if again.code == 1 and step == "publication ":  # its last request may have been on its way already: then nothing is left to do
        assert f"there is no connector {scene.name}" in again.err
    else:
        assert again.code == 0, again.err
        assert again.json[0]["left"] == []
    assert scene.name not in it.client.names()
    assert scene.slot not in scene.slots()
    assert not scene.has_publication()


def test_a_no_keeps_that_thing_and_the_rest_is_done(it: ConnectCluster, make: Make) -> None:
    scene = make(2)
    done = terminal(it, ["delete", scene.name, "--purge", "--json"], "y\ny\ny\nn\n")
    assert done.code == 0, done.err
    (result,) = done.json
    assert [text.partition(":")[0] for text in result["left"]] == ["publication dbz_publication"]
    assert f"slot {scene.slot} dropped" in result["done"]
    assert scene.slot not in scene.slots()
    assert scene.has_publication()
    assert scene.name not in it.client.names()


def test_a_no_to_one_connector_keeps_it_and_the_others_are_deleted(it: ConnectCluster, make: Make) -> None:
    first, second = make(), make()
    nothing = terminal(it, ["delete", first.name, second.name], "n\nn\n")
    assert (nothing.code, "nothing was changed" in nothing.err) == (6, True), nothing
    nobody = it.cli("delete", first.name, second.name)
    assert nobody.code == 6
    assert {first.name, second.name} <= set(it.client.names())
    some = terminal(it, ["delete", first.name, second.name], "n\ny\n")
    assert some.code == 0, some.err
    assert "nothing was changed" not in some.err
    assert (first.name in it.client.names(), second.name in it.client.names()) == (True, False)
