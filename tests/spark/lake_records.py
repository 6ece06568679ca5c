"""Records as the connectors and the order producer write them, and what the lake must make of them.

`Shop` is a small world with its own memory: it emits records and remembers the truth, without any code of the lake job.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro

import schemas

AVRO = Path(schemas.__file__).parent / "avro"
ORDER_ID, CUSTOMER_ID, PRODUCT_ID, OLTP_ORDER_ID, ITEM_ID, MONGO_ID, BACKFILL_ID = 1, 2, 3, 4, 5, 6, 7


def _row(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    made = [{"name": f, "type": t} if not isinstance(t, list) else {"name": f, "type": t, "default": None} for f, t in fields.items()]
    return {"type": "record", "name": "Value", "namespace": f"oltp.sales.{name}", "fields": made}


def _envelope(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    source = {"version": "string", "connector": "string", "name": "string", "ts_ms": "long", "snapshot": ["null", "string"], "db": "string"}
    source |= {"sequence": ["null", "string"], "ts_us": ["null", "long"], "ts_ns": ["null", "long"], "schema": "string", "table": "string"}
    source |= {"txId": ["null", "long"], "lsn": ["null", "long"], "xmin": ["null", "long"]}
    fields_of_source = [{"name": f, "type": t, **({"default": None} if isinstance(t, list) else {})} for f, t in source.items()]
    return {
        "type": "record",
        "name": "Envelope",
        "namespace": f"oltp.sales.{name}",
        "fields": [
            {"name": "before", "type": ["null", _row(name, fields)], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "source", "type": {"type": "record", "name": "Source", "namespace": "io.debezium", "fields": fields_of_source}},
            {"name": "transaction", "type": ["null", "string"], "default": None},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
            {"name": "ts_us", "type": ["null", "long"], "default": None},
            {"name": "ts_ns", "type": ["null", "long"], "default": None},
        ],
    }


TEXT = ["null", "string"]
CUSTOMER = {"customer_id": "long", "email": TEXT, "full_name": "string", "city": TEXT, "country": TEXT, "tier": "string"}
CUSTOMER |= {"marketing_consent": "boolean", "points": "long", "last_login_at": TEXT, "created_at": "string"}
PRODUCT = {"product_id": "long", "sku": "string", "name": "string", "description": TEXT, "category": "string", "price": "string"}
PRODUCT |= {"cost": TEXT, "active": "boolean", "created_at": "string"}
ORDER = {"order_id": "string", "customer_id": "long", "status": "string", "currency": "string", "campaign_id": TEXT, "ordered_at": "string"}
ITEM = {"order_id": "string", "line_no": "int", "product_id": "long", "quantity": "int", "unit_price": "string", "discount": "string"}
ITEM |= {"unit_cost": TEXT}
PAIR = {"type": "record", "name": "ns", "fields": [{"name": "db", "type": "string"}, {"name": "coll", "type": ["string", "null"]}]}
TO = {**PAIR, "name": "to"}
UPDATE = {
    "type": "record",
    "name": "updateDescription",
    "fields": [
        {"name": "updatedFields", "type": ["string", "null"]},
        {"name": "removedFields", "type": [{"type": "array", "items": "string"}, "null"]},
    ],
}
LSID = {"type": "record", "name": "lsid", "fields": [{"name": "id", "type": "string"}, {"name": "uid", "type": "string"}]}
CHANGE_STREAM = {
    "type": "record",
    "name": "ChangeStream",
    "fields": [
        {"name": "_id", "type": "string"},
        {"name": "operationType", "type": ["string", "null"]},
        {"name": "fullDocument", "type": ["string", "null"]},
        {"name": "ns", "type": [PAIR, "null"]},
        {"name": "to", "type": [TO, "null"]},
        {"name": "documentKey", "type": ["string", "null"]},
        {"name": "updateDescription", "type": [UPDATE, "null"]},
        {"name": "clusterTime", "type": ["string", "null"]},
        {"name": "txnNumber", "type": ["long", "null"]},
        {"name": "lsid", "type": [LSID, "null"]},
    ],
}


def _key(topic: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Key", "namespace": topic, "fields": [{"name": f, "type": t} for f, t in fields.items()]}


SCHEMAS: dict[int, dict[str, Any]] = {
    ORDER_ID: json.loads((AVRO / "order_placed.avsc").read_text()),
    CUSTOMER_ID: _envelope("customers", CUSTOMER),
    PRODUCT_ID: _envelope("products", PRODUCT),
    OLTP_ORDER_ID: _envelope("orders", ORDER),
    ITEM_ID: _envelope("order_items", ITEM),
    MONGO_ID: CHANGE_STREAM,
    BACKFILL_ID: json.loads((AVRO / "backfill_slice.avsc").read_text()),
    12: _key("oltp.sales.customers", {"customer_id": "long"}),
    13: _key("oltp.sales.products", {"product_id": "long"}),
    14: _key("oltp.sales.orders", {"order_id": "string"}),
    15: _key("oltp.sales.order_items", {"order_id": "string", "line_no": "int"}),
}
PARSED = {number: fastavro.parse_schema(json.loads(json.dumps(schema))) for number, schema in SCHEMAS.items()}


def framed(schema_id: int, value: dict[str, Any]) -> bytes:
    """The registry's wire format."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED[schema_id], value)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


Sent = tuple[str, bytes | None, bytes | None]  # topic, key, value


def envelope(
    schema_id: int, key: dict[str, Any], before: dict[str, Any] | None, after: dict[str, Any] | None, op: str, lsn: int, ts: int
) -> Sent:
    topic = SCHEMAS[schema_id]["namespace"]
    source = {
        "version": "3.7.0.Final",
        "connector": "postgresql",
        "name": "oltp",
        "ts_ms": ts // 1000,
        "snapshot": "false",
        "db": "commerce",
    }
    source |= {"sequence": json.dumps([str(lsn - 8), str(lsn)]), "ts_us": ts, "ts_ns": ts * 1000, "schema": "sales"}
    source |= {"table": topic.split(".")[-1], "txId": lsn, "lsn": lsn, "xmin": None}
    value = {"before": before, "after": after, "source": source, "transaction": None, "op": op}
    value |= {"ts_ms": ts // 1000, "ts_us": ts, "ts_ns": ts * 1000}
    return topic, framed(schema_id + 10, key), framed(schema_id, value)


def change_event(topic: str, id_: str, op: str, document: dict[str, Any] | None, at: tuple[int, int] | None) -> Sent:
    """A change as the MongoDB source connector writes it (output.format.value=schema, SimplifiedJson)."""
    full = None if document is None else json.dumps({"_id": id_, **document})
    stamp = None if at is None else json.dumps({"$timestamp": {"t": at[0], "i": at[1]}})
    value = dict.fromkeys(("ns", "to", "updateDescription", "txnNumber", "lsid"))
    value |= {"_id": json.dumps({"_data": id_}), "operationType": op, "fullDocument": full}
    value |= {"documentKey": json.dumps({"_id": id_}), "clusterTime": stamp}
    return topic, framed(MONGO_ID, {**value, "_id": id_}), framed(MONGO_ID, value)


LINE = {"line_no": 1, "product_id": 5, "quantity": 1, "unit_price": "1.00", "discount": "0.00"}
ORDER_EVENT = {"event_id": "e", "order_id": "X1", "customer_id": 7, "event_ts": 1_790_000_000_000_000, "currency": "EUR", "lines": [LINE]}
CHANGE = {**dict.fromkeys(f["name"] for f in CHANGE_STREAM["fields"]), "_id": "x", "operationType": "insert"}
CHANGE |= {"documentKey": '{"_id": "x"}'}


class Shop:
    """Emits records; `customers`, `lines`, `clicks` and the like hold the truth: what the newest rows must say."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.lsn, self.now = 1000, 1_790_000_000_000_000
        self.customers: dict[int, dict[str, Any] | None] = {}
        self.versions: dict[int, int] = {}  # customer -> versions its history must have
        self.lines: dict[tuple[str, int], tuple[int, Decimal, str, str]] = {}  # quantity, amount, status, source
        self.clicks: dict[str, str] = {}
        self.products: dict[int, Decimal] = {}
        self.reviews: dict[str, int] = {}
        self.bad: Counter[tuple[str, str]] = Counter()  # (topic, reason) of what must be a dead letter
        self.orders = 0
        self.unknown: list[int] = []  # customers whom only an order knows
        self.contested: list[tuple[dict[str, Any], int, int]] = []  # row, lsn, time
        self.ticks = 0

    def some(self, count: int) -> list[Sent]:
        made: list[Sent] = []
        while len(made) < count:
            made.extend(self._event())
        return made

    def _event(self) -> list[Sent]:
        kinds = (self._customer, self._web_order, self._oltp_order, self._click, self._product, self._review, self.spoiled)
        return self.random.choices(kinds, (6, 8, 4, 6, 2, 2, 1))[0]()

    def each(self) -> list[Sent]:
        """One event of every kind: a batch that holds them writes to every table."""
        kinds = (
            self._contest,
            self._stranger,
            self._customer,
            self._web_order,
            self._oltp_order,
            self._click,
            self._product,
            self._review,
            self.spoiled,
        )
        return [sent for kind in kinds for sent in kind()]

    def _tick(self) -> tuple[int, int]:
        self.lsn += 16
        self.now += 1000
        return self.lsn, self.now

    def _customer(self) -> list[Sent]:
        number = self.random.randint(1, 40)
        old = self.customers.get(number)
        (lsn, now), key = self._tick(), {"customer_id": number}
        if old is not None and self.random.random() < 0.1:
            self.customers[number] = None
            return [envelope(CUSTOMER_ID, key, old, None, "d", lsn, now), ("oltp.sales.customers", framed(CUSTOMER_ID + 10, key), None)]
        city = self.random.choice(("Oslo", "Rome", "Lima"))
        new = {"customer_id": number, "email": f"c{number}@example.org", "full_name": f"C {number}", "city": city, "country": "NO"}
        new |= {"tier": "gold", "marketing_consent": True, "points": lsn, "last_login_at": None, "created_at": "2026-01-01T00:00:00Z"}
        if old is None or old["city"] != city:
            self.versions[number] = self.versions.get(number, 0) + 1
        self.customers[number] = new
        return [envelope(CUSTOMER_ID, key, old, new, "c" if old is None else "u", lsn, now)]

    def _web_order(self, customer_id: int = 7) -> list[Sent]:
        self.orders += 1
        _, now = self._tick()
        order_id, lines = f"W{self.orders:06d}", []
        for line_no in range(1, self.random.randint(1, 3) + 1):
            quantity, cents = self.random.randint(1, 5), self.random.randint(100, 9999)
            price = Decimal(cents) / 100
            lines.append({"line_no": line_no, "product_id": 5, "quantity": quantity, "unit_price": f"{price:.2f}", "discount": "0.50"})
            self.lines[order_id, line_no] = (quantity, quantity * price - Decimal("0.50"), "placed", "web")
        value = {"event_id": f"e-{order_id}", "order_id": order_id, "customer_id": customer_id, "event_ts": now, "currency": "EUR"}
        value |= {"campaign_id": None, "visitor_id": self._visitor(), "lines": lines}
        sent = ("shop.orders.events", order_id.encode(), framed(ORDER_ID, value))
        return [sent, sent] if self.random.random() < 0.1 else [sent]  # at least once

    def _oltp_order(self) -> list[Sent]:
        """An order of the back office, often one that the web shop announced; sometimes its status moves on."""
        both = self.orders and self.random.random() < 0.5
        order_id = f"W{self.random.randint(1, self.orders):06d}" if both else f"P{self.lsn:06d}"
        known = [k for k in self.lines if k[0] == order_id]
        status = self.random.choice(("paid", "shipped", "cancelled", "returned"))
        lsn, now = self._tick()
        row = {"order_id": order_id, "customer_id": 7, "status": status, "currency": "EUR", "campaign_id": None}
        made = [envelope(OLTP_ORDER_ID, {"order_id": order_id}, None, {**row, "ordered_at": "2026-02-01T00:00:00Z"}, "c", lsn, now)]
        for key in known or [(order_id, 1)]:
            lsn, now = self._tick()
            quantity = self.lines[key][0] if key in self.lines else 2
            item = {"order_id": order_id, "line_no": key[1], "product_id": 5, "quantity": quantity, "unit_price": "3.00"}
            item |= {"discount": "0.00", "unit_cost": "1.25"}
            made.append(envelope(ITEM_ID, {"order_id": order_id, "line_no": key[1]}, None, item, "c", lsn, now))
            self.lines[key] = (quantity, quantity * Decimal("3.00"), status, "web" if both else "oltp")
        return made

    def _visitor(self) -> str:
        return f"v{self.random.randrange(4)}"

    def _click(self) -> list[Sent]:
        self.ticks += 1
        old = bool(self.clicks) and self.random.random() < 0.2
        id_ = self.random.choice(sorted(self.clicks)) if old else f"k{self.ticks:06d}"
        kind = self.random.choice(("view", "cart", "search"))
        document = {"session_id": "s", "visitor_id": self._visitor(), "customer_id": self.random.choice((None, None, 7, 8)), "page": "/p/5"}
        document |= {
            "event_type": kind,
            "product_id": 5,
            "device": "phone",
            "campaign_id": self.random.choice((None, "flash-sale", "leaflet")),
        }
        document |= {"occurred_at": f"2026-02-01T0{self.random.randrange(9)}:{self.random.randrange(60):02d}:06.789Z"}
        self.clicks[id_] = kind
        return [change_event("web.shop.clickstream", id_, "update" if old else "insert", document, (1_790_000_000, self.ticks))]

    def _contest(self) -> list[Sent]:
        """A new customer, and another change in the place of the last one's: it wins, and what was stored has lost."""
        key, (lsn, now) = {"customer_id": 1000 + len(self.contested)}, self._tick()
        row = {**key, "email": None, "full_name": "n", "city": "Lima", "country": "NO", "tier": "gold", "marketing_consent": True}
        row |= {"points": lsn, "last_login_at": None, "created_at": "2026-01-01T00:00:00Z"}
        made = [envelope(CUSTOMER_ID, key, None, row, "c", lsn, now)]
        if self.contested:
            old, lsn, now = self.contested[-1]
            winner = {**old, "city": "Rome"}
            made.append(envelope(CUSTOMER_ID, {"customer_id": old["customer_id"]}, None, winner, "c", lsn, now))
            self.customers[old["customer_id"]] = winner
            self.bad["oltp.sales.customers", "seq_conflict"] += 1
        self.contested.append((row, self.lsn, self.now))
        self.customers[row["customer_id"]], self.versions[row["customer_id"]] = row, 1
        return made

    def _stranger(self) -> list[Sent]:
        """An order of a customer whom nobody knows, and the customer of the last such order: that order moves to another version."""
        made: list[Sent] = []
        for number in self.unknown[-1:]:
            (lsn, now), key = self._tick(), {"customer_id": number}
            row = {**key, "email": None, "full_name": "n", "city": "Lima", "country": "NO", "tier": "gold", "marketing_consent": True}
            row |= {"points": lsn, "last_login_at": None, "created_at": "2026-01-01T00:00:00Z"}
            made.append(envelope(CUSTOMER_ID, key, None, row, "c", lsn, now))
            self.customers[number], self.versions[number] = row, 1
        self.unknown.append(5000 + len(self.unknown))
        return [*made, *self._web_order(self.unknown[-1])]

    def _product(self) -> list[Sent]:
        number, (lsn, now) = self.random.randint(1, 9), self._tick()
        price = Decimal(self.random.randint(100, 999)) / 100
        row = {"product_id": number, "sku": f"s{number}", "name": "n", "description": None, "category": "toys", "price": f"{price:.2f}"}
        row |= {"cost": "0.75", "active": True, "created_at": "2026-01-01T00:00:00Z"}
        op = "u" if number in self.products else "c"
        self.products[number] = price
        return [envelope(PRODUCT_ID, {"product_id": number}, None, row, op, lsn, now)]

    def _review(self) -> list[Sent]:
        self.ticks += 1
        id_, at = f"r{self.random.randint(1, 30):03d}", (1_790_000_000, self.ticks)
        if id_ in self.reviews and self.random.random() < 0.3:
            del self.reviews[id_]
            return [change_event("web.shop.reviews", id_, "delete", None, at)]
        op = "replace" if id_ in self.reviews else "insert"
        self.reviews[id_] = rating = self.random.randint(1, 5)
        document = {"product_id": 5, "customer_id": 7, "rating": rating, "title": "t", "body": "b", "language": "en"}
        return [change_event("web.shop.reviews", id_, op, {**document, "reviewed_at": "2026-02-03T04:05:06Z"}, at)]

    def spoiled(self) -> list[Sent]:
        """A record that cannot be used, with a topic and a fault of its own."""
        made = {
            ("oltp.sales.customers", "bad_magic"): b"\x01 no frame",
            ("oltp.sales.products", "unknown_schema"): b"\0\0\0\x03\xe7 of nobody",
            ("oltp.sales.orders", "undecodable"): framed(ORDER_ID, ORDER_EVENT),  # fits a schema, not this topic
            ("shop.orders.events", "undecodable"): framed(ORDER_ID, ORDER_EVENT)[:-1],
            ("shop.orders.events", "bad_order"): framed(ORDER_ID, {**ORDER_EVENT, "lines": []}),
            ("web.shop.clickstream", "bad_magic"): b"",
            ("web.shop.reviews", "undecodable"): framed(MONGO_ID, {**CHANGE, "fullDocument": '{"rating": "fi'}),
            ("web.shop.reviews", "unknown_schema"): b"\0\0\0\x03\xe7 of nobody",
        }
        topic, reason = self.random.choice(sorted(made))
        self.bad[topic, reason] += 1
        key = framed(12, {"customer_id": 1}) if topic.startswith("oltp") else b"k"
        return [(topic, key, made[topic, reason])]


def utc(year: int, month: int, day: int, *rest: int) -> dt.datetime:
    return dt.datetime(year, month, day, *rest, tzinfo=dt.UTC)
