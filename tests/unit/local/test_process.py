"""No process is left behind, and none is ended that is not ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from processes import await_name, gone

from commerce360.local import process
from commerce360.local.process import Command, Identity

SLEEP = ("sleep", "60")
PARENT = """
import sys, time
from pathlib import Path
from commerce360.local.process import Command, spawn
import os
child = spawn(Command(("sleep", "60"), dict(os.environ), Path("/")), Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(60)
"""


def command(*args: str) -> Command:
    return Command(args, dict(os.environ), Path("/"))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_child_dies_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    await_name(child, "sleep")
    parent.kill()
    parent.wait()
    assert gone(child)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can change the account")
def test_a_child_of_another_account_dies_with_its_supervisor_too(tmp_path: Path) -> None:
    other = PARENT.replace('Path("/"))', 'Path("/"), user=65534, group=65534)')
    parent = subprocess.Popen([sys.executable, "-c", other, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    await_name(child, "sleep")
    assert psutil.Process(child).uids().real == 65534
    parent.kill()
    parent.wait()
    assert gone(child)


def test_what_a_service_left_behind_is_ended_with_it(tmp_path: Path) -> None:
    """A killed lake job leaves its JVM: no child of ours any more, but of the same session."""
    child = process.spawn(command("sh", "-c", "sleep 60 & echo $!; wait"), tmp_path / "log")
    identity = Identity.of(child.pid)
    deadline = time.monotonic() + 10
    while not (text := (tmp_path / "log").read_text()).endswith("\n") and time.monotonic() < deadline:
        time.sleep(0.02)
    orphan = int(text)
    child.kill()
    child.wait()
    assert psutil.pid_exists(orphan)
    process.kill_tree(identity)
    assert gone(orphan)


def test_a_pid_that_was_used_again_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        stale = replace(Identity.of(stranger.pid), tick=1)
        earlier = replace(Identity.of(stranger.pid), boot="another boot")
        for identity in (stale, earlier):
            assert identity.process() is None
            assert process.tree(identity) == []
            process.kill_tree(identity)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_identity_survives_its_file(tmp_path: Path) -> None:
    identity = Identity.of(os.getpid())
    identity.save(tmp_path / "x.pid")
    assert Identity.load(tmp_path / "x.pid") == identity
    found = identity.process()
    assert found is not None
    assert found.pid == os.getpid()
    (tmp_path / "x.pid").write_text("{")
    assert Identity.load(tmp_path / "x.pid") is None


def test_ending_many_reports_how_many_ran(tmp_path: Path) -> None:
    children = [process.spawn(command(*SLEEP), tmp_path / "log") for _ in range(3)]
    identities = [Identity.of(c.pid) for c in children]
    children[0].kill()
    children[0].wait()
    assert process.end_all(identities, grace_s=5.0) == 2
    assert all(gone(c.pid) for c in children)
    assert process.end_all(identities, grace_s=5.0) == 0


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = process.spawn(command("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"), tmp_path / "log")
    identity = Identity.of(deaf.pid)
    deadline = time.monotonic() + 10
    while not (tmp_path / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.stop(identity, signal.SIGTERM, grace_s=0.5) is False
    assert gone(deaf.pid)


def test_a_process_that_is_halted_still_ends_by_itself(tmp_path: Path) -> None:
    child = process.spawn(command(*SLEEP), tmp_path / "log")
    await_name(child.pid, "sleep")
    os.kill(child.pid, signal.SIGSTOP)
    assert process.stop(Identity.of(child.pid), grace_s=10.0)
    assert gone(child.pid)
