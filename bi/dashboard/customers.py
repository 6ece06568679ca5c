"""The view "Customer 360": customers to choose from, one of them with its timeline, and the shop beside it. SQL of bi/queries."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from bi.dashboard.warehouse import Client
from bi.queries import sql
from commerce360.settings import Warehouse
from commerce360.snowflake import Row

SHOWN = 10  # customers in a list
LONGEST = 80  # characters of a search
LAST_ID = 2**63 - 1
TIMELINE = {"visit": "customer_visits", "order": "customer_orders", "review": "customer_reviews", "tier": "customer_tiers"}
WHEN = {"visit": "started_at", "order": "ordered_at", "review": "reviewed_at", "tier": "valid_from"}
OF_A_KIND = 40  # rows that a query of the timeline brings at most, one more than is shown
EVENTS = 60  # of a timeline
TURN_S = 5.0  # somebody waits for their turn; all queries together may take a minute when the warehouse is slow
SHARED_S = 3.0  # an answer serves everybody who asks within so many seconds: the local warehouse is one process
PATIENCE = 4  # or within so many times what it took
T = TypeVar("T")


class OccupiedError(Exception):
    """Others ask just now, and longer than anybody should wait. The text is for the page."""


class Customers:
    """Its own connection, so that nobody waits for the headline numbers. Raises what the connector raises, and OccupiedError."""

    def __init__(self, settings: Warehouse) -> None:
        self.client = Client(settings)
        self._alone = threading.Lock()
        self._kept: dict[Any, tuple[float, Any]] = {}

    def search(self, text: str) -> dict[str, Any]:
        """`customers` (at most SHOWN) and whether there are `more`; without a text those worth a look."""
        if not text:
            return self._shared("", lambda: {"customers": self._ask("customers_at_risk"), "more": False})
        fragment = text.lower()
        number = int(text) if text.isascii() and text.isdigit() and int(text) <= LAST_ID else None
        with self._turn():
            found = self._ask("customer_search", number, fragment)
        return {"customers": found[:SHOWN], "more": len(found) > SHOWN}

    def one(self, customer_id: int) -> dict[str, Any] | None:
        """`card` (row of the mart), `timeline`, newest first and without gaps, and whether there is `more` before it.

        None for a customer that the mart does not have.
        """
        return self._shared(customer_id, lambda: self._one(customer_id))

    def shop(self) -> dict[str, Any]:
        """`funnel` by campaign, `minutes` of the last hour and `days` of reviews, both oldest first; `now` of the page's server."""
        return self._shared("shop", self._shop)

    def _one(self, customer_id: int) -> dict[str, Any] | None:
        cards = self._ask("customer_card", customer_id, customer_id)
        if not cards:
            return None
        timeline, more = newest({kind: self._ask(name, customer_id) for kind, name in TIMELINE.items()})
        return {"card": cards[0], "timeline": timeline, "more": more}

    def _shop(self) -> dict[str, Any]:
        minutes, days = self._ask("revenue_by_minute"), self._ask("sentiment_by_day")
        return {"funnel": self._ask("funnel"), "minutes": minutes[::-1], "days": days[::-1], "now": time.time()}

    def _ask(self, name: str, *values: Any) -> list[Row]:
        return [plain(row) for row in self.client.query(sql(name), values or None)]

    def _shared(self, key: Any, make: Callable[[], T]) -> T:
        with self._turn():
            began = time.monotonic()
            self._kept = {k: kept for k, kept in self._kept.items() if kept[0] > began}
            if key not in self._kept:
                found = make()
                now = time.monotonic()
                self._kept[key] = (now + max(SHARED_S, PATIENCE * (now - began)), found)
            kept: T = self._kept[key][1]
            return kept

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._alone.acquire(timeout=TURN_S):
            raise OccupiedError("the warehouse is busy with earlier questions, and this one comes again by itself")
        try:
            yield
        finally:
            self._alone.release()


def newest(found: Mapping[str, list[Row]]) -> tuple[list[Row], bool]:
    """The rows of each kind, newest first, as one timeline; and whether something is left out.

    It ends where one of the kinds does that were cut: behind that time this kind would seem to have nothing.
    """
    cut = {kind: rows[OF_A_KIND - 2][WHEN[kind]] for kind, rows in found.items() if len(rows) >= OF_A_KIND}
    events = [{"kind": kind, "at": row[WHEN[kind]], **row} for kind, rows in found.items() for row in rows[: OF_A_KIND - 1]]
    since = max(cut.values(), default=float("-inf"))
    complete = [e for e in events if e["at"] >= since]
    complete.sort(key=lambda e: e["at"], reverse=True)
    return complete[:EVENTS], bool(cut) or len(complete) > EVENTS


def plain(row: Row) -> Row:
    """As JSON has it: times as epoch seconds, days and money as text, the reasons as a list."""
    return {name: _plain(name, value) for name, value in row.items()}


def _plain(name: str, value: Any) -> Any:
    if name == "churn_reasons":
        return json.loads(value) if value else []
    if isinstance(value, dt.datetime):
        return (value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value).timestamp()
    return str(value) if isinstance(value, Decimal | dt.date) else value
