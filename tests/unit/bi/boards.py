"""Boards and rows with what a test names; everything else is as on a quiet day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from bi.dashboard.board import Batch, Board, Files, LakeNews, Shown
from schemas.tables import BATCHES, DIM_CUSTOMER, FCT_SALES

NOW = 1_790_000_000.0
T0 = dt.datetime.fromtimestamp(NOW, dt.UTC)
NAMES = ("page", "postgres", "mongo", "kafka", "registry", "warehouse", "lake", "connect", "loader", "shop")


def second(n: float) -> dt.datetime:
    return T0 + dt.timedelta(seconds=n)


def status(phase: str = "running", at: float = NOW, **changed: dict[str, Any]) -> dict[str, Any]:
    ready = {"state": "ready", "ready": True, "pid": 1, "restarts": 0, "memory_mb": 10.0, "failure": ""}
    return {"phase": phase, "at": at, "services": {name: {**ready, **changed.get(name, {})} for name in NAMES}}


def board(files: Files | None = None, batches: tuple[Batch, ...] = (), offsets: Any = None, **slots: Any) -> Board:
    made = Board()
    made.files = files or Files(status())
    made.lake = LakeNews(batches, offsets or {}, slots.pop("orders", ()))
    for name, value in slots.items():
        setattr(made, name, value)
    return made


def batch(batch_id: int, committed: float, ordered: float | None = None) -> Batch:
    """`committed` and `ordered` are seconds from NOW."""
    return Batch(batch_id, NOW + committed, 100, 90, 5, None if ordered is None else NOW + ordered, None if ordered is None else 0.02)


def shown(*noted: tuple[int, float]) -> Shown:
    return Shown(tuple(b for b, _ in noted), tuple(NOW + at for _, at in noted))


def sale(order_id: str = "W-1-1", line_no: int = 1, batch_id: int = 7, **more: Any) -> dict[str, Any]:
    known = {
        "order_id": order_id, "line_no": line_no, "source": "web", "customer_id": 5, "product_id": 11, "ordered_at": second(0),
        "status": "placed", "currency": "EUR", "quantity": 1, "unit_price": Decimal("10.00"), "discount": Decimal("0.00"),
        "sale_amount": Decimal("10.00"), "is_complete": True, "is_deleted": False, "event_ts": second(0), "kafka_ts": second(0.02),
        "origin": "shop.orders.events/0/9", "batch_id": batch_id,
    }  # fmt: skip
    return {**{c.name: None for c in FCT_SALES.columns}, **known, **more}


def version(name: str, since: float, until: float | None = None, **more: Any) -> dict[str, Any]:
    known = {
        "customer_id": 5, "seq_pos": 1, "seq_ord": 0, "op": "u", "full_name": name, "city": "Leipzig", "country": "DE", "tier": "gold",
        "version_key": name, "valid_from": second(since), "valid_to": None if until is None else second(until),
        "is_current": until is None, "is_visible": True, "is_deleted": False, "closed_by": None if until is None else "change",
        "batch_id": 1,
    }  # fmt: skip
    return {**{c.name: None for c in DIM_CUSTOMER.columns}, **known, **more}


def batch_row(batch_id: int, started: float, committed: float, versions: str = "{}", offsets: str = "{}") -> dict[str, Any]:
    known = {
        "batch_id": batch_id, "started_at": second(started), "committed_at": second(committed), "records": 100, "rows_out": 90,
        "rejected": 0, "versions": versions, "offsets": offsets, "query_id": "q",
    }  # fmt: skip
    return {**{c.name: None for c in BATCHES.columns}, **known}
