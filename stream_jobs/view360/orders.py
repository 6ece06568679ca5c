"""An order as the 360 view sees it: the visible lines of fct_sales with one id (docs/model.md, S1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from schemas.shop import CURRENCY
from stream_jobs.entity import Row
from stream_jobs.view360.days import bounded


class Line(NamedTuple):
    product_id: int | None
    quantity: int
    cents: int


class Order(NamedTuple):
    order_id: str
    customer_id: int | None
    visitor_id: str | None
    ordered_at: dt.datetime | None
    status: str | None
    currency: str | None
    campaign_id: str | None
    source: str
    lines: tuple[Line, ...]

    @property
    def cents(self) -> int:
        return sum(line.cents for line in self.lines)

    @property
    def units(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def is_cancelled(self) -> bool:
        return self.status == "cancelled"

    @property
    def is_returned(self) -> bool:
        return self.status == "returned"

    @property
    def is_ours(self) -> bool:
        """In the shop's currency: its money may be added up."""
        return self.currency == CURRENCY


def order_of(rows: Iterable[Row]) -> Order | None:
    """None when no line of the order is visible. `rows`: all newest rows of one order."""
    lines = sorted((r for r in rows if r["line_no"] > 0 and r["is_complete"] and not r["is_deleted"]), key=lambda r: int(r["line_no"]))
    if not lines:
        return None
    head = lines[0]
    return Order(
        head["order_id"],
        head["customer_id"],
        head["visitor_id"] or None,
        bounded(head["ordered_at"]),
        head["status"],
        head["currency"] or None,
        head["campaign_id"] or None,
        head["source"],
        tuple(Line(r["product_id"], r["quantity"] or 0, cents(r["sale_amount"])) for r in lines),
    )


def cents(amount: Decimal | None) -> int:
    return 0 if amount is None else int(amount.scaleb(2))


def money(amount: int) -> Decimal:
    """`cents` back."""
    return Decimal(amount).scaleb(-2)
