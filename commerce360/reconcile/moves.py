"""The moves of sales, told a second time from the logs of the lake: the tables as they were after each batch, one after the other.

A move says between which two batches a sale came to point elsewhere. How the stream was cut into batches is not in the topics, so this
table, other than those it is about, does not follow from them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from commerce360.reconcile import targets
from schemas import tables
from schemas.tables import Table
from stream_jobs.entity import Row

SaleId = tuple[str, int]
Place = tuple[int, int]
COLUMNS = tuple(c.name for c in tables.FCT_SALES_MOVES.columns)
LINEAGE = ("event_ts", "kafka_ts", "origin")
DIMENSIONS = {tables.DIM_CUSTOMER: "customer_id", tables.DIM_PRODUCT: "product_id"}
OF_LINE = "product_id"  # what the line itself says of a sale; the rest is in the header of its order


def of_logs(logs: Mapping[Table, Iterable[Row]]) -> Iterator[Row]:
    """All moves. `logs`: every row of sales and their dimensions, not only the newest."""
    batches: dict[int, dict[Table, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for table, rows in logs.items():
        for row in rows:
            batches[row["batch_id"]][table].append(row)
    state = State()
    for batch_id in sorted(batches):
        for move in state.step(batches[batch_id]):
            yield {**move, "batch_id": batch_id}


def newest(moves: Iterable[Row], sales: Iterable[Row]) -> list[Row]:
    """To what a sale moved last, for each dimension; none for a sale that is not visible, or that came (back) after its last move.

    `sales`: all rows of the log.
    """
    since: dict[SaleId, int] = {}
    for row in sorted(sales, key=lambda r: r["batch_id"]):
        if not targets.visible(row):
            since.pop(_id(row), None)
        else:
            since.setdefault(_id(row), row["batch_id"])
    found: dict[tuple[SaleId, str], Row] = {}
    for move in sorted(moves, key=lambda r: r["batch_id"]):
        if _id(move) in since and move["batch_id"] > since[_id(move)]:
            found[_id(move), move["dimension"]] = move
    return list(found.values())


class State:
    """Histories and sales as the newest rows of all batches so far say."""

    def __init__(self) -> None:
        self.histories: dict[Table, dict[Any, dict[Place, Row]]] = {t: defaultdict(dict) for t in DIMENSIONS}
        self.sales: dict[SaleId, Row] = {}
        self.of_key: dict[Table, dict[Any, set[SaleId]]] = {t: defaultdict(set) for t in DIMENSIONS}

    def step(self, rows: Mapping[Table, list[Row]]) -> Iterator[Row]:
        """Take the rows of a batch, and tell what moved."""
        touched = {_id(row) for row in rows.get(tables.FCT_SALES, ())}
        for table, key in DIMENSIONS.items():
            touched.update(*(self.of_key[table][row[key]] for row in rows.get(table, ())))
        before = {at: sale for at in touched if (sale := self.sales.get(at)) and targets.visible(sale)}
        old = {table: self._targets(table, before.values()) for table in DIMENSIONS}
        changes = {table: self._take_history(table, rows.get(table, ())) for table in DIMENSIONS}
        for row in rows.get(tables.FCT_SALES, ()):
            self._take_sale(row)
        after = [self.sales[at] for at in before if targets.visible(self.sales[at])]
        for table, key in DIMENSIONS.items():
            new = self._targets(table, after)
            for sale in after:
                was, now = old[table][_id(sale)], new[_id(sale)]
                if was != now:
                    told = self._told(key, before[_id(sale)], sale, changes[table], now)
                    yield _move(table, sale, key, was, now, told)

    def _take_history(self, table: Table, rows: Iterable[Row]) -> dict[Any, list[Row]]:
        """The changes among the rows, by key: what was not there, or another one is in its place. A truncate has no key."""
        found: dict[Any, list[Row]] = defaultdict(list)
        for row in rows:
            history, place = self.histories[table][row[DIMENSIONS[table]]], (row["seq_pos"], row["seq_ord"])
            if place not in history or history[place]["origin"] != row["origin"]:
                found[row[DIMENSIONS[table]]].append(row)
            history[place] = row
        return found

    def _take_sale(self, row: Row) -> None:
        at = _id(row)
        for table, key in DIMENSIONS.items():
            if at in self.sales:
                self.of_key[table][self.sales[at][key]].discard(at)
            self.of_key[table][row[key]].add(at)
        self.sales[at] = row

    def _targets(self, table: Table, sales: Iterable[Row]) -> dict[SaleId, tuple[str | None, str]]:
        key, versions = DIMENSIONS[table], dict[Any, Any]()
        found = {}
        for sale in sales:
            at = sale[key]
            if at is not None and at not in versions:
                versions |= targets.versions_of(self.histories[table][at].values(), key) or {at: []}
            version_key, match = targets.target_of(versions, at, sale["ordered_at"])
            known = match != "inferred" or table is tables.DIM_CUSTOMER  # there are no inferred products
            found[_id(sale)] = version_key if known else None, match
        return found

    def _told(self, key: str, was: Row, now: Row, changes: Mapping[Any, list[Row]], target: tuple[str | None, str]) -> Row:
        """The cause of a move, and the record that told it."""
        if (was[key], was["ordered_at"]) != (now[key], now["ordered_at"]):
            by_line = key == OF_LINE and was[key] != now[key]
            return {"cause": "fact", **_lineage(now if by_line else self.sales[now["order_id"], 0])}
        news = sorted([*changes.get(now[key], ()), *changes.get(None, ())], key=lambda r: (r["event_ts"], r["seq_pos"], r["seq_ord"]))
        begun = [r for r in news if r["is_visible"] and r["version_key"] == target[0]]
        earlier = [r for r in news if r["event_ts"] <= now["ordered_at"]]
        for change in [*begun, *earlier[-1:], *news[:1]][:1]:
            told = {"cause": "dimension", "cause_op": change["op"], "cause_seq_pos": change["seq_pos"], "cause_seq_ord": change["seq_ord"]}
            return told | _lineage(change)
        return {"cause": "roles"}


def _move(table: Table, sale: Row, key: str, was: tuple[str | None, str], now: tuple[str | None, str], told: Row) -> Row:
    move: Row = {
        "order_id": sale["order_id"],
        "line_no": sale["line_no"],
        "dimension": table.entity,
        "source_key": sale[key],
        "fact_ts": sale["ordered_at"],
    }
    move["from_version_key"], move["from_match"] = was
    move["to_version_key"], move["to_match"] = now
    return {**dict.fromkeys(COLUMNS), **move, **told}


def _lineage(row: Row) -> Row:
    return {name: row[name] for name in LINEAGE}


def _id(row: Row) -> SaleId:
    return row["order_id"], row["line_no"]
