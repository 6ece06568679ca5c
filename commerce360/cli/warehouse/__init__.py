"""`c360 warehouse`: migrations, history, model and state of the warehouse, of this machine's stack or of an account."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="The warehouse: migrations, model, load, access.")
