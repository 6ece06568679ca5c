"""What a scenario breaks on purpose while it runs: a thread that stops, pauses or kills services when their time comes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence

from commerce360.load.result import Event, Fault
from commerce360.load.scenario import FaultPlan
from commerce360.local.stack import Stack

WORDS = {"stop": "stopped", "pause": "paused", "kill": "killed"}
READY_S = 300.0


class Breaker:
    """`start` once; `stop` undoes what is still broken. `events` and `faults` tell what was done, in seconds from the start."""

    def __init__(self, stack: Stack, plans: Sequence[FaultPlan], say: Callable[[str], None] = lambda _: None) -> None:
        self.events: list[Event] = []
        self.faults: list[Fault] = []
        self._stack = stack
        self._plans = plans
        self._say = say
        self._asked = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    def start(self, started_at: float) -> None:
        self._threads = [threading.Thread(target=self._keep, args=(plan, started_at), daemon=True) for plan in self._plans]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Raises what a fault could not do."""
        self._asked.set()
        for thread in self._threads:
            thread.join()
        if self._failure:
            raise self._failure

    def _keep(self, plan: FaultPlan, started_at: float) -> None:
        try:
            self._do(plan, started_at)
        except BaseException as error:
            self._failure = error

    def _do(self, plan: FaultPlan, started_at: float) -> None:
        if self._asked.wait(max(0.0, started_at + plan.at_s - time.time())):
            return
        restarts = self._stack.restart_count(plan.service)
        began = self._note(f"{WORDS[plan.kind]} {plan.service}", started_at)
        self._break(plan)
        self._asked.wait(plan.for_s)
        self._mend(plan, restarts)
        ended = self._note(f"{plan.service} is back", started_at)
        with self._lock:
            self.faults.append(Fault(f"{WORDS[plan.kind]} {plan.service}", began, ended))

    def _break(self, plan: FaultPlan) -> None:
        if plan.kind == "stop":
            self._stack.stop_service(plan.service)
        else:
            self._stack.kill(plan.service, signal.SIGSTOP if plan.kind == "pause" else signal.SIGKILL)

    def _mend(self, plan: FaultPlan, restarts: int) -> None:
        if plan.kind == "stop":
            self._stack.start_service(plan.service)
            return
        if plan.kind == "pause":
            self._stack.kill(plan.service, signal.SIGCONT)
        else:
            deadline = time.monotonic() + READY_S
            while self._stack.restart_count(plan.service) == restarts and time.monotonic() < deadline:
                time.sleep(0.1)
        self._stack.wait_ready(plan.service)

    def _note(self, text: str, started_at: float) -> float:
        at_s = round(time.time() - started_at, 3)
        with self._lock:
            self.events.append(Event(at_s, text))
        self._say(text)
        return at_s
