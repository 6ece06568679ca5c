"""The closing report of a run: a table for people, a JSON file for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commerce360.reconcile.compare import TableResult
from commerce360.reconcile.run import Result

WIDTH = 100  # of the tables where there is no terminal to ask
COLUMNS = ("source", "topic", "bronze", "silver/gold", "warehouse")
COLUMN_OF = {
    "postgres": "source",
    "mongo": "source",
    "producer": "source",
    "sources": "source",
    "calendar": "source",
    "recomputed": "source",
    "topic": "topic",
    "bronze": "bronze",
    "silver": "silver/gold",
    "gold": "silver/gold",
    "lake": "silver/gold",
    "lake log": "silver/gold",
    "warehouse": "warehouse",
    "warehouse RAW": "warehouse",
}


@dataclass
class Report:
    result: Result
    freshness_s: dict[str, dict[str, float]] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)  # peak of each service
    memory_peak_mb: float = 0.0  # of all together, at one moment
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    traffic: dict[str, Any] = field(default_factory=dict)
    chaos: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            **self.result.as_json(),
            "freshness_s": self.freshness_s,
            "memory_mb": self.memory_mb,
            "memory_peak_mb": self.memory_peak_mb,
            "seconds": self.seconds,
            "versions": self.versions,
            "traffic": self.traffic,
            "chaos": self.chaos,
        }

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(json.dumps(self.as_json(), indent=2, sort_keys=True) + "\n")
        part.replace(path)

    def show(self, console: Console) -> None:
        console.print(ledger_table(self.result))
        if self.freshness_s:
            console.print(freshness_table(self.freshness_s))
        if self.seconds or self.memory_mb:
            console.print(cost_line(self.seconds, self.memory_mb, self.memory_peak_mb))
        for difference in self.result.differences:
            console.print(Text(f"  {difference.text()}", style="red"))
        for broken in self.result.broken:
            console.print(Text(f"  {broken}", style="red"))
        console.print(verdict(self.result))


def console() -> Console:
    """Where reports and steps go: as wide as the terminal, and wide enough for every table where there is none."""
    found = Console(soft_wrap=True)
    return found if found.is_terminal else Console(soft_wrap=True, width=max(WIDTH, found.width))


def ledger_table(result: Result) -> Table:
    table = Table(title="What entered = what came out (rows per stage)", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("table", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("content", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in result.tables:
        table.add_row(
            each.table, *_counts(each), each.stages[-1].hash[:8], Text("equal", "green") if each.equal else Text(_kinds(each), "red")
        )
    return table


def _counts(each: TableResult) -> list[str]:
    by_column = {COLUMN_OF[s.name]: f"{s.count:,}" for s in each.stages}
    return [by_column.get(name, "") for name in COLUMNS]


def _kinds(each: TableResult) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(each.kinds.items()))


def freshness_table(freshness_s: dict[str, dict[str, float]]) -> Table:
    table = Table(title="Freshness: seconds from the commit at the source", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    names = {"kafka": "in Kafka", "gold": "in gold", "warehouse": "queryable in the warehouse"}
    for name in ("hop", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="left" if name == "hop" else "right")
    for hop, values in freshness_s.items():
        table.add_row(names.get(hop, hop), *(f"{values[p]:.2f}" if p in values else "-" for p in ("p50", "p90", "p99", "max")))
    return table


def cost_line(seconds: dict[str, float], memory_mb: dict[str, float], peak_mb: float) -> str:
    times = ", ".join(f"{name.replace('_', ' ')} {value:.0f} s" for name, value in seconds.items())
    each = ", ".join(f"{k} {v:.0f} MB" for k, v in memory_mb.items())
    return f"{times}\npeak memory {peak_mb / 1024:.2f} GiB; each at its own peak: {each}"


def verdict(result: Result) -> Text:
    rejected = f"{sum(result.rejected.values())} rejected" + (f" ({dict(result.rejected)})" if result.rejected else "")
    line = f"{result.lost} lost, {result.doubled} doubled, {result.changed} changed, {rejected}"
    return Text(f"all stages are equal: {line}", "bold green") if result.equal else Text(f"stages differ: {line}", "bold red")
