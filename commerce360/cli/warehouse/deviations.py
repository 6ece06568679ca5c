"""`c360 warehouse deviations`: what the local Snowflake does otherwise than a real account."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def deviations(as_json: Annotated[bool, typer.Option("--json", help="As a list of name, real, here.")] = False) -> None:
    """Say where the local Snowflake deviates from a real account. Each line has a test that is to fail here."""
    from commerce360.local.doubles.snowflake.deviations import DEVIATIONS

    if as_json:
        typer.echo(json.dumps([asdict(d) for d in DEVIATIONS], indent=2))
        return
    for one in DEVIATIONS:
        typer.echo(f"{one.name.replace('_', ' ')}\n  Snowflake: {one.real}\n  here:      {one.here}")
