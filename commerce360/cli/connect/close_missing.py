"""`c360 connect snapshot --close-missing`: deletes that nobody sent, found by comparing the table with what was received."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

from commerce360.cli.connect.session import agreed

if TYPE_CHECKING:
    from commerce360.lake import Lake
    from commerce360.reconcile.missing import Missing
    from connect_configs.cluster import Cluster
    from connect_configs.model import Config
    from connect_configs.sources import Table

SHOWN = 20


def close_missing(
    cluster: Cluster, name: str, config: Config, tables: list[Table], yes: bool, close_all: bool, as_json: bool
) -> list[dict[str, Any]]:
    """For each table what was compared, found and sent. Asks before anything is sent; a "no" keeps the keys of that table open.

    A table that is empty has been emptied, or is one of the wrong database: `yes` alone does not answer for it. Raises RefusedError where
    nobody can answer, and as `missing.find` and `missing.close` do.
    """
    from commerce360.reconcile import missing

    lake = _lake()
    results = []
    for table in tables:
        found = missing.find(cluster, name, config, table, lake, lambda text: typer.echo(f"{name}: {text}", err=True))
        sent = missing.close(cluster, config, found) if found.deletes and _agreed(found, yes, close_all, as_json) else 0
        if not as_json:
            typer.echo(f"{'.'.join(table)}: {found.at_source} rows at the source, {found.open} open keys, {sent} closed")
        results.append({**found.as_json(), "closed": sent})
    return results


def _agreed(found: Missing, yes: bool, close_all: bool, as_json: bool) -> bool:
    table, number = ".".join(found.table), len(found.deletes)
    keys = [", ".join(map(str, key)) for key, _ in found.deletes[:SHOWN]]
    more = "" if number <= SHOWN else f" and {number - SHOWN} more"
    typer.echo(f"{table}: open, but gone at the source: {'; '.join(keys)}{more}", err=as_json)
    if found.at_source:
        return agreed(f"Send {number} deletes to {found.topic}?", yes)
    typer.echo(f"{table} is empty: was it emptied, or is this the wrong database?", err=True)
    hint = f"if it was emptied: --close-all closes all {number} keys of {table}"
    return agreed(f"Send {number} deletes to {found.topic}, for every key there is?", yes and close_all, hint)


def _lake() -> Lake | None:
    """Only where somebody names one: the records of a topic that is whole are enough."""
    from commerce360.lake import Lake
    from commerce360.settings import Settings

    return Lake(Settings().lake) if os.environ.get("C360_LAKE__ROOT") else None
