"""Sales at order-line grain, from the back office and from the web shop, once per line whichever way an order comes.

An order has a header, each line has its values; both are *groups*. Every contribution to a group has a stamp, and the greatest stamp
wins: the back office (rank 1) before the web shop (rank 0), then the order of changes at that source, then the content. Taking the
greatest is associative, commutative and idempotent, so order, repetition and cuts into batches cannot matter. Row `line_no` 0
holds the header alone; it lets an order be rebuilt from its stored rows.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from schemas import tables
from schemas.behaviour import END_OF_TIME, FIRST_TIME
from schemas.tables import Table
from schemas.topics import ORDER_EVENTS, ORDER_ITEMS, ORDERS
from stream_jobs import wire
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, Rejection, Row
from stream_jobs.scd2.change import LAST_TS, canonical
from stream_jobs.values import EPOCH, fitter, moment, money, timestamp

WEB, OLTP = 0, 1
HEADER = 0  # the line_no of the header's own row
HEADER_COLUMNS = ("customer_id", "ordered_at", "status", "currency", "campaign_id", "visitor_id")
LINE_COLUMNS = ("product_id", "quantity", "unit_price", "discount", "unit_cost")
FIT = {c.name: fitter(c.type) for c in tables.FCT_SALES.columns}
MICROSECOND = dt.timedelta(microseconds=1)


class Group(NamedTuple):
    """Values of a header or a line as JSON, and where they stand among others of the same group. No values: deleted."""

    rank: int
    order: tuple[Any, ...]
    text: str  # canonical JSON of the values, or empty
    ts: int  # commit time at the source, microseconds
    announced: bool  # the web shop announced this order
    kafka_ts: dt.datetime
    origin: str

    @property
    def stamp(self) -> tuple[Any, ...]:
        return (self.rank, self.order, self.text, self.ts)

    def stored(self) -> str:
        return canonical([self.rank, list(self.order), self.text, self.ts, self.announced])


class Sales:
    table = tables.FCT_SALES
    topics = frozenset({ORDERS.name, ORDER_ITEMS.name, ORDER_EVENTS.name})

    def __init__(self) -> None:
        self._empty: Row = {c.name: None for c in self.table.columns if c.name != "batch_id"}

    def read(self, record: Record, key: Mapping[str, Any] | None, value: Mapping[str, Any] | None) -> list[Contribution]:
        """Payload: {line_no: Group}, with the header as line 0."""
        if value is None:
            return []
        groups = self._event(record, value) if record.topic == ORDER_EVENTS.name else self._change(record, value)
        return [Contribution((order_id,), lines, record) for order_id, lines in groups.items()]

    def key_of(self, row: Row) -> Key:
        return (row["order_id"],)

    def shared(self, key: Key) -> Key | None:
        return None

    def over(self, table: Table) -> Entity:
        return self

    def fold(self, key: Key, stored: Sequence[Row], new: Sequence[Contribution]) -> tuple[list[Row], list[Rejection]]:
        groups: dict[int, Group] = {}
        for row in stored:
            _unite(groups, row["line_no"], _group(row, "_line" if row["line_no"] else "_header"))
        for found in new:
            for line_no, group in found.payload.items():
                _unite(groups, line_no, group)
        header = groups.get(HEADER)
        head = _header_values(json.loads(header.text)) if header is not None and header.text else {}
        announced = any(g.announced for g in groups.values())
        return [{**self._row(key[0], n, header, group, announced), **head, **_own(n, group)} for n, group in sorted(groups.items())], []

    def _row(self, order_id: str, line_no: int, header: Group | None, own: Group, announced: bool) -> Row:
        """Without the values of header and line."""
        line = own if line_no != HEADER else None
        return {
            **self._empty,
            "order_id": order_id,
            "line_no": line_no,
            "source": "web" if announced else "oltp",
            "is_complete": bool(header is not None and line is not None),
            "is_deleted": bool((header is not None and not header.text) or (line is not None and not line.text)),
            "event_ts": timestamp(own.ts),
            "kafka_ts": own.kafka_ts,
            "origin": own.origin,
            "_header": own.stored() if line is None else None,
            "_line": own.stored() if line is not None else None,
        }

    def _change(self, record: Record, envelope: Mapping[str, Any]) -> dict[str, dict[int, Group]]:
        op, source = envelope["op"], envelope["source"]
        if op == "t":
            raise RejectedError("truncate_refused", record.topic)
        image = envelope["before"] if op == "d" else envelope["after"]
        if image is None:
            raise RejectedError("missing_after", record.topic)
        is_header = record.topic == ORDERS.name
        order_id, line_no = image.get("order_id"), HEADER if is_header else image.get("line_no")
        if order_id is None or line_no is None:
            raise RejectedError("null_key", record.topic)
        if line_no < HEADER or (line_no == HEADER and not is_header):
            raise RejectedError("bad_order", f"order {order_id} has line number {line_no}")
        values = {c: image.get(c) for c in (HEADER_COLUMNS if is_header else LINE_COLUMNS)}
        _check(order_id, line_no, values)
        text = "" if op == "d" else canonical(values)
        return {order_id: {line_no: _made(record, OLTP, wire.sequence(source, op), text, source["ts_us"], False)}}

    def _event(self, record: Record, event: Mapping[str, Any]) -> dict[str, dict[int, Group]]:
        order_id, micros = event["order_id"], _micros(event["event_ts"])
        numbers = [line["line_no"] for line in event["lines"]]
        if not numbers or len(set(numbers)) != len(numbers) or min(numbers) <= HEADER:
            raise RejectedError("bad_order", f"order {order_id} has line numbers {numbers}")
        order = (micros, event["event_id"])
        header = {
            "customer_id": event["customer_id"],
            "ordered_at": timestamp(micros).isoformat(),
            "status": "placed",
            "currency": event["currency"],
            "campaign_id": event["campaign_id"],
            "visitor_id": event.get("visitor_id"),
        }
        _check(order_id, HEADER, header)
        groups = {HEADER: _made(record, WEB, order, canonical(header), micros, True)}
        for line in event["lines"]:
            values = {c: line.get(c) for c in LINE_COLUMNS}
            _check(order_id, line["line_no"], values)
            groups[line["line_no"]] = _made(record, WEB, order, canonical(values), micros, True)
        return {order_id: groups}


def rank_of(row: Row) -> int:
    """WEB or OLTP: whose word a stored row is."""
    return int(json.loads(row["_line" if row["line_no"] else "_header"])[0])


def _made(record: Record, rank: int, order: tuple[Any, ...], text: str, ts: int, announced: bool) -> Group:
    if not (isinstance(ts, int) and 0 <= ts < LAST_TS):
        raise RejectedError("bad_ts", record.topic)
    return Group(rank, order, text, ts, announced, timestamp(record.timestamp_us), record.origin)


def _group(row: Row, column: str) -> Group:
    rank, order, text, ts, announced = json.loads(row[column])
    return Group(rank, tuple(order), text, ts, announced, row["kafka_ts"], row["origin"])


def _unite(groups: dict[int, Group], line_no: int, group: Group) -> None:
    """The join of two contributions: the greater stamp, and whether either was announced by the web shop.

    Of equal stamps the one that is here stays, so that a repetition does not change where a row came from.
    """
    known = groups.get(line_no)
    if known is None:
        groups[line_no] = group
        return
    winner = group if group.stamp > known.stamp else known
    announced = known.announced or group.announced
    groups[line_no] = winner if winner.announced == announced else winner._replace(announced=announced)


def _check(order_id: Any, line_no: Any, values: Mapping[str, Any]) -> None:
    try:
        for column, value in {"order_id": order_id, "line_no": line_no, **values}.items():
            FIT[column](value)
        if line_no == HEADER and (at := values["ordered_at"]) is not None and not FIRST_TIME <= moment(at) < END_OF_TIME:
            raise ValueError(f"ordered_at {at} is out of range")
        if line_no != HEADER:
            _line_values(values)
            if values["quantity"] is None or values["quantity"] <= 0:
                raise ValueError("quantity")
    except (ValueError, TypeError, InvalidOperation) as error:
        raise RejectedError("bad_order", f"order {order_id}: {error}") from error


def _header_values(values: Row) -> Row:
    ordered_at = values["ordered_at"]
    return {**values, "ordered_at": None if ordered_at is None else dt.datetime.fromisoformat(ordered_at)}


def _line_values(values: Mapping[str, Any]) -> Row:
    quantity, price, discount = values["quantity"], money(values["unit_price"]), money(values["discount"] or 0)
    unit_cost = None if values["unit_cost"] is None else money(values["unit_cost"])
    return {
        "product_id": values["product_id"],
        "quantity": quantity,
        "unit_price": price,
        "discount": discount,
        "sale_amount": _total(quantity * price - discount),
        "unit_cost": unit_cost,
        "cost": None if unit_cost is None else _total(quantity * unit_cost),
    }


def _own(line_no: int, group: Group) -> Row:
    return _line_values(json.loads(group.text)) if line_no != HEADER and group.text else {}


def _total(amount: Decimal) -> Decimal:
    if abs(amount) >= 10**12:
        raise ValueError(f"{amount} does not fit an amount")
    return amount


def _micros(found: Any) -> int:
    return found if isinstance(found, int) else (found - EPOCH) // MICROSECOND


SALES = Sales()
