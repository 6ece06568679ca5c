"""`c360 scd2 record` and `c360 scd2 replay`: a topic as a file, and the history that follows from such a file."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.cli.output import writable
from commerce360.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from commerce360.settings import Kafka, Settings
    from stream_jobs.capture import Captured
    from stream_jobs.scd2.roles import Roles

WIDTH = 120  # where there is no terminal to ask
ANSWER_S = 5.0  # until a broker that does not answer is given up
SILENCE_S = 30.0  # until one that stopped sending is
OF_EVERY_ROW = (  # R19, beside its values
    *("valid_from", "valid_to", "is_current", "is_deleted", "is_inferred", "closed_by"),
    *("unresolved", "moved_from", "moved_to", "version_key"),
)
Row = dict[str, Any]


def record(
    topic: Annotated[str, typer.Argument(help="The topic, such as oltp.sales.customers.")],
    out: Annotated[Path | None, typer.Option("--out", help="File to write; without it the records go to the terminal.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Stop after so many records.")] = None,
) -> None:
    """Write a topic, from its beginning to its present end, as a capture: JSON Lines, one committed record a line."""
    from commerce360.settings import Settings
    from stream_jobs import capture

    writable(out)
    found = _recorded(Settings(), topic, limit)
    if out is None:
        capture.write(found, sys.stdout)
        return
    part = out.with_name(out.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            count = capture.write(found, file)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    typer.echo(f"{out}: {count} records of {topic}", err=True)


def replay(
    capture: Annotated[Path, typer.Argument(metavar="CAPTURE", help="JSON Lines file, as `c360 scd2 record` writes it.")],
    roles: Annotated[Path, typer.Option("--roles", help="YAML file of column roles: key, tracked, in_place and the like.")],
    topic: Annotated[str | None, typer.Option("--topic", help="The topic to take from a capture that has several.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; times in microseconds.")] = False,
) -> None:
    """Fold a capture into its history. No service has to run; the order of the lines does not matter, nor does a repetition."""
    from schemas.roles import read as read_roles
    from stream_jobs import capture as captures
    from stream_jobs.scd2.roles import Roles

    settings = read_roles(roles)
    meaning = Roles.of(settings)
    if not capture.is_file():
        raise ConfigError(f"no such file: {capture}", "name a capture, as `c360 scd2 record` writes it")
    result = captures.fold(captures.read(capture, topic), meaning, _types(settings, roles))
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _show(result, meaning, str(capture))


def _recorded(settings: Settings, topic: str, limit: int | None) -> Iterator[Captured]:
    from commerce360.reconcile import topics
    from stream_jobs import capture
    from stream_jobs.wire import Decoder, RegistrySchemas

    _ensure_topic(settings.kafka, topic)
    decoder = Decoder(RegistrySchemas(settings.registry))
    for found in itertools.islice(topics.read_all(settings.kafka, [topic], SILENCE_S), limit):
        yield capture.decoded(found, decoder)


def _ensure_topic(kafka: Kafka, topic: str) -> None:
    """Raises UnavailableError without a broker, ConfigError without the topic. Quiet, where a consumer would tell of every attempt."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        known = AdminClient(kafka.client(log_level=0)).list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        hint = "start a stack with `c360 up`, or set C360_KAFKA__BOOTSTRAP and C360_REGISTRY__URL to those of one that runs"
        raise UnavailableError(f"Kafka at {kafka.bootstrap} does not answer", hint) from error
    if topic not in known:
        there = ", ".join(sorted(name for name in known if not name.startswith("_")))
        raise ConfigError(f"Kafka at {kafka.bootstrap} has no topic {topic}", f"it has {there or 'none yet'}")


def _types(settings: dict[str, Any], file: Path) -> dict[str, str]:
    types = settings.get("types") or {}
    if not isinstance(types, dict) or not all(isinstance(kind, str) for kind in types.values()):
        raise ConfigError(f"types in {file} is no mapping of columns to types", "write types: {note: text}, or leave it out")
    return types


def _show(result: dict[str, list[Row]], roles: Roles, name: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console = console if console.is_terminal else Console(width=max(WIDTH, console.width))
    rows = result["rows"]
    table = Table(title=f"{name}: {len(rows)} versions", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in (*roles.key, "valid_from", "valid_to", "closed by"):
        table.add_column(column, overflow="fold")
    table.add_column("values", overflow="fold", ratio=1)
    for row in rows:
        table.add_row(*map(Text, _cells(row, roles)))  # values are data: brackets in them are no markup
    console.print(table if rows else Text(f"{name}: no version"))
    for each in result["rejected"]:
        said = [f"{column} {json.dumps(value)}" for column, value in each.items() if column != "reason" and value is not None]
        console.print(Text(f"rejected, {each['reason']}: {', '.join(said)}"), soft_wrap=True)


def _cells(row: Row, roles: Roles) -> list[str]:
    from stream_jobs.scd2.effects import moment, shown

    values = [f"{c} {shown(v)}" for c, v in row.items() if c not in (*roles.key, *OF_EVERY_ROW)]
    values += ["deleted row"] if row["is_deleted"] else []
    values += [f"unresolved: {', '.join(row['unresolved'])}"] if row["unresolved"] else []
    values += [f"{c.replace('_', ' ')} {shown(row[c])}" for c in ("moved_from", "moved_to") if row[c] is not None]
    until = "open" if row["valid_to"] is None else moment(row["valid_to"])
    return [*(str(row[c]) for c in roles.key), moment(row["valid_from"]), until, row["closed_by"] or "", ", ".join(values)]
