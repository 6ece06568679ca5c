"""`c360 warehouse check`: the live warehouse against the contract."""

from __future__ import annotations

import json

import typer

from commerce360.cli.warehouse.account import settings_of
from commerce360.cli.warehouse.migrate import DEFAULT_STATE, Json, State


def check(state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """Compare the warehouse with schemas/: tables, columns, comments, policies, privileges, migrations, error tables.

    Leaves with 1 when something differs.
    """
    from warehouse.check import check as differences

    found = differences(settings_of(state).warehouse)
    if as_json:
        typer.echo(json.dumps([drift.as_json() for drift in found]))
    for drift in () if as_json else found:
        typer.secho(str(drift), fg="red")
        typer.echo(f"  hint: {drift.hint}")
    if not as_json:
        typer.echo(f"{len(found)} differences" if found else "the warehouse is what schemas/ say")
    if found:
        raise typer.Exit(1)
