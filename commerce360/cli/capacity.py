"""`c360 plan-capacity`: what a rate takes, before anybody buys it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.errors import ConfigError

if TYPE_CHECKING:
    from commerce360.capacity.figures import Figures
    from commerce360.capacity.plan import Plan


def plan_capacity(
    events_per_s: Annotated[float, typer.Option("--events-per-s", help="Records a second into all topics, mean of a month.")],
    peak_factor: Annotated[float, typer.Option(help="The peak over the mean.")] = 3.0,
    broker: Annotated[str, typer.Option(help="eventhubs (Premium), or kafka (of your own).")] = "eventhubs",
    batch_s: Annotated[float, typer.Option(help="Seconds from one batch of the lake to the next.")] = 10.0,
    keep_months: Annotated[float, typer.Option(help="How long lake and warehouse keep everything.")] = 12.0,
    retention_days: Annotated[float, typer.Option(help="How long the topics keep records.")] = 7.0,
    prices: Annotated[Path | None, typer.Option(help="Your prices, as commerce360/capacity/prices.toml has its examples.")] = None,
    costs: Annotated[Path | None, typer.Option(help="Your costs of an event, as commerce360/capacity/costs.toml has them.")] = None,
    bench: Annotated[Path | None, typer.Option(help="A folder of `make bench`, build/bench: its figures instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Partitions, brokers, cores, files, channels and the cost of a month for a rate of events. docs/scale.md has the reasoning.

    Exit code 0: planned, whatever the warnings; 2: an argument or a file makes no sense.
    """
    from commerce360.capacity.figures import COSTS, PRICES, read, with_bench
    from commerce360.capacity.plan import Demand, examples, plan
    from commerce360.capacity.topics import held

    if broker not in ("eventhubs", "kafka"):
        raise ConfigError(f"there is no broker {broker!r}", "use eventhubs or kafka")
    known = read(costs, COSTS)
    if bench is not None:
        known = with_bench(known, bench)
    priced = read(prices, PRICES)
    demand = Demand(events_per_s, peak_factor, keep_months, retention_days, batch_s, "kafka" if broker == "kafka" else "eventhubs")
    made = plan(demand, known, priced, held())
    assumed = list(examples(known, priced))
    if as_json:
        found = {**made.as_json(), "currency": priced.about.get("currency", ""), "not_measured_or_looked_up": assumed}
        typer.echo(json.dumps(found, indent=2))
    else:
        _show(made, priced, assumed)


def _show(made: Plan, prices: Figures, assumed: list[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from commerce360.capacity.page import amount

    console = Console()
    table = Table(box=SIMPLE_HEAD)
    for name, justify in (("", "left"), ("amount", "right"), ("unit", "left"), ("why", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for line in made.lines:
        table.add_row(f"{line.area}: {line.what}", amount(line.amount), line.unit, line.why)
    console.print(table)
    money = Table(box=SIMPLE_HEAD)
    for name, justify in (("a month", "left"), ("quantity", "right"), ("unit", "left"), (prices.about.get("currency", ""), "right")):
        money.add_column(name, justify=justify)  # type: ignore[arg-type]
    for cost in made.costs:
        money.add_row(cost.item, amount(cost.quantity), cost.unit, f"{cost.per_month:,.2f}")
    money.add_row("all", "", "", f"{made.per_month:,.2f}")
    console.print(money)
    for warning in made.warnings:
        console.print(f"[yellow]![/] {warning}", soft_wrap=True)
    if assumed:
        console.print(f"Neither measured nor looked up, so put your own in: {'; '.join(assumed)}", soft_wrap=True, markup=False)
