"""From what the sources told to what the page shows: one dict of sections, JSON-able, made once a second. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bi.dashboard.board import Board
from bi.dashboard.meters import Course
from bi.dashboard.phase import phase, services
from bi.dashboard.stages import Stages, lake_lag, pending

QUIET_S = 15.0  # a delay of older batches says nothing about now


class Model:
    """Call `tick` once a second; `course` holds the points of the charts."""

    def __init__(self) -> None:
        self.stages = Stages()
        self.course = Course()

    def tick(self, board: Board, now: float) -> dict[str, Any]:
        stages = self.stages.tick(board, now)
        lag = (lake_lag(board) or 0) + (pending(board) or 0)
        point = self._point(board, stages, lag, now)
        self.course.add(point)
        return {
            "now": round(now, 3),
            "phase": phase(board, lag, now),
            "stages": stages,
            "point": point,
            "orders": [{**asdict(o), "queryable": o.batch_id <= board.shown.last} for o in board.lake.orders],
            "order_rate": self.stages.meters["orders_acked"].rate(now),
            "numbers": numbers(board, stages),
            "services": service_rows(board),
            "report": report(board),
        }

    def _point(self, board: Board, stages: list[dict[str, Any]], lag: int, now: float) -> dict[str, Any]:
        last = board.lake.last
        quiet = not lag and (last is None or now - last.committed_at > QUIET_S)
        rates = {s["id"]: s["rate"] for s in stages}
        delays = {f"{s['id']}_delay": None if quiet else s["delay_s"] for s in stages if s["id"] != "sources"}
        return {"t": round(now, 1), **rates, **delays}


def numbers(board: Board, stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The headline: the value is None while nobody has told it."""
    told, found = board.numbers, board.files.report or {}
    down = "warehouse does not answer" if told and "warehouse" in board.failures else ""
    rejected = told.get("rejected_records") or (board.files.lake.get("rejected") if board.files.lake else None)
    return [
        number("delay", "Order to warehouse", stages[-1]["delay_s"], "seconds", "placed until queryable, median of the last batch"),
        number("orders", "Orders today", told.get("orders_today"), "count", down or "in the warehouse, since the shop's midnight"),
        number("revenue", "Revenue today", told.get("revenue_today"), "money", down or "EUR, without cancelled and returned"),
        number("customers", "Customers", told.get("customers_current"), "count", down or "current rows of dim_customer"),
        number("versions", "Customer versions", told.get("customer_versions"), "count", down or "history kept, SCD2"),
        number("rejected", "Rejected records", rejected, "count", "kept in the dead-letter table, with a reason"),
        number(
            "lost",
            "Lost / doubled",
            f"{found['lost']} / {found['doubled']}" if "lost" in found else None,
            "text",
            "all stages compared" if found else "known after reconciliation",
        ),
    ]


def number(name: str, label: str, value: Any, kind: str, note: str) -> dict[str, Any]:
    return {"id": name, "label": label, "value": value, "kind": kind, "note": note}


def service_rows(board: Board) -> list[dict[str, Any]]:
    keys = ("state", "ready", "pid", "restarts", "memory_mb", "failure")
    return [{"name": name, **{k: found.get(k) for k in keys}} for name, found in services(board).items()]


def report(board: Board) -> dict[str, Any] | None:
    """The last reconciliation of this run: per table the counts of the stages and the first differences."""
    found = board.files.report
    if found is None:
        return None
    kept = {k: found.get(k) for k in ("equal", "lost", "doubled", "changed", "rejected", "broken_invariants")}
    return {
        **kept,
        "at": board.files.report_at,
        "tables": [_table(n, t) for n, t in (found.get("tables") or {}).items()],
        "freshness_s": found.get("freshness_s") or {},
    }


def _table(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    counts = {stage: s.get("count") for stage, s in (table.get("stages") or {}).items()}
    return {"name": name, "equal": table.get("equal"), "counts": counts, "differences": list(table.get("differences") or [])[:3]}
