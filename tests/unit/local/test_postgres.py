"""PostgreSQL is found, never run as root, and not held up by the note of a dead server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from commerce360.errors import ConfigError
from commerce360.local.services import postgres
from commerce360.local.state import State


def program(folder: Path, name: str, text: str = "postgres (PostgreSQL) 16.2") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{text}'\n")
    (folder / name).chmod(0o755)


def test_a_folder_counts_only_with_both_programs(tmp_path: Path) -> None:
    program(tmp_path / "bin", "postgres")
    assert postgres.version(tmp_path / "bin") == 0
    program(tmp_path / "bin", "initdb")
    assert postgres.version(tmp_path / "bin") == 16


def test_the_chosen_folder_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in postgres.NEEDED:
        program(tmp_path / "old", name, "postgres (PostgreSQL) 14.1")
        program(tmp_path / "new", name)
    monkeypatch.setenv("C360_PG_BIN", str(tmp_path / "new"))
    assert postgres.find_binaries() == tmp_path / "new"
    monkeypatch.setenv("C360_PG_BIN", str(tmp_path / "old"))
    with pytest.raises(ConfigError, match="no PostgreSQL >= 15"):
        postgres.find_binaries()


def test_a_closed_folder_is_not_reachable_for_another_account(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    assert not postgres.reachable(inner)
    assert postgres.reachable(Path("/usr/bin"))


def test_the_password_stands_in_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in postgres.NEEDED:
        program(tmp_path / "bin", name)
    monkeypatch.setenv("C360_PG_BIN", str(tmp_path / "bin"))
    state = State.open(tmp_path / "state")
    command = postgres.Postgres(state).command()
    assert command.user != 0
    assert not any(state.secret("postgres_superuser") in part for part in (*command.args, *command.env.values()))


def test_the_note_of_a_dead_server_is_dropped_and_that_of_any_other_program_too(tmp_path: Path) -> None:
    server = postgres.Postgres(State.open(tmp_path))
    server.data.mkdir(parents=True)
    note = server.data / "postmaster.pid"
    dead = subprocess.Popen(["true"])
    dead.wait()
    for pid in (dead.pid, os.getpid()):
        note.write_text(f"{pid}\n{server.data}\n")
        server._forget_dead_postmaster()
        assert not note.exists()
    server._forget_dead_postmaster()  # nothing there: nothing to do
