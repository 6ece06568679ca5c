"""`c360 demo`: one command, everything running, and the proof at the end."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from commerce360.cli.interrupts import ignore_signals, raise_on_signal
from commerce360.cli.output import wipe, writable
from commerce360.cli.stack import LakeOption
from commerce360.local import SERVICES
from commerce360.local.bootstrap.paths import BUILD

MARK = ".demo"  # a state folder that the demo made, and may therefore wipe


def demo(
    seconds: Annotated[float, typer.Option(help="How long life happens before the books are closed.", min=1)] = 90.0,
    rate: Annotated[float, typer.Option(help="Web orders per second.", min=0)] = 50.0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running after the report, until Ctrl-C.")] = False,
    chaos: Annotated[str, typer.Option(help=f"Kill this service with SIGKILL in mid traffic: {', '.join(SERVICES)}.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report to this file as JSON.")] = None,
    state: Annotated[Path, typer.Option(help="Folder of this run, wiped at the start.")] = BUILD / "state" / "demo",
    lake: LakeOption = None,
) -> None:
    """Set up and run the whole platform for a while, then reconcile every stage. Exit code 0 only if all is equal."""
    from commerce360 import report as closing
    from commerce360.demo import Demo, Plan, check_chaos
    from commerce360.local.bootstrap.prepare import prepare
    from commerce360.local.stack import Stack
    from commerce360.steps import Steps

    check_chaos(chaos)
    writable(json_file)
    raise_on_signal()
    console = closing.console()
    steps = Steps(console)
    began = time.monotonic()
    with steps.step("checking what the stack needs") as note:
        prepare(note, lake == "adls")
    wipe(state, MARK, "the demo")
    plan = Plan(seconds=seconds, rate=rate, chaos=chaos)
    stack = Stack.open(state, shop={"orders_per_s": rate}, lake_on=lake or "")
    try:
        run = Demo(plan, stack, steps)
        run.seconds["set_up"] = time.monotonic() - began
        report = run.run()
        console.print()
        report.show(console)
        if json_file:
            report.write(json_file)
        if keep:
            _wait(console, state)
    finally:
        ignore_signals()
        with steps.step("stopping services"):
            stack.stop()
    sys.exit(0 if report.result.equal else 1)


def _wait(console: object, state: Path) -> None:
    from rich.console import Console

    assert isinstance(console, Console)
    console.print(
        f"\nThe stack is kept running. Look at it with: c360 status --state {state}; check it with: c360 reconcile --state {state}"
    )
    console.print("Press Ctrl-C to stop it.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print()
