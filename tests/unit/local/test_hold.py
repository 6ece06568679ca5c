"""A service can be held by another process, and is never held by a dead one."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from commerce360.local import hold
from commerce360.local.hold import Held, holders
from commerce360.local.process import Identity


def tell(root: Path, state: str, at: float) -> None:
    (root / "run").mkdir(exist_ok=True)
    (root / "run" / "status.json").write_text(json.dumps({"at": at, "services": {"shop": {"state": state}}}))


def test_it_waits_until_the_supervisor_says_that_the_service_rests(tmp_path: Path) -> None:
    tell(tmp_path, "ready", time.time())
    threading.Timer(0.5, lambda: tell(tmp_path, "stopped", time.time() + 60)).start()
    with Held(tmp_path, "shop"):
        assert json.loads((tmp_path / "run" / "status.json").read_text())["services"]["shop"]["state"] == "stopped"
        assert len(holders(tmp_path, "shop")) == 1
    assert holders(tmp_path, "shop") == []


def test_what_was_told_before_does_not_count_and_an_interruption_leaves_no_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "TIMEOUT_S", 0.3)
    tell(tmp_path, "stopped", time.time() - 5)
    with pytest.raises(Exception, match="does not stop shop"), Held(tmp_path, "shop"):
        pass
    assert list((tmp_path / "run").glob("*.hold.*")) == []


def test_the_hold_of_a_dead_process_ends(tmp_path: Path) -> None:
    replace(Identity.of(os.getpid()), tick=1).save(tmp_path / "run" / "shop.hold.7")
    Identity.of(os.getpid()).save(tmp_path / "run" / "shop.hold.8")
    assert [p.name for p in holders(tmp_path, "shop")] == ["shop.hold.8"]
