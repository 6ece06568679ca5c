"""`c360 connect plugins` and `c360 connect describe`: what a worker can run, and what may be set."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.connect.session import cluster_of, say_json
from commerce360.errors import ConfigError

if TYPE_CHECKING:
    from connect_configs.client import Connect

plugins_app = typer.Typer()
TYPES = ("source", "sink", "converter", "header_converter", "transformation", "predicate")
CONNECTORS = ("source", "sink")
NARROWEST, WIDEST = 60, 120
LISTED = 12  # candidates in a hint
TypeOption = Annotated[str, typer.Option("--type", "-t", metavar="TYPE", help=f"{', '.join(TYPES)}.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]
Plugin = dict[str, Any]  # class, types, version


@plugins_app.callback(invoke_without_command=True)
def plugins(ctx: typer.Context, kind: TypeOption = "", as_json: JsonOption = False) -> None:
    """The plugins of the worker: connectors, converters, transformations, predicates."""
    if ctx.invoked_subcommand:
        ctx.meta["kind"] = kind
        return
    found = _of_type(_plugins(cluster_of(ctx).client), kind)
    if as_json:
        say_json({"plugins": found})
    else:
        _list(found)


@plugins_app.command("search")
def search(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(help="All of them must be found.")],
    kind: TypeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Search class names, and names and descriptions of the connectors' settings. Exit code 1 when nothing is found."""
    client = cluster_of(ctx).client
    found = []
    for plugin in _of_type(_plugins(client), kind or ctx.meta.get("kind", "")):
        settings = _settings(client, plugin["class"]) if set(plugin["types"]) & set(CONNECTORS) else []
        hits = [s for s in settings if _holds(f"{s['name']} {s['display_name']} {s['documentation']}", words)]
        if hits or _holds(plugin["class"], words):
            found.append({**plugin, "settings": hits})
    if as_json:
        say_json({"plugins": found})
    else:
        for plugin in found:
            _list([plugin])
            for setting in plugin["settings"]:
                typer.echo("    " + textwrap.shorten(f"{setting['name']}: {setting['documentation']}", _width() - 4, placeholder=" ..."))
        if not found:
            typer.echo(f"nothing speaks of {' '.join(words)}")
    raise typer.Exit(0 if found else 1)


def describe(
    ctx: typer.Context,
    plugin: Annotated[str, typer.Argument(help="A class, its short name, or a part that only one has.")],
    search: Annotated[str, typer.Option("--search", "-s", metavar="WORDS", help="Only settings that speak of these.")] = "",
    required: Annotated[bool, typer.Option("--required", help="Only what must be set.")] = False,
    group: Annotated[str, typer.Option("--group", "-g", help="Only settings of this group.")] = "",
    as_json: JsonOption = False,
) -> None:
    """The settings of a plugin: type, default, importance, and what they do."""
    client = cluster_of(ctx).client
    chosen = resolved(_plugins(client), plugin)
    settings = _settings(client, chosen["class"])
    groups = sorted({s["group"] for s in settings if s["group"]})
    if group and group.lower() not in (g.lower() for g in groups):
        raise ConfigError(f"{chosen['class']} has no group {group!r}", f"groups are {', '.join(groups)}" if groups else "it has none")
    shown = [
        s
        for s in settings
        if (not required or s["required"])
        and (not group or (s["group"] or "").lower() == group.lower())
        and _holds(f"{s['name']} {s['display_name']} {s['documentation']}", search.split())
    ]
    if as_json:
        say_json({**chosen, "settings": shown})
        return
    _list([chosen])
    for setting in shown:
        _explain(setting)
    typer.echo(f"\n{len(shown)} of {len(settings)} settings")
    for line in textwrap.wrap(f"groups: {', '.join(groups)}", _width()) if groups else []:
        typer.echo(line)


def resolved(there: list[Plugin], wanted: str) -> Plugin:
    """By class, by short name (also the inner class's outer one, as `Cast$Value`), or by a part. Raises ConfigError with candidates."""
    low = wanted.lower()
    tests = (
        lambda name: name == wanted,
        lambda name: name.lower() == low,
        lambda name: name.rpartition(".")[2].lower() == low,
        lambda name: low in name.rpartition(".")[2].lower(),
        lambda name: low in name.lower(),
    )
    for test in tests:
        found = [p for p in there if test(p["class"])]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(f"{wanted!r} means more than one plugin", _candidates(found))
    close = [p for p in there if set(p["types"]) & set(CONNECTORS)]
    raise ConfigError(f"the worker has no plugin {wanted!r}", f"connectors are {_candidates(close)}; `c360 connect plugins` lists all")


def _candidates(found: list[Plugin]) -> str:
    names = [p["class"] for p in found]
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _plugins(client: Connect) -> list[Plugin]:
    """One entry a class and version: a class may be a converter of values and of headers."""
    found: dict[tuple[str, str], Plugin] = {}
    for entry in client.plugins():
        version = entry.get("version") or ""
        plugin = found.setdefault((entry["class"], version), {"class": entry["class"], "types": [], "version": version})
        plugin["types"].append(entry["type"])
    return list(found.values())


def _of_type(found: list[Plugin], kind: str) -> list[Plugin]:
    there = sorted({*TYPES, *(t for p in found for t in p["types"])})
    if kind and kind not in there:
        raise ConfigError(f"there is no type {kind!r} of plugins", f"types are {', '.join(there)}")
    return [p for p in found if not kind or kind in p["types"]]


def _settings(client: Connect, plugin: str) -> list[dict[str, Any]]:
    return [
        {**s, "documentation": s.get("documentation") or "", "display_name": s.get("display_name") or ""}
        for s in client.plugin_config(plugin)
    ]


def _holds(text: str, words: Iterable[str]) -> bool:
    low = text.lower()
    return all(word.lower() in low for word in words)


def _list(found: list[Plugin]) -> None:
    kinds = [", ".join(p["types"]) for p in found]
    width = max(map(len, kinds), default=0)
    for plugin, kind in zip(found, kinds, strict=True):
        typer.echo(f"{kind.ljust(width)}  {plugin['class']}  {plugin['version']}".rstrip())


def _explain(setting: Mapping[str, Any]) -> None:
    default = setting["default_value"]
    # An empty default is one, and to be told from none.
    told = "required" if setting["required"] else "no default" if default is None else f"default {default or 'empty'}"
    group = f", group {setting['group']}" if setting["group"] else ""
    typer.echo(f"\n{setting['name']}  ({setting['type'].lower()}, {told}, {setting['importance'].lower()} importance{group})")
    for line in textwrap.wrap(" ".join(setting["documentation"].split()), _width() - 4):
        typer.echo(f"    {line}")


def _width() -> int:
    return min(max(shutil.get_terminal_size((100, 24)).columns, NARROWEST), WIDEST)
