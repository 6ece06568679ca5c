"""Ports, ids and secrets of a stack are made once and kept."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from commerce360.errors import ConfigError
from commerce360.local.state import PORTS, SECRETS, State, is_free


def test_everything_is_kept_when_the_folder_is_opened_again(tmp_path: Path) -> None:
    first = State.open(tmp_path)
    again = State.open(tmp_path)
    assert again == first
    assert set(first.ports) == set(PORTS)
    assert {first.secret(n) for n in SECRETS} == {again.secret(n) for n in SECRETS}
    assert len({first.secret(n) for n in SECRETS}) == len(SECRETS)


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(state.secret_file(name).stat().st_mode) == 0o600 for name in SECRETS)
    assert not any(state.secret(name) in (tmp_path / "stack.json").read_text() for name in SECRETS)


def test_a_busy_port_is_replaced_and_no_port_is_given_twice(tmp_path: Path) -> None:
    port = State.open(tmp_path).ports["kafka"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        assert not is_free(port)
        ports = State.open(tmp_path).ports
        assert ports["kafka"] != port
        assert len(set(ports.values())) == len(PORTS)
        assert State.open(tmp_path, running=True).ports == ports  # a running stack's own ports are busy and stay


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(ConfigError, match=r"stack\.json is damaged"):
        State.open(tmp_path)


def test_two_stacks_share_nothing(tmp_path: Path) -> None:
    one, two = State.open(tmp_path / "one"), State.open(tmp_path / "two")
    assert not set(one.ids.values()) & set(two.ids.values())
    assert not {one.secret(n) for n in SECRETS} & {two.secret(n) for n in SECRETS}
