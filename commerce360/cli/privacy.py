"""`c360 privacy erase | find`: take a person out of every store, and see whether a text is anywhere."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from commerce360.cli.interrupts import raise_on_signal
from commerce360.cli.stack import DEFAULT, StateOption, read_status
from commerce360.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Personal data: erase a person, find a text.")
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command()
def erase(
    customer: Annotated[list[int], typer.Option("--customer", help="Number of the customer; may be given more than once.")],
    only: Annotated[bool, typer.Option("--only", help="Leave other numbers that the same person had or has.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT,
) -> None:
    """Replace all that names a person, in Kafka, the lake and the warehouse. The shop must have deleted them first. Cannot be undone."""
    from rich.console import Console

    from commerce360.local import claim
    from commerce360.local.stack import settings_of_running
    from commerce360.privacy.erase import Eraser
    from commerce360.steps import Steps

    if not (claim.supervisor(state) and read_status(state).get("phase") == "running"):
        raise ConfigError(f"no stack runs in {state}", f"start one with `c360 up --state {state}`")
    eraser = Eraser(settings_of_running(state))
    given = frozenset(customer)
    linked = eraser.linked(given)
    wanted = given if only else linked
    also = f" (also {', '.join(map(str, sorted(wanted - given)))}: the same person under another number)" if wanted - given else ""
    numbers = ", ".join(map(str, sorted(given))) + also
    if not yes and not typer.confirm(f"Erase customer {numbers} from every store? This cannot be undone."):
        raise ConfigError("nothing was erased", "answer y, or give --yes")
    raise_on_signal()
    with Steps(Console(stderr=as_json)).step("erasing") as note:
        eraser.note = note
        done = eraser.run(wanted, given)
    if as_json:
        typer.echo(json.dumps(done))
    else:
        typer.echo(f"customer {numbers}: {done['records']} records and {done['texts']} texts replaced")


@app.command()
def find(
    text: Annotated[list[str], typer.Argument(help="Texts to look for, such as an e-mail address.", metavar="TEXT...")],
    as_json: JsonOption = False,
    state: StateOption = DEFAULT,
) -> None:
    """Look for texts in every store of a running stack. Exit code 1 if one of them is anywhere."""
    from commerce360.local.stack import settings_of_running
    from commerce360.privacy.find import Finder

    if not (state / "stack.json").exists():
        raise ConfigError(f"there is no stack in {state}", "start one with `c360 up`, or name its folder with --state")
    found = Finder(settings_of_running(state), text).run()
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo("\n".join(f"{place}: {count}" for place, count in found.items()) or "nowhere")
    sys.exit(1 if found else 0)
