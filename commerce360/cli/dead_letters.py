"""`c360 dead-letters`: records that the lake could not use, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from commerce360.cli.stack import DEFAULT, StateOption
from commerce360.errors import UnavailableError

PLACES = 3  # of each topic and reason
WIDTH = 100  # of a detail


def dead_letters(
    topic: Annotated[str, typer.Option("--topic", help="Only of this one.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    state: StateOption = DEFAULT,
) -> None:
    """Topics and reasons of bronze.dead_letters: how many records, the newest of them, and where it lies in Kafka. The bytes are in bronze.

    Of the lake that C360_LAKE__ROOT names, else of the stack in --state. Exit code 0 also when there are some.
    """
    found = _found(state, topic)
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    if not found:
        typer.echo("no record was rejected")
    for row in found:
        typer.echo(f"{row['topic']}: {row['records']:,} x {row['reason']}, the newest at {row['newest']:%Y-%m-%d %H:%M:%S} UTC")
        for place in row["places"]:
            typer.echo(f"    partition {place['partition']} offset {place['offset']}: {(place['detail'] or '')[:WIDTH]}")


def _found(state: Path, topic: str) -> list[dict[str, Any]]:
    from commerce360.cli.stack import settings_of_lake
    from commerce360.lake import Lake
    from schemas.tables import DEAD_LETTERS

    lake = Lake(settings_of_lake(state).lake)
    if not lake.exists(DEAD_LETTERS):
        raise UnavailableError(
            f"the lake at {lake.settings.root} has no table {DEAD_LETTERS.name} yet", "let the lake job run first: `c360 up`"
        )
    rows = lake.query(DEAD_LETTERS, 'SELECT topic, reason, partition, "offset", detail, kafka_ts FROM dead_letters').to_pylist()
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda r: r["kafka_ts"], reverse=True):
        if topic in ("", row["topic"]):
            groups.setdefault((row["topic"], row["reason"]), []).append(row)
    return [
        {
            "topic": name,
            "reason": reason,
            "records": len(found),
            "newest": found[0]["kafka_ts"],
            "places": [{k: row[k] for k in ("partition", "offset", "detail")} for row in found[:PLACES]],
        }
        for (name, reason), found in sorted(groups.items())
    ]
