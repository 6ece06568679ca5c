"""What the sources alone say that sales should be: the back office's rows, and web orders that it has not booked.

Written apart from the lake's own fold, from the sources' current rows, so that a mistake in one shows as a difference.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import Any

Row = dict[str, Any]


def sales(
    orders: Iterable[Row],
    items: Iterable[Row],
    web: Iterable[Mapping[str, Any]],
    gone: set[str],
    gone_lines: Set[tuple[Any, ...]] = frozenset(),
) -> list[Row]:
    """Rows of the `fct_sales` view.

    `web` are the order events that Kafka has; `gone` and `gone_lines` the orders and (order, line) that the back office deleted, though
    the web shop may have announced them.
    """
    headers = {o["order_id"]: o for o in orders}
    booked: dict[str, dict[int, Row]] = defaultdict(dict)
    for item in items:
        booked[item["order_id"]][item["line_no"]] = item
    announced = {e["order_id"]: e for e in web}
    made = []
    for order_id in (headers.keys() | announced.keys()) - gone:
        header, event = headers.get(order_id), announced.get(order_id)
        lines = {**({line["line_no"]: line for line in event["lines"]} if event else {}), **booked.get(order_id, {})}
        head = _head(header, event)
        made += [_line(order_id, head, line) for number, line in lines.items() if (order_id, number) not in gone_lines]
    return made


def _head(header: Row | None, event: Mapping[str, Any] | None) -> Row:
    source = "web" if event else "oltp"
    if header:
        return {**header, "source": source}
    assert event is not None
    return {
        "source": source,
        "customer_id": event["customer_id"],
        "ordered_at": timestamp(event["event_ts"]),
        "status": "placed",
        "currency": event["currency"],
        "campaign_id": event["campaign_id"],
        "visitor_id": event.get("visitor_id"),
    }


def _line(order_id: str, head: Row, line: Mapping[str, Any]) -> Row:
    quantity, price, discount = line["quantity"], Decimal(line["unit_price"]), Decimal(line["discount"])
    unit_cost = line.get("unit_cost")
    return {
        "order_id": order_id,
        "line_no": line["line_no"],
        "source": head["source"],
        "customer_id": head["customer_id"],
        "product_id": line["product_id"],
        "ordered_at": head["ordered_at"],
        "status": head["status"],
        "currency": head["currency"],
        "campaign_id": head["campaign_id"],
        "visitor_id": head.get("visitor_id"),
        "quantity": quantity,
        "unit_price": price,
        "discount": discount,
        "sale_amount": quantity * price - discount,
        "unit_cost": unit_cost,
        "cost": None if unit_cost is None else quantity * unit_cost,
        "is_complete": True,
        "is_deleted": False,
    }


def timestamp(found: Any) -> dt.datetime:
    """fastavro hands out logical timestamps as datetimes; a ledger may keep the microseconds."""
    if isinstance(found, dt.datetime):
        return found
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=int(found))
