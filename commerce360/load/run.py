"""`c360 load run`: a scenario on a stack of its own, measured from the intended time of each event to the moment at which it is visible."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from commerce360.errors import C360Error, UnavailableError
from commerce360.lake import Lake
from commerce360.load import arrivals, thresholds
from commerce360.load.faults import Breaker
from commerce360.load.result import Environment, Outcome, Reconciled, RunResult
from commerce360.load.sampling import Sampler
from commerce360.load.scenario import Scenario
from commerce360.local import environment
from commerce360.local.stack import Stack
from commerce360.reconcile.drain import Drain, wait_for_gold
from commerce360.reconcile.run import Reconciler
from commerce360.steps import Steps
from producers import load_replay, profile, recorded, wire
from schemas.topics import ORDER_EVENTS

RECORDED_PER_S = 1_000.0  # of the recording; the profile says when they are sent
STOP_S = 30.0
DRIFT_US = 20_000


class LoadRun:
    """Runs scenarios one after another on one stack."""

    def __init__(self, stack: Stack, steps: Steps, here: Environment) -> None:
        self.stack = stack
        self.steps = steps
        self.here = here
        self.folder = stack.state.root / "load"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.recording = self.folder / "orders.recording"
        self.consumer = self.folder / "consumer.npz"

    def start(self) -> None:
        """The stack, until a first row is in gold."""
        settings = self.stack.settings()
        self.steps.say(f"live page: http://{settings.page.host}:{settings.page.port}/")
        with self.steps.step("starting services"):
            self.stack.start(on_event=self.steps.event)
        with self.steps.step("first rows in gold"):
            wait_for_gold(Lake(settings.lake))

    def record(self, scenario: Scenario) -> None:
        """Make the recording that is replayed, always the same for the same scenario."""
        with self.steps.step(f"recording {scenario.recorded:,} orders"):
            shop = self.stack.settings().shop
            recorded.generated(self.recording, scenario.recorded, RECORDED_PER_S, scenario.seed, shop.customers, shop.products)

    def measure(self, scenario: Scenario, definition: str = "", reconciles: bool = True) -> RunResult:
        """Replay, and all that the scenario wants beside it; then drain, reconcile, look up every event, and judge.

        What goes wrong on the way, such as an event that Kafka did not take or a stage that does not drain, is an outcome of the run:
        figures are worth most where something broke. Raises C360Error when nothing was sent, KeyboardInterrupt when it was interrupted.
        """
        breaker = Breaker(self.stack, scenario.faults, self.steps.event)
        sampler = Sampler(self.stack)
        with self._shop(scenario), self._consumer():
            sampler.start()
            try:
                try:
                    replay, problems = self._replay(scenario, breaker.start, sampler)
                    time.sleep(max(0.0, replay["started_at"] + scenario.lasts_s - time.time()))  # a profile may end with a silence
                finally:
                    undone = breaker.stop()
            finally:
                sampler.stop()
            problems += undone
            reconciled = self._settle(replay, problems, reconciles)
        started_at = float(replay["started_at"])
        series, processes = sampler.found(started_at)
        run = RunResult(
            scenario=scenario.name,
            started_at=started_at,
            warm_up_s=scenario.warm_up_s,
            measured_s=scenario.measured_s,
            definition=definition,
            phases=scenario.phases,
            series=series,
            processes=processes,
            events=breaker.events,
            faults=breaker.faults,
            reconciled=reconciled,
            environment=self.here,
        )
        self._look_up(run, replay, arrivals.Window(replay, scenario.warm_up_s, scenario.measured_s))
        run.outcomes = [*map(Outcome.problem, problems), *thresholds.judge(scenario.rules(), run)]
        return run

    def _look_up(self, run: RunResult, replay: dict[str, Any], window: arrivals.Window) -> None:
        settings = self.stack.settings()
        consumer, seen = arrivals.consumed(self.consumer, window)
        landed, gold, warehouse = arrivals.landed(Lake(settings.lake), settings.state / "run" / "loader.freshness.jsonl", window)
        run.hops = [*arrivals.sent_and_acked(replay, window), consumer, *landed]
        run.counters = arrivals.counters(replay, seen, gold, warehouse)

    def _settle(self, replay: dict[str, Any], problems: list[str], reconciles: bool) -> Reconciled | None:
        """Let what is on its way arrive, then compare. What does not arrive in time is a problem of the run."""
        if self.stack.supervisor.running["shop"].wanted.is_set():
            self.stack.stop_service("shop")
        try:
            with self.steps.step("draining") as note:
                Drain(self.stack.settings(), note).wait(timeout_s=max(300.0, replay["intended"] / 200))
            return self.reconcile() if reconciles else None
        except UnavailableError as error:
            problems.append(error.message)
            return None

    def reconcile(self) -> Reconciled:
        """Every table at every stage; all traffic must have stopped."""
        with self.steps.step("reconciling") as note:
            return Reconciled.of(Reconciler(self.stack.settings(), note).run().as_json())

    def _replay(self, scenario: Scenario, begun: Callable[[float], None], sampler: Sampler) -> tuple[dict[str, Any], list[str]]:
        """What was sent, and what went wrong with it."""
        settings, schema = self.stack.settings(), wire.order_schema()
        job = load_replay.Replay(
            settings,
            self.recording,
            profile.parse_phases(scenario.profile),
            ORDER_EVENTS.name,
            wire.find_schema_id(settings.registry, schema),
            scenario.processes,
            ledger=settings.state / "ledger",
        )
        with self.steps.step(f"replaying {scenario.profile}", total_s=scenario.lasts_s) as note:
            outcome = load_replay.replay(job, lambda text, share: note(f"{text}, {_lag_line(sampler)}", share), begun)
        result, problems = outcome.result, list(outcome.problems)
        if result["interrupted"]:
            raise KeyboardInterrupt
        if not result["sent"]:
            raise C360Error("; ".join(problems) or "nothing was sent", outcome.hint)
        if abs(result["clock_drift_us"]) > DRIFT_US:
            moved = result["clock_drift_us"] / 1000
            problems.append(
                f"the machine's clock was moved by {moved:.1f} ms: latencies to the consumer, gold and the warehouse are wrong by it"
            )
        return result, problems

    @contextmanager
    def _shop(self, scenario: Scenario) -> Iterator[None]:
        """Live traffic beside the replay, where the scenario has some."""
        if not scenario.shop:
            yield
            return
        self.stack.start_service("shop")
        try:
            yield
        finally:
            if self.stack.supervisor.running["shop"].wanted.is_set():
                self.stack.stop_service("shop")

    @contextmanager
    def _consumer(self) -> Iterator[None]:
        """The process that takes the time at which events come out of Kafka. Its file is there afterwards."""
        out = self.consumer
        ready = out.with_suffix(".ready")
        for path in (out, ready):
            path.unlink(missing_ok=True)
        env = {**os.environ, **environment.variables(self.stack.settings())}
        with (self.folder / "consumer.log").open("wb") as log:
            command = [sys.executable, "-m", "commerce360.load.consumer", str(out)]
            child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True)
        try:
            _wait(ready.exists, STOP_S, child, "the consumer of the load test does not start")
            yield
        finally:
            _end(child)
        if not out.exists():
            raise C360Error("the consumer of the load test left without its file", f"see {self.folder / 'consumer.log'}")


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _wait(what: Callable[[], bool], timeout_s: float, child: subprocess.Popen[bytes], failure: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        if child.poll() is not None or time.monotonic() > deadline:
            raise UnavailableError(failure, "see consumer.log in the folder `load` of the state")
        time.sleep(0.05)


def _lag_line(sampler: Sampler) -> str:
    return f"lake {sampler.last('lag', 'lake'):,.0f} records behind, warehouse {sampler.last('lag', 'loader'):.0f} batches behind"
