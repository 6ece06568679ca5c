"""`c360 scd2 rebuild`: a history folded again from everything that was received, compared with the live one."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.errors import ConfigError

if TYPE_CHECKING:
    from stream_jobs.rebuild import Difference


def rebuild(
    table: Annotated[str, typer.Option("--table", help="dim_customer, dim_product.")],
    swap: Annotated[bool, typer.Option("--swap", help="Let the lake job take the new log over at its next start.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Fold all of bronze again with the roles of today and compare. Exit code 0: equal, or handed over; 1: it differs.

    The new log is left in the lake as rebuild.<table>. The live one is never touched here: with --swap the lake job, its only writer,
    folds it again at its next start and writes the rows that differ with its first batch.
    """
    from commerce360.lake import Lake
    from commerce360.settings import Settings
    from stream_jobs import rebuild as steps
    from stream_jobs.dimensions import named
    from stream_jobs.wire import Decoder, RegistrySchemas

    settings = Settings()
    lake = Lake(settings.lake)
    dimension = named(table)
    if not lake.exists(dimension.table) or (last := lake.last_batch()) is None:
        raise ConfigError(f"there is no {dimension.table.name} in {settings.lake.root}", "set C360_LAKE__ROOT, or start with `c360 up`")
    dimension, batch_id = dimension.extended(lake.extended(dimension.table)), int(last["batch_id"])
    made, rejections = steps.refold(lake, dimension, Decoder(RegistrySchemas(settings.registry)), batch_id)
    found = steps.compare(lake, dimension, made, batch_id)
    kept = steps.keep(lake, dimension, made, batch_id)
    if swap:
        steps.approve(lake, dimension)
    report = {
        "table": dimension.table.name,
        "upto_batch": batch_id,
        "rebuilt": kept.name,
        **found.kinds,
        "rejected": len(rejections),
        "approved": swap,
        "examples": found.examples,
    }
    if as_json:
        typer.echo(json.dumps(report, default=str))
    else:
        _show(report, found)
    sys.exit(0 if found.equal or swap else 1)


def _show(report: dict[str, Any], found: Difference) -> None:
    typer.echo(
        f"{report['table']} up to batch {report['upto_batch']}, folded again into {report['rebuilt']}: {found.kinds['equal']} rows equal, "
        f"{found.kinds['changed']} changed, {found.kinds['missing']} missing in the live one, {found.kinds['extra']} only there"
    )
    for example in found.examples:
        row = example["row"]
        named = ", ".join(f"{k}={v}" for k, v in row.items() if k in ("customer_id", "product_id", "seq_pos", "seq_ord"))
        columns = "; ".join(f"{c}: {old} -> {new}" for c, (old, new) in example["columns"].items())
        typer.echo(f"  {example['kind']:<8} {named}" + (f"  {columns[:160]}" if columns else ""))
    if report["approved"]:
        typer.echo("handed over: the lake job folds the table again at its next start and writes what differs with its first batch")
    elif not found.equal:
        typer.echo("nothing was changed; add --swap to let the lake job take the new log over at its next start")
