"""`c360 load report` and `c360 load compare`: results of load tests, read again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from commerce360.cli.output import writable

app = typer.Typer(no_args_is_help=True)


@app.command()
def report(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A result that `c360 load run` wrote.")],
    html: Annotated[Path | None, typer.Option(help="Write the report to this file as one page.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write thresholds and reconciliation to this file as JUnit XML.")] = None,
) -> None:
    """Show the result of a run again. Exit code 0 only if it held its thresholds and all stages were equal."""
    from commerce360 import report as closing
    from commerce360.load import html as pages
    from commerce360.load import junit as suites
    from commerce360.load import terminal
    from commerce360.load.result import RunResult

    writable(html)
    writable(junit)
    run = RunResult.read(file)
    if html:
        pages.write(run, html)
    if junit:
        suites.write(run, junit)
    terminal.show(run, closing.console())
    sys.exit(0 if run.passed else 1)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(exists=True, help="The result of a run, or a folder with results of several.")],
    b: Annotated[Path, typer.Argument(exists=True, help="What is compared with it: a result, or a folder.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the comparison to this file as JSON.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show also what is within noise and what cannot be told.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Compare runs of different scenarios.")] = False,
    confidence: Annotated[float, typer.Option(help="Of intervals, and 1 minus the share of false calls.", min=0.5, max=0.999)] = 0.95,
) -> None:
    """Show what changed from A to B beyond noise. Exit code 1 if something became worse."""
    from commerce360 import report as closing
    from commerce360.load import terminal
    from commerce360.load.compare import compare as compared
    from commerce360.load.compare import read_side, write

    writable(json_file)
    found = compared(read_side(a), read_side(b), force, confidence)
    if json_file:
        write(found, json_file)
    terminal.show_comparison(found, closing.console(), everything)
    sys.exit(1 if any(row.verdict == "worse" for row in found.rows) else 0)
