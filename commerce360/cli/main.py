"""`c360`: every command of the platform. Heavy imports stand in the command bodies, so that help is instant."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import typer

from commerce360 import __version__
from commerce360.cli import (
    airflow,
    backfill,
    bi,
    capacity,
    config,
    connect,
    dead_letters,
    demo,
    load,
    privacy,
    provision,
    questions,
    scd2,
    scd2_capture,
    scd2_explain,
    scd2_rebuild,
    shop,
    stack,
    warehouse,
)
from commerce360.errors import C360Error, ConfigError, UnavailableError

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, help=__doc__)
app.command()(demo.demo)
app.command()(questions.questions)
app.command()(backfill.backfill)
app.command()(provision.provision)
app.command()(capacity.plan_capacity)
app.command("dead-letters")(dead_letters.dead_letters)
for command in (stack.setup, stack.up, stack.down, stack.restart, stack.status, stack.logs, stack.doctor, stack.reconcile):
    app.command()(command)
app.command(hidden=True)(stack.supervise)
for about_history in (scd2_explain.explain, scd2_capture.replay, scd2_capture.record, scd2_rebuild.rebuild):
    scd2.app.command()(about_history)
app.command(context_settings=airflow.PASSED_ON)(airflow.airflow)
app.add_typer(scd2.app, name="scd2", help="SCD2 history: rules, cases, explanations.")
app.add_typer(connect.app, name="connect")
app.add_typer(shop.app, name="shop")
app.add_typer(load.app, name="load")
app.add_typer(privacy.app, name="privacy")
app.add_typer(warehouse.app, name="warehouse")
app.add_typer(bi.app, name="bi")
app.add_typer(config.app, name="config")


def show_version(value: bool) -> None:
    if value:
        typer.echo(f"commerce360 {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Show the version and leave."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Event-streaming customer 360."""


def run() -> None:
    """Entry point."""
    guard(app)


def guard(command: Callable[[], None], color: bool | None = None) -> None:
    """Run it; an error that a user can act on is two lines, without a traceback. No `color`: where a person reads."""
    try:
        command()
    except Exception as raised:
        error = as_user_error(raised)
        if error is None or "--debug" in sys.argv:
            raise
        typer.secho(f"error: {error.message}", fg="red", err=True, color=color)
        if error.hint:
            typer.secho(f"hint: {error.hint}", err=True, color=color)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.secho("stopped", err=True)
        sys.exit(130)


def as_user_error(raised: Exception) -> C360Error | None:
    """Also what the system or the lake's storage refuses, and a setting that does not fit; None for a mistake of ours."""
    if isinstance(raised, C360Error):
        return raised
    if isinstance(raised, ValueError):
        return _of_setting(raised)
    if isinstance(raised, OSError) and raised.filename is not None:
        return C360Error(f"{raised.filename}: {raised.strerror}", "see `c360 doctor`; was it made by another account, is the disk full?")
    # By name: these libraries take long to load. delta-rs raises OSError, too.
    if type(raised).__module__.startswith("obstore.") or "MicrosoftAzure" in str(raised):
        said = str(raised).strip().partition("\n")[0]
        return UnavailableError(f"the lake's storage: {said}", "check C360_LAKE__*, the network and the account's roles")
    return None


def _of_setting(raised: ValueError) -> ConfigError | None:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    hint = "correct or unset that environment variable"
    if isinstance(raised, ValidationError):
        problem = raised.errors()[0]
        name = "C360_" + "__".join(str(part).upper() for part in problem["loc"])
        return ConfigError(f"{name}: {problem['msg']}", hint)
    if isinstance(raised, SettingsError):
        text = getattr(raised.__cause__, "doc", None)  # what is no JSON
        names = [name.upper() for name, value in os.environ.items() if name.upper().startswith("C360_") and value == text]
        return ConfigError(f"{' or '.join(names) or raised}: it is no JSON", hint)
    return None


if __name__ == "__main__":
    run()
