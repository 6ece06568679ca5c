"""`c360 connect loggers`: what the workers log, for a while."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.connect import duration
from commerce360.cli.connect.session import cluster_of, say_json
from commerce360.cli.connect.watch import printable
from commerce360.errors import C360Error

if TYPE_CHECKING:
    from connect_configs.client import Connect

app = typer.Typer(no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.callback()
def group() -> None:
    """Levels of the workers' loggers."""


@app.command("get")
def get(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A logger, such as io.debezium; root.")] = "",
    as_json: JsonOption = False,
) -> None:
    """The level that holds for a logger; without a name, every logger that differs from what is above it. Of the worker that answers."""
    from connect_configs.watching import logger_levels

    there = cluster_of(ctx).client.loggers()
    if name:
        level, inherited = logger_levels.effective(there, name), logger_levels.inherits(there, name)
        if as_json:
            say_json({"logger": name, "level": level, "inherited": inherited, "last_modified": there.get(name, {}).get("last_modified")})
        else:
            typer.echo(f"{printable(name)}  {level}" + ("  (inherited)" if inherited else ""))
        return
    found = logger_levels.telling(there)
    if as_json:
        say_json({"loggers": [{"logger": n, **about} for n, about in found.items()]})
        return
    width = max((len(n) for n in found), default=0)
    for logger, about in found.items():
        changed = about.get("last_modified")
        typer.echo(f"{printable(logger).ljust(width)}  {about['level']}" + (f"  (set {_ago(changed)})" if changed else ""))
    typer.echo(f"{len(there)} loggers in use; the others have the level of what is above them")


@app.command("set")
def set_level(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A logger and all below it, such as io.debezium; root.")],
    level: Annotated[str, typer.Argument(help="OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE or ALL.")],
    cluster: Annotated[bool, typer.Option("--cluster", help="On all workers, instead of the one that answers.")] = False,
    for_s: Annotated[
        float | None,
        typer.Option("--for", parser=duration.seconds, metavar="DURATION", help="Stay, and set it back after that time or at Ctrl-C."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Set the level of a logger until the worker ends; with --for, only for a while."""
    from connect_configs.watching import logger_levels

    wanted = logger_levels.checked(level)
    client = cluster_of(ctx).client
    before = client.loggers()
    undo = logger_levels.undoing(before, name)
    was = f"{undo[0][1]}{', inherited' if logger_levels.inherits(before, name) else ''}"
    where = "on all workers" if cluster else "on the worker that answers"
    told = {"logger": name, "level": wanted, "was": undo[0][1], "inherited": logger_levels.inherits(before, name), "cluster": cluster}
    if for_s is None:
        client.set_logger(name, wanted, cluster)
        _say(as_json, {**told, "set_back": False}, f"{printable(name)}: {wanted} {where} (was {was})")
        return
    ended = _for_a_while(client, name, wanted, cluster, for_s, undo, "" if as_json else f"{where} for {for_s:g} s (was {was})")
    more = f" and {len(undo) - 1} loggers below it" if len(undo) > 1 else ""
    _say(as_json, {**told, "set_back": True}, f"{printable(name)}: set back to {undo[0][1]}{more}, {ended}")
    sys.exit(130 if ended == "interrupted" else 0)


def _for_a_while(client: Connect, name: str, level: str, cluster: bool, for_s: float, undo: list[tuple[str, str]], told: str) -> str:
    """How it ended: `time is over` or `interrupted`. Raises C360Error that says how to do by hand what could not be set back."""
    from commerce360.cli import interrupts

    interrupts.raise_on_signal()
    ended = "interrupted"
    try:
        client.set_logger(name, level, cluster)
        if told:
            typer.echo(f"{printable(name)}: {level} {told}; Ctrl-C sets it back earlier")
        time.sleep(for_s)
        ended = "time is over"
    except KeyboardInterrupt:
        pass
    finally:
        interrupts.ignore_signals()
        _set_back(client, undo, cluster)
    return ended


def _set_back(client: Connect, undo: list[tuple[str, str]], cluster: bool) -> None:
    for number, (logger, level) in enumerate(undo):
        try:
            client.set_logger(logger, level, cluster)
        except C360Error as error:
            scope = " --cluster" if cluster else ""
            left = f", then {len(undo) - number - 1} below it" if number + 1 < len(undo) else ""
            hint = f"by hand: `c360 connect loggers set {logger} {level}{scope}`{left}"
            raise type(error)(f"the level was not set back: {error.message}", hint) from error


def _say(as_json: bool, document: dict[str, Any], text: str) -> None:
    if as_json:
        say_json(document)
    else:
        typer.echo(text)


def _ago(moment_ms: int) -> str:
    from connect_configs.watching.health import age

    return f"{age(max(time.time() - moment_ms / 1000, 0.0))} ago"
