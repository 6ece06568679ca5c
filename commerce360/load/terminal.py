"""Results and comparisons on a terminal."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commerce360.load import units
from commerce360.load.compare import Comparison, Row
from commerce360.load.hops import TITLES
from commerce360.load.result import Outcome, RunResult
from commerce360.load.spread import NAMES

STYLES = {"worse": "red", "better": "green", "cannot tell": "dim", "within noise": ""}


def show(run: RunResult, console: Console) -> None:
    """Everything that came out of a run, the verdict last."""
    console.print(hops_table(run))
    console.print(flow_line(run), highlight=False)
    if run.processes:
        console.print(processes_table(run))
    if run.outcomes:
        console.print(thresholds_table(run))
    for note in run.notes:
        console.print(Text(note, "dim"))
    console.print(verdict(run))


def _table(title: str, *columns: tuple[str, str]) -> Table:
    """`columns`: (name, "l" or "r")."""
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name, side in columns:
        table.add_column(name, justify="right" if side == "r" else "left", no_wrap=side == "r")
    return table


def hops_table(run: RunResult) -> Table:
    title = f"{run.scenario}: latency from the intended time, {units.clock(run.measured_s)} measured after {units.clock(run.warm_up_s)}"
    table = _table(title, ("until", "l"), ("events", "r"), ("never seen", "r"), *((name, "r") for name in NAMES.values()))
    for hop in run.hops:
        latencies = (units.latency(v) for v in hop.percentiles_ms().values())
        table.add_row(TITLES[hop.name], units.count(hop.count), units.count(hop.missing), *latencies)
    return table


def flow_line(run: RunResult) -> str:
    found, kafka = run.counters, run.hop("kafka")
    rate = f" ({units.figures(kafka.count / run.measured_s)} /s)" if kafka and run.measured_s else ""
    return (
        f"{found.intended:,} events intended, {found.sent:,} sent, {found.acked:,} acknowledged{rate}, {found.failed:,} failed, "
        f"{found.gold:,} in gold, {found.warehouse:,} in the warehouse"
    )


def processes_table(run: RunResult) -> Table:
    table = _table("Processors and memory", ("process", "l"), ("cores on average", "r"), ("MB at most", "r"))
    window = (run.warm_up_s, run.until_s)
    for process in sorted(run.processes, key=lambda p: -p.cpu_s(*window)):
        mean = process.cpu_s(*window) / run.measured_s if run.measured_s else math.nan
        table.add_row(Text(process.name), units.figures(mean), units.count(process.peak_mb))
    return table


def thresholds_table(run: RunResult) -> Table:
    table = _table("Thresholds", ("figure", "l"), ("must be", "l"), ("was", "r"), ("", "l"))
    for outcome in run.outcomes:
        held = Text("held", "green") if outcome.passed else Text("not held", "red")
        if outcome.reason:
            held.append(f"  {outcome.reason}", "dim")
        table.add_row(Text(outcome.name), Text(outcome.rule), Text(outcome_value(outcome)), held)
    return table


def outcome_value(outcome: Outcome) -> str:
    """What was measured, as people read it."""
    if outcome.value is None:
        return "not measured"
    if isinstance(outcome.value, bool):
        return str(outcome.value).lower()
    return units.write(outcome.value, outcome.unit)


def verdict(run: RunResult) -> Text:
    failed = [o.name for o in run.outcomes if not o.passed]
    differs = run.reconciled is not None and not run.reconciled.equal
    if run.passed:
        held = f"all {len(run.outcomes)} thresholds held" if run.outcomes else "the scenario sets no threshold"
        equal = ", all stages are equal" if run.reconciled else ", nothing was reconciled"
        return Text(f"passed: {held}{equal}", "bold green")
    reasons = [*failed, *(["stages differ"] if differs else [])]
    return Text(f"failed: {', '.join(reasons)}", "bold red")


# ---- comparisons


def show_comparison(comparison: Comparison, console: Console, everything: bool = False) -> None:
    """Changes and what cannot be told are always shown; what is within noise only on demand."""
    a, b = comparison.runs
    title = f"{comparison.scenario}: B ({b} run{'s' * (b > 1)}) against A ({a} run{'s' * (a > 1)})"
    interval = f"{comparison.confidence:.0%} interval"
    table = _table(title, ("figure", "l"), ("A", "r"), ("B", "r"), ("change", "r"), (interval, "r"), ("", "l"))
    rows = comparison.rows if everything else comparison.changed
    for row in rows:
        table.add_row(*_cells(row))
    if rows:
        console.print(table)
    for warning in comparison.warnings:
        console.print(Text(f"note: {warning}", "yellow"))
    console.print(summary(comparison))


def _cells(row: Row) -> tuple[Text | str, ...]:
    told = Text(row.verdict, STYLES[row.verdict])
    if row.reason:
        told.append(f"  {row.reason}", "dim")
    interval = f"{row.low:+.1%} to {row.high:+.1%}" if math.isfinite(row.low) else units.UNKNOWN
    change = f"{row.change:+.1%}" if math.isfinite(row.change) else units.UNKNOWN
    return Text(row.figure), units.write(row.a, row.unit), units.write(row.b, row.unit), change, interval, told


def summary(comparison: Comparison) -> Text:
    counts = {v: sum(row.verdict == v for row in comparison.rows) for v in STYLES}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    if not comparison.changed:
        return Text(f"nothing changed beyond noise: of {len(comparison.rows)} figures {told}", "bold")
    return Text(f"of {len(comparison.rows)} figures {told}", "bold red" if counts["worse"] else "bold green")
