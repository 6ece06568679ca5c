"""Small shops at random, as changes of the base tables: documents with edits and deletions, orders with their lives, histories, scores.

Everything collides on purpose: few visitors, times around 30 minutes apart, equal times, customers who share a browser. Some texts are
empty, some times are the first or the last that a document may have, and orders of before may be of any time and worth anything.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from schemas import behaviour, tables
from schemas.columns import Table

T0 = dt.datetime(2026, 3, 27, 21, 0, tzinfo=dt.UTC)  # the night to a day in which the clocks go forward is near
MINUTE = dt.timedelta(minutes=1)
Row = dict[str, Any]
FIRST, LAST = behaviour.FIRST_TIME, behaviour.END_OF_TIME - dt.timedelta(microseconds=1)
ANY_TIME = (FIRST, LAST, dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, dt.UTC))
MOST = 99_999_999_999_999  # cents: what a line can be worth
GAPS = (0, 0, 1, 5, 29, 30, 30, 31, 45, 200, 1440)


@dataclass(frozen=True)
class Change:
    """`rows`: all rows that the key has from now on (silver: one). Later ones of a key replace earlier ones, whatever comes first."""

    table: Table
    key: tuple[Any, ...]
    number: int  # order of the changes of a key
    rows: tuple[Row, ...]


def filled(table: Table, **values: Any) -> Row:
    unknown = values.keys() - {c.name for c in table.columns}
    assert not unknown
    return {**{c.name: None for c in table.columns if c.name != "batch_id"}, **values}


class World:
    def __init__(self, seed: int, size: int = 60) -> None:
        self.random = Random(seed)
        self.number = 0
        self.at = T0
        self.changes: list[Change] = []
        self._texts: list[tuple[str, str]] = [("good", "very good"), ("bad", "it broke"), ("", "")]
        for customer_id in (1, 2, 3):
            self._customer(customer_id)
        for product_id in (1, 2, 3):
            self._product(product_id)
        acts = (self._click, self._click, self._click, self._order, self._order, self._review, self._score)
        for _ in range(size):
            self.at += self.random.choice(GAPS) * MINUTE
            self.random.choice(acts)()

    def _note(self, table: Table, key: tuple[Any, ...], *rows: Row) -> None:
        self.number += 1
        self.changes.append(Change(table, key, self.number, rows))

    def _one(self, *of: Any) -> Any:
        return self.random.choice(of)

    def _time(self) -> dt.datetime:
        """Now, or late."""
        return self.at - self._one(0, 0, 0, 10, 31, 300, 3000) * MINUTE + dt.timedelta(microseconds=self._one(0, 0, 1))

    def _meant(self, *others: dt.datetime | None) -> dt.datetime | None:
        """The time of a document."""
        return self._one(*others, *[self._time()] * 20, self._one(FIRST, LAST))

    def _click(self) -> None:
        event_id = f"e{self.random.randrange(40):02d}"
        gone = self.random.random() < 0.07
        row = filled(tables.CLICKSTREAM, event_id=event_id, seq=self.number, source_offset=self.number, is_deleted=gone)
        if not gone:
            row |= {
                "session_id": "s",
                "visitor_id": self._one("a", "a", "b", "b", "c", None, ""),
                "customer_id": self._one(None, None, None, 1, 2),
            }
            row |= {"event_type": self._one("view", "view", "cart", "checkout", "login", "search"), "product_id": self._one(None, 1, 1, 2)}
            row |= {
                "page": self._one("/", "/p"),
                "device": self._one(None, "", "mobile", "desktop"),
                "campaign_id": self._one(None, "", "c1", "c2"),
            }
            row["occurred_at"] = self._meant(None)
        self._note(tables.CLICKSTREAM, (event_id,), row)

    def _order(self) -> None:
        order_id = f"o{self.random.randrange(15):02d}"
        head = {"order_id": order_id, "customer_id": self._one(None, 1, 1, 2, 4), "visitor_id": self._one(None, "", "a", "a", "b", "b")}
        head |= {
            "status": self._one("placed", "paid", "shipped", "cancelled", "returned"),
            "currency": self._one("EUR", "EUR", "EUR", "USD", None, ""),
        }
        head |= {
            "campaign_id": self._one(None, "", "c1", "c3"),
            "source": self._one("web", "oltp"),
            "ordered_at": self._one(None, *[self._time()] * 9, self._one(*ANY_TIME)),
        }
        lines = [filled(tables.FCT_SALES, **head, line_no=0, is_complete=False, is_deleted=False)]
        for line_no in range(1, self.random.randrange(1, 4)):
            quantity, cents = self._one(1, 2, 3), self._one(*[self.random.randrange(1, 9999)] * 9, MOST, -MOST)
            line = {"product_id": self._one(1, 2, 3, 9, None), "quantity": quantity, "sale_amount": Decimal(cents).scaleb(-2)}
            state = {"is_complete": self.random.random() < 0.95, "is_deleted": self.random.random() < 0.05}
            lines.append(filled(tables.FCT_SALES, **head, line_no=line_no, **line, **state))
        known = {r["line_no"] for c in self.changes if c.key == (order_id,) and c.table is tables.FCT_SALES for r in c.rows}
        gone = known - {r["line_no"] for r in lines}  # a line that was there stays as a deleted row
        lines += [filled(tables.FCT_SALES, **head, line_no=n, is_complete=True, is_deleted=True) for n in gone]
        self._note(tables.FCT_SALES, (order_id,), *lines)

    def _review(self) -> None:
        review_id = f"r{self.random.randrange(10)}"
        gone = self.random.random() < 0.1
        row = filled(tables.REVIEWS, review_id=review_id, seq=self.number, source_offset=self.number, is_deleted=gone)
        if not gone:
            title, body = self._one(*self._texts)
            row |= {"product_id": self._one(1, 2, None), "customer_id": self._one(None, 1, 1, 2, 5), "rating": self._one(None, 1, 2, 3, 5)}
            row |= {
                "title": title or None,
                "body": body,
                "language": self._one("en", "en", None),
                "reviewed_at": self._meant(None, None, None),
            }
        self._note(tables.REVIEWS, (review_id,), row)

    def _score(self) -> None:
        from stream_jobs.sentiment.text import text_hash

        title, body = self._one(*self._texts)
        key = (text_hash(title, body), self._one("en", "en", ""))
        known = [r for c in self.changes if c.table is behaviour.SENTIMENTS and c.key == key for r in c.rows]
        error = self._one(None, None, "InvalidDocument")
        row = filled(
            behaviour.SENTIMENTS, text_hash=key[0], language=key[1], model=self._one("vader", "azure"), model_version=str(self.number)
        )
        row |= {"label": None if error else "positive", "score": None if error else Decimal(self.random.randrange(-9999, 9999)).scaleb(-4)}
        row |= {"error": error, "truncated": False, "scored_at": self._time()}
        rows = {(r["model"], r["model_version"]): r for r in (*known, row)}
        self._note(behaviour.SENTIMENTS, key, *rows.values())

    def _customer(self, customer_id: int) -> None:
        rows: list[Row] = []
        start = T0 - dt.timedelta(days=400)
        for number in range(self.random.randrange(1, 4)):
            if rows:
                rows[-1] = {**rows[-1], "valid_to": start, "is_current": False}
            row = filled(
                tables.DIM_CUSTOMER,
                customer_id=customer_id,
                seq_pos=number,
                seq_ord=0,
                op="u",
                email=self._one(None, "x@y.z", "@z", "jane@a.b"),
            )
            row |= {"country": self._one("DE", None), "tier": self._one("gold", "bronze"), "marketing_consent": self._one(True, False)}
            row |= {"valid_from": start, "is_current": True, "is_visible": True, "is_deleted": False}
            rows.append(row)
            self._note(tables.DIM_CUSTOMER, (customer_id,), *rows)
            start += dt.timedelta(days=self.random.randrange(1, 100))
        if customer_id == 3:
            self._note(tables.DIM_CUSTOMER, (customer_id,), *rows[:-1], {**rows[-1], "valid_to": start, "is_current": False})

    def _product(self, product_id: int) -> None:
        rows: list[Row] = []
        start = self._time()
        for number in range(self.random.randrange(1, 4)):
            if rows:
                rows[-1] = {**rows[-1], "valid_to": start, "is_current": False}
            row = filled(
                tables.DIM_PRODUCT,
                product_id=product_id,
                seq_pos=number,
                seq_ord=0,
                op="u",
                category=self._one("Toys", "Books", "Garden", "", None),
            )
            rows.append({**row, "valid_from": start, "is_current": True, "is_visible": True, "is_deleted": False})
            self._note(tables.DIM_PRODUCT, (product_id,), *rows)
            start += dt.timedelta(hours=self.random.randrange(1, 30))
