"""`c360 demo`: the whole platform from nothing, a little life, then the proof that nothing was lost or doubled."""

from __future__ import annotations

import datetime as dt
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from commerce360 import metrics
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.local import SERVICES
from commerce360.local.stack import Stack
from commerce360.reconcile import freshness
from commerce360.reconcile.drain import Drain, wait_for_gold
from commerce360.reconcile.run import Reconciler, Result
from commerce360.report import Report
from commerce360.settings import Settings
from commerce360.steps import Steps

SETTLE_TRIES = 2  # a difference is looked at again once: a stage may have been quiet, but not level


@dataclass(frozen=True)
class Plan:
    """What to run. `chaos` names a service that is killed with SIGKILL in the middle of the traffic."""

    seconds: float = 90.0
    rate: float = 50.0
    chaos: str = ""


class Demo:
    def __init__(self, plan: Plan, stack: Stack, steps: Steps) -> None:
        self.plan = plan
        self.stack = stack
        self.steps = steps
        self.seconds: dict[str, float] = {}
        self.chaos: dict[str, Any] = {}

    def run(self) -> Report:
        """Start, live, drain, reconcile. The stack is left running; the caller stops it."""
        began = time.monotonic()
        settings = self.stack.settings()
        self.steps.say(f"live page: http://{settings.page.host}:{settings.page.port}/")
        with self._timed("start"), self.steps.step("starting services"):
            self.stack.start(on_event=self.steps.event)
        with self.steps.step("first rows in gold"):
            wait_for_gold(Lake(settings.lake))
            self.seconds["first_gold_row"] = time.monotonic() - began
        since = dt.datetime.now(dt.UTC)
        self._live(settings)
        until = dt.datetime.now(dt.UTC)
        with self._timed("drain"), self.steps.step("draining") as note:
            Drain(settings, note).wait()
        with self._timed("reconcile"), self.steps.step("reconciling") as note:
            result = reconcile(settings, note)
        self.seconds["total"] = time.monotonic() - began
        report = Report(
            result,
            freshness_s=freshness.measure(Lake(settings.lake), settings.state / "run" / "loader.freshness.jsonl", since, until),
            memory_mb=self.stack.peak_memory_mb(),
            memory_peak_mb=round(self.stack.supervisor.peak_mb, 1),
            seconds={k: round(v, 1) for k, v in self.seconds.items()},
            versions=self.stack.versions(),
            traffic=metrics.read(settings.state, "shop"),
            chaos=self.chaos,
        )
        report.write(settings.state / "reports" / "last.json")
        return report

    def _live(self, settings: Settings) -> None:
        with self.steps.step(f"letting life happen for {self.plan.seconds:.0f} s", total_s=self.plan.seconds) as note:
            self.stack.start_service("shop")
            began = time.monotonic()
            killed = False
            while (passed := time.monotonic() - began) < self.plan.seconds:
                if self.plan.chaos and not killed and passed >= self.plan.seconds / 3:
                    killed = True
                    self._kill()
                note(traffic_line(metrics.read(settings.state, "shop"), metrics.read(settings.state, "lake")))
                time.sleep(0.5)
            self.stack.stop_service("shop")

    def _kill(self) -> None:
        name = self.plan.chaos
        before = self.stack.restart_count(name)
        began = time.monotonic()
        pid = self.stack.kill(name, signal.SIGKILL)
        self.steps.event(f"killed {name} (pid {pid}) with SIGKILL")
        while self.stack.restart_count(name) == before and time.monotonic() - began < 60:
            time.sleep(0.1)
        self.stack.wait_ready(name)
        self.chaos = {"service": name, "signal": "SIGKILL", "ready_again_s": round(time.monotonic() - began, 1)}

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def traffic_line(shop: dict[str, Any], lake: dict[str, Any]) -> str:
    parts = [
        f"{shop.get('orders_acked', 0):,} orders acknowledged",
        f"{shop.get('oltp_rows', 0):,} row changes",
        f"{shop.get('clicks', 0):,} clicks",
    ]
    if lake:
        parts.append(f"lake batch {lake.get('batch_id', '-')}")
    return ", ".join(parts)


def reconcile(settings: Settings, note: Callable[[str], None]) -> Result:
    """Reconcile; if stages differ, drain and look once more before saying so."""
    result = Reconciler(settings, note).run()
    for look in range(2, SETTLE_TRIES + 1):
        if result.equal:
            break
        note("stages differ: waiting and looking again")
        time.sleep(5)
        Drain(settings, note).wait()
        result = Reconciler(settings, note).run()
        result.looks = look
    return result


def check_chaos(name: str) -> None:
    """Raises ConfigError for a service that does not exist."""
    if name and name not in SERVICES:
        raise ConfigError(f"there is no service {name!r}", f"choose one of {', '.join(SERVICES)}")
