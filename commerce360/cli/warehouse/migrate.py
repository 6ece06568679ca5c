"""`c360 warehouse plan | apply`: which migrations would run, and running them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.cli.warehouse.account import settings_of
from commerce360.local.bootstrap.paths import BUILD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warehouse.apply import Step

CHANGES = 4  # as `c360 connect plan`
State = Annotated[Path, typer.Option("--state", help="Folder of the running stack.")]
DEFAULT_STATE = BUILD / "state" / "default"
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def plan(
    state: State = DEFAULT_STATE,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Leave with 4 if there is something to run.")] = False,
    as_json: Json = False,
) -> None:
    """Show which migrations would run. Changes nothing."""
    from warehouse.apply import planned

    steps = planned(settings_of(state).warehouse)
    _show(steps, as_json)
    if exit_code and any(step.runs for step in steps):
        raise typer.Exit(CHANGES)


def apply(
    state: State = DEFAULT_STATE,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Run repeatable scripts that were run before, too: views, policies, privileges.")
    ] = False,
) -> None:
    """Run the migrations that have not been run. May be repeated, and stopped anywhere."""
    from warehouse import apply as runner

    steps = runner.apply(settings_of(state).warehouse, typer.echo, repeat=repeat)
    typer.echo(f"{sum(step.runs for step in steps)} of {len(steps)} run")


def _show(steps: Sequence[Step], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps([{"script": step.script.name, "kind": step.script.kind, "run": step.why or None} for step in steps]))
        return
    width = max((len(step.script.name) for step in steps), default=0)
    for step in steps:
        typer.echo(f"{step.script.name:{width}}  {step.why or 'done'}")
    typer.echo(f"{sum(step.runs for step in steps)} of {len(steps)} to run")
