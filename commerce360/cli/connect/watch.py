"""`c360 connect status` and `c360 connect wait`: how the connectors are, once, again and again, or until they are as wished."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.connect import duration
from commerce360.cli.connect.completion import connector_names
from commerce360.cli.connect.session import DEGRADED, cluster_of, say_json
from commerce360.errors import C360Error, ConfigError

if TYPE_CHECKING:
    from connect_configs.client import Connect
    from connect_configs.model import Connector, Status
    from connect_configs.watching.health import Facts, Health
    from connect_configs.watching.liveness import Look

CODES = {"healthy": 0, "paused": 0, "degraded": DEGRADED, "failed": 1}
HEADER = ("name", "state", "tasks", "worker", "last heard", "lag", "rec/s")
TRACE_HEAD, TRACE_TAIL = 40, 20  # lines; the cause stands near the end, the connector's own code at the beginning
TRACE_WIDTH = 500
POLL_S = 0.2
STALE_S = 3.0  # what was accepted may take this long to show
OLD_FAILURE_S = 10.0  # and a failed task this long to be restarted
STATES = ("running", "paused", "stopped", "gone")
NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAMES]...", autocompletion=connector_names, help="Connectors; all of them without a name."),
]


@dataclass(frozen=True)
class Row:
    """One connector with what was found of it."""

    connector: Connector
    facts: Facts
    health: Health


def status(
    ctx: typer.Context,
    names: NamesArgument = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again and again, until Ctrl-C.")] = False,
    every_s: Annotated[
        float | None, typer.Option("--every", parser=duration.seconds, metavar="DURATION", help="How often to look; default 2s.")
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="The Java traces of what failed.")] = False,
    rest_only: Annotated[bool, typer.Option("--rest-only", help="Only what Connect says: no look at Kafka and the sources.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; with --watch a line each time.")] = False,
) -> None:
    """States, liveness and faults of connectors. Exit code 0: healthy, 5: degraded, 1: failed.

    REST says RUNNING of a connector that has not sent anything for hours. So this also looks at heartbeats and rates in Kafka, the
    replication slot and the oplog, as far as they can be reached from here. `-` means not seen; --json says why.
    """
    from connect_configs.watching.liveness import Look

    look = None if rest_only else Look(cluster_of(ctx))
    client = look.cluster.client if look else cluster_of(ctx).client
    if watch or every_s is not None:
        _watch(client, look, names or [], max(every_s or 2.0, 0.1), as_json)
    rows = _rows(client, look, names or [])
    if as_json:
        say_json(_document(client.url, rows))
    else:
        for line in [*_table(rows), *(_traces(rows) if trace else [])]:
            typer.echo(line)
    sys.exit(_code(rows))


def _rows(client: Connect, look: Look | None, names: list[str]) -> list[Row]:
    """Raises ConfigError for an unknown name."""
    from connect_configs.watching.health import Facts, judge

    found = client.overview()
    if unknown := [n for n in names if n not in found]:
        raise unknown_error(unknown, list(found))
    if names:
        found = {n: found[n] for n in dict.fromkeys(names)}
    facts = look.facts(found) if look else {}
    nothing = Facts(unseen={"all": "--rest-only"})
    return [Row(c, facts.get(n, nothing), judge(c.status, facts.get(n, nothing))) for n, c in found.items()]


def unknown_error(unknown: list[str], there: list[str]) -> ConfigError:
    hint = f"there are {', '.join(there)}" if there else "this cluster has no connector"
    return ConfigError(f"there is no connector {', '.join(map(printable, unknown))}", printable(hint))


def _code(rows: list[Row]) -> int:
    from connect_configs.watching.health import worst

    return CODES[worst([r.health.level for r in rows])]


def _document(url: str, rows: list[Row]) -> dict[str, Any]:
    from connect_configs.watching.health import worst

    return {"url": url, "health": worst([r.health.level for r in rows]), "connectors": [_entry(r) for r in rows]}


def _entry(row: Row) -> dict[str, Any]:
    about, facts = row.connector.status, row.facts
    return {
        "name": row.connector.name,
        "health": row.health.level,
        "reasons": [{"level": r.level, "text": shown(r.text)} for r in row.health.reasons],
        "state": about.connector,
        "type": about.kind,
        "worker": about.worker,
        "trace": _hidden(about.trace),
        "tasks": [
            {"id": t.id, "state": t.state, "worker": t.worker, "cause": shown(t.cause), "trace": _hidden(t.trace)} for t in about.tasks
        ],
        **asdict(facts),
        "last_heard_s": facts.heard_s,
    }


# --- for people


def _table(rows: list[Row]) -> list[str]:
    """A line a connector, then a line a reason."""
    if not rows:
        return ["this cluster has no connector"]
    cells = [HEADER, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADER))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    reasons = [(r.connector.name, reason) for r in rows for reason in r.health.reasons]
    width = max((len(printable(name)) for name, _ in reasons), default=0)
    return lines + ([""] if reasons else []) + [f"{printable(n).ljust(width)}  {_told(r.level)}{shown(r.text)}" for n, r in reasons]


def _told(level: str) -> str:
    return "note: " if level == "warning" else ""


def _cells(row: Row) -> tuple[str, ...]:
    from connect_configs.watching.health import age

    about, facts = row.connector.status, row.facts
    heard, rate = facts.heard_s, facts.records_per_s
    return (
        printable(row.connector.name),
        about.connector if row.health.level in ("healthy", "paused") else f"{about.connector}, {row.health.level}",
        _tasks(about),
        printable(", ".join(sorted({t.worker for t in about.tasks} or {about.worker}))),
        "-" if heard is None else age(heard),
        _lag(facts),
        "-" if rate is None else f"{rate:.1f}",
    )


def _tasks(about: Status) -> str:
    if not about.tasks:
        return "none"
    wanted = "PAUSED" if about.connector == "PAUSED" else "RUNNING"
    return f"{sum(t.state == wanted for t in about.tasks)}/{len(about.tasks)} {wanted.lower()}"


def _lag(facts: Facts) -> str:
    from connect_configs.watching.health import age, size

    if facts.slot and facts.slot.lag_bytes is not None:
        return size(facts.slot.lag_bytes)
    return "-" if facts.oplog is None or facts.oplog.lag_s is None else age(facts.oplog.lag_s)


def _traces(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        about = row.connector.status
        for what, text in [("connector", about.trace), *((f"task {t.id}", t.trace) for t in about.tasks)]:
            if text:
                yield f"\n{printable(row.connector.name)}, {what}:"
                yield from shortened(text)


def shortened(trace: str) -> Iterator[str]:
    """Its beginning and its end: a trace of any length and width stays readable."""
    lines = trace.splitlines()
    left_out = len(lines) - TRACE_HEAD - TRACE_TAIL
    for number, line in enumerate(lines):
        if left_out <= 0 or not TRACE_HEAD <= number < TRACE_HEAD + left_out:
            yield shown(line)[:TRACE_WIDTH]
        elif number == TRACE_HEAD:
            yield f"    ({left_out} lines left out; --json has them all)"


def _hidden(text: str) -> str:
    from connect_configs.variables import shown as without_secrets

    return "\n".join(without_secrets("trace", line) for line in text.splitlines())


def shown(text: str) -> str:
    """A text from the cluster on one line, without credentials of addresses and without what steers a terminal."""
    return printable(_hidden(text))


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " if c in "\t\n" else f"\\x{ord(c):02x}" for c in text)


# --- again and again


def _watch(client: Connect, look: Look | None, names: list[str], every_s: float, as_json: bool) -> None:
    """Never returns. At a terminal the table is drawn in place; elsewhere a new one comes when more than a number has changed."""
    from connect_configs.watching.liveness import impatient

    impatient(client)
    try:
        if as_json:
            _repeat(client, look, names, every_s, lambda rows, away: say_json(_snapshot(client.url, rows, away)))
        elif sys.stdout.isatty():
            _redraw(client, look, names, every_s)
        else:
            _repeat(client, look, names, every_s, _Changes().show)
    except KeyboardInterrupt:
        sys.exit(130)


def _repeat(client: Connect, look: Look | None, names: list[str], every_s: float, show: Callable[[list[Row], str], None]) -> None:
    """Never returns. After the first look no refusal ends it: a worker that stops says 404, one that starts may know no connector."""
    from connect_configs.http import ConnectError, ConnectUnavailableError

    rows: list[Row] = []
    gone_at: float | None = None
    survived: tuple[type[C360Error], ...] = (ConnectUnavailableError,)
    while True:
        began = time.monotonic()
        try:
            rows, gone_at, away = _rows(client, look, names), None, ""
            survived = (ConnectUnavailableError, ConnectError, ConfigError)
        except survived as error:
            gone_at = gone_at or began
            what = error.message if isinstance(error, ConfigError) else "Connect does not answer"
            more = "" if isinstance(error, ConfigError) else f": {error.message}"
            away = f"{what}, since {time.monotonic() - gone_at:.0f} s{more}"
        show(rows, away)
        time.sleep(max(every_s - (time.monotonic() - began), 0.05))


def _snapshot(url: str, rows: list[Row], away: str) -> dict[str, Any]:
    return {"url": url, "health": "unavailable", "message": away, "connectors": []} if away else _document(url, rows)


class _Changes:
    """Prints a block when it tells something else than the last one, whatever its numbers say."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, rows: list[Row], away: str) -> None:
        lines = [away] if away else _table(rows)
        states = [f"{r.connector.status} {r.health.level} {[x.text for x in r.health.reasons]}" for r in rows]
        told = re.sub(r"[\d.]+ ?(?:s|min|h|d|[kMGT]?B)\b", "#", away or "\n".join(states))
        if told != self._last:
            self._last = told
            typer.echo("\n".join([f"-- {time.strftime('%H:%M:%S')}", *lines]))


def _redraw(client: Connect, look: Look | None, names: list[str], every_s: float) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:

        def show(rows: list[Row], away: str) -> None:
            when = f"every {every_s:g} s, {time.strftime('%H:%M:%S')}; Ctrl-C ends it"
            text = Text("\n".join(_table(rows) if rows or not away else []), no_wrap=True, overflow="ellipsis")
            live.update(Text("\n").join([text, *([Text(f"\n{away}", style="red")] if away else []), Text(when, style="dim")]), refresh=True)

        _repeat(client, look, names, every_s, show)


# --- wait


def wait(
    ctx: typer.Context,
    names: NamesArgument = None,
    wanted: Annotated[str, typer.Option("--for", metavar="STATE", help="running, paused, stopped or gone.")] = "running",
    timeout_s: Annotated[float, typer.Option("--timeout", parser=duration.seconds, metavar="DURATION")] = 60.0,
    restarts: Annotated[int, typer.Option("--restart", min=0, help="How often to restart what failed, each connector.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Wait until all connectors and their tasks are as wished. Exit code 1: one failed, at once; 3: time is up."""
    if wanted not in STATES:
        raise ConfigError(f"nothing to wait for: {wanted!r}", f"say --for {', '.join(STATES)}")
    client = cluster_of(ctx).client
    waiting = list(dict.fromkeys(names or client.names()))
    found = Waiting(client, wanted, timeout_s, restarts).run(waiting)
    if as_json:
        say_json({"wanted": wanted, "connectors": found})
    for entry in found:
        if not as_json:
            typer.echo(f"{printable(entry['name'])}: {entry['state']}", err=not entry["done"])
    if not found and not as_json:
        typer.echo("this cluster has no connector")
    sys.exit(1 if any(e["failed"] for e in found) else 0 if all(e["done"] for e in found) else 3)


@dataclass
class Waiting:
    """Waits for several connectors within one time."""

    client: Connect
    wanted: str
    timeout_s: float
    restarts: int = 0
    _restarted: dict[str, tuple[Status, float]] = field(default_factory=dict, init=False)

    def run(self, names: list[str]) -> list[dict[str, Any]]:
        """An entry a connector: `name`, `done`, `failed`, `state`. Ends at the first failure, when all are done, or when time is up."""
        deadline = time.monotonic() + self.timeout_s
        left = dict.fromkeys(names, self.restarts)
        while True:
            statuses = {name: self.client.status(name) for name in names}
            found = [self._entry(name, about) for name, about in statuses.items()]
            for entry in found:
                name, about = entry["name"], statuses[entry["name"]]
                if entry["failed"] and about and left[name]:
                    left[name] -= 1
                    self._restarted[name] = (about, time.monotonic() + OLD_FAILURE_S)
                    self.client.restart_failed(name)
                    entry["failed"] = False
            if any(e["failed"] for e in found) or all(e["done"] for e in found) or time.monotonic() > deadline:
                return found
            time.sleep(POLL_S)

    def _entry(self, name: str, about: Status | None) -> dict[str, Any]:
        state = shown(about.summary) if about else "gone" if self.wanted == "gone" else "there is no such connector"
        before, until = self._restarted.get(name, (None, 0.0))
        stale = bool(about and before and about.tasks == before.tasks) and time.monotonic() < until
        failed = bool(about and about.failed and not stale) and self.wanted in ("running", "paused")
        return {"name": name, "done": is_there(about, self.wanted), "failed": failed, "state": state}


def is_there(about: Status | None, wanted: str) -> bool:
    """A connector that is stopped has no tasks; one that is paused may keep a failed one."""
    if about is None or wanted == "gone":
        return about is None and wanted == "gone"
    if wanted == "running":
        return about.running
    if wanted == "paused":
        return about.connector == "PAUSED" and all(t.state in ("PAUSED", "FAILED") for t in about.tasks)
    return about.connector == "STOPPED" and not about.tasks
