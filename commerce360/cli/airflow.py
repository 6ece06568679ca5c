"""`c360 airflow`: Airflow beside a local stack, and its commands in that Airflow's environment."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from commerce360.cli.interrupts import ignore_signals, raise_on_signal
from commerce360.cli.stack import DEFAULT, StateOption, supervisor_lives

PASSED_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def airflow(
    command: Annotated[
        list[str] | None, typer.Argument(help="A command of Airflow, such as `backfill create ...`; none: start it.")
    ] = None,
    state: StateOption = DEFAULT,
    port: Annotated[int | None, typer.Option(help="Of its page and its API, on 127.0.0.1.", min=1024, max=65_535)] = None,
) -> None:
    """Start Airflow for a stack and stay until Ctrl-C, or run one of Airflow's own commands in it.

    `c360 airflow backfill create --dag-id backfill_sales --from-date 2026-11-01 --to-date 2026-11-07`
    """
    from commerce360.local.airflow import USER, Airflow, default_port

    made = Airflow(state, port or default_port(), typer.echo)
    if command:
        made.run(command)
    if not supervisor_lives(state):
        typer.echo(f"no stack runs in {state}: the page works, the DAGs will not; start it with: c360 up --state {state}")
    raise_on_signal()
    try:
        typer.echo("starting Airflow; the first time this takes a minute")
        made.start()
        typer.echo(f"Airflow: {made.url}\nlog in as {USER}, with the password in {made.passwords}\nstop it with Ctrl-C")
        while True:
            time.sleep(0.5)
    except KeyboardInterrupt:
        typer.echo("\nstopping")
    finally:
        ignore_signals()
        made.stop()
