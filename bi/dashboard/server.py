"""Serve the page on loopback: pollers in threads, one tick a second for everybody who watches."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from bi.dashboard.app import make_app
from bi.dashboard.arrivals import Arrivals
from bi.dashboard.board import Board
from bi.dashboard.customers import Customers
from bi.dashboard.live import Live
from bi.dashboard.paths import Paths
from bi.dashboard.polling import Poller
from bi.dashboard.snapshots import Snapshots, began_at
from bi.dashboard.telling import told
from bi.dashboard.upstream import ConnectStates, MongoAnswers, RegistryAnswers, Slots, TopicEnds
from bi.dashboard.warehouse import Numbers, OrderCheck
from commerce360 import log, metrics
from commerce360.settings import Settings
from commerce360.telemetry import export

PUBLISH_EVERY_S = 2.0


async def serve(settings: Settings, stop: threading.Event) -> None:
    """Until `stop` is set; open streams are ended."""
    board, live = Board(), Live()
    polling = pollers(settings, board, live)
    for poller in polling:
        poller.start(board, stop)
    check, customers = OrderCheck(settings.warehouse), Customers(settings.warehouse)
    app = make_app(board, live, Paths(settings.lake), check, customers, settings.page, lambda: scrape(settings))
    config = uvicorn.Config(
        app, settings.page.host, settings.page.port, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve())
    published, failed = 0.0, False
    while not stop.is_set() and not running.done():
        view = live.tick(board, time.time())
        if time.monotonic() - published >= PUBLISH_EVERY_S:
            failed = publish(settings.state, told(board, view, [p.name for p in polling]), failed)
            published = time.monotonic()
        await _pause(stop, 1.0)
    live.close()
    server.should_exit = True
    await running


def publish(state: Path, found: dict[str, Any], failed: bool) -> bool:
    """True where it cannot be told, as on a full disk: the page goes on. It is logged once, unless it had `failed` before."""
    try:
        metrics.publish(state, "page", found)
    except OSError as error:
        if not failed:
            log.get("page").warning("metrics are not told", error=str(error))
        return True
    return False


def pollers(settings: Settings, board: Board, live: Live) -> list[Poller]:
    slots = [Poller("postgres", Slots(settings.postgres, board).poll, every_s=10.0)] if settings.postgres.password_file else []
    documents = [Poller("mongo", MongoAnswers(settings.mongo).poll, every_s=10.0)] if settings.mongo.model_fields_set else []
    return [
        Poller("files", Snapshots(settings.state, board).poll),
        Poller("kafka", TopicEnds(settings.kafka, board).poll),
        Poller("lake", Arrivals(settings.lake, board).poll),
        Poller("warehouse", Numbers(settings.warehouse, board, live.watched).poll, every_s=3.0, share=0.05),
        Poller("connect", ConnectStates(settings.connect, board).poll, every_s=5.0),
        Poller("registry", RegistryAnswers(settings.registry).poll, every_s=5.0),
        *slots,
        *documents,
    ]


def scrape(settings: Settings) -> bytes:
    """What all services of the state folder told, for Prometheus."""
    return export.text(lambda: export.of_state(settings.state, began_at(settings.state)))


class _Server(uvicorn.Server):
    """Signals belong to the service; uvicorn would raise them again after its own end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _pause(stop: threading.Event, seconds: float) -> None:
    """In short steps: the stop signal cannot wake the loop."""
    until = time.monotonic() + seconds
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(0.1, left))
