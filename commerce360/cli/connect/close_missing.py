"""`c360 connect snapshot --close-missing`: deletes that nobody sent, found by comparing the table with what was received."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

from commerce360.cli.connect.session import confirmed

if TYPE_CHECKING:
    from commerce360.lake import Lake
    from connect_configs.cluster import Cluster
    from connect_configs.model import Config
    from connect_configs.sources import Table

SHOWN = 20


def close_missing(cluster: Cluster, name: str, config: Config, tables: list[Table], yes: bool, as_json: bool) -> list[dict[str, Any]]:
    """For each table what was compared, found and sent. Asks before anything is sent. Raises RefusedError, and as `missing.find` does."""
    from commerce360.reconcile import missing

    lake = _lake()
    results = []
    for table in tables:
        found = missing.find(cluster, name, config, table, lake, lambda text: typer.echo(f"{name}: {text}", err=True))
        sent = 0
        if found.deletes:
            keys = [", ".join(map(str, key)) for key, _ in found.deletes[:SHOWN]]
            more = "" if len(found.deletes) <= SHOWN else f" and {len(found.deletes) - SHOWN} more"
            typer.echo(f"{'.'.join(table)}: open, but gone at the source: {'; '.join(keys)}{more}", err=as_json)
            confirmed(f"Send {len(found.deletes)} deletes to {found.topic}?", yes)
            sent = missing.close(cluster, config, found)
        if not as_json:
            typer.echo(f"{'.'.join(table)}: {found.at_source} rows at the source, {found.open} open keys, {sent} closed")
        results.append({**found.as_json(), "closed": sent})
    return results


def _lake() -> Lake | None:
    """Only where somebody names one: the records of a topic that is whole are enough."""
    from commerce360.lake import Lake
    from commerce360.settings import Settings

    return Lake(Settings().lake) if os.environ.get("C360_LAKE__ROOT") else None
