"""One batch of changes carried through the view: from base rows to sessions, from those to orders' touches, customers and sums.

What a change can touch is found by keys: its visitor, the orders of the person within 30 days, the customer, the row of a sum. Each unit
that was touched is computed anew from all that is known of it, by the pure functions beside, and only rows that differ are said.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from schemas.behaviour import DIM_CAMPAIGN, FCT_PAGE_EVENTS, FCT_REVIEWS, FCT_SESSIONS
from schemas.columns import LINEAGE_NAMES, Table
from schemas.marts import MART_ATTRIBUTION, MART_CUSTOMER_360
from schemas.shop import campaigns
from stream_jobs.entity import Key, Row
from stream_jobs.keyed import Outcome
from stream_jobs.view360 import sums
from stream_jobs.view360.customers import Known, customer_of
from stream_jobs.view360.days import day_of
from stream_jobs.view360.memory import Memory, digest, unit_text
from stream_jobs.view360.orders import Order, order_of
from stream_jobs.view360.reviews import review_of, sentiment_key
from stream_jobs.view360.sums import Measures, Sums
from stream_jobs.view360.touches import WINDOW, Touch, attribution
from stream_jobs.view360.units import SUMMED, summed_key
from stream_jobs.view360.visits import INACTIVITY, Event, Visit, visit_at, visits_of

MICROSECOND = dt.timedelta(microseconds=1)
LINEAGE = tuple(n for n in LINEAGE_NAMES if n != "batch_id")
PLACED_BY = ("started_at", "ended_at", "campaign_id")  # of a visit: which orders are its own, and for which campaign they count
EMPTY = {"bigint": 0, "int": 0, "boolean": False, "string": "", "decimal(18,2)": 0}  # of a column that is never NULL, in a row that is gone


class Products:
    """The category of each product at any time: that of the version a sale of that time belongs to (SCD2 R21)."""

    def __init__(self) -> None:
        self._steps: dict[int, tuple[list[dt.datetime], list[str | None]]] = {}

    def learn(self, product_id: int, rows: Iterable[Row]) -> bool:
        """Take the log rows of a product; whether the category of any time changed."""
        versions = sorted((r for r in rows if r["is_visible"]), key=lambda r: r["valid_from"])
        starts: list[dt.datetime] = []
        categories: list[str | None] = []
        for row in versions:
            if not categories or row["category"] != categories[-1]:
                starts.append(row["valid_from"])
                categories.append(row["category"])
        before = self._steps.get(product_id, ([], []))
        self._steps[product_id] = (starts, categories)
        return (before[0][1:], before[1]) != (starts[1:], categories)  # the first one counts from ever on

    def category(self, product_id: int, at: dt.datetime) -> str | None:
        starts, categories = self._steps.get(product_id, ([], []))
        return categories[max(0, bisect_right(starts, at) - 1)] if categories else None


class Work:
    """`note_*` take the changes, `finish` computes what they touch; `rows` are to be appended then."""

    def __init__(self, memory: Memory, products: Products, as_of: dt.date) -> None:
        self.memory = memory
        self.products = products
        self.as_of = as_of
        self.rows: dict[Table, list[Row]] = defaultdict(list)
        self.visitors: set[str] = set()
        self.customers: set[int] = set()
        self.attributed: set[str] = set()
        self.delta: dict[tuple[str, tuple[Any, ...]], Measures] = defaultdict(dict)
        self._changed: set[str] = set()  # events

    def note_clicks(self, rows: Iterable[Row]) -> None:
        """Rows of silver.clickstream, in any order."""
        for row in rows:
            if not row["is_deleted"]:
                self._campaign(row["campaign_id"])
            if not self.memory.is_newer_click(row):
                continue
            before = self.memory.click(row["event_id"])
            self.memory.keep_click(row)
            self._changed.add(row["event_id"])
            places = [_visitor_of(found) for found in (before, row) if found is not None]
            self.visitors.update(v for v in places if v is not None)
            if places[-1] is None:
                self._say_event(row, None)

    def note_orders(self, changed: Mapping[Key, Sequence[Row]]) -> None:
        """All newest rows of fct_sales of each order that changed."""
        for key, rows in changed.items():
            before, after = self.memory.order(key[0]), order_of(rows)
            if before == after:
                continue
            self.memory.keep_order(key[0], after)
            self.attributed.add(key[0])
            self._add(sums.of_order(before), sums.of_order(after))
            for order in filter(None, (before, after)):
                if order.visitor_id is not None:
                    self.visitors.add(order.visitor_id)
                if order.customer_id is not None:
                    self.customers.add(order.customer_id)
                self._campaign(order.campaign_id)

    def note_customers(self, changed: Mapping[Key, Sequence[Row]]) -> None:
        """All log rows of dim_customer of each customer that changed."""
        for key, rows in changed.items():
            if not key:  # said of all of them; each that it touches is here as well
                continue
            versions = [r for r in rows if r["is_visible"]]
            current = next((r for r in versions if r["is_current"] and not r["is_deleted"]), None)
            self.memory.keep_person(key[0], bool(versions), current)
            self.customers.add(key[0])

    def note_products(self, changed: Mapping[Key, Sequence[Row]]) -> None:
        """All log rows of dim_product of each product that changed."""
        for key, rows in changed.items():
            if key and self.products.learn(key[0], rows):
                self.customers |= self.memory.customers_of_product(key[0])

    def note_reviews(self, rows: Iterable[Row], sentiments: Outcome | None, said_of: Any) -> None:
        """Rows of silver.reviews; `said_of(key)`: rows of silver.sentiments of a (text hash, language), those of this batch too."""
        for row in rows:
            if self.memory.is_newer_review(row):
                self._review(row, said_of)
        for key in sentiments.after if sentiments else ():
            for review_id in self.memory.review_ids_of_text(*key):
                found = self.memory.review(review_id)
                assert found is not None
                self._review(found[0], said_of)

    def look(self, table: Table, unit: str) -> None:
        """A unit is computed again, though nothing that it follows from changed. A unit of nothing that is known says nothing."""
        if table is FCT_SESSIONS:
            self.visitors.add(unit)
        elif table is FCT_PAGE_EVENTS:
            self._look_at_event(unit)
        elif table is FCT_REVIEWS and (found := self.memory.review(unit)):
            self._say(FCT_REVIEWS, unit, {"": found[1]})
        elif table is MART_ATTRIBUTION:
            self.attributed.add(unit)
        elif table is MART_CUSTOMER_360:
            self.customers.add(int(unit))
        elif table is DIM_CAMPAIGN:
            listed = [c for c in campaigns() if c["campaign_id"] == unit]
            self.know_campaigns(listed)
            self._campaign(unit)
        elif table.name in SUMMED and (self.memory.said(table, unit) or self.memory.has_sum(table, unit)):
            self.delta[table.name, summed_key(table, unit)] = {}

    def finish(self) -> None:
        for visitor_id in sorted(self.visitors):
            self._visitor(visitor_id)
        for order_id in sorted(self.attributed):
            self._attribute(order_id)
        for customer_id in sorted(self.customers):
            self._customer(customer_id)
        for (name, key), measures in self.delta.items():
            table = SUMMED[name]
            row = sums.row_of(table, key, self.memory.add(table, key, measures))
            self._say(table, unit_text(key), {"": row})

    def know_campaigns(self, listed: Iterable[Mapping[str, Any]]) -> None:
        """The list of marketing."""
        for campaign in listed:
            row = {**campaign, "is_inferred": False}
            self._say(DIM_CAMPAIGN, campaign["campaign_id"], {"": row})

    def _look_at_event(self, event_id: str) -> None:
        click = self.memory.click(event_id)
        if click is None:
            return
        visitor_id = _visitor_of(click)
        if visitor_id is None:
            self._say_event(click, None)
        else:
            self._changed.add(event_id)
            self.visitors.add(visitor_id)

    def _campaign(self, campaign_id: str | None) -> None:
        if campaign_id and not self.memory.said(DIM_CAMPAIGN, campaign_id):
            names = {"name": None, "channel": None, "discount_percent": None}
            self._say(DIM_CAMPAIGN, campaign_id, {"": {"campaign_id": campaign_id, **names, "is_inferred": True}})

    def _review(self, silver: Row, said_of: Any) -> None:
        found = self.memory.review(silver["review_id"])
        before = found[1] if found else None
        after = review_of(silver, () if silver["is_deleted"] else said_of(sentiment_key(silver)))
        self.memory.keep_review(silver, after)
        self._add(sums.of_review(before), sums.of_review(after))
        self._say(FCT_REVIEWS, silver["review_id"], {"": after})
        self.customers.update(r["customer_id"] for r in (before, after) if r is not None and r["customer_id"] is not None)

    def _visitor(self, visitor_id: str) -> None:
        clicks = {row["event_id"]: row for row in self.memory.clicks_of(visitor_id)}
        before = self.memory.visits_of_visitor(visitor_id)
        orders = self.memory.orders_of_visitor(visitor_id) if clicks else ()
        visits = visits_of(visitor_id, map(_event, clicks.values()), orders)
        for visit in visits:
            known = before.pop(visit.row["session_id"], None)
            for event_id in visit.event_ids if _moves_events(known, visit) else self._changed.intersection(visit.event_ids):
                self._say_event(clicks[event_id], visit)
            if known is None or (known.row, known.views, known.carts) != (visit.row, visit.views, visit.carts):
                self.memory.keep_visit(visit)
                self._visit_changed(known, visit)
        for known in before.values():
            self.memory.drop_visit(known.row["session_id"])
            self._visit_changed(known, None)
        self._say(FCT_SESSIONS, visitor_id, {v.row["session_id"]: v.row for v in visits})

    def _visit_changed(self, before: Visit | None, after: Visit | None) -> None:
        self._add(sums.of_visit(before), sums.of_visit(after))
        both = [visit.row for visit in (before, after) if visit is not None]
        self.customers.update(row["customer_id"] for row in both if row["customer_id"] is not None)
        for row in both if len(both) < 2 or any(both[0][n] != both[1][n] for n in PLACED_BY) else ():
            self.attributed.update(self.memory.order_ids_of_browser(row["visitor_id"], row["started_at"], row["ended_at"] + INACTIVITY))
        touches = [(row["customer_id"], row["visitor_id"], row["started_at"], row["campaign_id"]) for row in both]
        if len(touches) == 2 and touches[0] == touches[1]:
            return
        for customer_id, visitor_id, start, campaign_id in touches:
            if campaign_id is not None:
                end = start + WINDOW - MICROSECOND
                self.attributed.update(self.memory.order_ids_of(customer_id, visitor_id, start, end))
                if customer_id is not None:
                    self.attributed.update(self.memory.order_ids_of(None, visitor_id, start, end))

    def _attribute(self, order_id: str) -> None:
        order = self.memory.order(order_id)
        rows: dict[int, Row] = {}
        if order is not None and order.ordered_at is not None:
            rows = attribution(order, self._touches(order, order.ordered_at), self._own_touch(order, order.ordered_at))
        self._say(MART_ATTRIBUTION, order_id, {str(number): row for number, row in rows.items()})

    def _touches(self, order: Order, at: dt.datetime) -> Collection[Any]:
        return self.memory.touches(order, at - WINDOW, at) if order.customer_id is not None or order.visitor_id is not None else ()

    def _own_touch(self, order: Order, at: dt.datetime) -> Touch | None:
        """The visit in which the order was placed, where a campaign brought it."""
        visit = visit_at(self.memory.last_visits(order.visitor_id, at), at) if order.visitor_id is not None else None
        if visit is None or visit.row["campaign_id"] is None:
            return None
        return Touch(*(visit.row[n] for n in ("started_at", "session_id", "campaign_id")))

    def _customer(self, customer_id: int) -> None:
        has_version, current = self.memory.person(customer_id)
        sessions = [visit.row for visit in self.memory.visits_of_customer(customer_id)]
        orders, reviews = self.memory.orders_of_customer(customer_id), self.memory.reviews_of_customer(customer_id)
        known = Known(customer_id, current, has_version, orders, sessions, reviews)
        row, turn = customer_of(known, self.products.category, self.as_of)
        self.memory.turn(customer_id, turn)
        self._say(MART_CUSTOMER_360, str(customer_id), {"": row} if row else {})

    def _say_event(self, silver: Row, visit: Visit | None) -> None:
        self._say(FCT_PAGE_EVENTS, silver["event_id"], {"": _page_event(silver, visit)})

    def _add(self, before: Sums, after: Sums) -> None:
        for place, measures in sums.difference(before, after).items():
            total = self.delta[place]
            for name, amount in measures.items():
                total[name] = total.get(name, 0) + amount

    def _say(self, table: Table, unit: str, rows: Mapping[str, Row]) -> None:
        """All rows of a unit: those that differ from what the table says are appended, and those that are no more are marked."""
        known, news = self.memory.said(table, unit), dict[str, tuple[bytes, bool]]()
        for sub, row in rows.items():
            mark = (digest(table, row), bool(row.get("is_deleted", False)))
            if known.get(sub) != mark:
                news[sub] = mark
                self.rows[table].append(row)
        for sub, (_, gone) in known.items():
            if sub not in rows and not gone:
                row = _gone(table, unit, sub)
                news[sub] = (digest(table, row), True)
                self.rows[table].append(row)
        if news:
            self.memory.say(table, unit, news)


def _gone(table: Table, unit: str, sub: str) -> Row:
    row: Row = {c.name: None if c.nullable else EMPTY[c.type] for c in table.columns if c.name != "batch_id"}
    key: Row = {"session_id": sub}
    if table is MART_CUSTOMER_360:
        key = {"customer_id": int(unit)}
    elif table is MART_ATTRIBUTION:
        key = {"order_id": unit, "touch_no": int(sub)}
    return {**row, **key, "is_deleted": True}


def _visitor_of(click: Row) -> str | None:
    return None if click["is_deleted"] or click["occurred_at"] is None else click["visitor_id"] or None


def _event(click: Row) -> Event:
    names = ("event_id", "occurred_at", "customer_id", "event_type", "product_id", "page", "device", "campaign_id")
    return Event(*(click[n] for n in names))


def _moves_events(before: Visit | None, after: Visit) -> bool:
    """Whether events other than those that changed themselves have to be looked at."""
    if before is None or before.event_ids != after.event_ids:
        return True
    return any(before.row[n] != after.row[n] for n in ("customer_id", "identity"))


def _page_event(silver: Row, visit: Visit | None) -> Row:
    """Row of gold.fct_page_events, without `batch_id`."""
    lineage = {n: silver[n] for n in LINEAGE}
    row: Row = {c.name: None for c in FCT_PAGE_EVENTS.columns if c.name != "batch_id"}
    row |= {"event_id": silver["event_id"], "is_deleted": silver["is_deleted"], **lineage}
    if silver["is_deleted"]:
        return row
    own = silver["customer_id"]
    who = (own, "none" if own is None else "own") if visit is None else (visit.row["customer_id"], visit.row["identity"])
    copied = ("visitor_id", "event_type", "product_id", "page", "device", "campaign_id", "occurred_at")
    return row | {
        **{n: silver[n] for n in copied},
        "session_id": visit.row["session_id"] if visit else None,
        "customer_id": who[0],
        "identity": who[1],
        "source_session_id": silver["session_id"],
        "source_customer_id": own,
        "day": None if silver["occurred_at"] is None else day_of(silver["occurred_at"]),
    }
