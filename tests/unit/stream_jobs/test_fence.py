from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stream_jobs.session import Fence

WAITS = "import sys; sys.stdin.read()"
# A driver that starts a "JVM" and never waits for it: killed, that one stays in the process table as a zombie.
DRIVER = f"""import subprocess, sys
print(subprocess.Popen([sys.executable, '-c', {WAITS!r}], stdin=subprocess.PIPE).pid, flush=True)
sys.stdin.read()"""


@pytest.fixture
def fence(tmp_path: Path) -> Fence:
    return Fence(tmp_path / "run" / "lake.jvm.json")


@pytest.fixture
def driver() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def orphan(driver: subprocess.Popen[str]) -> Iterator[psutil.Process]:
    assert driver.stdout is not None
    process = psutil.Process(int(driver.stdout.readline()))
    yield process
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_jvm_that_was_left_behind_is_ended(fence: Fence, orphan: psutil.Process):
    fence.mark(orphan.pid)
    orphan.suspend()  # it cannot end by itself
    assert fence.clear(timeout_s=5) is True
    assert not runs(orphan)


def test_a_second_start_finds_nothing_to_end(fence: Fence, orphan: psutil.Process):
    fence.mark(orphan.pid)
    assert [fence.clear(timeout_s=5), fence.clear(timeout_s=5)] == [True, False]


def test_a_stranger_that_got_the_same_pid_lives_on(fence: Fence, orphan: psutil.Process):
    fence.mark(orphan.pid)
    noted = json.loads(fence.note.read_text())
    fence.note.write_text(json.dumps({**noted, "started": noted["started"] - 60}))
    assert fence.clear() is False
    assert runs(orphan)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"pid": 4194305, "started": 1}', '{"pid": "x", "started": 1}'])
def test_a_note_that_names_no_process_is_no_hindrance(fence: Fence, text: str):
    fence.note.parent.mkdir()
    fence.note.write_text(text)
    assert fence.clear() is False


def test_a_first_start_has_no_note(fence: Fence):
    assert fence.clear() is False
