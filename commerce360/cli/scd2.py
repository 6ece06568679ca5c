"""`c360 scd2`: the rules of history, checked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.errors import ConfigError
from commerce360.local.bootstrap.paths import ROOT

if TYPE_CHECKING:
    from commerce360.conformance.runner import Engine

app = typer.Typer(no_args_is_help=True)
ENGINES = ("python", "spark", "snowflake")


@app.callback()
def group() -> None:
    """SCD2 history: rules, cases, explanations."""


@app.command()
def verify(
    cases: Annotated[Path, typer.Option("--cases", help="Folder of YAML case files.")] = ROOT / "tests" / "cases" / "scd2",
    engine: Annotated[str, typer.Option(help="python, spark (the lake job) or snowflake (the feed and the views).")] = "python",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    no_skip: Annotated[bool, typer.Option("--no-skip", help="Count a skipped case as a failure.")] = False,
) -> None:
    """Run conformance cases. Exit code 0: all passed, 1: one failed, 2: wrong usage or an unreadable case, 3: the engine cannot start."""
    from commerce360.conformance import cases as files
    from commerce360.conformance import runner

    if engine not in ENGINES:
        raise ConfigError(f"there is no engine {engine!r}", f"use {', '.join(ENGINES)}")
    if not cases.exists():
        raise ConfigError(f"no such folder: {cases}", "name a folder of YAML case files with --cases")
    found = files.read(cases)
    report = runner.verify(found, _engine(engine))
    if as_json:
        typer.echo(json.dumps(report))
    else:
        _show(report)
    totals = report["totals"]
    sys.exit(1 if totals["fail"] or (no_skip and totals["skip"]) else 0)


def _engine(name: str) -> Engine:
    """Raises EngineError when this machine lacks what the engine needs."""
    if name == "python":
        from commerce360.conformance.python import PythonEngine

        return PythonEngine()
    from commerce360.conformance import engines

    return engines.spark() if name == "spark" else engines.snowflake()


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
