"""`c360 connect snapshot`: rows read again by an incremental snapshot, followed to its end."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.connect import session
from commerce360.cli.connect.close_missing import close_missing
from commerce360.cli.connect.duration import seconds
from commerce360.cli.connect.offsets import command_of
from commerce360.cli.interrupts import raise_on_signal
from commerce360.errors import C360Error, ConfigError, UnavailableError

if TYPE_CHECKING:
    from connect_configs.cluster import Cluster
    from connect_configs.model import Config
    from connect_configs.snapshot import Progress
    from connect_configs.sources import Table

Closing = Callable[["Cluster", str, "Config", "list[Table]"], "list[dict[str, Any]]"]
ENDS_S = 30.0  # for a cancelled one


@dataclass(frozen=True)
class Asked:
    cluster: Cluster
    name: str
    config: Config
    tables: list[Table]
    again: str  # the command that looks at it


def snapshot(
    ctx: typer.Context,
    tables: Annotated[list[str] | None, typer.Argument(metavar="[CONNECTOR:]TABLE", help="Such as public.items.")] = None,
    connector: Annotated[str, typer.Option("--connector", help="Needed where several capture the table.")] = "",
    all_tables: Annotated[bool, typer.Option("--all", help="Every captured table that holds data.")] = False,
    where: Annotated[str, typer.Option("--where", metavar="SQL", help="Only rows that meet this condition.")] = "",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Ask, and leave.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", parser=seconds, metavar="DURATION", help="How long to wait.")] = "10m",  # type: ignore[assignment]
    missing: Annotated[
        bool, typer.Option("--close-missing", help="Then close keys that are open in the history and gone at the source.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before keys are closed.")] = False,
    close_all: Annotated[bool, typer.Option("--close-all", help="With --yes: also every key of a table that is empty now.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show the one that runs.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the one that runs (of TABLE..., or all of it).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON value.")] = False,
) -> None:
    """Have Debezium read the rows of tables again, while changes go on. Waits until the topics hold them, then cleans the signal table.

    Ctrl-C ends the waiting, not the snapshot.
    """
    _fitting(tables or [], all_tables, where, status, cancel)
    if missing and (where or no_wait or status or cancel):
        raise ConfigError("--close-missing needs the whole snapshot", "leave out --where, --no-wait, --status and --cancel")
    if close_all and not missing:
        raise ConfigError("--close-all goes with --close-missing", "give both, or leave it out")
    cluster = session.cluster_of(ctx)
    asked = _asked(cluster, tables or [], connector, command_of(ctx))
    if status:
        _show(asked, as_json)
    elif cancel:
        _cancel(asked, as_json)
    else:
        closing = partial(close_missing, yes=yes, close_all=close_all, as_json=as_json) if missing else None
        _run(asked, where, all_tables, 0.0 if no_wait else timeout, as_json, closing)


def _fitting(tables: list[str], all_tables: bool, where: str, status: bool, cancel: bool) -> None:
    if status and cancel:
        raise ConfigError("--status and --cancel are both given", "give one")
    if (status or cancel) and (all_tables or where):
        raise ConfigError("--all and --where are for a new snapshot", "leave them out")
    if not (status or cancel) and bool(tables) == all_tables:
        raise ConfigError("say which tables: TABLE... or --all", "such as `c360 connect snapshot public.items`")
    if where and not tables:
        raise ConfigError("--where needs tables that are named", "name the tables that have its columns")


def _asked(cluster: Cluster, texts: list[str], connector: str, command: str) -> Asked:
    from connect_configs import snapshot as work

    named = {connector} - {""}
    tables: list[Table] = []
    for text in texts:
        prefix, colon, table = text.rpartition(":")
        named |= {prefix} if colon else set()
        if (found := work.parse_table(table)) not in tables:
            tables.append(found)
    if len(named) > 1:
        raise ConfigError(f"one connector at a time: {', '.join(sorted(named))} are named", "call it once for each")
    name, config = work.connector_of(cluster, tables, named.pop() if named else "")
    return Asked(cluster, name, config, tables, f"{command} snapshot --status --connector {shlex.quote(name)}")


def _run(asked: Asked, where: str, all_tables: bool, timeout_s: float, as_json: bool, closing: Closing | None) -> None:
    from connect_configs import snapshot as work

    cluster, name, config = asked.cluster, asked.name, asked.config
    raise_on_signal()
    tables = work.all_tables(cluster, config) if all_tables else asked.tables
    if not tables:
        raise ConfigError(f"{name} captures no table", "see its table.include.list")
    estimates = work.check(cluster, name, config, tables, where)
    if other := work.left(cluster.client.offsets(name)):
        typer.echo(f"{name}: a snapshot of {', '.join(other)} runs; this one is appended", err=as_json)
    work.clean(cluster, name, config)  # so that windows counted from now on are those of this one
    signal, began = f"{work.OWN}{secrets.token_hex(6)}", time.monotonic()
    names = [".".join(t) for t in tables]
    position = 0
    try:
        position = work.request(cluster, config, tables, signal, where)
        typer.echo(f"{name}: asked for {', '.join(names)}, about {sum(estimates.values()):,} rows", err=as_json)
        if not timeout_s:
            _say({"connector": name, "signal": signal, "tables": names, "position": position}, f"look at it: {asked.again}", as_json)
            return
        found = _wait(asked, position, timeout_s, estimates, as_json)
    except KeyboardInterrupt:
        state = "the snapshot goes on in Debezium" if position else "the snapshot may have been asked for"
        cancel = asked.again.replace("--status", "--cancel")
        typer.echo(f"waiting ended; {state}\nlook again: {asked.again}\nend it:     {cancel}", err=True)
        raise typer.Exit(130) from None
    took = time.monotonic() - began
    cleaned = work.clean(cluster, name, config)
    rows = [{"table": t, "rows_about": found.rows.get(t, 0), "chunks": found.chunks.get(t, 0)} for t in names]
    made = {"connector": name, "signal": signal, "tables": rows, "seconds": round(took, 1), "signal_rows_removed": cleaned}
    if closing:
        made["missing"] = closing(cluster, name, config, tables)
    lines = [f"{r['table']}: about {r['rows_about']:,} rows in {r['chunks']} chunks" for r in rows]
    if cleaned:
        lines.append(f"took {took:.1f} s; the signal table is clean")
    else:
        lines.append(f"took {took:.1f} s; the signal table was not cleaned, as another snapshot runs")
    _say(made, "\n".join(lines), as_json)


def _wait(asked: Asked, position: int, timeout_s: float, estimates: dict[Table, int], as_json: bool) -> Progress:
    from connect_configs import snapshot as work

    def told(progress: Progress) -> None:
        typer.echo(f"{asked.name}: {progress.summary}", err=as_json)

    try:
        return work.wait(asked.cluster, asked.name, asked.config, position, told, timeout_s, estimates)
    except UnavailableError as error:
        raise type(error)(error.message, f"it goes on in Debezium; look again: {asked.again}") from error


def _show(asked: Asked, as_json: bool) -> None:
    from connect_configs import snapshot as work

    found = work.progress(asked.cluster, asked.name, asked.config)
    made: dict[str, Any] = {
        "connector": asked.name,
        "running": bool(found.left),
        "left": list(found.left),
        "percent_about": found.percent if found.left else None,
        "key": [str(k) for k in found.key],
        "last_key": [str(k) for k in found.last_key],
    }
    _say(made, f"{asked.name}: {found.summary}" if found.left else f"{asked.name}: no incremental snapshot runs", as_json)


def _cancel(asked: Asked, as_json: bool) -> None:
    from connect_configs import snapshot as work

    cluster, name, config = asked.cluster, asked.name, asked.config
    work.running(cluster, name)
    before = work.left(cluster.client.offsets(name))
    work.cancel(cluster, config, f"{work.OWN}{secrets.token_hex(6)}", asked.tables)
    gone = {".".join(t) for t in asked.tables} or set(before)
    deadline = time.monotonic() + ENDS_S
    while still := gone & set(work.left(cluster.client.offsets(name))):
        if time.monotonic() > deadline:
            raise C360Error(f"Debezium goes on with {', '.join(sorted(still))}", "see the worker's log")
        time.sleep(work.POLL_S)
    work.clean(cluster, name, config)
    made = {"connector": name, "was_running": bool(before), "ended": sorted(gone & set(before))}
    text = f"{name}: ended; rows that were read stay read" if before else f"{name}: no incremental snapshot was stored as running"
    _say(made, text, as_json)


def _say(made: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        session.say_json(made)
    else:
        typer.echo(text)
