"""What the loader costs, as ratios inside one run: `python benchmarks/loader.py`, best by `make bench-loader`. `--quick` is for a try.

(a) Rows a second from the lake's Delta logs to committed in the warehouse, over what the SDK reaches with the same rows, made as dicts
    before the clock starts, one `append_rows` per 5,000, into the same local warehouse. Both in turn, several rounds, so that a busy
    machine is busy for both; the ratio is that of the medians. At least 0.8 is wanted.
(b) Peak memory of the loader process while the warehouse is stopped (SIGSTOP) and the lake grows; and how long it takes until all rows are
    there after the warehouse goes on.

A benchmark with wrong rows fails: after each round the landing table is counted and summed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pyarrow as pa

from commerce360 import metrics
from commerce360.lake import Lake
from commerce360.local.stack import Stack
from commerce360.local.warehouse import prepare
from commerce360.settings import Settings
from schemas.access import grants
from schemas.tables import BATCHES, FCT_SALES, FED
from schemas.types import arrow_schema
from warehouse import streams
from warehouse.client import Client
from warehouse.ddl import landing
from warehouse.loader import Loader
from warehouse.tail import PART_ROWS, Place

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "stack"))
from local_ports import new_state

FED_HERE = (FCT_SALES, BATCHES)
DATA = tuple(t for t in FED if t is not BATCHES)
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DAY_S = 86_400


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="of a round")
    parser.add_argument("--commit-rows", type=int, default=20_000, help="of one lake batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stopped-s", type=float, default=60.0)
    parser.add_argument("--stopped-rows", type=int, default=400_000, help="that the lake gets meanwhile")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/bench/loader.json"))
    given = parser.parse_args(arguments)
    if given.quick:
        given.rows, given.rounds, given.stopped_s, given.stopped_rows = 40_000, 1, 10.0, 60_000
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "state") as stack:
        found["throughput"] = throughput(stack, given.rows, given.commit_rows, given.rounds)
        found["stopped"] = stopped(stack, given.stopped_s, given.stopped_rows, given.commit_rows)
    found["load_after"] = os.getloadavg()[0]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))


def table(found: dict[str, Any]) -> str:
    t, s = found["throughput"], found["stopped"]
    lines = ["rows     loader rows/s   prebuilt rows/s   ratio"]
    lines.append(f"{t['rows']:<8,} {t['loader_rows_per_s']:>13,} {t['prebuilt_rows_per_s']:>17,} {t['ratio']:>7.2f}")
    lines.append(f"rounds: loader {t['loader_s']} s, prebuilt {t['prebuilt_s']} s")
    lines += ["", "stopped for   lake grew by   loader before   peak     after    all there after"]
    memory = f"{s['before_mb']:>12.0f} MB {s['peak_mb']:>5.0f} MB {s['after_mb']:>5.0f} MB"
    lines.append(f"{s['seconds']:>9.0f} s {s['rows']:>14,} {memory} {s['caught_up_s']:>15.1f} s")
    lines.append(f"{found['cores']} cores, load {found['load_before']:.1f} before and {found['load_after']:.1f} after")
    return "\n".join(lines)


@contextmanager
def running(state: Path) -> Iterator[Stack]:
    stack = Stack.open(new_state(state))
    try:
        stack.start_service("warehouse")
        prepare(stack.settings())
        yield stack
    finally:
        stack.stop()


class Writer:
    """A lake that gets batches of sales, and nothing else."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.batch_id = 0
        self.rows = 0
        for each in FED:
            lake.create(each)

    def batch(self, rows: int) -> None:
        self.lake.append(FCT_SALES, sales(self.rows, rows, self.batch_id), "bench", self.batch_id)
        self.rows += rows
        versions = json.dumps({t.name: int(self.lake.delta(t).version()) for t in DATA})
        row = {**dict.fromkeys(c.name for c in BATCHES.columns), "batch_id": self.batch_id, "committed_at": NOON, "versions": versions}
        self.lake.append(BATCHES, [row], "bench", self.batch_id)
        self.batch_id += 1


def sales(first: int, count: int, batch_id: int) -> pa.Table:
    """Rows as a shop makes them: text of several scripts, money, NULLs, and what the writer keeps for itself."""
    made = []
    for n in range(first, first + count):
        at = NOON + dt.timedelta(seconds=n % DAY_S, microseconds=n % 1_000_000)
        price, quantity = Decimal(n % 99_999) / 100, n % 5 + 1
        row = dict.fromkeys(c.name for c in FCT_SALES.columns)
        row |= {
            "order_id": f"W-{n:012d}",
            "line_no": 1,
            "source": "web",
            "customer_id": n % 50_000,
            "product_id": n % 2_000,
            "ordered_at": at,
        }
        row |= {"status": "zugestellt ✓" if n % 7 == 0 else "placed", "currency": "EUR", "campaign_id": f"c{n % 40}" if n % 3 else None}
        row |= {
            "visitor_id": f"v-{n % 70_000:08x}",
            "quantity": quantity,
            "unit_price": price,
            "discount": Decimal(0),
            "sale_amount": price * quantity,
        }
        row |= {
            "is_complete": True,
            "is_deleted": False,
            "event_ts": at,
            "kafka_ts": at,
            "origin": f"shop.orders.events/0/{n}",
            "batch_id": batch_id,
        }
        row |= {
            "_header": json.dumps({"order": n, "status": "placed", "stamp": [n, n]}),
            "_line": json.dumps({"line": 1, "price": str(price)}),
        }
        made.append(row)
    return pa.Table.from_pylist(made, schema=arrow_schema(FCT_SALES))


def throughput(stack: Stack, rows: int, commit_rows: int, rounds: int) -> dict[str, Any]:
    settings = stack.settings()
    writer = Writer(Lake(settings.lake))
    for _ in range(rows // commit_rows):
        writer.batch(commit_rows)
    dicts = prebuilt(writer)
    times: dict[str, list[float]] = {"loader": [], "prebuilt": []}
    for _ in range(rounds):
        times["prebuilt"].append(fresh(settings, writer, lambda: by_sdk(settings, dicts)))
        times["loader"].append(fresh(settings, writer, lambda: by_loader(settings, writer)))
    loader_s, prebuilt_s = (median(times[k]) for k in ("loader", "prebuilt"))
    return {
        "rows": writer.rows,
        "loader_rows_per_s": round(writer.rows / loader_s),
        "prebuilt_rows_per_s": round(writer.rows / prebuilt_s),
        "ratio": prebuilt_s / loader_s,
        "loader_s": [round(t, 2) for t in times["loader"]],
        "prebuilt_s": [round(t, 2) for t in times["prebuilt"]],
    }


def empty(sql: Client) -> None:
    """Tables without rows or channels, that the loader may still fill."""
    for each in FED_HERE:
        sql.query(f"CREATE OR REPLACE TABLE {landing(each)} AS SELECT * FROM {landing(each)} WHERE 1 = 0")
        for one in grants():
            if one.kind == "TABLE" and one.name == landing(each):
                sql.query(f"GRANT {one.privilege} ON TABLE {one.name} TO ROLE {one.role}")


def fresh(settings: Settings, writer: Writer, load: Any) -> float:
    """Seconds of a load into empty tables, which must have the rows then."""
    with Client(settings.warehouse) as sql:
        empty(sql)
        took: float = load()
        (found,) = sql.query("SELECT COUNT(*) AS N, COUNT(DISTINCT ORDER_ID) AS KEYS, SUM(QUANTITY) AS Q FROM RAW.FCT_SALES")
    if (found["n"], found["keys"], int(found["q"])) != (writer.rows, writer.rows, sum(n % 5 + 1 for n in range(writer.rows))):
        raise SystemExit(f"error: the warehouse has {found} of {writer.rows} rows: these figures count nothing")
    return took


def prebuilt(writer: Writer) -> list[list[dict[str, Any]]]:
    """The same rows as a program of its own would hand them to the SDK."""
    names = [c.name for c in FCT_SALES.fed_columns]
    found = writer.lake.query(FCT_SALES, f"SELECT {', '.join(names)} FROM {FCT_SALES.entity}").to_pylist()
    rows = [{name.upper(): _sent(value) for name, value in row.items()} for row in found]
    return [rows[at : at + PART_ROWS] for at in range(0, len(rows), PART_ROWS)]


def _sent(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    return str(value) if isinstance(value, Decimal) else value


def by_sdk(settings: Settings, parts: list[list[dict[str, Any]]]) -> float:
    channel = streams.client(settings.warehouse, FCT_SALES)
    try:
        opened, _ = channel.open_channel("BENCH")
        began, last = time.perf_counter(), str(len(parts) - 1)
        for n, part in enumerate(parts):
            opened.append_rows(part, str(n), str(n))
        opened.wait_for_commit(lambda token: token == last, 300)
        return time.perf_counter() - began
    finally:
        channel.close(wait_for_flush=False, timeout_seconds=5)


def by_loader(settings: Settings, writer: Writer) -> float:
    """Until the data is committed, as of the SDK; the batch that shows it comes after that."""
    loader = Loader(settings, FED_HERE)
    loader.notes.parent.mkdir(parents=True, exist_ok=True)
    loader.open()
    try:
        began, stream = time.perf_counter(), loader.streams[FCT_SALES.name]
        end = Place(writer.lake.delta(FCT_SALES).version(), 0)
        while stream.committed() < end or stream.in_flight:
            if not loader.step():
                time.sleep(0.02)
        return time.perf_counter() - began
    finally:
        loader.close()


def stopped(stack: Stack, seconds: float, rows: int, commit_rows: int) -> dict[str, Any]:
    settings = stack.settings()
    writer = Writer(Lake(settings.lake))
    last = writer.lake.last_batch()
    writer.batch_id = last["batch_id"] + 1 if last else 0
    writer.rows = int(writer.lake.query(FCT_SALES, f"SELECT COUNT(*) AS n FROM {FCT_SALES.entity}").to_pylist()[0]["n"])
    with Client(settings.warehouse) as sql:
        empty(sql)
    stack.start_service("loader")
    _shown(stack, writer.batch_id - 1)
    (warehouse, *_), (loader, *_) = stack.pids("warehouse"), stack.pids("loader")
    with Watched(loader) as memory:
        before = memory.now
        os.kill(warehouse, signal.SIGSTOP)
        try:
            until = time.monotonic() + seconds
            for _ in range(rows // commit_rows):
                writer.batch(commit_rows)
            time.sleep(max(0.0, until - time.monotonic()))
        finally:
            os.kill(warehouse, signal.SIGCONT)
        began = time.perf_counter()
        _shown(stack, writer.batch_id - 1)
        caught_up = time.perf_counter() - began
        after = memory.now
    with Client(settings.warehouse) as sql:
        (found,) = sql.query("SELECT COUNT(*) AS N, COUNT(DISTINCT ORDER_ID) AS KEYS FROM RAW.FCT_SALES")
    if (found["n"], found["keys"]) != (writer.rows, writer.rows):
        raise SystemExit(f"error: the warehouse has {found} of {writer.rows} rows: these figures count nothing")
    return {"seconds": seconds, "rows": rows, "before_mb": before, "peak_mb": memory.peak, "after_mb": after, "caught_up_s": caught_up}


def _shown(stack: Stack, batch_id: int) -> None:
    deadline = time.monotonic() + 240
    while metrics.read(stack.state.root, "loader").get("batch_id", -1) < batch_id:
        if time.monotonic() > deadline:
            raise SystemExit(f"error: batch {batch_id} is not shown: {metrics.read(stack.state.root, 'loader')}")
        time.sleep(0.1)


class Watched(threading.Thread):
    """Peak resident memory of a process, in MB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.done = threading.Event()
        self.peak = self.now

    @property
    def now(self) -> float:
        return float(self.process.memory_info().rss) / 1e6

    def run(self) -> None:
        while not self.done.wait(0.1):
            self.peak = max(self.peak, self.now)

    def __enter__(self) -> Watched:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join(5)


if __name__ == "__main__":
    main()
