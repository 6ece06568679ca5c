"""The files of the state folder: metrics of our services, the supervisor's status, the loader's notes, the last report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bi.dashboard.board import Board, Files, Shown
from commerce360 import metrics

TAIL_BYTES = 1 << 20


class Snapshots:
    def __init__(self, state: Path, board: Board) -> None:
        self.state = state
        self.board = board
        self.notes = Notes(state / "run" / "loader.freshness.jsonl")

    def poll(self) -> None:
        began = began_at(self.state)
        shop, lake, loader = (self._metrics(name, began) for name in ("shop", "lake", "loader"))
        report, report_at = self._report(began)
        self.board.files = Files(_json(self.state / "run" / "status.json"), shop, lake, loader, report, report_at)
        self.board.shown = self.notes.read()

    def _metrics(self, name: str, began: float) -> dict[str, Any]:
        found = metrics.read(self.state, name)
        return found if found.get("at", 0) >= began else {}

    def _report(self, began: float) -> tuple[Mapping[str, Any] | None, float]:
        files = [(at, f) for f in (self.state / "reports").glob("*.json") if (at := _changed_at(f)) >= began]
        if not files:
            return None, 0.0
        at, newest = max(files)
        found = _json(newest)
        return (found, at) if "equal" in found else (None, 0.0)


def began_at(state: Path) -> float:
    """When the stack of a state folder began, in epoch seconds: what is older is an earlier one's. 0 where nobody supervises."""
    return _changed_at(state / "run" / "supervisor.pid")


class Notes:
    """Follows the loader's growing file; reads its last part at the start and only what is new after that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = -1
        self._batches: list[int] = []
        self._times: list[float] = []
        self._shown = Shown()

    def read(self) -> Shown:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return self._shown
        if self._at > size:  # a new file: another run
            self._at, self._batches, self._times = -1, [], []
        if self._at < 0:
            self._at = max(0, size - TAIL_BYTES)
        if size > self._at:
            with self.path.open("rb") as file:
                file.seek(self._at)
                self._take(file.read(size - self._at))
            self._shown = Shown(tuple(self._batches), tuple(self._times))
        return self._shown

    def _take(self, data: bytes) -> None:
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                batch, at = int(row["batch_id"]), float(row["queryable_at"])
            except (ValueError, KeyError, TypeError):  # the first line of the tail, or one that a killed loader left
                continue
            if not self._batches or batch > self._batches[-1]:
                self._batches.append(batch)
                self._times.append(at)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
