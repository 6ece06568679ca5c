"""From page events of one visitor to sessions with a customer (docs/model.md, V1 to V7)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stream_jobs.entity import Row
from stream_jobs.view360.days import day_of
from stream_jobs.view360.orders import Order

INACTIVITY = dt.timedelta(minutes=30)
COUNTED = {"view": "views", "search": "searches", "cart": "carts", "checkout": "checkouts", "login": "logins"}


class Event(NamedTuple):
    """One page event that has a visitor and a time."""

    event_id: str
    at: dt.datetime
    customer_id: int | None
    event_type: str | None
    product_id: int | None
    page: str | None
    device: str | None
    campaign_id: str | None


@dataclass(slots=True)
class Visit:
    """`row`: the content columns of gold.fct_sessions. Views and carts are counted by product."""

    row: Row
    event_ids: tuple[str, ...]
    views: dict[int, int] = field(default_factory=dict)
    carts: dict[int, int] = field(default_factory=dict)


def visits_of(visitor_id: str, events: Iterable[Event], orders: Iterable[Order]) -> list[Visit]:
    """The sessions of a visitor, oldest first. `orders`: those with this visitor. Pure; any order of the inputs gives the same."""
    groups = _cut(sorted(events, key=lambda e: (e.at, e.event_id)))
    named = [next((e.customer_id for e in group if e.customer_id is not None), None) for group in groups]
    visits = [_visit(visitor_id, group, *who) for group, who in zip(groups, _identities(named), strict=True)]
    for order in orders:
        if order.ordered_at is not None and not order.is_cancelled and (visit := visit_at(visits, order.ordered_at)):
            visit.row["orders"] += 1
    return visits


def _cut(events: Sequence[Event]) -> list[list[Event]]:
    groups: list[list[Event]] = []
    customer: int | None = None
    for event in events:
        stranger = customer is not None and event.customer_id is not None and event.customer_id != customer
        if not groups or stranger or event.at - groups[-1][-1].at > INACTIVITY:
            groups.append([])
            customer = None
        groups[-1].append(event)
        customer = event.customer_id if event.customer_id is not None else customer
    return groups


def _identities(named: Sequence[int | None]) -> list[tuple[int | None, str]]:
    """(customer, how it is known) of each session of a visitor (V4)."""
    found: list[tuple[int | None, str]] = []
    earlier: int | None = None
    for customer in named:
        earlier = customer if customer is not None else earlier
        found.append((customer, "own") if customer is not None else (earlier, "earlier" if earlier is not None else "none"))
    later: int | None = None
    for at in range(len(named) - 1, -1, -1):
        if named[at] is not None:
            later = named[at]
        elif later is not None:
            found[at] = (later, "later")
    return found


def _visit(visitor_id: str, events: Sequence[Event], customer_id: int | None, identity: str) -> Visit:
    first, last = events[0], events[-1]
    types = Counter(e.event_type for e in events)
    views, carts = (Counter(e.product_id for e in events if e.event_type == t and e.product_id is not None) for t in ("view", "cart"))
    row: Row = {
        "session_id": session_id(visitor_id, first.event_id),
        "is_deleted": False,
        "visitor_id": visitor_id,
        "customer_id": customer_id,
        "identity": identity,
        "started_at": first.at,
        "ended_at": last.at,
        "day": day_of(first.at),
        "duration_s": (last.at - first.at) // dt.timedelta(seconds=1),
        "events": len(events),
        **{column: types[kind] for kind, column in COUNTED.items()},
        "products": len(views),
        "landing_page": first.page,
        "exit_page": last.page,
        "device": next((e.device for e in events if e.device), None),
        "campaign_id": next((e.campaign_id for e in events if e.campaign_id), None),
        "orders": 0,
    }
    return Visit(row, tuple(e.event_id for e in events), dict(views), dict(carts))


def session_id(visitor_id: str, first_event_id: str) -> str:
    """The length says where the visitor ends: both may have any characters."""
    return hashlib.sha256(f"{len(visitor_id)}|{visitor_id}|{first_event_id}".encode()).hexdigest()[:32]


def visit_at(visits: Sequence[Visit], at: dt.datetime) -> Visit | None:
    """The session that an order of that time belongs to (V7). `visits`: of one visitor, oldest first; the last begun by then are enough."""
    for visit in reversed(visits):
        if visit.row["started_at"] <= at:
            return visit if at - visit.row["ended_at"] <= INACTIVITY else None
    return None
