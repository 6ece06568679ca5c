"""A shop in which everything collides: few customers, products and orders, few instants, records late, repeated and in conflict."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from typing import Any

from lake_records import CUSTOMER_ID, ITEM_ID, OLTP_ORDER_ID, ORDER_ID, PRODUCT_ID, Sent, envelope, framed

from stream_jobs.entity import Record

START_US, STEP_US, INSTANTS = 1_790_000_000_000_000, 1_000_000, 40
CUSTOMERS, PRODUCTS, ORDERS, LINES = 4, 3, 12, 2
CREATED = "2026-01-01T00:00:00Z"


class Bazaar:
    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.offsets: Counter[str] = Counter()
        self.sent: list[Sent] = []

    def records(self, count: int) -> list[Record]:
        """What comes next; a few have come before, and come at new offsets."""
        made = [record for _ in range(count) for record in self._event()]
        self.sent += made
        made += self.dice.sample(self.sent, min(len(self.sent), count // 8))
        self.dice.shuffle(made)
        return [self.record(*each) for each in made]

    def record(self, topic: str, key: bytes | None, value: bytes | None) -> Record:
        self.offsets[topic] += 1
        return Record(topic, 0, self.offsets[topic], START_US + self.offsets.total() * 1000, key, value)

    def truncate(self, schema_id: int) -> Record:
        topic, _, value = envelope(schema_id, {"customer_id": 0, "product_id": 0}, None, None, "t", *self._at())
        return self.record(topic, None, value)

    def _event(self) -> list[Sent]:
        kinds = (self._customer, self._product, self._header, self._item, self._web_order)
        return [self.dice.choices(kinds, (5, 4, 4, 4, 3))[0]()]

    def _at(self) -> tuple[int, int]:
        """Place and time of a change at its source."""
        instant = self.dice.randrange(INSTANTS)
        return 1000 + 16 * instant, START_US + STEP_US * instant

    def _customer(self) -> Sent:
        number = self.dice.randint(1, CUSTOMERS)
        row = {"customer_id": number, "email": None, "full_name": "n", "city": self.dice.choice(("Oslo", "Rome")), "country": "NO"}
        row |= {"tier": "gold", "marketing_consent": True, "points": self.dice.randint(0, 3), "last_login_at": None, "created_at": CREATED}
        return self._change(CUSTOMER_ID, {"customer_id": number}, row)

    def _product(self) -> Sent:
        number = self.dice.randint(1, PRODUCTS)
        row = {"product_id": number, "sku": "s", "name": "n", "description": None, "category": self.dice.choice(("toys", "food"))}
        return self._change(
            PRODUCT_ID, {"product_id": number}, {**row, "price": "1.00", "cost": None, "active": True, "created_at": CREATED}
        )

    def _header(self) -> Sent:
        row = {"order_id": self._order(), "customer_id": self.dice.randint(1, CUSTOMERS), "status": self.dice.choice(("paid", "shipped"))}
        row |= {"currency": "EUR", "campaign_id": None, "ordered_at": moment(self._ordered()).isoformat()}
        return self._change(OLTP_ORDER_ID, {"order_id": row["order_id"]}, row)

    def _item(self) -> Sent:
        key = {"order_id": self._order(), "line_no": self.dice.randint(1, LINES)}
        row = {**key, "product_id": self.dice.randint(1, PRODUCTS), "quantity": 1, "unit_price": "3.00", "discount": "0.00"}
        return self._change(ITEM_ID, key, {**row, "unit_cost": None})

    def _web_order(self) -> Sent:
        order_id, at = self._order(), self._ordered()
        line = {"line_no": 1, "product_id": self.dice.randint(1, PRODUCTS), "quantity": 1, "unit_price": "2.00", "discount": "0.00"}
        value = {"event_id": f"e{at}", "order_id": order_id, "customer_id": self.dice.randint(1, CUSTOMERS), "event_ts": at}
        value |= {"currency": "EUR", "campaign_id": None, "lines": [line]}
        return "shop.orders.events", order_id.encode(), framed(ORDER_ID, value)

    def _change(self, schema_id: int, key: dict[str, Any], row: dict[str, Any]) -> Sent:
        op = self.dice.choice("cuuuud")
        return envelope(schema_id, key, row if op == "d" else None, None if op == "d" else row, op, *self._at())

    def _order(self) -> str:
        return f"o{self.dice.randint(1, ORDERS)}"

    def _ordered(self) -> int:
        return START_US + STEP_US * self.dice.randrange(-4, INSTANTS) + self.dice.choice((-1, 0, 0, 1))


def moment(micros: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=micros)
