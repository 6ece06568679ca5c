"""A small shop in a real Delta lake: some customers with a history, some products, and orders that arrived from both ways."""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from bi.dashboard.board import Order
from commerce360.lake import Lake
from commerce360.settings import Lake as LakeSettings
from schemas.tables import BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, Table

Row = dict[str, Any]
PRESENT = time.time()  # the orders were placed a little before
FIRST_BATCH = 400
PRODUCTS = {
    11: ("Nordkap merino sweater", "89.00"),
    12: ("Trail running shoe, low", "129.90"),
    13: ("Enamel mug 350 ml", "14.50"),
    14: ("Linen duvet cover 155 × 220", "119.00"),
    15: ("Cast iron pan 28 cm", "64.95"),
}
# versions, oldest first: (days ago, name, city, country, tier)
CUSTOMERS = {
    501: [
        (740, "Ines Albrecht", "Leipzig", "DE", "bronze"),
        (212, "Ines Albrecht", "Hamburg", "DE", "silver"),
        (40, "Ines Albrecht-Roth", "Hamburg", "DE", "gold"),
    ],
    502: [(365, "Mateusz Wójcik", "Kraków", "PL", "silver")],
    503: [(90, "Chiara Fontana", "Bologna", "IT", "bronze"), (0, "Chiara Fontana", "Bologna", "IT", "silver")],
    504: [(511, "Søren Lindqvist", "Aarhus", "DK", "platinum")],
    505: [(33, "Amélie Laurent", "Lyon", "FR", "bronze")],
    506: [(120, "Bartholomew Featherstonehaugh-Cholmondeley", "Llanfairpwllgwyngyll", "GB", "gold")],
}


@dataclass(frozen=True)
class Sale:
    """An order: `ago_s` before the shop's present, in lake batch `batch`; `later` statuses follow, one a batch."""

    order_id: str
    source: str
    customer_id: int
    lines: tuple[tuple[int, int, str], ...]  # product, quantity, discount
    ago_s: float
    batch: int
    later: tuple[str, ...] = ()


SALES = (
    Sale("W-1-1240", "web", 501, ((11, 1, "0.00"), (13, 4, "5.80")), 2.1, FIRST_BATCH + 12),
    Sale("W-1-1237", "web", 504, ((12, 1, "0.00"),), 3.4, FIRST_BATCH + 11),
    Sale("C-1-482", "oltp", 505, ((14, 2, "23.80"), (15, 1, "0.00"), (13, 2, "0.00")), 4.9, FIRST_BATCH + 10),
    Sale("W-1-1231", "web", 503, ((15, 1, "6.50"),), 6.2, FIRST_BATCH + 9, ("paid",)),
    Sale("W-1-1229", "web", 502, ((11, 2, "0.00"),), 7.7, FIRST_BATCH + 8),
    Sale("W-1-1226", "web", 506, ((14, 1, "0.00"), (12, 1, "12.99")), 9.3, FIRST_BATCH + 7, ("paid", "shipped")),
    Sale("C-1-479", "oltp", 501, ((13, 6, "0.00"),), 10.8, FIRST_BATCH + 6),
    Sale("W-1-1219", "web", 505, ((12, 2, "25.98"),), 12.1, FIRST_BATCH + 5),
    Sale("W-1-1215", "web", 504, ((11, 1, "0.00"), (15, 1, "0.00")), 13.9, FIRST_BATCH + 4),
    Sale("W-1-1212", "web", 502, ((13, 1, "0.00"),), 15.2, FIRST_BATCH + 3, ("cancelled",)),
    Sale("C-1-471", "oltp", 503, ((14, 1, "0.00"),), 16.6, FIRST_BATCH + 2),
    Sale("W-1-1204", "web", 501, ((12, 1, "0.00"), (11, 1, "8.90")), 18.0, FIRST_BATCH + 1, ("paid",)),
)


def amount(sale: Sale) -> Decimal:
    return sum((quantity * Decimal(PRODUCTS[p][1]) - Decimal(off) for p, quantity, off in sale.lines), Decimal("0.00"))


def order(sale: Sale, now: float = PRESENT) -> Order:
    """As the page's list shows it."""
    _, name, city, *_ = CUSTOMERS[sale.customer_id][-1]
    return Order(
        sale.order_id, sale.source, now - sale.ago_s, str(amount(sale)), "EUR", len(sale.lines), sale.batch, sale.customer_id, name, city
    )


def lake_of(root: Path) -> LakeSettings:
    """Write everything as the lake job would, one commit a table and batch."""
    settings = LakeSettings(root=str(root / "lake"))
    lake = Lake(settings)
    for table in (BATCHES, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES):
        lake.create(table)
    for table, rows in logs().items():
        lake.append(table, rows, "shown", FIRST_BATCH + 20)
    return settings


def logs() -> dict[Table, list[Row]]:
    """The rows of every log, complete."""
    present = dt.datetime.fromtimestamp(PRESENT, dt.UTC)
    return {
        DIM_CUSTOMER: [row for customer_id in CUSTOMERS for row in _versions(customer_id, present)],
        DIM_PRODUCT: [_product(product_id, present) for product_id in PRODUCTS],
        FCT_SALES: [row for sale in SALES for row in _sale_rows(sale, present)],
        BATCHES: [_batch(FIRST_BATCH + n, present - dt.timedelta(seconds=18.4 - 1.5 * n)) for n in range(15)],
    }


def _row(table: Table, **values: Any) -> Row:
    return {**{c.name: None for c in table.columns}, **values}


def _versions(customer_id: int, present: dt.datetime) -> list[Row]:
    entries = CUSTOMERS[customer_id]
    starts = [present - dt.timedelta(days=days, seconds=4) for days, *_ in entries]
    return [
        _row(
            DIM_CUSTOMER, customer_id=customer_id, seq_pos=n + 1, seq_ord=0, op="c" if n == 0 else "u", full_name=name, city=city,
            country=country, tier=tier, version_key=f"{customer_id}-{n}", valid_from=starts[n], valid_to=[*starts, None][n + 1],
            is_current=n + 1 == len(entries), is_visible=True, is_deleted=False, closed_by=None if n + 1 == len(entries) else "change",
            batch_id=FIRST_BATCH, event_ts=starts[n], kafka_ts=starts[n], origin=f"oltp.sales.customers/0/{customer_id}",
        )
        for n, (_, name, city, country, tier) in enumerate(entries)
    ]  # fmt: skip


def _product(product_id: int, present: dt.datetime) -> Row:
    name, price = PRODUCTS[product_id]
    began = present - dt.timedelta(days=800)
    return _row(
        DIM_PRODUCT, product_id=product_id, seq_pos=1, seq_ord=0, op="c", name=name, price=Decimal(price), version_key=f"p{product_id}",
        valid_from=began, is_current=True, is_visible=True, is_deleted=False, batch_id=FIRST_BATCH, event_ts=began,
    )  # fmt: skip


def _sale_rows(sale: Sale, present: dt.datetime) -> list[Row]:
    placed = present - dt.timedelta(seconds=sale.ago_s)
    topic = "shop.orders.events/2" if sale.source == "web" else "oltp.sales.orders/0"
    rows: list[Row] = []
    for n, status in enumerate(("placed", *sale.later)):
        event = placed + dt.timedelta(seconds=1.9 * n)
        origin = f"{topic}/{1000 + sale.batch}" if n == 0 else f"oltp.sales.orders/0/{2000 + sale.batch + n}"
        rows += [
            _row(
                FCT_SALES, order_id=sale.order_id, line_no=line_no, source=sale.source, customer_id=sale.customer_id, product_id=product,
                ordered_at=placed, status=status, currency="EUR", quantity=quantity, unit_price=Decimal(PRODUCTS[product][1]),
                discount=Decimal(off), sale_amount=quantity * Decimal(PRODUCTS[product][1]) - Decimal(off), is_complete=True,
                is_deleted=False, event_ts=event, kafka_ts=event + dt.timedelta(milliseconds=23 + 3 * n), origin=origin,
                batch_id=sale.batch + n,
            )
            for line_no, (product, quantity, off) in enumerate(sale.lines, 1)
        ]  # fmt: skip
    return rows


def _batch(batch_id: int, committed: dt.datetime) -> Row:
    started = committed - dt.timedelta(milliseconds=870)
    return _row(
        BATCHES, batch_id=batch_id, started_at=started, committed_at=committed, records=214 + batch_id % 7, rejected=0, rows_out=190,
        versions=json.dumps({}), offsets=json.dumps({}), query_id="shown",
    )  # fmt: skip


def newer(number: int) -> Sale:
    """An order that has just arrived; its path is not in the lake yet."""
    return replace(SALES[number % len(SALES)], order_id=f"W-1-{1300 + number}", source="web", ago_s=0.4, batch=FIRST_BATCH + 500 + number)
