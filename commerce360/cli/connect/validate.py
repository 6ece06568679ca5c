"""`c360 connect validate`: connector files, looked at before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.cli.connect import session
from commerce360.errors import C360Error, ConfigError

if TYPE_CHECKING:
    from connect_configs.checks.findings import Finding
    from connect_configs.cluster import Cluster

COLOURS = {"error": "red", "warning": "yellow", "unchecked": "cyan"}
LEVEL_WIDTH, RULE_WIDTH = 9, 26


def validate(
    ctx: typer.Context,
    paths: Annotated[list[Path] | None, typer.Argument(help="Files, or folders of them; the project's own without any.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no server: only what the files themselves show.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check connector files: our rules, the worker's own validation, and the databases behind them.

    Nothing is changed anywhere, and no secret is shown. What cannot be looked at from here is listed as unchecked, with the reason.
    Leaves with 1 when there are errors.
    """
    from connect_configs import files
    from connect_configs.checks import validation

    configs = files.read(paths or [files.CONFIGS])
    cluster = None if offline else _cluster_of(ctx)
    try:
        findings = validation.validate(cluster, configs, cluster.client.names() if cluster else ())
    except C360Error:
        _show(validation.validate(None, configs), list(configs), as_json)  # what is known without the server
        raise
    _show(findings, list(configs), as_json)
    if any(f.level == "error" or (strict and f.level == "warning") for f in findings):
        raise typer.Exit(1)


def _cluster_of(ctx: typer.Context) -> Cluster:
    try:
        return session.cluster_of(ctx)
    except ConfigError as error:
        raise ConfigError(error.message, f"{error.hint}; or check the files alone with --offline".lstrip("; ")) from error


def _show(findings: Sequence[Finding], names: Sequence[str], as_json: bool) -> None:
    from connect_configs.checks.validation import counts

    numbers = counts(findings)
    if as_json:
        session.say_json({"connectors": names, **numbers, "findings": [f.as_json() for f in findings]})
        return
    show_findings(findings)
    if fine := [name for name in names if name not in {f.connector for f in findings}]:
        typer.echo(f"{', '.join(fine)}: nothing found")
    told = [_plural(numbers["errors"], "error"), _plural(numbers["warnings"], "warning"), f"{numbers['unchecked']} unchecked"]
    typer.echo(f"{_plural(len(names), 'connector')}: {', '.join(told)}")


def show_findings(findings: Iterable[Finding], to_stderr: bool = False) -> None:
    """For people, a block for each connector; nothing at all where nothing was found."""
    for name, group in groupby(findings, key=lambda f: f.connector):
        typer.echo(name, err=to_stderr)
        for finding in group:
            level = typer.style(f"{finding.level:{LEVEL_WIDTH}}", fg=COLOURS[finding.level])
            about = "" if not finding.field or finding.field in finding.message else f"{finding.field}: "
            typer.echo(f"  {level} {finding.rule:{RULE_WIDTH}} {about}{finding.message}", err=to_stderr)
            if finding.hint:
                typer.echo(f"  {'':{LEVEL_WIDTH}} {'':{RULE_WIDTH}} -> {finding.hint}", err=to_stderr)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
