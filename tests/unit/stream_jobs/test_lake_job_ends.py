"""How the lake job ends: with what reason, and not within a compaction."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from obstore.exceptions import GenericError

from commerce360.errors import UnavailableError
from stream_jobs import job
from stream_jobs.ownership import TakenOverError


def owner(lost: bool, error: Exception | None) -> Any:
    def ensure() -> None:
        if error:
            raise error

    return SimpleNamespace(lost=lost, ensure=ensure)


@pytest.mark.parametrize(
    ("lost", "active", "seen", "error", "message"),
    [
        (True, True, TakenOverError("the lake belongs to b now", ""), TakenOverError, "belongs to b"),
        (True, True, GenericError("no answer"), TakenOverError, "belongs to another job"),
        (False, False, TakenOverError("the lake belongs to b now", ""), TakenOverError, "belongs to b"),
        (False, False, GenericError("no answer"), UnavailableError, "the lake query ended: no reason given"),
        (False, False, None, UnavailableError, "the lake query ended: no reason given"),
    ],
)
def test_the_reason(lost: bool, active: bool, seen: Exception | None, error: type[Exception], message: str) -> None:
    query: Any = SimpleNamespace(isActive=active, exception=lambda: None)
    nobody: Any = None
    with pytest.raises(UnavailableError, match=message) as found:
        job.watch(query, nobody, nobody, owner(lost, seen), threading.Event())
    assert found.type is error


def test_a_compaction_inside_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    inside = threading.Thread(target=go_on.wait, daemon=True)
    assert job.ended(inside), "never started"
    inside.start()
    monkeypatch.setattr(job, "STOP_TIMEOUT_S", 0.05)
    assert not job.ended(inside), "still inside: the lake must not be released"
    monkeypatch.setattr(job, "STOP_TIMEOUT_S", 60.0)
    threading.Timer(0.2, go_on.set).start()
    assert job.ended(inside)
    assert not inside.is_alive()
