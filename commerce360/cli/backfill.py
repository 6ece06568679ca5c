"""`c360 backfill`: days of the lake's tables compared with what they follow from, and repaired by the lake job."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.cli.retrying import telling_what_passes
from commerce360.cli.stack import DEFAULT, StateOption
from commerce360.errors import ConfigError

if TYPE_CHECKING:
    from commerce360.settings import Settings
    from connect_configs.cluster import Cluster

DAY = ["%Y-%m-%d"]


class From(StrEnum):
    BRONZE = "bronze"
    DATABASE = "database"
    FILES = "files"


def backfill(
    table: Annotated[list[str], typer.Option("--table", help="Such as fct_sales; may be given more than once.")],
    first: Annotated[dt.datetime | None, typer.Option("--from", formats=DAY, help="First day, of the shop's zone.")] = None,
    last: Annotated[dt.datetime | None, typer.Option("--to", formats=DAY, help="Last day, included; it must be over.")] = None,
    source: Annotated[From, typer.Option("--source", help="What was received, the source's own database, or files.")] = From.BRONZE,
    files: Annotated[Path | None, typer.Option("--files", help="Folder of the landing zone, for --source files.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each day and table.")] = False,
    state: StateOption = DEFAULT,
) -> None:
    """Make days of the lake's tables what they should be, beside the live stream. May be repeated: then nothing is left to change.

    The lake job stays the only writer: it is told which keys differ, looks at them itself, and folds them as it folds live records, one
    slice at a time. Progress goes to standard error. Exit code 75: something did not answer, the same command may be given again.
    """
    from commerce360.backfill import days as which
    from commerce360.backfill.run import Backfill

    tables, days = which.named(table), which.wanted(first.date() if first else None, last.date() if last else None)
    which.refuse_open(days, tables, dt.datetime.now(dt.UTC))
    if (source is From.FILES) != (files is not None):
        raise ConfigError("--files and --source files belong together", "give both, or neither")
    changed = count = 0
    with telling_what_passes():
        work = Backfill(settings_of(state), source.value, files, lambda: _cluster(state), lambda line: typer.echo(line, err=True))
        for result in work.run(tables, days, dry_run):
            changed, count = changed + result.changed, count + 1
            typer.echo(json.dumps({**asdict(result), "dry_run": dry_run}) if as_json else result.summary)
    if not as_json:
        done = "differ" if dry_run else "were repaired"
        typer.echo(f"{count} days of tables: {f'{changed} keys {done}' if changed else 'nothing differs'}")


def settings_of(state: Path) -> Settings:
    """Of the lake that `C360_LAKE__ROOT` names, else of the stack in `state`. Raises ConfigError when there is neither."""
    from commerce360.local.stack import settings_of_running
    from commerce360.settings import Lake, Settings

    given = Settings()
    if given.lake.root != Lake().root:
        return given
    if not (state / "stack.json").exists():
        raise ConfigError(f"there is no stack in {state}", "start one with `c360 up`, or set C360_LAKE__ROOT for a lake elsewhere")
    return settings_of_running(state)


def _cluster(state: Path) -> Cluster:
    """The Connect cluster of the stack, or where there is none the one that `C360_CONNECT__URL` or the user's context names."""
    from commerce360.cli.connect.session import Choice

    return Choice(state=state if (state / "stack.json").exists() else None).cluster()
