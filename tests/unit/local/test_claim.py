"""One supervisor a state folder; the next one cleans up after one that was killed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from commerce360.errors import ConfigError
from commerce360.local.claim import claim, end_leftovers, supervisor
from commerce360.local.process import Identity


def test_a_second_supervisor_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    with claim(tmp_path):
        with pytest.raises(ConfigError, match="running already") as caught:
            claim(tmp_path)
        assert f"c360 down --state {tmp_path}" in caught.value.hint
    claim(tmp_path).close()


def test_left_overs_are_ended_and_strangers_are_not(tmp_path: Path) -> None:
    left = subprocess.Popen(("sleep", "60"), start_new_session=True)
    Identity.of(left.pid).save(tmp_path / "run" / "kafka.pid")
    replace(Identity.of(os.getpid()), tick=1).save(tmp_path / "run" / "mongo.pid")  # our own pid, written down for another process
    (tmp_path / "run" / "shop.hold.1").touch()
    (tmp_path / "run" / "sshd.pid").write_text("1")
    with claim(tmp_path):
        assert end_leftovers(tmp_path) == 1
        assert end_leftovers(tmp_path) == 0
    left.wait()
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["sshd.pid", "supervisor.lock"]


def test_somebody_elses_folder_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"holds precious\.txt"):
        claim(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]
    with pytest.raises(ConfigError, match="not a folder"):
        claim(tmp_path / "precious.txt")


def test_a_dead_supervisor_is_none(tmp_path: Path) -> None:
    assert supervisor(tmp_path) is None
    Identity.of(os.getpid()).save(tmp_path / "run" / "supervisor.pid")
    assert supervisor(tmp_path) == Identity.of(os.getpid())
    replace(Identity.of(os.getpid()), tick=1).save(tmp_path / "run" / "supervisor.pid")
    assert supervisor(tmp_path) is None
