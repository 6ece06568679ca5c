"""`c360 shop generate | replay | check | seed`: a year of the shop in a file, played into the stores, held against its parameters."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from commerce360.cli.output import writable
from commerce360.cli.stack import DEFAULT, StateOption, running_settings

app = typer.Typer(no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(help="Made by `c360 shop generate`.", metavar="FILE")]
DAY = ["%Y-%m-%d"]


@app.callback()
def group() -> None:
    """A year of the shop: made, replayed, checked."""


@app.command()
def seed() -> None:
    """Write a past of the shop (C360_SHOP__*) into the stores of C360_POSTGRES__* and C360_MONGO__*, where they are empty."""
    from commerce360.settings import Settings
    from producers import seed as past

    typer.echo(f"seeded the shop: {past.run(Settings())}")


@app.command()
def generate(
    out: Annotated[Path, typer.Option("--out", help="File to write, such as year.jsonl.zst.")],
    customers: Annotated[int, typer.Option(min=1)] = 100_000,
    products: Annotated[int, typer.Option(min=1)] = 500,
    days: Annotated[int, typer.Option(min=30)] = 365,
    seed: Annotated[int, typer.Option(help="The same seed, sizes and end give the same bytes.")] = 360,
    end: Annotated[dt.datetime | None, typer.Option(formats=DAY, help="Day behind the last one (UTC); today if not given.")] = None,
    processes: Annotated[int, typer.Option(min=0, help="0: one for each core. The bytes are the same.")] = 0,
) -> None:
    """Make a year of the shop and write it to a file."""
    from producers import seasons, year_file
    from producers.year import Plan

    writable(out)
    midnight = (end or dt.datetime.now(dt.UTC)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=dt.UTC)
    plan = Plan(seed, customers, products, days, seasons.micros(midnight))
    began = time.monotonic()
    made = year_file.write(plan, out, processes=processes or os.cpu_count() or 1)
    took_s = time.monotonic() - began
    size = out.stat().st_size
    typer.echo(", ".join(f"{count:,} {kind}" for kind, count in made.counts.items()))
    typer.echo(
        f"{made.rows:,} rows in {took_s:.1f} s, {made.rows / took_s:,.0f} rows/s; {size / 1e6:,.1f} MB of {made.raw_bytes / 1e6:,.0f} MB"
    )
    typer.echo(f"peak memory {_peak_mb():,.0f} MB (the largest process); replay it with: c360 shop replay {out}")


def _peak_mb() -> float:
    import resource

    unit = 1e6 if sys.platform == "darwin" else 1e3  # ru_maxrss is in bytes there, in kilobytes elsewhere
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit


@app.command()
def replay(
    file: FileArgument,
    speed: Annotated[float, typer.Option(min=0, help="Seconds of the year in a second; 0: as fast as it goes.")] = 0.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Play only the first so many happenings.")] = None,
    since: Annotated[
        dt.datetime | None, typer.Option("--from", formats=DAY, help="Leave out what people did before this day (UTC).")
    ] = None,
    state: StateOption = DEFAULT,
) -> None:
    """Play a year into the stores of a running stack, with its own times. Live traffic is held meanwhile; it may be repeated."""
    from rich.console import Console

    from commerce360.cli.interrupts import raise_on_signal
    from commerce360.local.hold import Held
    from commerce360.steps import Steps
    from producers import replay as player

    settings = running_settings(state)
    raise_on_signal()
    with Held(state, "shop"), Steps(Console()).step("replaying") as note:
        counts = player.play(settings, file, speed, limit, since.replace(tzinfo=dt.UTC) if since else None, note)
    typer.echo(", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items())) or "nothing to play")


@app.command()
def check(
    file: FileArgument,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Measure a year against the parameters that the shop is made with. Exit code 1 if something is off."""
    from producers import measures, observed, seasons, year_file
    from producers.truth import TRUTH

    header, happenings = year_file.read(file)
    calendar = seasons.Calendar(header["start_us"], header["end_us"], TRUTH.seasons)
    seen = observed.Observed(TRUTH, calendar).read(happenings)
    rows = measures.measure(seen)
    same = header["truth"] == TRUTH.digest()
    if as_json:
        told = [
            {"name": r.name, "true": r.true, "measured": r.measured, "sample": r.sample, "tolerance": r.tolerance, "ok": r.ok} for r in rows
        ]
        typer.echo(json.dumps({"file": str(file), "same_parameters": same, "rows": told, "broken": seen.broken}))
    else:
        typer.echo(measures.table(rows))
        typer.echo(
            f"{sum(r.ok for r in rows)} of {len(rows)} parameters are as they should be" + "".join(f"; broken: {b}" for b in seen.broken)
        )
    if not same:
        typer.secho("the file was made with other parameters than these", fg="yellow", err=True)
    sys.exit(0 if all(r.ok for r in rows) else 1)
