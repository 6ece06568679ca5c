"""The path of one order: when it was at which stage, what happened to it later, and who its customer was at that time."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bi.dashboard.board import Shown
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES
from schemas.topics import ORDER_EVENTS

Row = dict[str, Any]
SALES = (
    "order_id, line_no, source, customer_id, product_id, ordered_at, status, currency, quantity, unit_price, discount, sale_amount, "
    "is_complete, is_deleted, event_ts, kafka_ts, origin, batch_id"
)
VERSIONS = (
    "customer_id, seq_pos, seq_ord, full_name, city, country, tier, version_key, valid_from, valid_to, is_current, is_visible, closed_by"
)


class Paths:
    """Reads the lake on request. Calls wait for each other: a handle on the lake is not for sharing."""

    def __init__(self, settings: LakeSettings) -> None:
        self.lake = Lake(settings)
        self._alone = threading.Lock()

    def find(self, order_id: str, shown: Shown) -> dict[str, Any] | None:
        """The path as JSON, None for an order that gold does not have."""
        with self._alone:
            log = self.lake.query(
                FCT_SALES, f"SELECT {SALES} FROM fct_sales WHERE order_id = {_text(order_id)} ORDER BY batch_id, line_no"
            ).to_pylist()
            if not log:
                return None
            ids = ", ".join(str(n) for n in sorted({r["batch_id"] for r in log}))
            batches = {r["batch_id"]: r for r in self.lake.query(BATCHES, f"SELECT * FROM batches WHERE batch_id IN ({ids})").to_pylist()}
            return order_path(log, batches, shown, self._products(log), self._versions(log))

    def _products(self, log: Sequence[Row]) -> dict[int, Row]:
        ids = ", ".join(str(n) for n in sorted({r["product_id"] for r in log if r["product_id"] is not None}))
        if not ids:
            return {}
        found = self.lake.query(DIM_PRODUCT, DIM_PRODUCT.newest_sql("dim_product", f"product_id IN ({ids})", internal=False))
        return {r["product_id"]: r for r in sorted(found.to_pylist(), key=lambda r: (r["seq_pos"], r["seq_ord"]))}

    def _versions(self, log: Sequence[Row]) -> list[Row]:
        customer_id = next((r["customer_id"] for r in log if r["customer_id"] is not None), None)
        if customer_id is None:
            return []
        newest = DIM_CUSTOMER.newest_sql("dim_customer", f"customer_id = {int(customer_id)}", internal=False)
        rows = self.lake.query(DIM_CUSTOMER, f"SELECT {VERSIONS} FROM ({newest}) AS n WHERE is_visible ORDER BY valid_from").to_pylist()
        return list(rows)


def order_path(
    log: Sequence[Row], batches: dict[int, Row], shown: Shown, products: dict[int, Row], versions: Sequence[Row]
) -> dict[str, Any]:
    """`log`: rows of fct_sales of the order, oldest batch first; `versions`: of its customer, by valid_from. Times are epoch seconds."""
    newest = {r["line_no"]: r for r in log}  # later batches replace earlier ones
    lines = [r for r in newest.values() if r["line_no"] > 0 and r["is_complete"] and not r["is_deleted"]]
    head = newest.get(0) or next(iter(newest.values()))
    return {
        "order_id": head["order_id"],
        "source": head["source"],
        "status": head["status"],
        "currency": head["currency"] or "",
        "amount": str(sum((r["sale_amount"] for r in lines if r["sale_amount"] is not None), Decimal("0.00"))),
        "customer_id": head["customer_id"],
        "lines": [_line(r, products) for r in lines],
        "steps": steps(log, batches, shown),
        "later": later(log, batches),
        **history(versions, head["ordered_at"]),
    }


def steps(log: Sequence[Row], batches: dict[int, Row], shown: Shown) -> list[dict[str, Any]]:
    """The way of the first record of the order; `ms` is the time since the step before, None where a time is not known."""
    first = min((r for r in log if r["batch_id"] == log[0]["batch_id"] and r["event_ts"]), key=lambda r: r["event_ts"], default=None)
    if first is None:
        return []
    batch, origin = batches.get(first["batch_id"], {}), (first["origin"] or "").rsplit("/", 2)
    web = origin[0] == ORDER_EVENTS.name
    start = ("Placed at the web shop", "order producer") if web else ("Committed in PostgreSQL", "by the back office")
    place = f"{origin[0]}, partition {origin[1]}, offset {origin[2]}" if len(origin) == 3 else ""
    batch_text = f"batch {first['batch_id']}, with {batch.get('records') or 0:,} records"
    made = [
        ("placed", start[0], first["event_ts"], start[1]),
        ("kafka", "In Kafka", first["kafka_ts"], place),
        ("taken", "Taken up by the lake", batch.get("started_at"), batch_text),
        ("gold", "In gold", batch.get("committed_at"), "batch committed in every table"),
        ("warehouse", "Queryable in the warehouse", shown.queryable_at(first["batch_id"]), "a query showed the batch"),
    ]
    return _with_gaps(made)


def _with_gaps(made: Sequence[tuple[str, str, Any, str]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before: float | None = None
    for name, label, when, detail in made:
        at = _epoch(when)
        ms = None if at is None or before is None else round(max(0.0, at - before) * 1000)
        found.append({"id": name, "label": label, "at": at, "detail": detail, "ms": ms})
        before = at if at is not None else before
    return found


def later(log: Sequence[Row], batches: dict[int, Row]) -> list[dict[str, Any]]:
    """What came after the first batch: one entry a batch, with the status the order had then."""
    found: dict[int, dict[str, Any]] = {}
    for row in log:
        if row["batch_id"] != log[0]["batch_id"]:
            topic = (row["origin"] or "").rsplit("/", 2)[0]
            entry = {
                "at": _epoch(row["event_ts"]),
                "gold_at": _epoch(batches.get(row["batch_id"], {}).get("committed_at")),
                "status": row["status"],
                "topic": topic,
            }
            found[row["batch_id"]] = {**entry, "batch_id": row["batch_id"], "deleted": row["is_deleted"]}
    return list(found.values())


def history(versions: Sequence[Row], ordered_at: dt.datetime | None) -> dict[str, Any]:
    """The customer's versions and the one in force at the order (SCD2 R21): the last begun until then, else the first."""
    if not versions or ordered_at is None:
        return {"versions": [], "match": "inferred" if ordered_at is not None else "none"}
    begun = [v for v in versions if v["valid_from"] <= ordered_at]
    target = begun[-1] if begun else versions[0]
    match = "early" if not begun else "exact" if target["valid_to"] is None or ordered_at < target["valid_to"] else "gap"
    return {"versions": [_version(v, v is target) for v in versions], "match": match}


def _version(row: Row, then: bool) -> dict[str, Any]:
    kept = {k: row[k] for k in ("full_name", "city", "country", "tier", "is_current", "closed_by", "version_key")}
    return {**kept, "valid_from": _epoch(row["valid_from"]), "valid_to": _epoch(row["valid_to"]), "then": then}


def _line(row: Row, products: dict[int, Row]) -> dict[str, Any]:
    product = products.get(row["product_id"], {})
    numbers = {k: None if row[k] is None else str(row[k]) for k in ("unit_price", "discount", "sale_amount")}
    return {
        "line_no": row["line_no"],
        "product": product.get("name") or f"product {row['product_id']}",
        "quantity": row["quantity"],
        **numbers,
    }


def _epoch(when: dt.datetime | float | None) -> float | None:
    return when.timestamp() if isinstance(when, dt.datetime) else when


def _text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"
