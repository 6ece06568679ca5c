"""`c360 load run | find-max`: load tests on a stack of their own, and the highest rate that holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.cli.interrupts import ignore_signals, raise_on_signal
from commerce360.cli.output import wipe, writable, write_json
from commerce360.local.bootstrap.paths import BUILD

if TYPE_CHECKING:
    from commerce360.load.run import LoadRun
    from commerce360.load.scenario import Scenario
    from commerce360.steps import Steps

MARK = ".load"  # a state folder that a load test made, and may therefore wipe
DEFAULT = BUILD / "state" / "load"
ScenarioArgument = Annotated[str, typer.Argument(help="A scenario's file, or the name of one in tests/load/scenarios.", metavar="SCENARIO")]
StateOption = Annotated[Path, typer.Option(help="Folder of this run, wiped at the start.")]


def run(
    scenario: ScenarioArgument,
    out: Annotated[Path | None, typer.Option(help="Folder for the reports; build/reports/load if not given.")] = None,
    state: StateOption = DEFAULT,
) -> None:
    """Run a scenario and measure every event, from its intended time until it is visible. Exit code 1 if a threshold does not hold."""
    from commerce360.load import html, junit, terminal
    from commerce360.load import scenario as scenarios
    from commerce360.report import console

    given, text = scenarios.read(scenario)
    folder = out or BUILD / "reports" / "load"
    writable(folder / "x.json")
    with _running(given, state) as (load, steps):
        found = load.measure(given, text)
        name = folder / f"{given.name}-{int(found.started_at)}"
        found.write(name.with_suffix(".json"))
        html.write(found, name.with_suffix(".html"))
        junit.write(found, name.with_suffix(".xml"))
    terminal.show(found, console())
    steps.say(f"reports: {name}.json, .html, .xml")
    sys.exit(0 if found.passed else 1)


def find_max(
    scenario: ScenarioArgument,
    first: Annotated[float, typer.Option(help="Orders per second of the first step.", min=1)] = 100.0,
    top: Annotated[float, typer.Option(help="Not above this.", min=1)] = 100_000.0,
    step_s: Annotated[int, typer.Option(help="How long a step is, its warm-up included.", min=20)] = 90,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write what was found to this file as JSON.")] = None,
    state: StateOption = DEFAULT,
) -> None:
    """The highest rate at which the scenario's thresholds hold, and which stage stands in the way.

    Its profile and faults are left out, and so are thresholds of reconciliation and recovery; all stages are reconciled once, at the end.
    """
    from commerce360.load import scenario as scenarios
    from commerce360.load import search

    given, text = scenarios.read(scenario)
    warm = given.at_rate(first, step_s)
    writable(json_file)
    with _running(given, state) as (load, steps):

        def tell(found: search.Found) -> None:
            step = found.steps[-1]
            steps.say(f"{step.rate:,.0f}/s {'holds' if step.holds else f'does not hold: {step.why}'}")
            write_json(json_file, found.as_json())  # a search takes long: what is known is kept

        steps.say("warming up")
        load.measure(warm, reconciles=False)
        found = search.find_max(lambda rate: load.measure(given.at_rate(rate, step_s), text, reconciles=False), first, top, tell=tell)
        reconciled = load.reconcile()
        write_json(json_file, {**found.as_json(), "reconciled": reconciled.equal})
    above = f", {found.above:,.0f}/s does not" if found.above else ""
    steps.say(f"{found.rate:,.0f} orders/s hold{above}; in the way: {found.bottleneck}")
    steps.say("all stages are equal" if reconciled.equal else "stages differ: " + "; ".join(reconciled.problems[:3]))
    sys.exit(0 if reconciled.equal and found.rate else 1)


@contextmanager
def _running(given: Scenario, state: Path) -> Iterator[tuple[LoadRun, Steps]]:
    """A stack of its own for the scenario, with its recording made."""
    from commerce360.load.result import Environment
    from commerce360.load.run import LoadRun
    from commerce360.local.bootstrap.prepare import prepare
    from commerce360.local.stack import Stack
    from commerce360.report import console
    from commerce360.steps import Steps

    raise_on_signal()
    steps = Steps(console())
    with steps.step("checking what the stack needs") as note:
        prepare(note)
    wipe(state, MARK, "a load test")
    stack = Stack.open(state, shop={**given.shop, "orders_per_s": 0.0}, lake=given.lake)
    load = LoadRun(stack, steps, Environment.here(stack.versions()))
    try:
        load.record(given)
        load.start()
        yield load, steps
    finally:
        ignore_signals()
        with steps.step("stopping services"):
            stack.stop()
