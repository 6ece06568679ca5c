"""`c360 warehouse`: migrations, history, model and state of the warehouse, of this machine's stack or of an account."""

from __future__ import annotations

import typer

from commerce360.cli.warehouse.deviations import deviations
from commerce360.cli.warehouse.status import status

app = typer.Typer(no_args_is_help=True, help="The warehouse: migrations, model, load, access.")
app.command()(deviations)
app.command()(status)
