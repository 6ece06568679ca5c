"""`c360 warehouse`: migrations, history, model and state of the warehouse, of this machine's stack or of an account."""

from __future__ import annotations

import typer

from commerce360.cli.warehouse import check, deviations, draft, migrate, setup, status

app = typer.Typer(no_args_is_help=True, help="The warehouse: migrations, model, load, access.")
app.command()(migrate.plan)
app.command()(migrate.apply)
app.command()(check.check)
app.command()(draft.draft)
app.command()(setup.account)
app.command()(deviations.deviations)
app.command()(status.status)
