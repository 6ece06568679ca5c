"""`c360 connect plan | diff | apply`: what a folder of connector JSON would change, what that means, and doing it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.cli.connect.duration import seconds
from commerce360.cli.connect.session import CHANGES, cluster_of, confirmed, say_json
from commerce360.cli.interrupts import raise_on_signal
from commerce360.errors import ConfigError

if TYPE_CHECKING:
    from connect_configs.cluster import Cluster
    from connect_configs.model import Config
    from connect_configs.plans.apply import Applied, Apply
    from connect_configs.plans.changes import Change, Plan
    from connect_configs.snapshot import Progress

COLOURS = {"create": "green", "update": "yellow", "delete": "red", "unmanaged": "magenta"}
VALUE_LENGTH = 80
LEFT_TO_DO = ("snapshot-needed", "not-published", "load-by-hand")
PATIENCE_S = 60.0  # longer than a worker takes to be restarted
Paths = Annotated[list[Path] | None, typer.Argument(help="Files, or folders with one JSON file a connector; none: those of this project.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Only this connector; may be repeated.")]


def plan(
    ctx: typer.Context,
    paths: Paths = None,
    only: Only = None,
    prune: Annotated[bool, typer.Option("--prune", help="Show connectors without a file as deleted.")] = False,
    rest_only: Annotated[bool, typer.Option("--rest-only", help="Only what Connect says: no look at the sources.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Leave with 4 if there is something to do.")] = False,
    as_json: Json = False,
) -> None:
    """Compare files with what is deployed, and say what each difference would do. Changes nothing."""
    cluster = cluster_of(ctx)
    made, _ = _plan(cluster, paths, only, prune, rest_only)
    if as_json:
        say_json(made.as_json())
    else:
        show(made)
    if exit_code and made.work:
        raise typer.Exit(CHANGES)


def apply(
    ctx: typer.Context,
    paths: Paths = None,
    only: Only = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete connectors that have no file; slots, publications, offsets stay.")] = False,
    create_state: Annotated[str, typer.Option("--create-state", help="State of new connectors: RUNNING, PAUSED or STOPPED.")] = "RUNNING",
    allow: Annotated[
        list[str] | None, typer.Option("--allow-data-loss", metavar="KIND", help="gap, table, offsets or records; may be repeated.")
    ] = None,
    validate: Annotated[bool, typer.Option("--validate/--no-validate", help="Check files, server and sources first.")] = True,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the rows of new connectors are loaded.")] = True,
    timeout_s: Annotated[float, typer.Option("--timeout", parser=seconds, metavar="DURATION", help="Until the tasks run.")] = 120.0,
    load_timeout_s: Annotated[
        float, typer.Option("--load-timeout", parser=seconds, metavar="DURATION", help="Until the rows of a connector are loaded.")
    ] = 3_600.0,
    as_json: Json = False,
) -> None:
    """Make what is deployed equal to the files: validate, plan, ask, deploy, wait until every task runs. May be repeated."""
    from connect_configs.offsets.offset_changes import default_folder
    from connect_configs.plans.apply import Apply
    from connect_configs.plans.changes import check_losses

    states = ("RUNNING", "PAUSED", "STOPPED")
    if create_state.upper() not in states:
        raise ConfigError(f"{create_state} is no state for a new connector", f"choose {', '.join(states)}")
    _check_kinds(allow or [])
    cluster = cluster_of(ctx, at_least_s=PATIENCE_S)
    made, desired = _plan(cluster, paths, only, prune)
    if not as_json:
        show(made)
    if not made.work:
        say_json({**made.as_json(), "applied": []}) if as_json else None
        return
    if validate:
        _validate(cluster, made, desired, as_json)
    check_losses(made, allow or [])
    confirmed(_question(made), yes)
    raise_on_signal()
    told = _Told(as_json)
    work = Apply(cluster, told, default_folder(os.environ), create_state.upper(), timeout_s)  # type: ignore[arg-type]
    try:
        done = work.run(made, allow or [])
        if wait:
            _wait_for_rows(cluster, made, done, load_timeout_s, told)
    except KeyboardInterrupt:
        typer.secho("\n".join([f"interrupted while {told.last or 'starting'}", *_ways(work)]), err=True)
        raise
    finally:
        if as_json:
            failed = {name: error.message for name, error in work.failed.items()}
            say_json({**made.as_json(), "applied": [a.as_json() for a in work.done], "failed": failed})
    if not as_json:
        typer.echo("\n".join(_next_steps(made)))


def _ways(work: Apply) -> list[str]:
    undo = [f"or back:  {command}" for command in work.way_back]
    return ["go on:    the same apply again: it takes up what is left", *undo]


class _Told:
    """Steps as they are done: on the terminal, or on stderr where stdout is for a program."""

    def __init__(self, to_stderr: bool) -> None:
        self.to_stderr = to_stderr
        self.last = ""

    def __call__(self, name: str, what: str) -> None:
        self.last = f"{name}: {what}"
        typer.echo(f"{name}: {what}", err=self.to_stderr)


def _plan(
    cluster: Cluster, paths: list[Path] | None, only: list[str] | None, prune: bool, rest_only: bool = False
) -> tuple[Plan, dict[str, Config]]:
    from connect_configs import files
    from connect_configs.plans import plan as plans
    from connect_configs.plans import source_facts

    if prune and (single := [p for p in paths or [] if not p.is_dir()]):
        raise ConfigError(
            f"--prune with a single file ({single[0]}) would delete every other connector", "name the folder that has them all"
        )
    desired = files.read(paths or [files.CONFIGS])
    deployed = cluster.client.overview()
    if only:
        if unknown := sorted(set(only) - desired.keys() - deployed.keys()):
            raise ConfigError(f"no file and no connector is named {', '.join(unknown)}", f"files are there for {', '.join(desired)}")
        desired = {name: config for name, config in desired.items() if name in only}
        deployed = {name: found for name, found in deployed.items() if name in only}
    facts = {} if rest_only else source_facts.gather(cluster, desired, deployed)
    return plans.make(desired, deployed, facts, prune), desired


def _validate(cluster: Cluster, made: Plan, desired: dict[str, Config], as_json: bool) -> None:
    """What is about to be deployed. Raises ConfigError if anything is wrong with it; warnings are shown.

    A slot that is in use by the connector that goes because it was renamed is free by then.
    """
    from commerce360.cli.connect.validate import show_findings
    from connect_configs.checks import rules
    from connect_configs.checks.findings import errors
    from connect_configs.checks.validation import validate

    names = [c.name for c in made.work if c.action in ("create", "update")]
    deployed = {c.name for c in made.changes if c.state}
    going = {c.name for c in made.work if c.action == "delete"}
    freed = {c.name for c in made.work if c.renamed_from in going}
    findings = validate(cluster, {name: desired[name] for name in names}, deployed)
    together = {c.name: c.config for c in made.changes if c.name not in going}
    findings += [f for f in rules.check_all(together) if f.connector in names and f not in findings]
    findings = [f for f in findings if f.level != "unchecked" and not (f.rule == "slot-taken" and f.connector in freed)]
    show_findings(findings, to_stderr=as_json)
    if wrong := errors(findings):
        raise ConfigError(f"{len(wrong)} errors: nothing was changed", "mend them, or `--no-validate` if you know better")


def _wait_for_rows(cluster: Cluster, made: Plan, done: list[Applied], timeout_s: float, told: _Told) -> None:
    from connect_configs import snapshot

    configs = {c.name: c.config for c in made.changes}
    for applied in done:
        if applied.load is None:
            continue
        name, config = applied.name, configs[applied.name]
        snapshot.wait(cluster, name, config, applied.load, partial(_tell_progress, told, name), timeout_s)
        snapshot.clean(cluster, name, config)
        told(name, "its rows are loaded")


def _tell_progress(told: _Told, name: str, progress: Progress) -> None:
    told(name, progress.summary)


def show(made: Plan) -> None:
    for change in made.changes:
        _show_change(change)
    parts = [(made.count("create"), "to create"), (made.count("update"), "to update"), (made.count("delete"), "to delete")]
    parts += [(made.count("unchanged"), "unchanged"), (made.count("unmanaged"), "unmanaged")]
    typer.echo("Plan: " + (", ".join(f"{n} {what}" for n, what in parts if n) or "no connector") + ".")


def _show_change(change: Change) -> None:
    from connect_configs.plans.changes import SIGNS

    words = {"unmanaged": "unmanaged: it has no file", "unchanged": "unchanged"}.get(change.action, change.action)
    state = f"  ({change.state})" if change.state and change.state != "RUNNING" else ""
    typer.secho(f"{SIGNS[change.action]} {change.name}  {words}{state}", fg=COLOURS.get(change.action))
    width = max((len(f.key) for f in change.fields), default=0)
    for field in change.fields:
        typer.echo(f"    {field.key:{width}}  {_short(field.old)} -> {_short(field.new)}")
    for consequence in change.consequences:
        mark = typer.style(f"loses data ({consequence.loss}): ", fg="red") if consequence.loss else ""
        typer.echo(f"    ! {mark}{consequence.message}")


def _short(value: str | None) -> str:
    if value is None:
        return "(not set)"
    return value if len(value) <= VALUE_LENGTH else f"{value[:VALUE_LENGTH]}... ({len(value)} characters)"


def _question(made: Plan) -> str:
    parts = [f"{verb} {', '.join(c.name for c in made.work if c.action == action)}" for action, verb in _verbs(made).items()]
    return f"{'; '.join(parts).capitalize()}?"


def _verbs(made: Plan) -> dict[str, str]:
    verbs = {"create": "create", "update": "update", "delete": "delete", "unchanged": "ask for the rows of"}
    return {action: verb for action, verb in verbs.items() if any(c.action == action for c in made.work)}


def _next_steps(made: Plan) -> list[str]:
    """What is left for the person who applied."""
    asked = [
        c.message for change in made.changes for c in change.consequences if c.kind in ("snapshot-needed", "not-published", "load-by-hand")
    ]
    return ["applied", *(f"left to do: {text}" for text in asked)]


def _check_kinds(kinds: list[str]) -> None:
    from connect_configs.plans.changes import LOSSES

    if unknown := sorted(set(kinds) - set(LOSSES)):
        raise ConfigError(f"--allow-data-loss knows no {', '.join(unknown)}", f"the kinds are {', '.join(LOSSES)}")
