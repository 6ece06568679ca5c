"""`c360 connect delete`: a connector, and with --purge what it would leave behind."""

from __future__ import annotations

from typing import Annotated

import typer

from commerce360.cli.connect.completion import connector_names
from commerce360.cli.connect.session import cluster_of, confirmed, say_json


def delete(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", autocompletion=connector_names, help="Connectors to delete.")],
    purge: Annotated[bool, typer.Option("--purge", help="Also offsets, replication slot and publication, each asked for.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Delete connectors. Without --purge it says what stays behind."""
    from connect_configs.client import known
    from connect_configs.removal import Left, left_behind
    from connect_configs.removal import delete as remove

    cluster = cluster_of(ctx)
    deployed = cluster.client.overview()
    for name in names:
        known(cluster.client, name)
    results = []
    for name in dict.fromkeys(names):
        left = left_behind(cluster, name, deployed[name].config, deployed)
        _say(as_json, f"{name}: leaves behind" if left and not purge else f"{name}:", [f"  {item.text}" for item in left])
        confirmed(f"Delete connector {name}?", yes)
        chosen: list[Left] = []
        for item in left if purge else []:
            confirmed(f"Also: {item.text}. Remove it?", yes)
            chosen.append(item)
        done = remove(cluster, name, chosen)
        _say(as_json, "", [f"  {line}" for line in done])
        results.append({"name": name, "done": done, "left": [i.text for i in left if i not in chosen]})
    if as_json:
        say_json(results)


def _say(as_json: bool, title: str, lines: list[str]) -> None:
    if not as_json:
        typer.echo("\n".join(filter(None, [title, *lines])))
