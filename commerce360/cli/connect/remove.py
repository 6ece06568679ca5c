"""`c360 connect delete`: a connector, and with --purge what it would leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.connect.completion import connector_names
from commerce360.cli.connect.session import RefusedError, agreed, cluster_of, say_json

if TYPE_CHECKING:
    from connect_configs.cluster import Cluster
    from connect_configs.plans.removal import Left


def delete(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", autocompletion=connector_names, help="Connectors to delete.")],
    purge: Annotated[bool, typer.Option("--purge", help="Also offsets, replication slot and publication, each asked for.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Delete connectors. Without --purge it says what stays behind.

    A "no" keeps that one thing, or that connector, and goes on. What another connector uses is never purged. Interrupted anywhere, the same
    command goes on: the connector itself goes last.
    """
    from connect_configs.client import known
    from connect_configs.plans.removal import configs_of, left_behind

    cluster = cluster_of(ctx)
    for name in names:
        known(cluster.client, name)
    deployed = configs_of(cluster)
    results = []
    for name in dict.fromkeys(names):
        left = left_behind(cluster, name, deployed.get(name, {}), deployed)
        _say(as_json, f"{name}: leaves behind" if left and not purge else f"{name}:", [f"  {item.text}" for item in left])
        results.append(_delete(cluster, name, left if purge else [], left, yes, as_json))
        if results[-1]["deleted"]:
            deployed.pop(name, None)  # it shares nothing with the next one any more
    if as_json:
        say_json(results)
    if not any(result["deleted"] for result in results):
        raise RefusedError("nothing was changed", "")


def _delete(cluster: Cluster, name: str, purge: list[Left], left: list[Left], yes: bool, as_json: bool) -> dict[str, Any]:
    from connect_configs.plans import removal

    if not agreed(f"Delete connector {name}?", yes):
        _say(as_json, "", [f"  {name} stays"])
        return {"name": name, "deleted": False, "done": [], "left": []}
    chosen = [item for item in purge if not item.is_kept and agreed(f"Also: {item.text}. Remove it?", yes)]
    done = removal.delete(cluster, name, chosen, lambda line: typer.echo(f"  {line}", err=as_json))
    return {"name": name, "deleted": True, "done": done, "left": [item.text for item in left if item not in chosen]}


def _say(as_json: bool, title: str, lines: list[str]) -> None:
    if not as_json:
        typer.echo("\n".join(filter(None, [title, *lines])))
