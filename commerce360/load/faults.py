"""What a scenario breaks on purpose while it runs: a thread that stops, pauses or kills services when their time comes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from commerce360.errors import UnavailableError
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
        self._failures: list[str] = []

    def start(self, started_at: float) -> None:
        self._threads = [threading.Thread(target=self._keep, args=(plan, started_at), daemon=True) for plan in self._plans]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[str]:
        """Undo what is still broken; why the faults were not those of the scenario, nothing if they were."""
        self._asked.set()
        for thread in self._threads:
            thread.join()
        missing = len(self._plans) - len(self.faults) - len(self._failures)
        return [*self._failures, *([f"{missing} of {len(self._plans)} faults did not happen"] if missing else [])]

    def _keep(self, plan: FaultPlan, started_at: float) -> None:
        try:
            self._do(plan, started_at)
        except Exception as error:  # the run goes on, and tells of it
            self._failures.append(f"{WORDS[plan.kind]} {plan.service}: {type(error).__name__}: {error}")

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
        elif plan.kind == "pause":
            self._pausing(plan.service, signal.SIGSTOP)
        else:
            self._stack.kill(plan.service, signal.SIGKILL)

    def _mend(self, plan: FaultPlan, restarts: int) -> None:
        if plan.kind == "stop":
            self._stack.start_service(plan.service)
            return
        if plan.kind == "pause":
            self._pausing(plan.service, signal.SIGCONT)
        else:
            deadline = time.monotonic() + READY_S
            while self._stack.restart_count(plan.service) == restarts:
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"{plan.service} was not started again within {READY_S:.0f} s", f"see `c360 logs {plan.service}`"
                    )
                time.sleep(0.1)
        self._stack.wait_ready(plan.service)

    def _pausing(self, service: str, number: signal.Signals) -> None:
        """All of its processes: those of PostgreSQL's clients would go on without the first one."""
        for pid in self._stack.pids(service):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _note(self, text: str, started_at: float) -> float:
        at_s = round(time.time() - started_at, 3)
        with self._lock:
            self.events.append(Event(at_s, text))
        self._say(text)
        return at_s
