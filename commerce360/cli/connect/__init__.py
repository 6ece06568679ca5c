"""`c360 connect`: connectors of any Kafka Connect cluster, planned, applied, watched and repaired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from commerce360.cli.connect import context, deploy, explore, loggers, offsets, operate, remove, snapshot, validate, watch
from commerce360.cli.connect.session import Choice
from commerce360.cli.stack import StateOption

Command = Callable[..., Any]
app = typer.Typer(no_args_is_help=True)


@app.callback()
def choose(
    ctx: typer.Context,
    context: Annotated[str, typer.Option("--context", "-c", envvar="C360_CONNECT_CONTEXT", help="A context's name.")] = "",
    url: Annotated[str, typer.Option("--url", "-u", help="Address of a worker, instead of a context.")] = "",
    state: StateOption = None,  # type: ignore[assignment]
    patience_s: Annotated[float, typer.Option("--patience", min=0, help="Seconds to try again what may pass.")] = 10.0,
) -> None:
    """Plan, apply, watch and repair the connectors of any Kafka Connect cluster.

    Without --url and --context: the chosen context, else the address in C360_CONNECT__URL, else the stack of this machine.

    Exit codes: 0 done or healthy, 1 failed, 2 wrong usage or configuration, 3 Connect does not answer, 4 changes to make
    (`plan --exit-code`), 5 degraded, 6 refused (data would be lost, or nobody said yes), 130 interrupted.
    """
    ctx.obj = Choice(context, url, state, patience_s)


DEPLOY, WATCH, REPAIR, LOOK = "Deploy", "Watch", "Repair", "Look around"
DEPLOYING: tuple[Command, ...] = (validate.validate, deploy.plan, deploy.apply, remove.delete)
WATCHING: tuple[Command, ...] = (watch.status, watch.wait)
REPAIRING: tuple[Command, ...] = (operate.restart, operate.pause, operate.resume, operate.stop, snapshot.snapshot)
for panel, commands in ((DEPLOY, DEPLOYING), (WATCH, WATCHING), (REPAIR, REPAIRING)):
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command("diff", hidden=True)(deploy.plan)
app.add_typer(offsets.app, name="offsets", rich_help_panel=REPAIR)
app.add_typer(explore.plugins_app, name="plugins", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(explore.describe)
app.add_typer(loggers.app, name="loggers", rich_help_panel=LOOK)
app.add_typer(context.app, name="context", rich_help_panel=LOOK)
