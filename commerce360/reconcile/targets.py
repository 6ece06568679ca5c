"""Which versions the warehouse must show a sale with, and the customers that only sales know, from folded rows alone.

The rule is that of the SCD2 reference (R21, R22), applied row by row; the warehouse has it as a join.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from stream_jobs.entity import Row
from stream_jobs.scd2.facts import target
from stream_jobs.scd2.fold import Version, version_key
from stream_jobs.values import EPOCH

Versions = Mapping[Any, list[Version]]
KEY = ("order_id", "line_no")
COLUMNS = (*KEY, "customer_version_key", "customer_match", "product_version_key", "product_match")
INFERRED_COLUMNS = ("customer_id", "version_key", "is_current", "is_deleted")


def of_sales(sales: Iterable[Row], customers: Iterable[Row], products: Iterable[Row]) -> list[Row]:
    """One row a sale. A product that is not known has no version; the warehouse has no inferred products."""
    by_customer, by_product = versions_of(customers, "customer_id"), versions_of(products, "product_id")
    made = []
    for sale in sales:
        customer_key, customer_match = target_of(by_customer, sale["customer_id"], sale["ordered_at"])
        product_key, product_match = target_of(by_product, sale["product_id"], sale["ordered_at"])
        made.append(
            {
                **{k: sale[k] for k in KEY},
                "customer_version_key": customer_key,
                "customer_match": customer_match,
                "product_version_key": None if product_match == "inferred" else product_key,
                "product_match": product_match,
            }
        )
    return made


def inferred(sales: Iterable[Row], customers: Iterable[Row]) -> list[Row]:
    """A row for each customer of a sale that has no version."""
    known = versions_of(customers, "customer_id")
    ids = {sale["customer_id"] for sale in sales} - known.keys() - {None}
    return [{"customer_id": i, "version_key": version_key((i,), None), "is_current": True, "is_deleted": False} for i in ids]


def target_of(versions: Versions, key: Any, at: dt.datetime | None) -> tuple[str | None, str]:
    """`version_key` and match."""
    found = target(None if key is None else versions.get(key, []), None if at is None else _micros(at))
    if found.match == "none":
        return None, found.match
    return version_key((key,), found.valid_from), found.match


def visible(sale: Row) -> bool:
    """Whether a reader of the view sees it."""
    return bool(sale["line_no"] > 0 and sale["is_complete"] and not sale["is_deleted"])


def versions_of(rows: Iterable[Row], key: str) -> dict[Any, list[Version]]:
    """The versions of each key, oldest first."""
    made: dict[Any, list[Version]] = defaultdict(list)
    for row in rows:
        if row["is_visible"]:
            end = None if row["valid_to"] is None else _micros(row["valid_to"])
            made[row[key]].append(Version((row[key],), {}, _micros(row["valid_from"]), (row["seq_pos"], row["seq_ord"]), valid_to=end))
    for versions in made.values():
        versions.sort(key=lambda v: v.valid_from)
    return dict(made)


def _micros(at: dt.datetime) -> int:
    return (at - EPOCH) // dt.timedelta(microseconds=1)
