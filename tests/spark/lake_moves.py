"""What gold.fct_sales_moves must say, as naive as it gets: after every batch the target of every sale, from the newest rows so far."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from commerce360.lake import Lake
from schemas.tables import DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, FCT_SALES_MOVES, Table
from stream_jobs.scd2.facts import target
from stream_jobs.scd2.fold import Version, version_key

Row = dict[str, Any]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DIMENSIONS = {DIM_CUSTOMER: "customer_id", DIM_PRODUCT: "product_id"}
TOLD = ("order_id", "line_no", "dimension", "source_key", "fact_ts", "from_match", "from_version_key", "to_match", "to_version_key")


def differences(lake: Lake) -> list[str]:
    """Empty when the log of moves says what the logs of sales, customers and products imply, batch by batch."""
    tables = (*DIMENSIONS, FCT_SALES, FCT_SALES_MOVES)
    logs = {t: lake.query(t, f"SELECT * FROM {t.entity}").to_pylist() for t in tables}
    return unequal(logs, logs[FCT_SALES_MOVES], [row["batch_id"] for row in lake.batches()])


def unequal(logs: Mapping[Table, Sequence[Row]], moves: Sequence[Row], batches: Sequence[int]) -> list[str]:
    """`moves` against those that the other logs imply, each once in its batch."""
    found = [f"batch {m['batch_id']} is not complete" for m in moves if m["batch_id"] not in set(batches)]
    before: dict[Any, Any] = {}
    for batch_id in batches:
        after = placed(logs, batch_id)
        want = Counter(moved(before, after))
        got = Counter(tuple(m[c] for c in (*TOLD, "cause")) for m in moves if m["batch_id"] == batch_id)
        got = Counter({(*m[:-1], "fact" if m[-1] == "fact" else "history"): n for m, n in got.items()})
        found += [f"batch {batch_id} lacks {m}" for m in (want - got).elements()]
        found += [f"batch {batch_id} has {m}" for m in (got - want).elements()]
        before = after
    return found


def moved(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> list[tuple[Any, ...]]:
    made = []
    for at in before.keys() & after.keys():
        (old_key, old_ts, *old), (key, ts, *new) = before[at], after[at]
        if old != new:
            made.append((*at, key, ts, *old, *new, "history" if (old_key, old_ts) == (key, ts) else "fact"))
    return made


def placed(logs: Mapping[Table, Sequence[Row]], batch_id: int) -> dict[Any, Any]:
    """(order, line, dimension) -> key, time, match and version of every sale that is visible after the batch."""
    sales = [s for s in newest(FCT_SALES, logs, batch_id) if s["line_no"] > 0 and s["is_complete"] and not s["is_deleted"]]
    found = {}
    for table, column in DIMENSIONS.items():
        histories: dict[Any, list[Version]] = {}
        for row in sorted((r for r in newest(table, logs, batch_id) if r["is_visible"]), key=lambda r: r["valid_from"]):
            made = Version((row[column],), {}, micros(row["valid_from"]), (0, 0), valid_to=micros(row["valid_to"]))
            histories.setdefault(row[column], []).append(made)
        for sale in sales:
            key, ts = sale[column], sale["ordered_at"]
            to = target(None if key is None else histories.get(key, []), micros(ts))
            known = to.match != "none" and (to.match != "inferred" or table is DIM_CUSTOMER)
            version = version_key((key,), to.valid_from) if known else None
            found[sale["order_id"], sale["line_no"], table.entity] = (key, ts, to.match, version)
    return found


def newest(table: Table, logs: Mapping[Table, Sequence[Row]], batch_id: int) -> list[Row]:
    rows = sorted((r for r in logs[table] if r["batch_id"] <= batch_id), key=lambda r: r["batch_id"])
    return list({tuple(r[c] for c in table.key): r for r in rows}.values())


def micros(at: dt.datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // dt.timedelta(microseconds=1)
