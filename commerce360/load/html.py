"""The report of a run as one page: no script, and nothing that is loaded from elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from commerce360.load import plots, units
from commerce360.load.hops import TITLES
from commerce360.load.result import RunResult
from commerce360.load.spread import NAMES
from commerce360.load.svg import Chart
from commerce360.load.terminal import outcome_value

STYLES = ("page.css", "charts.css")
# The page may load nothing and run nothing, whatever a scenario's name holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
MARK = (
    '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><g fill="none" stroke="currentColor" stroke-width="2.5">'
    '<circle cx="12" cy="12" r="9.25" stroke-dasharray="44 14.1" stroke-linecap="round" transform="rotate(-60 12 12)"/></g>'
    '<circle cx="12" cy="12" r="3.5" fill="currentColor"/></svg>'
)


def page(run: RunResult) -> str:
    style = "\n".join(files("commerce360.load").joinpath(name).read_text(encoding="utf-8") for name in STYLES)
    sections = [_key_figures(run), _thresholds(run), _latency(run), _flow(run), _resources(run), _facts(run)]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(run.scenario)} – load test</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{_header(run)}\n<main>\n{''.join(sections)}</main>\n</body>\n</html>\n"
    )


def write(run: RunResult, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(run), encoding="utf-8")


def _header(run: RunResult) -> str:
    began = dt.datetime.fromtimestamp(run.started_at, dt.UTC).strftime("%-d %B %Y, %H:%M UTC")
    warm_up = f" after {units.clock(run.warm_up_s)} of warm-up" if run.warm_up_s else ""
    word, state = ("passed", "true") if run.passed else ("failed", "false")
    return (
        f'<header class="bar"><p class="brand">{MARK}commerce<span>360</span></p>'
        f'<div><h1>{escape(run.scenario)} <strong class="pill" data-ok="{state}">{word}</strong></h1>'
        f"<p>Load test of {began}: {units.clock(run.measured_s)} measured{warm_up}, "
        f"{units.count(run.counters.intended)} order events in all.</p></div></header>"
    )


# ---- the short answer


def _key_figures(run: RunResult) -> str:
    tiles = []
    kafka = run.hop("kafka")
    if kafka and run.measured_s:
        tiles.append(
            ("Kafka took", f"{units.figures(kafka.count / run.measured_s)} /s", f"of {kafka.expected / run.measured_s:,.0f} /s intended")
        )
    for hop in run.hops:
        found = hop.percentiles_ms()
        tiles.append((f"{plots.SHORT[hop.name]} p99", units.latency(found["p99"]), f"p50 {units.latency(found['p50'])}"))
    if run.reconciled:
        told = run.reconciled
        tiles.append(("reconciliation", "equal" if told.equal else "differs", f"{told.lost} lost, {told.doubled} doubled"))
    cells = [f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd>{escape(more)}</dd></div>" for name, value, more in tiles]
    return f'<dl class="card tiles">{"".join(cells)}</dl>\n'


def _thresholds(run: RunResult) -> str:
    if not run.outcomes:
        return _card("Thresholds", '<p class="empty">The scenario sets none.</p>')
    rows = [[escape(o.name), escape(o.rule), escape(outcome_value(o)), _held(o.passed), escape(o.reason)] for o in run.outcomes]
    failed = sum(not o.passed for o in run.outcomes)
    told = f"{failed} of {len(rows)} not held" if failed else f"all {len(rows)} held"
    return _card("Thresholds", _table(["figure", "must be", "was", "", ""], rows, "llnll", "thresholds"), told)


def _held(passed: bool) -> str:
    return f'<span class="result" data-ok="{str(passed).lower()}">{"held" if passed else "not held"}</span>'


# ---- latency


def _latency(run: RunResult) -> str:
    rows = []
    for hop in run.hops:
        found = [escape(units.latency(v)) for v in hop.percentiles_ms().values()]
        dot = f'<i style="--tone: var(--hop-{hop.name})"></i>{escape(TITLES[hop.name])}'
        rows.append([dot, units.count(hop.count), units.count(hop.missing), *found])
    table = _table(["from the intended time until", "events", "never seen", *NAMES.values()], rows, "lnnnnnnn", "hops")
    note = (
        "Each second of intended time: p99 in full, the median faint. Marks at the upper edge are events that never arrived. "
        "A shaded stretch is the warm-up or a fault."
    )
    shown = _figure("Latency by intended time, p99", plots.latency_by_time(run, plots.WIDE), note, "wide")
    shown += _figure("Latency by intended time, p99", plots.latency_by_time(run, plots.NARROW), note, "narrow")
    return _card("Latency", table + shown, "measured part only; the warm-up is in the curves, not in the table")


# ---- in and out


def _flow(run: RunResult) -> str:
    every = plots.window_s(run)
    shown = [
        _figure("Distribution of latency", plots.distribution(run), "Share of the intended events that were within a latency."),
        _figure("Events per second", plots.throughput(run), f"Arrivals at each stage, means over {every} s: stages work in batches."),
        _figure("Events so far", plots.cumulative(run), "What went in and what came out: the lines must meet at the end."),
    ]
    for group, title in (("lag", "Lag"), ("batch", "Length of batches"), ("throughput", "Throughput")):
        found = dict.fromkeys(s.unit for s in run.series if s.group == group)
        shown += [_figure(f"{title}, {unit}", plots.of_series(run, group, unit), "") for unit in found]
    return _card("In, under way, out", f'<div class="charts">{"".join(shown)}</div>{_counters(run)}')


def _counters(run: RunResult) -> str:
    found = run.counters
    stages = [
        ("intended", found.intended), ("sent", found.sent), ("acknowledged", found.acked), ("failed", found.failed),
        ("at a consumer", found.consumer), ("in gold", found.gold), ("in the warehouse", found.warehouse),
    ]  # fmt: skip
    cells = [f"<div><dt>{name}</dt><dd>{units.count(value)}</dd></div>" for name, value in stages]
    return f'<dl class="counts" aria-label="Events of the whole run">{"".join(cells)}</dl>'


# ---- processors and memory


def _resources(run: RunResult) -> str:
    if not run.processes:
        return ""
    window = (run.warm_up_s, run.until_s)
    total = sum(p.cpu_s(*window) for p in run.processes)
    most_cpu = max((v for p in run.processes for v in plots.means(p.t, p.cpu_cores)[1]), default=0.0)
    most_mb = max(p.peak_mb for p in run.processes)
    cells = []
    for process in sorted(run.processes, key=lambda p: -p.cpu_s(*window)):
        cpu = plots.small(run, f"Cores of {process.name}", process.t, process.cpu_cores, most_cpu, units.figures)
        memory = plots.small(run, f"Memory of {process.name}", process.t, process.memory_mb, most_mb, plots.short)
        mean = process.cpu_s(*window) / run.measured_s if run.measured_s else 0.0
        cells.append(
            f'<figure class="process"><figcaption><b>{escape(process.name)}</b> <span>{units.figures(mean)} cores on average</span>'
            f"<span>{process.peak_mb:,.0f} MB at most</span></figcaption>{cpu.svg()}{memory.svg()}</figure>"
        )
    peak = max(run.memory_mb()[1], default=0.0)
    cores = f"{units.figures(total / run.measured_s)} cores on average, " if run.measured_s else ""
    return _card(
        "Processors (cores) and memory (MB)", f'<div class="processes">{"".join(cells)}</div>', f"{cores}{peak / 1024:.2f} GiB at most"
    )


# ---- what else is known


def _facts(run: RunResult) -> str:
    parts = [_events(run), _reconciled(run), _environment(run)]
    if run.definition:
        parts.append(f"<section><h3>Scenario</h3><pre>{escape(run.definition)}</pre></section>")
    notes = "".join(f"<li>{escape(note)}</li>" for note in run.notes)
    return _card("The run", f'<div class="facts">{"".join(parts)}</div><ul class="notes">{notes}</ul>')


def _events(run: RunResult) -> str:
    phases = [(p.from_s, f"{p.name}, until {units.clock(p.until_s)}") for p in run.phases]
    rows = [[units.clock(t), escape(text)] for t, text in sorted([*phases, *((e.at_s, e.text) for e in run.events)])]
    return f"<section><h3>What happened</h3>{_table(['', ''], rows, 'nl', 'plain')}</section>" if rows else ""


def _reconciled(run: RunResult) -> str:
    if run.reconciled is None:
        return '<section><h3>Reconciliation</h3><p class="empty">Not run.</p></section>'
    found = run.reconciled
    line = f"{found.lost} lost, {found.doubled} doubled, {found.changed} changed, {found.rejected} rejected"
    differ = [name for name, equal in found.tables.items() if not equal]
    told = f"{len(found.tables) - len(differ)} of {len(found.tables)} tables equal in all stages."
    items = "".join(f"<li>{escape(text)}</li>" for text in [*(f"{name} differs" for name in differ), *found.problems[:20]])
    return f'<section><h3>Reconciliation</h3><p>{line}.</p><p>{told}</p><ul class="problems">{items}</ul></section>'


def _environment(run: RunResult) -> str:
    here = run.environment
    load = ", ".join(f"{v:g}" for v in here.load_before)
    facts = {
        "processors": str(here.cores), "memory": f"{here.memory_mb / 1024:.1f} GiB", "system": here.system, "Python": here.python,
        "load before": load, **here.versions,
    }  # fmt: skip
    rows = [[escape(name), escape(value)] for name, value in facts.items() if value]
    return f"<section><h3>Machine and versions</h3>{_table(['', ''], rows, 'll', 'plain')}</section>"


# ---- pieces


def _card(title: str, body: str, told: str = "") -> str:
    return f'<section class="card"><header><h2>{escape(title)}</h2><p>{escape(told)}</p></header>{body}</section>\n'


def _figure(title: str, chart: Chart, note: str, look: str = "") -> str:
    drawn = '<p class="empty">Nothing was measured.</p>' if chart.empty else chart.legend() + chart.svg()
    below = f"<p>{escape(note)}</p>" if note else ""
    return f'<figure class="{look}"><figcaption>{escape(title)}</figcaption>{drawn}{below}</figure>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], kinds: str, look: str) -> str:
    """Cells are HTML. `kinds`: a letter per column, n for numbers (to the right), l for the rest."""
    classes = [' class="n"' if kind == "n" else "" for kind in kinds]
    head = "".join(f'<th scope="col"{c}>{escape(h)}</th>' for h, c in zip(heads, classes, strict=True)) if any(heads) else ""
    body = "".join(f"<tr>{''.join(_cell(*cell) for cell in zip(heads, row, classes, strict=True))}</tr>" for row in rows)
    return f'<div class="scroll"><table class="{look}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(head: str, text: str, kind: str) -> str:
    return f'<td data-column="{escape(head)}"{kind}>{text}</td>'
