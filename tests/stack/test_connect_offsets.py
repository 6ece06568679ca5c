"""`c360 connect offsets` on a real Connect: garbage never gets there, and what was changed can be put back with nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from connect_cluster import ConnectCluster, connect_cluster, wait
from in_process import c360
from topic_records import Topics

from commerce360.errors import UnavailableError

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
FAR = 2**32  # bytes of log that no test writes


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectCluster]:
    with connect_cluster(tmp_path_factory.mktemp("offsets")) as made:
        yield made


class Source:
    """A database, its connector of the same name, and a writer that keeps a ledger of what was acknowledged."""

    def __init__(self, connect: ConnectCluster, name: str, folder: Path) -> None:
        self.connect, self.name = connect, name
        self.db = connect.database(name)
        connect.client.put_config(name, connect.config(name, heartbeat__interval__ms="1000"))
        connect.client.wait_running(name, restarts=3)
        wait("the slot streams", lambda: self.slot()[0])
        self.backups = ("--backup-dir", str(folder))
        self.folder = folder / "local"
        self.topics = Topics(connect.stack.settings())
        self.written: list[int] = []

    def write(self, count: int = 5) -> list[int]:
        new = list(range(len(self.written) + 1, len(self.written) + count + 1))
        for number in new:
            self.db.execute("INSERT INTO items VALUES (%s, 'a', 1)", (number,))
            self.written.append(number)
        return new

    def seen(self) -> Counter[int]:
        try:
            found = self.topics.read(f"{self.name}.public.items")
        except UnavailableError:
            found = []  # Connect makes the topic when the first row comes
        return Counter(c.key["id"] for c in found if c.value is not None)

    def wait_seen(self, numbers: list[int]) -> Counter[int]:
        wait(f"{len(numbers)} rows in the topic", lambda: set(numbers) <= set(self.seen()), timeout_s=60)
        return self.seen()

    def slot(self) -> tuple[Any, ...]:
        """Active, confirmed position."""
        query = "SELECT active, confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = %s"
        return self.db.execute(query, (f"c360_{self.name}",)).fetchone() or (None, 0)

    def end(self) -> int:
        row = self.db.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
        return int(row[0]) if row else 0

    def offset(self) -> dict[str, Any]:
        (entry,) = wait("an offset is stored", lambda: self.connect.client.offsets(self.name))
        found: dict[str, Any] = entry["offset"]
        return found

    def stop(self) -> None:
        self.connect.client.stop(self.name)
        self.connect.client.wait_stopped(self.name)

    def resume(self) -> None:
        self.connect.client.resume(self.name)
        self.connect.client.wait_running(self.name, settle_s=2.5)

    def state(self) -> str:
        found = self.connect.client.status(self.name)
        return found.summary if found else "gone"

    def file(self, offset: Any) -> str:
        return json.dumps({"offsets": [{"partition": {"server": self.name}, "offset": offset}]})


Make = Callable[[str], Source]


@pytest.fixture
def source(connect: ConnectCluster, tmp_path: Path) -> Iterator[Make]:
    made: list[Source] = []

    def make(name: str) -> Source:
        made.append(Source(connect, name, tmp_path / "backups"))
        made[-1].wait_seen(made[-1].write())
        return made[-1]

    yield make
    for one in made:
        connect.client.delete(one.name)
        wait("nobody reads the slot", lambda one=one: not one.slot()[0])
        one.db.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", (f"c360_{one.name}",))
        one.db.close()


def patches(connect: ConnectCluster, name: str) -> int:
    """Changes of offsets that the worker's own request log has."""
    log = (connect.root / "logs" / "connect.log").read_text(errors="replace")
    return sum(f'"{verb} /connectors/{name}/offsets' in line for line in log.splitlines() for verb in ("PATCH", "DELETE"))


def test_garbage_is_refused_before_anything_is_sent(connect: ConnectCluster, source: Make) -> None:
    one = source("garbage")
    states: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            states.add(one.state())
            time.sleep(0.05)

    looking = threading.Thread(target=look)
    looking.start()
    good = one.offset()
    try:
        for offset in ({"lsn": "zzz"}, {"lsn": True}, {**good, "lsn": 1.5}, {**good, "messageType": 7}, {"lsn_proc": 1}, {"lsn": 2**63}):
            set_it = ("connect", "--state", str(connect.root), "offsets", "set", one.name, "-", "--yes", *one.backups)
            refused = c360(*set_it, stdin=one.file(offset))
            assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
            assert "offsets[0].offset." in refused.stderr
        wrong = '{"offsets": [{"partition": {"server": "x"}, "offset": {"lsn": 1}}]}'
        done = connect.cli("offsets", "set", one.name, "-", "--yes", "--new-partition", *one.backups, stdin=wrong)
        assert done.code == 2
        assert 'reads only {"server": "garbage"}' in done.err
        nobody = connect.cli("offsets", "reset", one.name, *one.backups)
        assert nobody.code == 6
        assert "nobody is there to say yes" in nobody.err
    finally:
        over.set()
        looking.join()
    assert states == {"RUNNING"}
    assert patches(connect, one.name) == 0
    assert not one.folder.exists()
    assert len(connect.client.offsets(one.name)) == 1
    assert one.wait_seen(one.write()) == Counter(one.written)


def test_a_backup_that_cannot_be_written_stops_everything(connect: ConnectCluster, source: Make, tmp_path: Path) -> None:
    one = source("nodisk")
    (tmp_path / "file").write_text("")
    done = connect.cli("offsets", "reset", one.name, "--yes", "--backup-dir", str(tmp_path / "file"))
    assert done.code == 1
    assert "no backup can be written" in done.err
    assert (patches(connect, one.name), one.state()) == (0, "RUNNING")


def test_a_wrong_offset_that_never_ran_is_restored_with_nothing_lost(connect: ConnectCluster, source: Make) -> None:
    """Rows are written all the time. The connector is stopped, set behind rows that it has not sent, and put back."""
    one = source("neverran")
    one.stop()
    one.write(20)
    skipping = one.end()
    one.write(20)
    refused = connect.cli("offsets", "set", one.name, "--lsn", str(skipping), "--yes", *one.backups)
    assert refused.code == 6
    assert "never sent" in refused.err
    assert "no backup brings them back" in refused.err
    done = connect.cli("offsets", "set", one.name, "--lsn", str(skipping), "--yes", "--allow-data-loss", "skip", "--json", *one.backups)
    assert done.code == 0, done.err
    assert done.json["state"] == one.connect.client.status(one.name).connector == "STOPPED"  # type: ignore[union-attr]
    assert one.offset()["lsn"] == skipping
    backup = Path(done.json["backup"])
    assert backup.stat().st_mode & 0o777 == 0o600
    back = connect.cli("offsets", "restore", str(backup), "--yes", *one.backups)
    assert back.code == 0, back.err
    one.resume()
    one.write(20)
    assert one.wait_seen(one.written) == Counter(one.written)


def test_a_position_beyond_the_log_is_restored_with_nothing_lost_even_after_it_ran(connect: ConnectCluster, source: Make) -> None:
    """It runs, says RUNNING and sends nothing; PostgreSQL keeps everything, and a writer never stops."""
    one = source("beyond")
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            one.write(1)
            time.sleep(0.05)

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        far = one.end() + FAR
        done = connect.cli("offsets", "set", one.name, "--lsn", str(far), "--yes", "--allow-data-loss", "skip", "--json", *one.backups)
        assert done.code == 0, done.err
        assert "nothing at all is sent" in done.json["meaning"]["warnings"][0]
        seen, written = one.seen(), len(one.written)
        wait("more rows are written", lambda: len(one.written) > written + 40)
        assert (one.seen(), one.state()) == (seen, "RUNNING")  # not one of them
        back = connect.cli("offsets", "restore", done.json["backup"], "--yes", *one.backups)
        assert back.code == 0, back.err
    finally:
        over.set()
        writer.join()
    assert one.wait_seen(one.written) == Counter(one.written)


def test_a_position_that_ran_is_lost_for_good_as_was_said(connect: ConnectCluster, source: Make) -> None:
    one = source("ran")
    one.stop()
    lost = one.write(10)
    skipping = one.end()
    after = one.write(10)
    done = connect.cli("offsets", "set", one.name, "--lsn", str(skipping), "--yes", "--allow-data-loss", "skip", *one.backups)
    assert done.code == 0, done.err
    one.resume()
    one.wait_seen(after)
    wait("the slot has moved on", lambda: one.slot()[1] > skipping)
    (backup,) = one.folder.iterdir()
    back = connect.cli("offsets", "restore", str(backup), "--yes", *one.backups)
    assert ("older than what PostgreSQL keeps" in back.err, back.code) == (True, 6) or "without effect" in back.out
    one.wait_seen(one.write())
    assert one.seen() == Counter(set(one.written) - set(lost))
    assert one.state() == "RUNNING"


def test_a_reset_goes_on_at_the_slot_with_nothing_lost_or_doubled(connect: ConnectCluster, source: Make) -> None:
    one = source("reset")
    confirmed = one.slot()[1]
    done = connect.cli("offsets", "reset", one.name, "--yes", "--json", *one.backups)
    assert done.code == 0, done.err
    assert done.json["offsets"] == []
    (stored,) = json.loads(Path(done.json["backup"]).read_text())["offsets"]
    assert stored["offset"]["lsn"] >= confirmed  # what it had stored when it had stopped, not when the command began
    assert one.wait_seen(one.write()) == Counter(one.written)
    back = connect.cli("offsets", "restore", done.json["backup"], "--yes", *one.backups)
    assert (back.code, "without effect" in back.out) == (0, True) or "older than what" in back.err
    assert one.wait_seen(one.write()) == Counter(one.written)


def test_a_connector_that_died_of_its_offset_is_repaired_by_the_backup(connect: ConnectCluster, source: Make) -> None:
    """Somebody else has sent garbage with curl, with a backup of ours at hand."""
    one = source("died")
    one.stop()
    done = connect.cli(
        "offsets", "set", one.name, "--lsn", str(one.offset()["lsn"] + 1), "--yes", "--allow-data-loss", "skip", "--json", *one.backups
    )
    assert done.code == 0, done.err
    connect.client.alter_offsets(one.name, json.loads(one.file({"lsn": "zzz"}))["offsets"])
    connect.client.resume(one.name)
    wait("the task has failed", lambda: "FAILED" in one.state())
    one.write()
    back = connect.cli("offsets", "restore", done.json["backup"], "--yes", *one.backups)
    assert back.code == 0, back.err
    assert one.wait_seen(one.written) == Counter(one.written)


def test_a_paused_connector_is_paused_again(connect: ConnectCluster, source: Make) -> None:
    one = source("paused")
    connect.client.pause(one.name)
    connect.client.wait_until(one.name, lambda s: s is not None and "PAUSED, task 0 PAUSED" in s.summary, 30, "pause")
    done = connect.cli("offsets", "reset", one.name, "--yes", *one.backups)
    assert done.code == 0, done.err
    wait("it is paused", lambda: one.state().startswith("PAUSED"))
    one.resume()
    assert one.wait_seen(one.write()) == Counter(one.written)


def test_a_backup_of_another_cluster_is_refused(connect: ConnectCluster, source: Make, tmp_path: Path) -> None:
    one = source("foreign")
    done = connect.cli("offsets", "reset", one.name, "--yes", "--json", *one.backups)
    data = json.loads(Path(done.json["backup"]).read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**data, "kafka_cluster_id": "elsewhere"}))
    before = patches(connect, one.name)
    refused = connect.cli("offsets", "restore", str(other), "--yes", *one.backups)
    assert refused.code == 6
    assert "--other-cluster" in refused.err
    other.write_text(json.dumps({**data, "kind": "x"}))
    assert connect.cli("offsets", "restore", str(other), "--yes").code == 2
    assert patches(connect, one.name) == before


@pytest.mark.parametrize("said", ["stopping", "stopped", "changing the offsets", "read back"])
def test_ctrl_c_between_stop_and_resume_says_how_to_go_on(connect: ConnectCluster, source: Make, said: str) -> None:
    one = source(f"ctrl{said.split()[0]}")
    command = connect.command("offsets", "reset", one.name, "--yes", *one.backups)
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
    assert running.stdout
    for line in running.stdout:
        if line.startswith(said):
            break
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert f"connector {one.name} is " in errors
    (backup,) = one.folder.iterdir()
    assert str(backup) in errors
    written, again = one.write(), 0
    if f"offsets restore {backup}" not in errors:  # nothing was sent: then it only has to go on
        assert f"resume {one.name}" in errors
        one.resume()
    else:
        again = 0 if one.state().startswith("STOPPED") else 1  # the signal came behind the resume
        back = connect.cli("offsets", "restore", str(backup), "--yes", *one.backups)
        assert back.code == 0, back.err
        if one.state().startswith("STOPPED"):  # as it was found
            one.resume()
    one.wait_seen(written)
    seen = one.seen()
    assert set(seen) == set(one.written)
    # What it had read when it was taken back, and had not confirmed to its slot yet, it reads once more.
    assert {number: times for number, times in seen.items() if times > 1 + again * (number in written)} == {}


def test_people_can_read_them(connect: ConnectCluster, source: Make) -> None:
    one = source("people")
    done = connect.cli("offsets", "get", one.name)
    assert done.code == 0
    assert 'partition {"server": "people"}' in done.out
    assert "lsn          0/" in done.out
    found = connect.cli("offsets", "get", one.name, "--json").json
    assert found["offsets"][0]["partition"] == {"server": "people"}
    same = connect.cli("offsets", "get", "web-reviews")
    assert "_data" in same.out
    assert connect.cli("offsets", "get", "nobody").code == 1


def test_no_password_is_said_or_stored(connect: ConnectCluster, source: Make) -> None:
    one = source("secret")
    done = connect.cli("offsets", "reset", one.name, "--yes", *one.backups)
    text = done.out + done.err + "".join(p.read_text() for p in one.folder.iterdir())
    assert connect.stack.state.secret("postgres_debezium") not in text
