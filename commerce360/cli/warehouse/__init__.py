"""`c360 warehouse`: migrations, history, model and state of the warehouse, of this machine's stack or of an account."""

from __future__ import annotations

import typer

from commerce360.cli.warehouse import backfill, check, deviations, draft, migrate, model, setup, status

app = typer.Typer(no_args_is_help=True, help="The warehouse: migrations, load, history, model, access.")
app.command()(migrate.plan)
app.command()(migrate.apply)
app.command()(check.check)
app.command()(draft.draft)
app.command()(setup.account)
app.command()(status.status)
app.command()(backfill.backfill)
app.add_typer(model.app, name="model")
app.command()(deviations.deviations)
