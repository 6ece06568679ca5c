"""`c360 connect plan | apply | delete` against a real Connect: what a plan says happens, and nothing is lost on the way."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from connect_cluster import ConnectCluster, Workers, connect_cluster, wait
from topic_records import Topics

from connect_configs.files import CONFIGS
from connect_configs.plans import first_load

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1500)]
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectCluster]:
    with connect_cluster(tmp_path_factory.mktemp("apply")) as made:
        yield made


@pytest.fixture
def read(it: ConnectCluster) -> Topics:
    return Topics(it.stack.settings())


class Scene:
    """A database, a connector of the same name and the folder of its file."""

    def __init__(self, it: ConnectCluster, name: str, folder: Path, rows: int = 10) -> None:
        self.it, self.name, self.path = it, name, folder
        self.db = it.database(name)
        self.db.execute("INSERT INTO items SELECT g, 'before', g FROM generate_series(1, %s) g", (rows,))
        self.config = it.config(name)

    def plan(self, *args: str, connector: str = "", **changes: str) -> Any:
        """The change that is planned for its connector when its file has these changes."""
        self.write(connector, **changes)
        done = self.it.cli("plan", str(self.path), "--json", *args)
        assert done.code == 0, done
        changed = [c for c in done.json["changes"] if c["name"] in (self.name, connector)]
        return changed if connector else changed[0]

    def write(self, connector: str = "", **changes: str) -> None:
        config = self.it.config(self.name, **changes)
        self.it.folder(self.path, **{connector or self.name: config})

    def apply(self, *args: str, only: str = "", **changes: str) -> Any:
        if not only:
            self.write(**changes)
        return self.it.cli("apply", str(self.path), "--yes", "--json", "--only", only or self.name, *args)

    def is_read(self, slot: str) -> bool:
        return self.db.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", (slot,)).fetchone() == (True,)

    def slots(self) -> set[str]:
        return {row[0] for row in self.db.execute("SELECT slot_name FROM pg_replication_slots").fetchall()}


@pytest.fixture
def scene(it: ConnectCluster, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(it, f"s{next(NUMBERS)}", tmp_path / "files")
    yield made
    for name in set(it.client.names()) - {"oltp-postgres", "web-clickstream", "web-reviews"}:
        it.client.delete(name)
        it.client.wait_gone(name)
    for slot in made.slots() - {"c360_oltp"}:
        wait("nobody reads the slot", lambda slot=slot: not made.is_read(slot))  # type: ignore[misc]
        made.db.execute("SELECT pg_drop_replication_slot(%s)", (slot,))


def kinds(change: Any) -> dict[str, str]:
    return {c["kind"]: c["message"] for c in change["consequences"]}


def keys(read: Topics, topic: str, ops: str = "crud") -> Counter[int]:
    return Counter(c.key["id"] for c in read.read(topic) if c.value is not None and c.value["op"] in ops)


def test_the_projects_own_files_are_deployed_byte_for_byte(it: ConnectCluster) -> None:
    done = it.cli("plan", "--exit-code")
    assert (done.code, done.out.splitlines()[-1]) == (0, "Plan: 3 unchanged.")
    for path in CONFIGS.glob("*.json"):
        assert it.client.config(path.stem) == json.loads(path.read_text())


def test_a_new_connector_is_loaded_once_and_apply_is_idempotent(it: ConnectCluster, scene: Scene, read: Topics) -> None:
    assert scene.apply().code == 0
    topic = f"{scene.name}.public.items"
    assert keys(read, topic) == Counter(range(1, 11))
    again = scene.apply()
    assert (again.code, again.json["work"], again.json["applied"]) == (0, 0, [])
    scene.db.execute("INSERT INTO items VALUES (11, 'after', 1)")
    wait("the new row", lambda: 11 in keys(read, topic))
    assert keys(read, topic) == Counter(range(1, 12))
    rows = scene.db.execute("SELECT id FROM dbz_signal").fetchall()
    assert rows == [(first_load.load_id(scene.name, scene.config),)]  # windows of the snapshot are cleaned, the record of the load stays


def test_consequences_are_said_before_and_seen_after(it: ConnectCluster, scene: Scene, read: Topics) -> None:
    """Acceptance C: slot rename, table added, table removed, poll interval, class, renamed connector."""
    scene.db.execute("CREATE TABLE more (id integer PRIMARY KEY); ALTER TABLE more REPLICA IDENTITY FULL; INSERT INTO more VALUES (1), (2)")
    scene.db.execute("GRANT SELECT ON more TO debezium")
    assert scene.apply().code == 0

    poll = scene.plan(poll__interval__ms="20")
    assert [(f["key"], f["old"], f["new"]) for f in poll["fields"]] == [("poll.interval.ms", "40", "20")]
    assert list(kinds(poll)) == ["task-restart"]

    both = {"table__include__list": "public.items,public.more"}
    added = scene.plan(**both)
    assert "incremental snapshot of public.more (about 2 rows): `c360 connect snapshot public.more`" in kinds(added)["snapshot-needed"]
    assert "ALTER PUBLICATION dbz_publication ADD TABLE public.more" in kinds(added)["not-published"]
    refused = scene.apply(**both)
    assert refused.code == 2
    assert "public.more" in refused.err
    scene.db.execute("ALTER PUBLICATION dbz_publication ADD TABLE more")
    assert scene.apply(**both).code == 0
    assert it.cli("snapshot", f"{scene.name}:public.more").code == 0
    assert keys(read, f"{scene.name}.public.more") == Counter([1, 2])

    removed = scene.plan()
    assert "no longer captured: public.more" in kinds(removed)["table-removed"]
    assert scene.apply().code == 6
    assert scene.apply("--allow-data-loss", "table").code == 0

    renamed, old = scene.plan(connector=f"{scene.name}-b")
    if renamed["name"] == scene.name:
        renamed, old = old, renamed
    assert "its offsets stay with the old name (orphaned)" in kinds(renamed)["offsets-orphaned"]
    assert old["action"] == "unmanaged"

    mongo = json.loads((CONFIGS / "web-reviews.json").read_text()) | {"offset.partition.name": scene.name, "topic.prefix": scene.name}
    it.folder(scene.path, **{scene.name: mongo})
    (other,) = [c for c in it.cli("plan", str(scene.path), "--json").json["changes"] if c["name"] == scene.name]
    assert "PostgresConnector becomes MongoSourceConnector" in kinds(other)["other-class"]


def test_a_slot_rename_is_refused_then_carried_out_and_deletes_of_the_gap_are_closed(
    it: ConnectCluster, scene: Scene, read: Topics
) -> None:
    assert scene.apply().code == 0
    topic, slot = f"{scene.name}.public.items", f"c360_{scene.name}"
    assert f"{slot}_b will be made, {slot} keeps WAL" in kinds(scene.plan(slot__name=f"{slot}_b"))["new-slot"]
    refused = scene.apply(slot__name=f"{slot}_b")
    assert refused.code == 6
    assert "--allow-data-loss gap" in refused.err
    assert it.client.config(scene.name) == scene.config
    it.client.stop(scene.name)
    it.client.wait_stopped(scene.name)
    scene.db.execute("DELETE FROM items WHERE id IN (3, 4); INSERT INTO items VALUES (12, 'in the gap', 1)")
    done = scene.apply("--allow-data-loss", "gap", slot__name=f"{slot}_b")
    assert done.code == 0, done.err
    (applied,) = done.json["applied"]
    assert json.loads(Path(applied["backup"]).read_text())["offsets"]
    it.client.resume(scene.name)  # it was stopped, so it was left so
    it.client.wait_running(scene.name)
    assert scene.apply(slot__name=f"{slot}_b").code == 0
    assert scene.slots() >= {slot, f"{slot}_b"}
    assert keys(read, topic)[12] == 1
    assert keys(read, topic, "d") == Counter()

    closed = it.cli("snapshot", f"{scene.name}:public.items", "--close-missing", "--yes", "--json")
    assert closed.code == 0, closed.err
    deletes = [c for c in read.read(topic) if c.value is not None and c.value["op"] == "d"]
    assert sorted((c.key["id"], c.value["before"]["name"]) for c in deletes) == [(3, "before"), (4, "before")]
    again = it.cli("snapshot", f"{scene.name}:public.items", "--close-missing", "--yes", "--json")
    assert again.code == 0
    assert keys(read, topic, "d") == Counter([3, 4])
    scene.db.execute("SELECT pg_drop_replication_slot(%s)", (slot,))


def test_an_interrupted_apply_loads_the_rows_the_next_time(it: ConnectCluster, scene: Scene, read: Topics) -> None:
    """SIGKILL right after the connector was made: nobody has asked for its rows yet, and the file no longer differs."""
    scene.write()
    kill_at(it.command("apply", str(scene.path), "--yes", "--only", scene.name), "waiting for the tasks")
    it.client.wait_running(scene.name)
    planned = scene.plan()
    assert planned["action"] == "unchanged"
    assert list(kinds(planned)) == ["load-pending"]
    assert scene.apply().code == 0
    assert keys(read, f"{scene.name}.public.items") == Counter(range(1, 11))
    assert not scene.plan()["consequences"]


@pytest.mark.long
def test_a_move_to_another_slot_survives_being_killed_anywhere(it: ConnectCluster, scene: Scene, read: Topics) -> None:
    """SIGKILL at each step of stop, put, back up, reset, resume; the next apply goes on, and every row is there again."""
    assert scene.apply().code == 0
    topic = f"{scene.name}.public.items"
    for number, step in enumerate(("stopping, to reset", "updating", "offsets of before", "waiting for the tasks"), start=1):
        slot = f"c360_{scene.name}_{number}"
        scene.write(slot__name=slot)
        kill_at(it.command("apply", str(scene.path), "--yes", "--only", scene.name, "--allow-data-loss", "gap"), step)
        again = scene.apply("--allow-data-loss", "gap", slot__name=slot)
        assert again.code == 0, (step, again)
        status = it.client.status(scene.name)
        assert status is not None
        assert status.running, (step, status)
        assert keys(read, topic, "r") == Counter(dict.fromkeys(range(1, 11), number + 1)), step
        assert not scene.plan(slot__name=slot)["consequences"], step
        for old in scene.slots() - {slot, "c360_oltp"}:
            scene.db.execute("SELECT pg_drop_replication_slot(%s)", (old,))


def test_a_refused_configuration_leaves_the_connector_as_it_was(it: ConnectCluster, scene: Scene) -> None:
    assert scene.apply().code == 0
    options = ("--no-validate", "--allow-data-loss", "gap")
    refused = scene.apply(*options, slot__name=f"c360_{scene.name}_b", poll__interval__ms="often")
    assert refused.code == 1
    assert "poll.interval.ms" in refused.err
    assert list(refused.json["failed"]) == [scene.name]
    it.client.wait_running(scene.name)
    assert it.client.config(scene.name) == scene.config
    assert it.client.offsets(scene.name)
    assert not scene.plan()["consequences"]


def test_a_refused_move_goes_on_though_the_source_cannot_be_seen_from_here(it: ConnectCluster, scene: Scene) -> None:
    """By the bare address nothing can be noted in the source, and nothing be taken back there."""
    assert scene.apply().code == 0
    scene.write(slot__name=f"c360_{scene.name}_b", poll__interval__ms="often")
    bare = [sys.executable, "-m", "commerce360.cli.main", "connect", "--url", it.client.url]
    options = ["apply", str(scene.path), "--yes", "--no-validate", "--allow-data-loss", "gap", "--only", scene.name]
    env = {**os.environ, **it.login}
    refused = subprocess.run([*bare, *options], env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (refused.returncode, "poll.interval.ms" in refused.stderr) == (1, True), refused
    it.client.wait_running(scene.name)
    assert it.client.config(scene.name) == scene.config


@pytest.mark.long
def test_a_move_of_one_that_reads_its_rows_itself_leaves_nothing_to_do(it: ConnectCluster, scene: Scene, read: Topics) -> None:
    assert scene.apply(snapshot__mode="initial").code == 0
    moved = {"snapshot__mode": "initial", "slot__name": f"c360_{scene.name}_b"}
    assert scene.apply("--allow-data-loss", "gap", **moved).code == 0
    topic = f"{scene.name}.public.items"
    wait("the full snapshot", lambda: keys(read, topic, "r") == Counter(dict.fromkeys(range(1, 11), 2)))
    assert not scene.plan(**moved)["consequences"]
    kill = it.command("apply", str(scene.path), "--yes", "--only", scene.name, "--allow-data-loss", "gap")
    moved["slot__name"] = f"c360_{scene.name}_c"
    scene.write(**moved)
    kill_at(kill, "offsets of before")
    assert scene.apply("--allow-data-loss", "gap", **moved).code == 0
    it.client.wait_running(scene.name)
    wait("the full snapshot", lambda: keys(read, topic, "r") == Counter(dict.fromkeys(range(1, 11), 3)))
    assert not scene.plan(**moved)["consequences"]


@pytest.mark.long
def test_a_stopped_connector_stays_stopped_when_it_moves(it: ConnectCluster, scene: Scene, read: Topics) -> None:
    assert scene.apply().code == 0
    it.client.stop(scene.name)
    it.client.wait_stopped(scene.name)
    slot = f"c360_{scene.name}_b"
    assert scene.apply("--allow-data-loss", "gap", slot__name=slot).code == 0
    status = it.client.status(scene.name)
    assert status is not None
    assert status.connector == "STOPPED"
    it.client.resume(scene.name)
    it.client.wait_running(scene.name)
    assert scene.apply(slot__name=slot).code == 0
    assert keys(read, f"{scene.name}.public.items", "r") == Counter(dict.fromkeys(range(1, 11), 2))


@pytest.mark.long
def test_another_prefix_loads_its_topics_though_the_old_offsets_stay(it: ConnectCluster, scene: Scene, read: Topics) -> None:
    assert scene.apply().code == 0
    assert scene.apply(topic__prefix=f"{scene.name}n").code == 0
    assert keys(read, f"{scene.name}n.public.items") == Counter(range(1, 11))


def test_a_file_that_wants_the_slot_of_an_unchanged_one_is_refused(it: ConnectCluster, scene: Scene) -> None:
    assert scene.apply().code == 0
    config = it.config(scene.name)
    it.folder(scene.path, **{scene.name: config, f"{scene.name}-thief": {**config, "topic.prefix": "thief"}})
    done = it.cli("apply", str(scene.path), "--yes", "--only", scene.name, "--only", f"{scene.name}-thief")
    assert done.code == 2
    assert "slot-shared" in done.out + done.err
    assert f"{scene.name}-thief" not in it.client.names()


def kill_at(command: list[str], step: str) -> None:
    """SIGKILL as soon as the command says that it is at this step."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    seen = []
    for line in child.stdout:
        seen.append(line)
        if step in line:
            break
    else:
        raise AssertionError(f"never {step}: {seen}")
    child.kill()
    child.wait()


def test_ctrl_c_says_how_to_go_on(it: ConnectCluster, scene: Scene) -> None:
    scene.write()
    command = it.command("apply", str(scene.path), "--yes", "--only", scene.name)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout
    for line in child.stdout:
        if "waiting for the tasks" in line:
            break
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "the same apply again" in err
    assert "Traceback" not in err
    assert scene.apply().code == 0


@pytest.mark.long
def test_a_connector_can_be_made_stopped_and_is_loaded_once_it_runs(it: ConnectCluster, scene: Scene, read: Topics) -> None:
    assert scene.apply("--create-state", "stopped").code == 0
    status = it.client.status(scene.name)
    assert status is not None
    assert (status.connector, status.tasks) == ("STOPPED", ())
    it.client.resume(scene.name)
    it.client.wait_running(scene.name)
    assert scene.apply().code == 0
    assert keys(read, f"{scene.name}.public.items") == Counter(range(1, 11))


def test_a_task_that_fails_is_the_end_with_its_cause(it: ConnectCluster, scene: Scene) -> None:
    scene.db.execute("DROP PUBLICATION dbz_publication")
    checked = scene.apply()
    assert checked.code == 2
    assert "publication" in checked.err
    assert scene.name not in it.client.names()
    failed = scene.apply("--no-validate")
    assert failed.code == 1
    assert "Publication autocreation is disabled" in failed.err or 'publication "dbz_publication"' in failed.err
    scene.db.execute("CREATE PUBLICATION dbz_publication FOR TABLE items, dbz_signal, dbz_heartbeat")
    assert it.cli("restart", scene.name, "--failed").code == 0
    assert scene.apply().code == 0


def test_prune_deletes_and_says_what_stays_and_purge_leaves_nothing(it: ConnectCluster, scene: Scene) -> None:
    assert scene.apply().code == 0
    asked = it.cli("delete", scene.name)
    assert asked.code == 6
    assert f"replication slot c360_{scene.name}: keeps WAL" in asked.out
    pruned = it.cli("apply", str(CONFIGS), "--prune", "--yes", "--json")
    assert pruned.code == 0
    assert [a["name"] for a in pruned.json["applied"]] == [scene.name]
    assert scene.name not in it.client.names()
    assert f"c360_{scene.name}" in scene.slots()
    assert scene.apply().code == 0  # goes on where the slot stands
    gone = it.cli("delete", scene.name, "--purge", "--yes", "--json")
    assert gone.code == 0
    assert gone.json[0]["left"] == []
    assert f"c360_{scene.name}" not in scene.slots()
    assert scene.db.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)
    assert scene.db.execute("SELECT count(*) FROM dbz_signal").fetchone() == (0,)


def test_no_file_no_prune(it: ConnectCluster, tmp_path: Path) -> None:
    done = it.cli("apply", str(tmp_path), "--prune", "--yes")
    assert done.code == 2
    assert len(it.client.names()) == 3


class Writer(threading.Thread):
    """Inserts rows without a pause; `acknowledged` is the ledger."""

    def __init__(self, conninfo: str) -> None:
        super().__init__(daemon=True)
        self.conninfo = conninfo
        self.acknowledged: list[int] = []
        self.done = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as db:
            number = 1_000
            while not self.done.is_set():
                db.execute("INSERT INTO items VALUES (%s, 'live', 1)", (number,))
                self.acknowledged.append(number)
                number += 1
                time.sleep(0.01)


@pytest.mark.long
def test_a_rolling_restart_of_two_workers_during_apply(it: ConnectCluster, scene: Scene, read: Topics, tmp_path: Path) -> None:
    """Apply meets a worker that is away, then the other one goes too; it succeeds, and every acknowledged row arrives."""
    writer = Writer(it.stack._postgres.conninfo(scene.name))
    with Workers(it.stack) as workers:
        writer.start()
        context = it.context(tmp_path / "contexts.toml", workers.url)
        for size in ("1024", "4096"):  # the first makes it and loads its rows, the second changes it
            scene.write(max__batch__size=size)
            command = [*context, "apply", str(scene.path), "--yes", "--no-validate", "--only", scene.name]
            workers.stop_first()
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            workers.roll()
            out, err = child.communicate(timeout=240)
            assert child.returncode == 0, (out, err)
            assert (it.client.config(scene.name) or {})["max.batch.size"] == size
        writer.done.set()
        writer.join()
        it.client.wait_running(scene.name, 120)
        topic, wanted = f"{scene.name}.public.items", {*range(1, 11), *writer.acknowledged}
        wait("every row", lambda: keys(read, topic).keys() >= wanted, 120)
        assert keys(read, topic).keys() == wanted
        created = keys(read, topic, "c")
        assert max(created.values()) == 1  # exactly once, whatever was restarted; a row may be read by the snapshot as well
