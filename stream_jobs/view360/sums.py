"""Marts that are sums (docs/model.md, M1, M2, M4): what one order, session or review adds to which row.

A change of a unit takes away what it added before and adds what it adds now, so that a batch costs what it changes. All measures are
whole numbers: money in cents, sentiment in ten-thousandths.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from schemas.columns import Table
from schemas.marts import DIRECT, MART_FUNNEL, MART_PRODUCT_PULSE, MART_REVENUE_MINUTE, NO_CURRENCY, UNKNOWN_DEVICE
from stream_jobs.entity import Row
from stream_jobs.view360.days import day_of
from stream_jobs.view360.orders import Order
from stream_jobs.view360.visits import Visit

TABLES = (MART_REVENUE_MINUTE, MART_FUNNEL, MART_PRODUCT_PULSE)
Place = tuple[str, tuple[Any, ...]]  # table, key
Measures = dict[str, int]
Sums = dict[Place, Measures]


def of_order(order: Order | None) -> Sums:
    if order is None or order.ordered_at is None:
        return {}
    counts, returned = not order.is_cancelled, order.is_returned
    minute = order.ordered_at.replace(second=0, microsecond=0)
    made: Sums = {
        (MART_REVENUE_MINUTE.name, (minute, order.currency or NO_CURRENCY)): {
            "orders": 1,
            "web_orders": int(order.source == "web"),
            "cancelled_orders": int(order.is_cancelled),
            "returned_orders": int(returned),
            "units": order.units,
            "gross_revenue": order.cents,
            "net_revenue": order.cents if counts and not returned else 0,
        }
    }
    day = day_of(order.ordered_at)
    for product_id in {line.product_id for line in order.lines if line.product_id is not None} if counts else ():
        lines = [line for line in order.lines if line.product_id == product_id]
        units = sum(line.quantity for line in lines)
        made[MART_PRODUCT_PULSE.name, (product_id, day)] = {
            "orders": 1,
            "units": units,
            "returned_units": units if returned else 0,
            "revenue": sum(line.cents for line in lines) if order.is_ours and not returned else 0,
            "other_currency_orders": int(not order.is_ours),
        }
    return made


def of_visit(visit: Visit | None) -> Sums:
    if visit is None:
        return {}
    row, day = visit.row, visit.row["day"]
    made: Sums = {
        (MART_FUNNEL.name, (day, row["campaign_id"] or DIRECT, row["device"] or UNKNOWN_DEVICE)): {
            "sessions": 1,
            "viewed": int(row["views"] > 0),
            "carted": int(row["carts"] > 0),
            "checked_out": int(row["checkouts"] > 0),
            "paid": int(row["orders"] > 0),
        }
    }
    for product_id in visit.views.keys() | visit.carts.keys():
        viewed = visit.views.get(product_id, 0)
        measures = {"views": viewed, "sessions": int(viewed > 0), "carts": visit.carts.get(product_id, 0)}
        made[MART_PRODUCT_PULSE.name, (product_id, day)] = measures
    return made


def of_review(row: Row | None) -> Sums:
    """`row`: the content columns of gold.fct_reviews."""
    if row is None or row["is_deleted"] or row["product_id"] is None or row["day"] is None:
        return {}
    score: Decimal | None = row["sentiment"]
    measures = {
        "reviews": 1,
        "rated_reviews": int(row["rating"] is not None),
        "rating_sum": row["rating"] or 0,
        "scored_reviews": int(score is not None),
        "sentiment_sum": 0 if score is None else int(score.scaleb(4)),
    }
    return {(MART_PRODUCT_PULSE.name, (row["product_id"], row["day"])): measures}


def difference(before: Sums, after: Sums) -> Sums:
    """What one unit changes in each row; equal contributions change nothing."""
    made: Sums = {}
    for place in before.keys() | after.keys():
        old, new = before.get(place, {}), after.get(place, {})
        if old != new:
            made[place] = {name: new.get(name, 0) - old.get(name, 0) for name in old.keys() | new.keys()}
    return made


def row_of(table: Table, key: tuple[Any, ...], measures: Measures) -> Row:
    """The row of a mart, without `batch_id`."""
    row: Row = dict(zip(table.key, key, strict=True))
    for column in table.columns:
        if column.name not in row and column.name != "batch_id":
            amount = measures.get(column.name, 0)
            scale = {"decimal(18,2)": 2, "decimal(18,4)": 4}.get(column.type)
            row[column.name] = amount if scale is None else Decimal(amount).scaleb(-scale)
    return row
