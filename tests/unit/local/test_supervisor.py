"""Services are kept running until they are told to stop, and a hopeless one is named with its reason."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import gone

from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.local.process import Command
from commerce360.local.supervisor import HOPELESS, Supervisor, last_line


class Script:
    """A service that is a line of shell; ready when the file `up` in its folder exists."""

    stop_signal = signal.SIGTERM
    ready_timeout_s = 20.0
    port: int | None = None

    def __init__(self, name: str, home: Path, script: str = "touch $0; sleep 60", ready: Callable[[], bool] | None = None) -> None:
        self.name = name
        self.home = home
        self.script = script
        self.mark = home / f"{name}.up"
        self._ready = ready

    def prepare(self) -> None:
        self.mark.unlink(missing_ok=True)

    def command(self) -> Command:
        return Command(("sh", "-c", self.script, str(self.mark)), dict(os.environ), self.home)

    def ready(self) -> bool:
        return self._ready() if self._ready else self.mark.exists()


@contextmanager
def supervising(tmp_path: Path, *services: Script) -> Iterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    supervisor = Supervisor(tmp_path / "run", tmp_path / "logs", services, said.append)
    try:
        yield supervisor, said
    finally:
        supervisor.stop_all()


def pid_of(supervisor: Supervisor, name: str) -> int:
    identity = supervisor.running[name].identity
    assert identity is not None
    return identity.pid


def test_a_killed_service_is_started_again_and_its_children_are_ended(tmp_path: Path) -> None:
    service = Script("a", tmp_path, "sleep 60 & echo $!; touch $0; wait")
    with supervising(tmp_path, service) as (supervisor, said):
        supervisor.start("a")
        supervisor.wait_ready("a")
        child = int((tmp_path / "logs" / "a.log").read_text())
        killed = supervisor.kill("a", signal.SIGKILL)
        deadline = time.monotonic() + 20
        while supervisor.running["a"].starts == 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert gone(child, within_s=0.5)  # ended before the next start, not after it
        supervisor.wait_ready("a")
        assert pid_of(supervisor, "a") != killed
        assert any("starting again" in line for line in said)
        assert supervisor.running["a"].restarts == 1
        supervisor.stop("a")
        supervisor.start("a")
        supervisor.wait_ready("a")
        assert supervisor.running["a"].restarts == 1  # that one was asked for


def test_stop_leaves_no_process_and_no_pid_file(tmp_path: Path) -> None:
    with supervising(tmp_path, Script("a", tmp_path), Script("b", tmp_path)) as (supervisor, _):
        for name in ("a", "b"):
            supervisor.start(name)
            supervisor.wait_ready(name)
        pids = [pid_of(supervisor, name) for name in ("a", "b")]
        assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["a.pid", "b.pid"]
        supervisor.stop_all()
        assert all(gone(pid) for pid in pids)
        assert list((tmp_path / "run").iterdir()) == []


def test_services_stop_in_reverse_order(tmp_path: Path) -> None:
    script = "trap 'echo $0 >> order; exit' TERM; touch $0; while :; do sleep 0.05; done"
    with supervising(tmp_path, Script("first", tmp_path, script), Script("second", tmp_path, script)) as (supervisor, _):
        for name in ("first", "second"):
            supervisor.start(name)
            supervisor.wait_ready(name)
    assert [Path(line).stem for line in (tmp_path / "order").read_text().split()] == ["second", "first"]


def test_a_service_that_ends_again_and_again_is_reported_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commerce360.local.supervisor.BACKOFF_S", (0.01,))
    with supervising(tmp_path, Script("a", tmp_path, "echo no such module; exit 1")) as (supervisor, _):
        supervisor.start("a")
        with pytest.raises(C360Error, match="no such module") as caught:
            supervisor.wait_ready("a")
        assert "a.log" in caught.value.hint
        assert supervisor.running["a"].starts >= HOPELESS


def test_a_service_that_cannot_be_prepared_fails_at_once(tmp_path: Path) -> None:
    service = Script("a", tmp_path)

    def prepare() -> None:
        raise ConfigError("it is not installed", "run `make setup`")

    service.prepare = prepare  # type: ignore[method-assign]
    with supervising(tmp_path, service) as (supervisor, _):
        supervisor.start("a")
        with pytest.raises(C360Error, match=r"not installed.*make setup"):
            supervisor.wait_ready("a")


def test_an_unforeseen_error_does_not_end_supervision(tmp_path: Path) -> None:
    """A full disk while a service is looked at must not leave it without its keeper."""
    service = Script("a", tmp_path)
    errors = [OSError("no space left on device")]

    def ready() -> bool:
        if errors:
            raise errors.pop()
        return True

    service.ready = ready  # type: ignore[method-assign]
    with supervising(tmp_path, service) as (supervisor, said):
        supervisor.start("a")
        supervisor.wait_ready("a")
        assert any("no space left" in line for line in said)


def test_nothing_is_started_behind_the_back_of_a_stop(tmp_path: Path) -> None:
    """A start-up that is interrupted goes on in its threads for a moment."""
    with supervising(tmp_path, Script("a", tmp_path)) as (supervisor, _):
        supervisor.stop_all()
        with pytest.raises(C360Error, match="being stopped"):
            supervisor.start("a")
    assert not (tmp_path / "run").exists()


def test_waiting_for_a_stopped_service_ends(tmp_path: Path) -> None:
    with supervising(tmp_path, Script("a", tmp_path, "sleep 60")) as (supervisor, _):
        supervisor.start("a")
        supervisor.stop("a")
        with pytest.raises(C360Error, match="stopped before"):
            supervisor.wait_ready("a")


@pytest.mark.parametrize(("text", "expected"), [("", ""), ("one\ntwo\n\n  \n", "two"), ("x" * 9000, "x" * 300)])
def test_last_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "log").write_text(text)
    assert last_line(tmp_path / "log") == expected


def test_a_server_of_somebody_else_on_its_port_does_not_make_it_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        service = Script("a", tmp_path, ready=lambda: True)
        service.port = stranger.getsockname()[1]
        with supervising(tmp_path, service) as (supervisor, _):
            supervisor.start("a")
            with pytest.raises(UnavailableError, match="not ready"):
                supervisor.wait_ready("a", timeout_s=1.5)
            assert supervisor.running["a"].identity
