"""`c360 warehouse backfill`: days of the landing tables compared with the lake, and repaired."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.cli.retrying import telling_what_passes
from commerce360.cli.stack import DEFAULT, StateOption
from commerce360.cli.warehouse.account import settings_of
from commerce360.errors import ConfigError

if TYPE_CHECKING:
    from schemas.tables import Table
    from warehouse.backfill import Repair

DAY = ["%Y-%m-%d"]
PATIENCE_S = 600  # for a statement over a month's rows


def backfill(
    first: Annotated[dt.datetime | None, typer.Option("--from", formats=DAY, help="First day (UTC, of the lake's commits).")] = None,
    last: Annotated[dt.datetime | None, typer.Option("--to", formats=DAY, help="Last day, included.")] = None,
    table: Annotated[list[str] | None, typer.Option("--table", help="Such as fct_sales; may be given more than once.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what differs, change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each day and table.")] = False,
    if_any: Annotated[bool, typer.Option("--if-any", help="Days without commits are no error, but nothing to do.")] = False,
    state: StateOption = DEFAULT,
) -> None:
    """Make days of the warehouse equal to the lake again, by files, beside the live stream. May be repeated: then nothing is left to do.

    Rows that are missing are inserted, others replaced, surplus and doubled ones removed; a day in one transaction. Without --from
    and --to: all days that the warehouse shows.
    """
    from warehouse.backfill import Backfill, NothingCommittedError
    from warehouse.client import Client

    if first and last and first > last:
        raise ConfigError(f"--from {first.date()} is after --to {last.date()}", "exchange them")
    settings = settings_of(state)
    with telling_what_passes(), Client(settings.warehouse, PATIENCE_S) as client:
        work = Backfill(settings, client, _tables(table or []))
        try:
            wanted = work.days(first.date() if first else None, last.date() if last else None)
        except NothingCommittedError:
            if not if_any:
                raise
            wanted = []
        changed = 0
        for number, found in enumerate(work.run(wanted, dry_run), 1):
            changed += sum(repair.needed for repair in found)
            for line in [json.dumps(r.as_json()) for r in found] if as_json else _lines(found, f"{number} of {len(wanted)}"):
                typer.echo(line)
    if not as_json:
        done = "differ" if dry_run else "repaired"
        typer.echo(f"{len(wanted)} days: {f'{changed} tables {done}' if changed else 'equal to the lake'}")


def _tables(names: list[str]) -> tuple[Table, ...]:
    """Raises ConfigError for a name that is not of a fed table."""
    from schemas.tables import FED

    known = {t.entity: t for t in FED}
    if unknown := [n for n in names if n not in known]:
        raise ConfigError(f"there is no table {unknown[0]} in the warehouse", f"one of {', '.join(known)}")
    return tuple(known[n] for n in dict.fromkeys(names)) if names else FED


def _lines(found: list[Repair], count: str) -> list[str]:
    rows = sum(r.rows for r in found)
    lines = [f"{found[0].date} ({count}): {rows} rows in {len(found)} tables"]
    return lines + [f"  {r.table}: {r.missing} missing, {r.changed} otherwise, {r.surplus} too many of {r.rows}" for r in found if r.needed]
