"""`c360 connect restart`, `pause`, `resume` and `stop`: asks, then waits until it is so. Connect accepts first and does it later."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.connect import duration
from commerce360.cli.connect.completion import connector_names
from commerce360.cli.connect.session import cluster_of, say_json
from commerce360.cli.connect.watch import OLD_FAILURE_S, POLL_S, STALE_S, is_there, printable, shown, unknown_error
from commerce360.errors import C360Error, ConfigError

if TYPE_CHECKING:
    from connect_configs.client import Connect
    from connect_configs.cluster import Cluster
    from connect_configs.model import Connector, Status

STEADY_S = 1.0  # a task may say RUNNING and fail with its first query
NamesArgument = Annotated[list[str] | None, typer.Argument(metavar="[NAMES]...", autocompletion=connector_names, help="Connectors.")]
AllOption = Annotated[bool, typer.Option("--all", help="All connectors of the cluster.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is so.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", parser=duration.seconds, metavar="DURATION", help="How long to wait for each.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@dataclass
class Outcome:
    """What became of one connector. `error` empty: as asked."""

    name: str
    did: str
    asked: bool = True  # False: nothing had to be done
    error: str = ""
    late: bool = False  # time was up
    notes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "did": self.did, "asked": self.asked, "error": self.error, "notes": self.notes}


def restart(
    ctx: typer.Context,
    names: NamesArgument = None,
    everything: AllOption = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only what failed.")] = False,
    tasks: Annotated[bool, typer.Option("--tasks/--connector-only", help="With its tasks, or only the connector itself.")] = True,
    task: Annotated[int | None, typer.Option("--task", min=0, help="Only this task of the one connector.")] = None,
    wait: WaitOption = True,
    timeout_s: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Restart connectors with their tasks, then wait until they run. Exit code 1 with the cause when one fails again.

    A paused or stopped connector stays as it is: `c360 connect resume`.
    """
    if task is not None and (failed or not tasks):
        raise ConfigError("--task goes with neither --failed nor --connector-only", "leave one out")
    cluster = cluster_of(ctx)
    chosen = _chosen(cluster.client, names, everything, needs_names=not failed)
    if task is not None:
        _check_task(chosen, task)
    outcomes = [_restarted(cluster.client, c, _Scope(failed, tasks, task)) for c in chosen.values()]
    if wait:
        for outcome in outcomes:
            if outcome.asked and not outcome.error:
                _settle(cluster.client, outcome, chosen[outcome.name].status, timeout_s)
    if failed and not as_json and not any(o.asked for o in outcomes):
        typer.echo("nothing failed, so nothing was restarted")
        outcomes = []
    elif failed:
        outcomes = [o for o in outcomes if o.asked]
    _report(outcomes, as_json)


@dataclass(frozen=True)
class _Scope:
    failed: bool
    tasks: bool
    task: int | None


def _restarted(client: Connect, connector: Connector, scope: _Scope) -> Outcome:
    name, about = connector.name, connector.status
    if scope.failed and not about.failed:
        return Outcome(name, "nothing failed", asked=False)
    if about.connector == "STOPPED":
        return Outcome(name, "stopped, so there is nothing to restart", asked=False, notes=["`c360 connect resume` starts it"])
    what = "restarted" if scope.tasks else "restarted, without its tasks"
    outcome = Outcome(name, "failed parts restarted" if scope.failed else what)
    try:
        if scope.task is not None:
            outcome.did = f"task {scope.task} restarted"
            client.restart_task(name, scope.task)
        else:
            client.restart(name, tasks=scope.tasks, only_failed=scope.failed)
    except C360Error as error:
        outcome.error = error.message
    if about.connector == "PAUSED":
        outcome.notes.append("it is still paused")
    return outcome


def _check_task(chosen: Mapping[str, Connector], task: int) -> None:
    if len(chosen) != 1:
        raise ConfigError("--task needs exactly one connector", "name it")
    (connector,) = chosen.values()
    there = [t.id for t in connector.status.tasks]
    if task not in there:
        hint = f"there are {', '.join(map(str, there))}" if there else "it has no tasks now"
        raise ConfigError(f"connector {printable(connector.name)} has no task {task}", hint)


def _settle(client: Connect, outcome: Outcome, before: Status, timeout_s: float) -> None:
    """Until what was asked for shows, and holds for a moment. Right after the call the status is still the old one."""
    began = time.monotonic()
    moved = tasks_moved = False
    steady_since = 0.0
    wanted = "paused" if before.connector == "PAUSED" else "running"
    while True:
        about, now = client.status(outcome.name), time.monotonic()
        moved = moved or about != before or now - began > STALE_S
        if about is None:
            outcome.error = "it was deleted meanwhile"
            return
        # The connector moves first; until its tasks do, a failed one is the old failure.
        tasks_moved = tasks_moved or about.tasks != before.tasks or now - began > OLD_FAILURE_S
        if moved and about.failed and (tasks_moved or about.connector == "FAILED"):
            outcome.error = shown(about.summary)
            return
        if moved and is_there(about, wanted):
            steady_since = steady_since or now
            if now - steady_since >= STEADY_S:
                outcome.did += f", {shown(about.summary)}"
                return
        else:
            steady_since = 0.0
        if now - began > timeout_s:
            outcome.error, outcome.late = f"not within {timeout_s:g} s: {shown(about.summary)}", True
            return
        time.sleep(POLL_S)


# --- pause, resume, stop


def pause(
    ctx: typer.Context,
    names: NamesArgument = None,
    everything: AllOption = False,
    wait: WaitOption = True,
    timeout_s: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Pause connectors; their tasks stay assigned. Nothing is done to one that is paused."""
    _change(ctx, "paused", names, everything, wait, timeout_s, as_json)


def resume(
    ctx: typer.Context,
    names: NamesArgument = None,
    everything: AllOption = False,
    wait: WaitOption = True,
    timeout_s: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Let paused or stopped connectors go on, and wait until every task runs."""
    _change(ctx, "running", names, everything, wait, timeout_s, as_json)


def stop(
    ctx: typer.Context,
    names: NamesArgument = None,
    everything: AllOption = False,
    wait: WaitOption = True,
    timeout_s: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Stop connectors: their tasks are gone, their offsets stay. Only then may offsets be changed."""
    _change(ctx, "stopped", names, everything, wait, timeout_s, as_json)


def _change(
    ctx: typer.Context, wanted: str, names: list[str] | None, everything: bool, wait: bool, timeout_s: float, as_json: bool
) -> None:
    cluster = cluster_of(ctx)
    client = cluster.client
    calls: dict[str, Callable[[str], None]] = {"paused": client.pause, "running": client.resume, "stopped": client.stop}
    chosen = _chosen(client, names, everything, needs_names=True)
    outcomes = [_asked(c, wanted, calls[wanted]) for c in chosen.values()]
    for outcome in outcomes:
        connector = chosen[outcome.name]
        if wait and not outcome.error:
            _reach(client, outcome, wanted, connector.status, timeout_s)
        if wanted == "stopped" and not outcome.error:
            outcome.notes += _kept_for(cluster, connector)
    _report(outcomes, as_json)


def _asked(connector: Connector, wanted: str, call: Callable[[str], None]) -> Outcome:
    """Connect's own word for a running connector is RUNNING, so the names of the states are ours in capitals."""
    did = "resumed" if wanted == "running" else wanted
    if connector.status.connector == wanted.upper():
        return Outcome(connector.name, f"was {wanted} already", asked=False)
    try:
        call(connector.name)
    except C360Error as error:
        return Outcome(connector.name, did, error=error.message)
    return Outcome(connector.name, did)


def _reach(client: Connect, outcome: Outcome, wanted: str, before: Status, timeout_s: float) -> None:
    began = time.monotonic()
    while True:
        about, now = client.status(outcome.name), time.monotonic()
        if about is None:
            outcome.error = "it was deleted meanwhile"
            return
        settled = about != before or not outcome.asked or now - began > STALE_S
        if wanted == "running" and about.failed and settled:
            outcome.error = f"{shown(about.summary)}; `c360 connect restart --failed` starts it again"
            return
        if is_there(about, wanted) and about.connector == wanted.upper():
            if wanted == "paused" and about.failed:
                outcome.notes.append(f"what failed stays failed: {shown(about.summary)}")
            return
        if now - began > timeout_s:
            outcome.error, outcome.late = f"not within {timeout_s:g} s: {shown(about.summary)}", True
            return
        time.sleep(POLL_S)


def _kept_for(cluster: Cluster, connector: Connector) -> list[str]:
    """What a source keeps for a connector that is stopped."""
    from connect_configs import sources
    from connect_configs.watching.health import MISSING, size
    from connect_configs.watching.liveness import slot_of

    if sources.kind_of(connector.config) != "postgres":
        return []
    name = sources.slot_of(connector.config)
    try:
        slot = slot_of(cluster, connector.config)
    except C360Error:
        return [f"slot {name} keeps WAL while it is stopped"]
    if slot.wal_status == MISSING:
        return []
    cap = f"up to {size(slot.cap_bytes)}, then it is lost" if slot.cap_bytes else "without a limit"
    held = f", {size(slot.held_bytes)} now" if slot.held_bytes is not None else ""
    return [f"slot {name} keeps WAL while it is stopped: {cap}{held}"]


# --- both


def _chosen(client: Connect, names: list[str] | None, everything: bool, needs_names: bool) -> dict[str, Connector]:
    """By name, in the order given. Raises ConfigError."""
    if names and everything:
        raise ConfigError("names and --all are both given", "leave one out")
    if not names and not everything and needs_names:
        raise ConfigError("no connector is named", "name them, or say --all")
    there = client.overview()
    if unknown := [n for n in names or [] if n not in there]:
        raise unknown_error(unknown, list(there))
    return {n: there[n] for n in dict.fromkeys(names or there)}


def _report(outcomes: list[Outcome], as_json: bool) -> None:
    """Never returns. Exit code 1 before 3: a failure is worse than a delay."""
    if as_json:
        say_json({"connectors": [o.document() for o in outcomes]})
    else:
        for outcome in outcomes:
            name = printable(outcome.name)
            typer.echo(f"{name}: {outcome.error}" if outcome.error else f"{name}: {outcome.did}", err=bool(outcome.error))
            for note in outcome.notes:
                typer.echo(f"  note: {note}")
    errors = [o for o in outcomes if o.error]
    sys.exit(0 if not errors else 3 if all(o.late for o in errors) else 1)
