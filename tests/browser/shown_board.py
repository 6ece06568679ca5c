"""The real page over a board with plausible content: `Shown(folder)` serves it by uvicorn on a free port until it is closed."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from shown_orders import FIRST_BATCH, PRESENT, SALES, lake_of, newer, order

from bi.dashboard.app import make_app
from bi.dashboard.board import Batch, Board, Files, LakeNews, Shown
from bi.dashboard.customers import Customers
from bi.dashboard.live import Live
from bi.dashboard.paths import Paths
from bi.dashboard.warehouse import OrderCheck
from commerce360.settings import Page as PageSettings
from commerce360.settings import Warehouse

SERVICES = ("page", "postgres", "mongo", "kafka", "registry", "warehouse", "lake", "connect", "loader", "shop")
MEMORY = (92.4, 148.0, 171.3, 402.8, 318.5, 376.2, 1391.0, 611.7, 138.9, 121.6)
TICK_S = 0.25  # the page's server ticks once a second; here a test waits less


def service(number: int, **more: Any) -> dict[str, Any]:
    known = {"state": "ready", "ready": True, "pid": 41_207 + 13 * number, "restarts": 0, "memory_mb": MEMORY[number], "failure": ""}
    return {**known, **more}


def status(now: float, phase: str = "running", **changed: dict[str, Any]) -> dict[str, Any]:
    each = {name: service(n, **changed.get(name, {})) for n, name in enumerate(SERVICES)}
    return {"phase": phase, "at": now, "services": each}


def starting(board: Board, now: float) -> None:
    down = {"state": "starting", "ready": False}
    stopped = {"state": "stopped", "ready": False, "pid": None, "memory_mb": 0.0}
    names = {"connect": down, "lake": down, "loader": stopped, "shop": stopped}
    board.files = Files(status(now, "starting", **names))


def live(board: Board, now: float, **changed: dict[str, Any]) -> None:
    """Traffic of about 50 orders a second, with the ups and downs of a real machine. Rates follow from counters that only grow."""
    grown = 900 + now - PRESENT + 7 * math.sin(now / 41) + 0.9 * math.sin(now / 7)
    shop = {
        "at": now, "orders_sent": int(grown * 48) + 2, "orders_acked": int(grown * 48), "oltp_rows": int(grown * 58),
        "clicks": int(grown * 39), "reviews": int(grown * 2),
    }  # fmt: skip
    rows = {"silver.clickstream": 71, "silver.reviews": 3, "gold.fct_sales": 168, "gold.dim_customer": 9, "gold.dim_product": 2}
    loader_total = int((grown - 0.8 + 0.4 * math.sin(now / 3)) * 187)
    report, report_at = board.files.report, board.files.report_at
    lake = {"at": now, "rows": rows, "rejected": 3}
    board.files = Files(status(now, **changed), shop, lake, {"at": now, "rows_total": loader_total}, report, report_at)
    board.ends = {
        "shop.orders.events": {0: int(grown * 48)},
        "oltp.sales.orders": {0: int(grown * 58)},
        "web.shop.clickstream": {0: int(grown * 41)},
    }
    newest = 900 + int((now - PRESENT) / 1.5)
    batches = tuple(batch(n) for n in range(newest - 40, newest + 1))
    read = {t: {0: int(p[0] - 70 - 30 * math.sin(now / 5))} for t, p in board.ends.items()}
    board.lake = LakeNews(batches, read, board.lake.orders)
    seen = [(b.batch_id, b.committed_at + 0.55 + 0.1 * math.sin(b.batch_id)) for b in batches]
    # Orders keep their small batch ids, which are those in the lake.
    known = [(FIRST_BATCH + n, PRESENT - 17.8 + 1.5 * n) for n in range(12)] + [s for s in seen if s[1] <= now]
    board.shown = Shown(tuple(b for b, _ in known), tuple(at for _, at in known))
    board.numbers = {
        "batch_id": str(newest), "rejected_records": "3", "customers_current": "2018", "customer_versions": "2467",
        "orders_today": str(int(grown * 53)), "revenue_today": f"{int(grown * 53) * 141.27:.2f}",
    }  # fmt: skip


def batch(number: int) -> Batch:
    committed = PRESENT + (number - 900) * 1.5
    late = 1.15 + 0.35 * math.sin(number / 9) + 0.2 * math.sin(number * 1.7)
    return Batch(number, committed, 214 + number % 31, 253, 70, committed - late, 0.024 + 0.01 * math.sin(number * 2.3))


def reconciled(board: Board, now: float, equal: bool = True) -> None:
    live(board, now, shop={"state": "stopped", "ready": False, "pid": None, "memory_mb": 0.0})
    newest = board.lake.batches[-1]
    ends = board.ends
    board.lake = LakeNews(board.lake.batches, ends, board.lake.orders)
    board.shown = Shown((*board.shown.batches, newest.batch_id), (*board.shown.times, newest.committed_at + 0.5))
    files = board.files
    board.files = Files(files.status, files.shop, files.lake, files.loader, report(equal), now - 4)


def report(equal: bool = True) -> dict[str, Any]:
    def table(*stages: tuple[str, int], differences: tuple[str, ...] = ()) -> dict[str, Any]:
        found = {name: {"count": count, "hash": "e3b0c442"} for name, count in stages}
        return {"equal": not differences, "stages": found, "differences": list(differences)}

    def along(first: str, count: int, *more: str) -> dict[str, Any]:
        return table(*((name, count) for name in (first, "topic", "bronze", *more)))

    lost = () if equal else ("fct_sales W-1-1226/2: missing in warehouse (against gold)",)
    spread = {"p50": 0.021, "p90": 0.042, "p99": 0.118, "max": 0.24}
    hops = {hop: {p: v + more for p, v in spread.items()} for hop, more in (("kafka", 0.0), ("gold", 1.1), ("warehouse", 1.7))}
    return {
        "equal": equal, "lost": 0 if equal else 1, "doubled": 0, "changed": 0, "rejected": 3, "broken_invariants": [],
        "freshness_s": hops,
        "tables": {
            "bronze.records": table(("topic", 48_212), ("bronze", 48_212)),
            "customers": along("postgres", 2_018, "gold", "warehouse"),
            "products": along("postgres", 203, "gold", "warehouse"),
            "dim_customer": table(*((s, 2_467) for s in ("topic", "bronze", "gold", "warehouse"))),
            "orders": along("postgres", 5_402),
            "order_items": along("postgres", 11_907),
            "order_events": along("producer", 4_731),
            "fct_sales": table(
                *((s, 19_844) for s in ("sources", "topic", "bronze", "gold")), ("warehouse", 19_844 - len(lost)), differences=lost
            ),
            "clickstream": along("mongo", 8_611, "silver", "warehouse"),
            "reviews": along("mongo", 690, "silver", "warehouse"),
            "raw.fct_sales": table(("lake log", 41_377), ("warehouse RAW", 41_377)),
            "raw.dim_customer": table(("lake log", 2_467), ("warehouse RAW", 2_467)),
            "raw.batches": table(("lake log", 412), ("warehouse RAW", 412)),
        },
    }  # fmt: skip


class Page:
    """`fill(board, now)` tells the board what the sources would; it may be replaced at any time. A context manager.

    `past_s`: seconds of the past that the charts hold at the start.
    """

    def __init__(self, folder: Path, fill: Callable[[Board, float], None], past_s: int = 0, warehouse: Warehouse | None = None) -> None:
        self.fill = fill
        self.board, self.live = Board(), Live()
        self.paths = Paths(lake_of(folder))
        self.check = OrderCheck(warehouse or Warehouse())
        self.customers = Customers(warehouse or Warehouse())
        self.arrived = 0
        now = time.time()
        for second in range(past_s, 0, -1):
            fill(self.board, now - second)
            self.live.model.tick(self.board, now - second)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._serving: _Serving | None = None
        self._served = False

    def __enter__(self) -> Page:
        self.resume()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
        self.check.client.close()
        self.customers.client.close()

    def show_orders(self) -> None:
        self.board.lake = LakeNews(self.board.lake.batches, self.board.lake.offsets, tuple(order(s) for s in SALES))

    def arrive(self) -> str:
        """One more order; its id."""
        new = order(newer(self.arrived), time.time())
        self.arrived += 1
        lake = self.board.lake
        self.board.lake = LakeNews(lake.batches, lake.offsets, (new, *lake.orders)[:12])
        return new.order_id

    def pause(self) -> None:
        """The server ends, as with a crash of the page's service."""
        if self._serving:
            self._serving.end()
        self._serving = None

    def resume(self) -> None:
        """Again on the same port; a page's service that starts again knows nothing of the past."""
        if self._served:
            self.live = Live()
        self._served = True
        self._serving = _Serving(self)


class _Serving:
    """A thread with an event loop: the server, and a tick from time to time."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.up, self.stop = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.thread.start()
        assert self.up.wait(20), "the page's server does not start"

    def end(self) -> None:
        self.stop.set()
        self.thread.join(20)

    async def _serve(self) -> None:
        page = self.page
        app = make_app(page.board, page.live, page.paths, page.check, page.customers, PageSettings(), bytes)
        server = uvicorn.Server(
            uvicorn.Config(app, "127.0.0.1", page.port, log_level="warning", lifespan="off", timeout_graceful_shutdown=2)
        )
        serving = asyncio.create_task(server.serve())
        while not self.stop.is_set() and not serving.done():
            page.fill(page.board, time.time())
            page.live.tick(page.board, time.time())
            if server.started:
                self.up.set()
            await asyncio.sleep(TICK_S)
        page.live.close()
        server.should_exit = True
        await serving
