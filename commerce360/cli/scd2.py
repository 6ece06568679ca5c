"""`c360 scd2`: the rules of history, checked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from commerce360.errors import ConfigError
from commerce360.local.bootstrap.paths import ROOT

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """SCD2 history: rules, cases, explanations."""


@app.command()
def verify(
    cases: Annotated[Path, typer.Option("--cases", help="Folder of YAML case files.")] = ROOT / "tests" / "cases" / "scd2",
    engine: Annotated[str, typer.Option(help="python.")] = "python",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    no_skip: Annotated[bool, typer.Option("--no-skip", help="Count a skipped case as a failure.")] = False,
) -> None:
    """Run conformance cases. Exit code 0: all passed, 1: a case failed, 2: wrong usage or an unreadable case."""
    from stream_jobs.scd2 import cases as files
    from stream_jobs.scd2 import verify as runner

    if engine != "python":
        raise ConfigError(f"there is no engine {engine!r}", "use python")
    if not cases.exists():
        raise ConfigError(f"no such folder: {cases}", "name a folder of YAML case files with --cases")
    report = runner.verify(files.read(cases), name=engine)
    if as_json:
        typer.echo(json.dumps(report))
    else:
        _show(report)
    totals = report["totals"]
    sys.exit(1 if totals["fail"] or (no_skip and totals["skip"]) else 0)


def _show(report: dict[str, Any]) -> None:
    for case in report["cases"]:
        mark = {"pass": "ok  ", "fail": "FAIL", "skip": "skip"}[case["status"]]
        typer.secho(
            f"{mark} {case['id']}" + (f" ({case['arrangement']})" if case["arrangement"] else ""), fg="red" if mark == "FAIL" else None
        )
        for problem in case["problems"]:
            typer.echo(f"       {problem}")
    totals = report["totals"]
    typer.echo(f"{report['engine']}: {totals['pass']} passed, {totals['fail']} failed, {totals['skip']} skipped")
