"""What the database says, without Debezium: the rows at the end, and each key's states in commit order from a slot of test_decoding."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

COLUMN = re.compile(r"(\w+)\[([^\]]+(?:\[\])?)\]:(unchanged-toast-datum|'(?:[^']|'')*'|\S+)")
CHANGE = re.compile(r"table public\.items: (INSERT|UPDATE|DELETE|TRUNCATE): ?(.*)", re.DOTALL)
COMMIT = re.compile(r"COMMIT(?: \d+)? \(at (.+)\)")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
States = dict[str, list[dict[str, Any]]]


def open_slot(db: psycopg.Connection[Any], name: str) -> None:
    db.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", (f"truth_{name}",))


def decoded(db: psycopg.Connection[Any], name: str) -> list[str]:
    """Everything that was committed since the slot was made; the slot is given up."""
    query = "SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL, 'include-xids', '0', 'include-timestamp', '1')"
    lines = [row[0] for row in db.execute(query, (f"truth_{name}",)).fetchall()]
    db.execute("SELECT pg_drop_replication_slot(%s)", (f"truth_{name}",))
    return lines


def states(lines: Iterable[str], columns: Iterable[str] | None = None) -> States:
    """`{key: [{"at": microseconds, "row": row or null}, ...]}`: what each committed transaction left of each key that it touched."""
    found: States = {}
    for at, changes in _transactions(lines):
        left: dict[str, Any] = {}
        for kind, rest in changes:
            if kind == "TRUNCATE":
                left.update(dict.fromkeys(found))
                left.update(dict.fromkeys(left))
                continue
            old, _, new = rest.rpartition(" new-tuple: ") if " new-tuple: " in rest else ("", "", rest)
            row = _row(new)
            kept = row if columns is None else {c: row.get(c) for c in columns}
            if old and _is(left.get(str(_row(old)["id"])), _row(old)):
                left[str(_row(old)["id"])] = None
            left[str(row["id"])] = None if kind == "DELETE" else kept
        for key, row in left.items():
            if row is not None or (key in found and found[key][-1]["row"] is not None):
                found.setdefault(key, []).append({"at": at, "row": row})
    return found


def _is(now: dict[str, Any] | None, old: dict[str, Any]) -> bool:
    """Is the row that leaves a key the one that has it? Where a swap gave the key away before, another row has it by now."""
    return now is None or all(now.get(name, value) == value for name, value in old.items())


def changes(lines: Iterable[str]) -> int:
    return sum(len(found) for _, found in _transactions(lines))


def _transactions(lines: Iterable[str]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    pending: list[tuple[str, str]] = []
    for line in lines:
        if found := CHANGE.match(line):
            pending.append((found[1], found[2]))
        elif ended := COMMIT.match(line):
            yield (dt.datetime.fromisoformat(ended[1]) - EPOCH) // dt.timedelta(microseconds=1), pending
            pending = []


def _row(text: str) -> dict[str, Any]:
    return {name: _value(kind, value) for name, kind, value in COLUMN.findall(text)}


def _value(kind: str, text: str) -> Any:
    if text == "null":
        return None
    return int(text) if kind in ("integer", "bigint") else text[1:-1].replace("''", "'") if text.startswith("'") else text
