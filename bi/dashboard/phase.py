"""In one word, and one sentence, what the platform is doing now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bi.dashboard.board import Board

SILENT_S = 10.0  # a service that published nothing for so long does not run
TITLES = {
    "starting": "Starting",
    "waiting": "Ready",
    "live": "Live",
    "trouble": "Recovering",
    "failed": "Failed",
    "draining": "Draining",
    "settled": "Settled",
    "equal": "Reconciled",
    "different": "Differences",
    "stopped": "Stopped",
}


def services(board: Board) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = board.files.status.get("services") or {}
    return found


def phase(board: Board, lag: int, now: float) -> dict[str, str]:
    """`id` (a key of TITLES), `title` and `detail`. `lag`: records and batches that are on their way."""
    name, detail = _phase(board, lag, now)
    return {"id": name, "title": TITLES[name], "detail": detail}


def _phase(board: Board, lag: int, now: float) -> tuple[str, str]:
    status = board.files.status
    if not status or now - status.get("at", 0) > SILENT_S:
        return _unsupervised(board, lag, now, had_status=bool(status))
    if status.get("phase") == "starting":
        return "starting", _starting(services(board))
    if status.get("phase") != "running":
        return "stopped", "The services have been stopped. This page shows the last state."
    if failed := {n: s for n, s in services(board).items() if s.get("state") == "failed"}:
        return "failed", f"{_list([*failed])} cannot start: {next(iter(failed.values())).get('failure') or 'read its log'}"
    if broken := [n for n, s in services(board).items() if starts_again(s) and n != "page"]:
        return "trouble", f"{_list(broken)} {'is' if len(broken) == 1 else 'are'} being started again; nothing is lost meanwhile."
    return _traffic(board, lag, shop_runs=services(board).get("shop", {}).get("state") in ("ready", "stopping"))


def _unsupervised(board: Board, lag: int, now: float, had_status: bool) -> tuple[str, str]:
    fresh = [now - m.get("at", 0) < SILENT_S for m in (board.files.shop, board.files.lake, board.files.loader)]
    if any(fresh):
        return _traffic(board, lag, shop_runs=fresh[0])
    if had_status:
        return "stopped", "The supervisor does not answer. This page shows the last state."
    return "starting", "Waiting for the first service to answer."


def starts_again(service: Mapping[str, Any]) -> bool:
    """It had died. A first start is no trouble."""
    return service.get("state") == "restarting" or (service.get("state") == "starting" and bool(service.get("restarts")))


def _traffic(board: Board, lag: int, shop_runs: bool) -> tuple[str, str]:
    if shop_runs:
        return "live", "Orders, changes, clicks and reviews are flowing."
    if lag and not board.files.shop:
        return "waiting", f"The traffic has not begun; {lag:,} records of the stored data are on their way."
    if lag:
        return "draining", f"The traffic has stopped; {lag:,} records and batches are still on their way."
    if board.files.report is not None:
        if board.files.report.get("equal"):
            return "equal", "Every stage holds the same rows: nothing lost, nothing doubled."
        return "different", "Reconciliation found differences; the table below names them."
    if board.files.shop:
        return "settled", "Every stage has caught up; reconciliation comes next."
    return "waiting", "All services are up. The traffic has not begun."


def _starting(found: Mapping[str, Mapping[str, Any]]) -> str:
    wanted = {n: s for n, s in found.items() if n not in ("page", "shop")}
    ready = sum(bool(s.get("ready")) for s in wanted.values())
    waiting = [n for n, s in wanted.items() if not s.get("ready") and s.get("state") in ("failed", "restarting", "starting")]
    return f"{ready} of {len(wanted)} services are ready" + (f"; waiting for {_list(waiting)}." if waiting else ".")


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
