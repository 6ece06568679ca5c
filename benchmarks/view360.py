"""What the 360 view costs, as ratios inside one run: `python benchmarks/view360.py`, best by `make bench-view`. `--quick` is for a try.

(a) The generator: rows a second of a year, over the floor: the same rows, made before, only encoded and compressed again by one process.
(b) A batch of the view's engine (what the lake job does for the 360 tables: apply and append), at a year of two sizes, over the plain
    recomputation of all tables from the base tables in DuckDB, and the large year over the small one. The batch takes the last happenings
    of the year in their order: clicks, orders, states of orders, reviews. Not counted: the base tables' own rows, which come first and
    which both sides need, and filling the memory at the start (printed apart).

After the batches the view's tables must equal the recomputation's: a benchmark with wrong rows fails.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import zstandard

from commerce360.lake import Lake
from commerce360.reconcile import recompute
from commerce360.settings import Lake as LakeSettings
from producers import seasons, year_file
from producers.money import decimal
from producers.year import Plan
from schemas import tables
from schemas.columns import LINEAGE_NAMES, Table
from schemas.shop import CURRENCY
from schemas.tables import TABLES
from stream_jobs.dimensions import CUSTOMERS, PRODUCTS
from stream_jobs.entity import Entity, Key, Row
from stream_jobs.keyed import KeyedLog, Outcome
from stream_jobs.sales import SALES
from stream_jobs.sentiments import SENTIMENTS
from stream_jobs.view360.view import TABLES as VIEW
from stream_jobs.view360.view import Changes, View

ENTITIES: tuple[Entity, ...] = (CUSTOMERS, PRODUCTS, SALES, SENTIMENTS)
END = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
LEVEL = 3  # of the floor's compression, as the generator's
Happening = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=[150, 1500], help="of the years, the small one first")
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--rows", type=int, default=100, help="happenings of a batch")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/bench/view360.json"))
    given = parser.parse_args(arguments)
    if given.quick:
        given.customers, given.batches = [50, 200], 8
    found: dict[str, Any] = {"generator": [], "view": []}
    with tempfile.TemporaryDirectory() as folder:
        for customers in given.customers:
            path = Path(folder) / f"{customers}.jsonl.zst"
            found["generator"].append(generator(customers, path))
            found["view"].append(view(path, Path(folder) / f"lake-{customers}", given.batches, given.rows))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))


def table(found: Mapping[str, Any]) -> str:
    lines = ["customers      rows    rows/s    of the floor"]
    lines += [f"{g['customers']:>9,} {g['rows']:>9,} {g['rows_per_s']:>9,} {g['ratio']:>15.3f}" for g in found["generator"]]
    lines += ["", "base rows   batch ms   of it view   append   recompute ms   batch/recompute   start ms"]
    for v in found["view"]:
        line = f"{v['base_rows']:>9,} {v['batch_ms']:>10.1f} {v['apply_ms']:>12.1f} {v['append_ms']:>8.1f}"
        lines.append(f"{line} {v['recompute_ms']:>14.1f} {v['ratio']:>17.3f} {v['start_ms']:>10.0f}")
    small, large = found["view"][0], found["view"][-1]
    lines.append(
        f"large year over small: batch {large['batch_ms'] / small['batch_ms']:.2f}, its view {large['apply_ms'] / small['apply_ms']:.2f}"
    )
    return "\n".join(lines)


def generator(customers: int, path: Path) -> dict[str, Any]:
    began = time.perf_counter()
    made = year_file.write(Plan(360, customers, max(40, customers // 8), 365, seasons.micros(END)), path)
    took = time.perf_counter() - began
    _, happenings = year_file.read(path)
    rows = list(happenings)
    began = time.perf_counter()
    zstandard.ZstdCompressor(LEVEL).compress(b"\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows))
    floor = time.perf_counter() - began
    return {"customers": customers, "rows": made.rows, "rows_per_s": round(made.rows / took), "ratio": floor / took}


def view(path: Path, root: Path, batches: int, size: int) -> dict[str, Any]:
    _, happenings = year_file.read(path)
    whole = list(happenings)
    first = max(0, len(whole) - batches * size)
    job = Job(root)
    job.base(whole[:first])
    began = time.perf_counter()
    job.start()
    start_ms = (time.perf_counter() - began) * 1e3
    times = [job.batch(whole[at : at + size]) for at in range(first, len(whole), size)]
    recomputed = [job.recompute() for _ in range(3)]
    job.refuse_differences(recomputed[-1][1])
    apply_ms, append_ms = (median(t[n] for t in times) * 1e3 for n in range(2))
    recompute_ms = median(seconds for seconds, _ in recomputed) * 1e3
    return {
        "base_rows": first,
        "apply_ms": apply_ms,
        "append_ms": append_ms,
        "batch_ms": apply_ms + append_ms,
        "recompute_ms": recompute_ms,
        "ratio": (apply_ms + append_ms) / recompute_ms,
        "start_ms": start_ms,
    }


class Job:
    """The lake job's part that keeps the view, without Spark; the base tables' rows are written as their folds would."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(LakeSettings(root=str(root)))
        for made in TABLES:
            self.lake.create(made)
        self.batch_id = 0
        self.customers: dict[Key, list[Row]] = {}
        self.orders: dict[Key, list[Row]] = {}

    def start(self) -> None:
        self.logs = {e.table.name: KeyedLog(e, lambda e=e: self._stored(e)) for e in ENTITIES}  # type: ignore[misc]
        self.view = View(self.lake, self.logs)

    def base(self, happenings: Sequence[Happening]) -> None:
        clicks, reviews, after, at = self._changes(happenings)
        self._write(clicks, reviews, after, at)

    def batch(self, happenings: Sequence[Happening]) -> tuple[float, float]:
        """Seconds of the engine, and of the appends."""
        clicks, reviews, after, at = self._changes(happenings)
        outcomes = {name: Outcome(after=found) for name, found in after.items()}
        self._write(clicks, reviews, after, at)
        began = time.perf_counter()
        made = self.view.apply(Changes(clicks, reviews, outcomes, at))
        applied = time.perf_counter()
        for into, rows in made.items():
            self._append(into, rows)
        self.view.commit()
        return applied - began, time.perf_counter() - applied

    def recompute(self) -> tuple[float, dict[str, Any]]:
        began = time.perf_counter()
        found = recompute.recompute(recompute.read_base(self.lake))
        return time.perf_counter() - began, found

    def refuse_differences(self, plain: Mapping[str, Any]) -> None:
        for made in VIEW:
            names = [c.name for c in made.columns if c.name not in (*LINEAGE_NAMES, "is_deleted")]
            shown = self.lake.newest(made, where=made.visible).select(names).to_pylist()
            told = plain[made.name].to_pylist()
            if sorted(_text(r, names) for r in shown) != sorted(_text(r, names) for r in told):
                raise SystemExit(f"error: {made.name} is not what its base tables say: these figures count nothing")

    def _write(self, clicks: list[Row], reviews: list[Row], after: Mapping[str, Mapping[Key, list[Row]]], at: dt.datetime) -> None:
        self._append(tables.RECORDS, [{"topic": "t", "partition": 0, "offset": self.batch_id, "kafka_ts": at}])
        self._append(tables.CLICKSTREAM, clicks)
        self._append(tables.REVIEWS, reviews)
        for name, found in after.items():
            self._append(tables.BY_NAME[name], [row for rows in found.values() for row in rows])
        self.batch_id += 1

    def _append(self, into: Table, rows: Sequence[Row]) -> None:
        if rows:
            empty = dict.fromkeys(c.name for c in into.columns)
            self.lake.append(into, [{**empty, **row, "batch_id": self.batch_id} for row in rows], "bench", self.batch_id)

    def _stored(self, entity: Entity) -> Iterator[tuple[Key, Row]]:
        for row in self.lake.newest(entity.table).to_pylist():
            yield entity.key_of(row), row

    def _changes(self, happenings: Sequence[Happening]) -> tuple[list[Row], list[Row], dict[str, dict[Key, list[Row]]], dt.datetime]:
        """Rows of silver; rows of each key that changed, by table; the newest time."""
        clicks, reviews = [], []
        after: dict[str, dict[Key, list[Row]]] = {e.table.name: {} for e in ENTITIES}
        for told in happenings:
            at, kind = seasons.moment(told["at"]), told["kind"]
            if kind == "click":
                clicks.append(_silver(told, at, "event_id", "occurred_at"))
            elif kind == "review":
                reviews.append(_silver(told, at, "review_id", "reviewed_at"))
            elif kind in ("order", "status"):
                after[SALES.table.name][(told["order_id"],)] = self._order(told, at)
            elif kind in ("customer", "tier"):
                after[CUSTOMERS.table.name][(told["customer_id"],)] = self._customer(told, at)
            elif kind == "product":
                after[PRODUCTS.table.name][(told["product_id"],)] = [_version(told, at, ("product_id", "category"))]
        return clicks, reviews, after, seasons.moment(happenings[-1]["at"])

    def _order(self, told: Happening, at: dt.datetime) -> list[Row]:
        key = (told["order_id"],)
        if told["kind"] == "status":
            self.orders[key] = [{**row, "status": told["after"]} for row in self.orders[key]]
            return self.orders[key]
        head = {name: told[name] for name in ("order_id", "customer_id", "campaign_id", "visitor_id", "status")}
        head |= {"source": "web", "ordered_at": at, "currency": CURRENCY, "is_deleted": False}
        rows = [{**head, "line_no": 0, "is_complete": False}]
        for line_no, product_id, quantity, price, discount, _ in told["lines"]:
            line = {"line_no": line_no, "product_id": product_id, "quantity": quantity, "is_complete": True}
            rows.append({**head, **line, "sale_amount": decimal(quantity * price - discount)})
        self.orders[key] = rows
        return rows

    def _customer(self, told: Happening, at: dt.datetime) -> list[Row]:
        key = (told["customer_id"],)
        if told["kind"] == "customer":
            self.customers[key] = [_version(told, at, ("customer_id", "email", "country", "tier", "marketing_consent"))]
        else:
            *old, last = self.customers[key]
            new = {**last, "tier": told["after"], "valid_from": at, "seq_pos": last["seq_pos"] + 1}
            self.customers[key] = [*old, {**last, "valid_to": at, "is_current": False}, new]
        return self.customers[key]


def _silver(told: Happening, at: dt.datetime, id_name: str, time_name: str) -> Row:
    row = {k: v for k, v in told.items() if k not in ("at", "kind", "_id")}
    lineage = {"event_ts": at, "kafka_ts": at, "origin": "bench/0/0"}
    return {**row, id_name: told["_id"], time_name: at, "seq": told["at"], "source_offset": 0, "is_deleted": False, **lineage}


def _version(told: Happening, at: dt.datetime, names: Sequence[str]) -> Row:
    state = {"seq_pos": 0, "seq_ord": 0, "op": "c", "valid_from": at, "is_current": True, "is_visible": True, "is_deleted": False}
    return {**{n: told[n] for n in names}, **state}


def _text(row: Row, names: Sequence[str]) -> str:
    return repr([str(row[n]) for n in names])


if __name__ == "__main__":
    main()
