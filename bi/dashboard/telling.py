"""The page's own snapshot: what no other service can tell, such as whether the others answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bi.dashboard.board import Board
from bi.dashboard.phase import services

STAGES = ("kafka", "lake", "warehouse")


def told(board: Board, view: Mapping[str, Any], sources: Iterable[str]) -> dict[str, Any]:
    """`view`: the model's last one. `sources`: names of the pollers. Keys as in `telemetry.declared`."""
    supervised, report = services(board), board.files.report
    return {
        "delays": {stage: view["point"][f"{stage}_delay"] for stage in STAGES},
        "sources": {name: name not in board.failures for name in sources},
        "failures": dict(board.failures),
        "offsets": {topic: sum(ends.values()) for topic, ends in board.ends.items() if min(ends.values()) >= 0},  # -1001: not known
        "connectors": dict(board.connectors.states),
        "tasks": {name: dict(tasks) for name, tasks in board.connectors.tasks.items()},
        "slot_lag": {name: slot.lag_bytes for name, slot in board.slots.items()},
        "slot_active": {name: slot.active for name, slot in board.slots.items()},
        "slot_status": {name: slot.wal_status for name, slot in board.slots.items()},
        "ready": {name: found.get("ready") for name, found in supervised.items()},
        "restarts": {name: found.get("restarts") for name, found in supervised.items()},
        "memory_mb": {name: found.get("memory_mb") for name, found in supervised.items()},
        "differences": None if report is None else differences(report),
        "reconciled_at": None if report is None else board.files.report_at,
    }


def differences(report: Mapping[str, Any]) -> dict[str, int]:
    counts = {kind: int(report.get(kind) or 0) for kind in ("lost", "doubled", "changed")}
    return {**counts, "broken": len(report.get("broken_invariants") or ())}
