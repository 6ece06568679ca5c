"""`c360 scd2 explain`: why the history of one key looks as it does. Reads the lake (or a capture); no service has to run."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commerce360.errors import C360Error, ConfigError

if TYPE_CHECKING:
    from commerce360.lake import Lake
    from stream_jobs.dimensions import Dimension
    from stream_jobs.scd2.explain import Arrival, Entry, Explanation, Refusal
    from stream_jobs.scd2.fold import Version
    from stream_jobs.scd2.roles import Roles

WIDTH = 120  # where there is no terminal to ask
Key = tuple[Any, ...]
Found = tuple[Key, "list[Arrival | Refusal]", "Roles"]


def explain(
    key: Annotated[str, typer.Option("--key", help="The key, such as 17; parts of a composite key as a|b, with \\| and \\\\ inside.")],
    table: Annotated[str, typer.Option("--table", help="A dimension of the lake.")] = "dim_customer",
    capture: Annotated[Path | None, typer.Option("--capture", help="Read this capture instead of the lake; needs --roles.")] = None,
    roles: Annotated[Path | None, typer.Option("--roles", help="YAML file of column roles for the capture.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="The topic to take from a capture that has several.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what each change of one key sent, what it did when it arrived, and the versions that follow.

    Folds once for each change, so a key with many thousand changes takes minutes.
    """
    from stream_jobs.dimensions import named
    from stream_jobs.scd2.explain import explain as explanation

    if (capture is None) != (roles is None) or (topic and capture is None):
        raise ConfigError("--capture and --roles go together, and --topic belongs to them", "name both files, or neither to read the lake")
    if capture is not None and roles is not None:
        at, arrivals, meaning = _of_capture(capture, roles, topic, key)
        where, unnamed = str(capture), 0
    else:
        dimension = named(table)
        (at, arrivals, meaning), unnamed = _of_lake(dimension, key)
        where = dimension.table.name
    if all(_op(arrival) == "t" for arrival in arrivals):
        raise C360Error(f"{where} has no change of key {key}", "look at the key's parts and their order, or at another --table")
    made = explanation(at, arrivals, meaning)
    if as_json:
        typer.echo(json.dumps({"table": where, **made.as_json(), "dead_letters_without_key": unnamed}, ensure_ascii=False))
    else:
        _show(made, meaning, where)
        if unnamed:
            typer.echo(f"{unnamed} dead letters of its topic name no key; some may be of this one")


def key_parts(text: str) -> list[str]:
    """The parts of a key as R20 writes it: joined by `|`, with `\\` and `|` escaped by `\\`."""
    parts, letters = [""], iter(text)
    for letter in letters:
        if letter == "|":
            parts.append("")
        else:
            parts[-1] += next(letters, "\\") if letter == "\\" else letter
    return parts


def _typed(dimension: Dimension, text: str) -> Key:
    columns, parts = (*dimension.table.scope, *dimension.roles.key), key_parts(text)
    types = {c.name: c.type for c in dimension.table.columns}
    if len(parts) != len(columns):
        raise ConfigError(
            f"key {text!r} has {len(parts)} parts", f"give {', '.join(columns)}, joined by |; write \\| for a | inside a part"
        )
    try:
        return tuple(int(p) if types[c] in ("int", "bigint") else p for c, p in zip(columns, parts, strict=True))
    except ValueError as error:
        raise ConfigError(f"key {text!r} does not fit", ", ".join(f"{c} is {types[c]}" for c in columns)) from error


def _of_lake(dimension: Dimension, text: str) -> tuple[Found, int]:
    """Also how many dead letters of the topics name no key, and may be of this one."""
    from commerce360.lake import Lake
    from commerce360.settings import Settings

    key, lake = _typed(dimension, text), Lake(Settings().lake)
    if not lake.exists(dimension.table):
        hint = "start a stack with `c360 up`, or name the lake's folder in C360_LAKE__ROOT"
        raise ConfigError(f"there is no lake with {dimension.table.name} at {lake.settings.root}", hint)
    scope, own = key[: len(dimension.table.scope)], key[len(dimension.table.scope) :]
    letters, unnamed = _dead_letters(lake, dimension, scope, own)
    came = sorted([*_log_rows(lake, dimension, key), *letters], key=lambda found: found[0])
    return (own, [arrival for _, arrival in came], dimension.roles), unnamed


def _log_rows(lake: Lake, dimension: Dimension, key: Key) -> Iterator[tuple[Any, Arrival | Refusal]]:
    """What the fold remembers of the key, and truncates, which name none."""
    from stream_jobs.folds import stored
    from stream_jobs.scd2.explain import Arrival

    scope = key[: len(dimension.table.scope)]
    names = (*dimension.table.scope, *dimension.roles.key)
    bound = " AND ".join(f"({n} = {_literal(v)} OR {n} IS NULL)" for n, v in zip(names, key, strict=True))
    for at, row in stored(lake, dimension, bound):
        if at in (key, scope) and dimension.remembers(row):
            yield _order(row["kafka_ts"], row["origin"]), Arrival(dimension.change_of(row), _short(row["kafka_ts"]), row["origin"])


def _dead_letters(lake: Lake, dimension: Dimension, scope: Key, own: Key) -> tuple[list[tuple[Any, Arrival | Refusal]], int]:
    from schemas.tables import DEAD_LETTERS

    if not lake.exists(DEAD_LETTERS):
        return [], 0
    topics = ", ".join(_literal(t) for t in (scope or sorted(dimension.topics)))
    sql = DEAD_LETTERS.newest_sql(DEAD_LETTERS.entity, f"topic IN ({topics})")
    found: list[tuple[Any, Arrival | Refusal]] = []
    unnamed = 0
    for row in lake.query(DEAD_LETTERS, sql).to_pylist():
        named = _named(row["detail"])
        if named is None or (named.get("key") is None and named.get("op") != "t"):
            unnamed += 1
        elif named.get("op") == "t" or named["key"] == list(own):
            origin = f"{row['topic']}/{row['partition']}/{row['offset']}"
            arrival = _set_aside(row["reason"], named, dimension.roles, _short(row["kafka_ts"]), origin)
            found.append((_order(row["kafka_ts"], origin), arrival))
    return found, unnamed


def _op(arrival: Arrival | Refusal) -> Any:
    from stream_jobs.scd2.explain import Refusal

    return arrival.named.get("op") if isinstance(arrival, Refusal) else arrival.change.op


def _order(kafka_ts: dt.datetime, origin: str) -> tuple[dt.datetime, int]:
    return kafka_ts, int(origin.rsplit("/", 1)[-1])


def _literal(value: Any) -> str:
    escaped = str(value).replace("'", "''")
    return escaped if isinstance(value, int) else f"'{escaped}'"


def _short(at: dt.datetime) -> str:
    """Kafka keeps milliseconds."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _named(detail: str | None) -> dict[str, Any] | None:
    """The change that a dead letter is about; None if its detail is another text."""
    try:
        found = json.loads(detail or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) and "key" in found else None


def _set_aside(reason: str, named: dict[str, Any], roles: Roles, at: str, origin: str) -> Arrival | Refusal:
    """The loser of a conflict is a good change, and the fold says what it did before the winner came."""
    from stream_jobs.scd2.change import problem, usable
    from stream_jobs.scd2.explain import Arrival, Refusal

    if reason == "seq_conflict" and "ts" in named and not problem(named, roles):
        return Arrival(usable(named, roles), at, origin)
    return Refusal(reason, named, at, origin)


def _of_capture(path: Path, roles_file: Path, topic: str | None, text: str) -> Found:
    """The file's order counts as the order of arrival."""
    from schemas.roles import read as read_roles
    from stream_jobs.capture import change_of, read
    from stream_jobs.entity import RejectedError
    from stream_jobs.scd2.change import problem, usable
    from stream_jobs.scd2.explain import Arrival, Refusal
    from stream_jobs.scd2.roles import Roles

    if not path.is_file():
        raise ConfigError(f"no such file: {path}", "name a capture, as `c360 scd2 record` writes it")
    roles, parts = Roles.of(read_roles(roles_file)), key_parts(text)
    key: Key = tuple(parts)
    arrivals: list[Arrival | Refusal] = []
    for record in read(path, topic):
        try:
            raw = change_of(record, roles)
        except RejectedError:
            continue  # it names no key
        if raw is None or (raw["op"] != "t" and [str(part) for part in raw["key"] or []] != parts):
            continue
        at = "" if record.timestamp is None else _short(dt.datetime.fromtimestamp(record.timestamp / 1000, dt.UTC))
        origin = f"{record.topic}/{record.partition}/{record.offset}"
        if reason := problem(raw, roles):
            arrivals.append(Refusal(reason, raw, at, origin))
        else:
            change = usable(raw, roles)
            key = change.key or key
            arrivals.append(Arrival(change, at, origin))
    return key, arrivals, roles


def _show(made: Explanation, roles: Roles, where: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console = console if console.is_terminal else Console(width=max(WIDTH, console.width))
    name = f"{where}, {', '.join(f'{c} {part}' for c, part in zip(roles.key, made.key, strict=False))}"
    changes = Table(title=f"{name}: changes in sequence order", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, leading=1)
    for column in ("change, in effect from", "arrived", "sent", "did"):
        changes.add_column(column, overflow="fold", ratio={"sent": 3, "did": 4}.get(column))
    for entry in made.entries:
        changes.add_row(*map(_plain, (_change_text(entry), _arrival_text(entry), _sent_text(entry), "\n".join(e.text for e in entry.did))))
    console.print(changes)
    versions = Table(title="versions", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("valid_from", "valid_to", "closed by", "values"):
        versions.add_column(column, overflow="fold", ratio=1 if column == "values" else None)
    for version in made.versions:
        versions.add_row(*map(_plain, _version_texts(version)))
    console.print(versions if made.versions else "no version")


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)  # values are data: brackets in them are no markup


def _change_text(entry: Entry) -> str:
    from stream_jobs.scd2.effects import moment

    seq = "/".join(map(str, entry.seq)) if isinstance(entry.seq, tuple) else str(entry.seq)
    lines = [f"{entry.op} {seq}"]
    if entry.eff is not None:
        lines.append(moment(entry.eff))
        if entry.eff != entry.ts:
            lines.append(f"(its own: {moment(entry.ts)})")
    elif entry.ts is not None:
        lines.append(f"(sent {entry.ts})")
    return "\n".join(lines)


def _arrival_text(entry: Entry) -> str:
    return "\n".join(
        t for t in (f"#{entry.arrival}{' late' if entry.late else ''}", entry.at, "/".join(entry.origin.rsplit("/", 2)[1:])) if t
    )


def _sent_text(entry: Entry) -> str:
    from stream_jobs.scd2.effects import shown

    def one(column: str, role: str, before: Any, value: Any) -> str:
        was = "" if before is None else f"{shown(before)} -> "
        return f"{column} {was}{shown(value)}{' (in place)' if role == 'in_place' else ''}"

    return "\n".join(one(s.column, s.role, s.before, s.value) for s in entry.sent)


def _version_texts(version: Version) -> tuple[str, str, str, str]:
    from stream_jobs.scd2.effects import moment, shown

    notes = ["deleted row"] if version.is_deleted else []
    notes += [f"unresolved: {', '.join(version.unresolved)}"] if version.unresolved else []
    notes += [f"moved from {version.moved_from}"] if version.moved_from else []
    notes += [f"moved to {version.moved_to}"] if version.moved_to else []
    values = [f"{c} {shown(v)}" for c, v in version.values.items() if v is not None]
    until = "open" if version.valid_to is None else moment(version.valid_to)
    return moment(version.valid_from), until, version.closed_by or "", ", ".join([*values, *notes])
