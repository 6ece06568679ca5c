"""`c360 connect offsets`: where a connector goes on, looked at and changed, with a way back."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.connect import session
from commerce360.cli.connect.completion import connector_names
from commerce360.cli.connect.session import Choice, RefusedError
from commerce360.cli.interrupts import raise_on_signal
from commerce360.errors import ConfigError

if TYPE_CHECKING:
    from connect_configs.cluster import Cluster
    from connect_configs.offsets.offset_changes import Before
    from connect_configs.offsets.offset_meaning import Meaning
    from connect_configs.offsets.offset_shapes import Entry

app = typer.Typer(no_args_is_help=True)
SKIP = "skip"  # the kind of loss that a change of offsets can be
Json = Annotated[bool, typer.Option("--json", help="For programs: one JSON value.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Folder = Annotated[Path | None, typer.Option("--backup-dir", help="Where the backup is written; default: the user's state folder.")]
Loss = Annotated[list[str] | None, typer.Option("--allow-data-loss", metavar="KIND", help="`skip`: changes may be left out for good.")]
Wait = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for it to stop, and to run.")]


@app.callback()
def group() -> None:
    """Stored offsets of a connector. Every change writes a backup first, checks the shape, stops, alters, reads back and resumes."""


Name = Annotated[str, typer.Argument(help="A connector.", autocompletion=connector_names)]


@app.command()
def get(ctx: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show where a connector goes on."""
    from connect_configs.offsets import offset_changes, offset_shapes

    before = offset_changes.read(session.cluster_of(ctx), name)
    if as_json:
        session.say_json({"offsets": before.offsets})
        return
    if not before.offsets:
        typer.echo(f"{name} has no stored offsets")
    for entry in before.offsets:
        typer.echo(f"partition {json.dumps(entry['partition'], ensure_ascii=False)}")
        rows = offset_shapes.readable(before.kind, entry["offset"])
        width = max(len(key) for key, _ in rows)
        for key, value in rows:
            typer.echo(f"  {key:<{width}}  {value}")


@dataclass(frozen=True)
class Options:
    yes: bool
    as_json: bool
    folder: Path | None
    losses: list[str]
    timeout_s: float

    def __post_init__(self) -> None:
        if odd := sorted(set(self.losses) - {SKIP}):
            raise ConfigError(f"--allow-data-loss {odd[0]}: a change of offsets knows no such kind", f"the kind is {SKIP}")


@app.command("set")
def set_(
    ctx: typer.Context,
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="What `get --json` shows, changed.")] = "",
    lsn: Annotated[str, typer.Option("--lsn", help="Debezium PostgreSQL: this position, such as 0/1A2B3C, instead of a file.")] = "",
    new_partition: Annotated[bool, typer.Option("--new-partition", help="Let in a partition that is not stored yet.")] = False,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Do not compare types (connectors of an unknown kind).")] = False,
    loss: Loss = None,
    folder: Folder = None,
    timeout_s: Wait = 60.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Store other offsets. Partitions that FILE does not name stay as they are; null takes one away."""
    from connect_configs.offsets import offset_changes, offset_shapes

    if bool(file) == bool(lsn):
        raise ConfigError("give a FILE (or - for the standard input) or --lsn", "`c360 connect offsets get NAME --json` shows the shape")
    options = Options(yes, as_json, folder, loss or [], timeout_s)
    given = offset_shapes.parse(_text(file)) if file else []
    position = offset_shapes.parse_lsn(lsn) if lsn else 0
    cluster = session.cluster_of(ctx)

    def wanted(before: Before) -> list[Entry]:
        partition = offset_changes.partition_of(cluster, before.config)
        entries = given or _at(before, position, partition)
        offset_shapes.check(before.kind, entries, before.offsets, partition, new_partition, unchecked)
        return entries

    _change(ctx, cluster, name, wanted, options)


@app.command()
def reset(
    ctx: typer.Context,
    name: Name,
    loss: Loss = None,
    folder: Folder = None,
    timeout_s: Wait = 60.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take all stored offsets away: the connector starts as a new one."""
    cluster = session.cluster_of(ctx)
    _change(ctx, cluster, name, _none, Options(yes, as_json, folder, loss or [], timeout_s))


@app.command()
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup that one of these commands has written.")],
    name: Annotated[str, typer.Option("--connector", help="Another connector than the backup's.")] = "",
    other_cluster: Annotated[bool, typer.Option("--other-cluster", help="Also when the backup is of another Kafka cluster.")] = False,
    loss: Loss = None,
    folder: Folder = None,
    timeout_s: Wait = 60.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put back what a backup holds; partitions that it does not hold are taken away."""
    from connect_configs.offsets import offset_changes, offset_shapes

    options = Options(yes, as_json, folder, loss or [], timeout_s)
    backup = offset_changes.read_backup(file)
    cluster = session.cluster_of(ctx)
    here = cluster.client.version().get("kafka_cluster_id", "")
    if backup.kafka_cluster_id != here and not other_cluster:
        message = f"{file} is of Kafka cluster {backup.kafka_cluster_id} ({backup.url}), this is {here}"
        raise RefusedError(message, "positions of one cluster mean nothing in another; if you are sure: --other-cluster")
    if name and name != backup.connector:
        typer.echo(f"warning: the backup is of {backup.connector}, not of {name}", err=True)

    def wanted(before: Before) -> list[Entry]:
        if before.config.get("connector.class", "") != backup.connector_class:
            raise ConfigError(f"{before.name} is no {backup.connector_class}", "its offsets would be nothing that this connector can read")
        if not backup.offsets:
            return _none(before)
        partition = offset_changes.partition_of(cluster, before.config)
        offset_shapes.check(before.kind, backup.offsets, backup.offsets, partition, new_partition=True)
        return offset_shapes.replacing(before.offsets, backup.offsets)

    _change(ctx, cluster, name or backup.connector, wanted, options)


def _none(before: Before) -> list[Entry]:
    return [{"partition": e["partition"], "offset": None} for e in before.offsets]


def _at(before: Before, lsn: int, partition: dict[str, str] | None) -> list[Entry]:
    from connect_configs.offsets import offset_shapes

    if before.kind != "postgres" or partition is None:
        raise ConfigError(f"--lsn is for Debezium PostgreSQL connectors, {before.name} is none", "give a FILE")
    stored = next((e["offset"] for e in before.offsets if e["partition"] == partition), None)
    return [{"partition": partition, "offset": offset_shapes.with_lsn(stored, lsn)}]


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", "name a file, or - for the standard input") from error


def _change(ctx: typer.Context, cluster: Cluster, name: str, wanted: Callable[[Before], list[Entry]], options: Options) -> None:
    from connect_configs.offsets import offset_changes, offset_meaning, offset_shapes

    raise_on_signal()

    def tell(line: str) -> None:
        typer.echo(line, err=options.as_json)

    before = offset_changes.read(cluster, name)
    entries = wanted(before)
    means = offset_meaning.meaning(cluster, before, entries)
    _explain(name, means, tell)
    refuse_loss(means, options.losses)
    if offset_shapes.same(before.offsets, offset_shapes.changed(before.offsets, entries)):
        _report({"connector": name, "changed": False, "offsets": before.offsets, "backup": None}, means, options, "nothing was changed")
        return
    session.confirmed(f"Change the offsets of {name}?", options.yes)
    now = dt.datetime.now(dt.UTC)
    backup = offset_changes.write_backup(cluster, before, options.folder or offset_changes.default_folder(os.environ), now)
    tell(f"backup: {backup}")

    def again(still: Before) -> list[Entry]:
        """The position may have moved while it stopped."""
        found = wanted(still)
        refuse_loss(offset_meaning.meaning(cluster, still, found), options.losses)
        return [] if all(e["offset"] is None for e in found) and len(found) == len(still.offsets) else found

    change = offset_changes.Change(cluster, name, backup, command_of(ctx), tell)
    done = change.make(again, options.timeout_s)
    made = {"connector": name, "changed": done.sent, "offsets": done.offsets, "backup": str(backup), "state": done.state}
    undo = "undo, where the source still keeps what came since" if means.loss else "undo"
    _report(made, means, options, f"{name}: offsets changed; it is {done.state} as before\n{undo}: {change.restore}")


def _explain(name: str, means: Meaning, tell: Callable[[str], None]) -> None:
    for line in means.lines:
        tell(f"{name}: {line}")
    for line in means.warnings:
        tell(f"{name}: warning: {line}")


def refuse_loss(means: Meaning, losses: list[str]) -> None:
    """Raises RefusedError."""
    if means.impossible:
        raise RefusedError(means.impossible, "nothing was changed")
    if means.loss and SKIP not in losses:
        hint = f"if that is what you want: --allow-data-loss {SKIP} (on a stopped connector it can be undone until it runs)"
        raise RefusedError(means.loss, f"nothing was changed; {hint}")


def _report(made: dict[str, Any], means: Meaning, options: Options, text: str) -> None:
    if options.as_json:
        session.say_json({**made, "meaning": asdict(means)})
    else:
        if made["changed"] and means.loss:
            typer.echo(f"warning: {means.loss}")
        typer.echo(text)


def command_of(ctx: typer.Context) -> str:
    """`c360 connect` as this user has called it, so that what we tell them to type reaches the same cluster."""
    choice: Choice = ctx.obj
    given = [("--context", choice.context), ("--url", choice.url), ("--state", str(choice.state or ""))]
    return " ".join(["c360 connect", *(f"{option} {shlex.quote(value)}" for option, value in given if value)])
