"""`c360 warehouse status`: is the warehouse as far as the lake, table by table, and why not."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.warehouse.account import settings_of

if TYPE_CHECKING:
    from commerce360.settings import Settings
    from warehouse.watch import Side, Verdict

EVERY_S = 2.0
STEP_S = 3.0  # a committed token that stands still for so long while rows wait is not on its way
HEADER = ("table", "lake", "warehouse", "rows waiting", "rejected", "for", "verdict")


@dataclass(frozen=True)
class Row:
    name: str
    side: Side
    verdict: Verdict


def status(
    state: Annotated[Path, typer.Option(help="State folder of the stack.")] = Path("build/state/default"),
    as_json: Annotated[bool, typer.Option("--json", help="For programs; with --watch a line each time.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again and again, until Ctrl-C.")] = False,
    stalled_s: Annotated[float, typer.Option("--stalled-after", help="Seconds that complete rows may wait without a step.")] = 30.0,
) -> None:
    """Lake and warehouse side by side: versions, rows that wait, and a verdict: current, loading, idle or stalled.

    Asks the warehouse itself, so it also answers while the loader does not run. Exit code 1 when a table is stalled.
    """
    settings = settings_of(state)
    rows = _rows(settings, {}, stalled_s)
    if any(_waits(row, stalled_s) for row in rows) and not watch:
        time.sleep(STEP_S)  # does it come further?
        rows = _rows(settings, {r.name: r for r in rows}, stalled_s)
    _say(rows, as_json, watch)
    while watch:
        time.sleep(EVERY_S)
        rows = _rows(settings, {r.name: r for r in rows}, stalled_s)
        _say(rows, as_json, watch)
    sys.exit(1 if any(r.verdict.kind == "stalled" for r in rows) else 0)


def _rows(settings: Settings, before: dict[str, Row], stalled_s: float) -> list[Row]:
    from commerce360 import metrics
    from warehouse import watch
    from warehouse.sides import sides

    told = metrics.read(settings.state, "loader")
    loader = watch.Loading(told.get("at"), told.get("error", ""), told.get("loading_again", ()))
    found, now = sides(settings), time.time()
    earlier = {name: row.side.committed for name, row in before.items()}
    return [Row(name, side, watch.table(side, earlier.get(name), loader, now, stalled_s)) for name, side in found.items()]


def _waits(row: Row, stalled_s: float) -> bool:
    return row.side.waiting_since is not None and time.time() - row.side.waiting_since > stalled_s


def _say(rows: list[Row], as_json: bool, line: bool) -> None:
    if as_json:
        document = [_document(row) for row in rows]
        typer.echo(json.dumps(document) if line else json.dumps(document, indent=2))
        return
    table = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(cells[n]) for cells in table) for n in range(len(HEADER))]
    for cells in table:
        typer.echo("  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip())


def _cells(row: Row) -> tuple[str, ...]:
    side = row.side
    waits = f"{max(0.0, time.time() - side.waiting_since):.0f} s" if side.waiting_since is not None else "-"
    token = "?" if side.committed is None else side.committed.token() if side.committed.version >= 0 else "-"
    return side.landing, str(side.lake_version), token, str(side.rows_waiting), str(side.rejected), waits, row.verdict.text


def _document(row: Row) -> dict[str, Any]:
    side = row.side
    return {
        "table": row.name,
        "landing": side.landing,
        "lake_version": side.lake_version,
        "warehouse_token": None if side.committed is None or side.committed.version < 0 else side.committed.token(),
        "rows_waiting": side.rows_waiting,
        "waiting_since": side.waiting_since,
        "rows_rejected": side.rejected,
        "verdict": row.verdict.kind,
        "reason": row.verdict.reason,
    }
