"""`c360 warehouse model`: the star as a script for SqlDBM, its exports compared with what there is, and diagrams."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.output import writable
from commerce360.cli.stack import DEFAULT, StateOption
from commerce360.cli.warehouse.account import settings_of
from commerce360.errors import C360Error, ConfigError

if TYPE_CHECKING:
    from commerce360.settings import Settings
    from warehouse.model.drift import Drift
    from warehouse.model.tables import Found

app = typer.Typer(no_args_is_help=True, help="The star as a model: for SqlDBM and back, and as a picture.")
OUT = Annotated[Path | None, typer.Argument(help="File to write; without one, it is printed.", metavar="[FILE]")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]
CONTRACT, LAKE, WAREHOUSE = "contract", "lake", "warehouse"


@app.callback()
def group() -> None:
    """The star schema as a model: a script that SqlDBM imports, its exports compared, and diagrams."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Script that SqlDBM's forward engineering wrote, for Snowflake.", metavar="FILE.sql")],
    only: Annotated[str, typer.Option(help="Compare with one of contract, lake and warehouse; without it, with all that is at hand.")] = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT,
) -> None:
    """Compare a SqlDBM export with the contract, the lake's tables and the live warehouse, and name each difference.

    Exit code 0: equal, 1: it differs, 2: wrong usage, or a file that cannot be read (its line is named), 3: what --only names is not at
    hand.
    """
    from warehouse.model import drift, script

    if only not in ("", CONTRACT, LAKE, WAREHOUSE):
        raise ConfigError(f"there is no {only!r} to compare with", f"use {CONTRACT}, {LAKE} or {WAREHOUSE}")
    model = script.read(_text(file))
    compared: dict[str, list[Drift]] = {}
    notes: dict[str, tuple[str, ...]] = {"model": model.notes}
    missing: dict[str, str] = {}
    for name in (only,) if only else (CONTRACT, LAKE, WAREHOUSE):
        try:
            found = _SOURCES[name](state)
        except C360Error as error:
            missing[name] = error.message
            continue
        compared[name] = drift.compare(model, found, whole=name != LAKE)
        notes[name] = found.notes
    _show_json(compared, notes, missing) if as_json else _show(compared, notes, missing)
    sys.exit(3 if only and missing else int(any(compared.values())))


@app.command()
def write(file: OUT = None) -> None:
    """Write the star as a script that SqlDBM imports: tables with their types, keys and comments."""
    from warehouse.model import export

    _put(export.script(), file)


@app.command()
def diagram(file: OUT = None) -> None:
    """Draw the star: as a picture into a file whose name ends in .svg, else as Mermaid."""
    from warehouse.model import mermaid, picture

    _put(picture.svg() if file and file.suffix == ".svg" else mermaid.page(), file)


def _put(text: str, file: Path | None) -> None:
    writable(file)
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


def _text(file: Path) -> str:
    if not file.is_file():
        raise ConfigError(f"there is no file {file}", "export one from SqlDBM, or write ours with `c360 warehouse model write FILE.sql`")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not text in UTF-8", "export it again, as a script") from error


def _contract(state: Path) -> Found:
    from warehouse.model import tables

    return tables.contract()


def _lake(state: Path) -> Found:
    """Of `C360_LAKE__ROOT`, else of the stack."""
    from deltalake.exceptions import DeltaError

    from commerce360.lake import Lake
    from commerce360.settings import Lake as LakeSettings
    from commerce360.settings import Settings
    from warehouse.model import lake

    given = Settings().lake
    try:
        found = lake.read(Lake(given if given != LakeSettings() else _of_stack(state).lake))
    except (DeltaError, OSError) as error:
        raise C360Error(f"the lake cannot be read: {str(error).splitlines()[0]}") from error
    if not found.tables:
        raise C360Error("the lake has none of the star's tables yet")
    return found


def _warehouse(state: Path) -> Found:
    from warehouse.client import Client
    from warehouse.model import live

    settings = settings_of(state).warehouse
    with Client(settings, timeout_s=10) as client:
        found = live.read(client)
    if not found.tables:
        raise C360Error(f"the database {settings.database} has no views that this role may see")
    return found


def _of_stack(state: Path) -> Settings:
    from commerce360.local.stack import settings_of_running

    if not (state / "stack.json").exists():
        raise ConfigError(f"there is no stack in {state}", "start one with `c360 up`, or set C360_LAKE__ROOT")
    return settings_of_running(state)


_SOURCES: dict[str, Callable[[Path], Found]] = {CONTRACT: _contract, LAKE: _lake, WAREHOUSE: _warehouse}


def _show_json(compared: dict[str, list[Drift]], notes: dict[str, tuple[str, ...]], missing: dict[str, str]) -> None:
    drifts = [{"against": name, **_as_json(d)} for name, found in compared.items() for d in found]
    said = {"equal": not drifts, "compared": list(compared), "not_compared": missing, "drifts": drifts, "notes": notes}
    typer.echo(json.dumps(said))


def _as_json(drift: Drift) -> dict[str, Any]:
    return {
        "kind": drift.kind,
        "table": drift.table,
        "column": drift.column,
        "model": drift.model,
        "there": drift.other,
        "text": drift.text,
    }


def _show(compared: dict[str, list[Drift]], notes: dict[str, tuple[str, ...]], missing: dict[str, str]) -> None:
    """A difference that several show stands once."""
    told: dict[Drift, list[str]] = defaultdict(list)
    for name, found in compared.items():
        for drift in found:
            told[drift].append(name)
    for drift, against in sorted(told.items(), key=lambda item: (item[0].table, item[0].column, item[0].kind)):
        place = drift.table + (f".{drift.column}" if drift.column else "")
        typer.echo(f"{typer.style(place, fg='red')}: {drift.text} [{', '.join(against)}]")
    for name, found in compared.items():
        typer.echo(f"{name}: {f'{len(found)} differences' if len(found) > 1 else '1 difference' if found else 'equal'}")
    for name, why in missing.items():
        typer.secho(f"{name}: not compared: {why}", fg="yellow")
    for name, lines in notes.items():
        for line in lines:
            typer.secho(f"note on the {name}: {line}", dim=True)
