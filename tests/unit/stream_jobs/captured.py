"""The captures in tests/captures, and what the database says beside each: nothing here asks the code that is tested."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from stream_jobs import capture
from stream_jobs.capture import Captured
from stream_jobs.scd2.roles import Roles

HOME = Path(__file__).parents[2] / "captures"
NAMES = sorted(folder.parent.name for folder in HOME.glob("*/truth.json"))
Row = dict[str, Any]
Order = Callable[[dict[str, Any], str], tuple[int, ...]]
States = dict[int, list[Row | None]]


@dataclass(frozen=True)
class Capture:
    name: str
    records: tuple[Captured, ...]
    settings: dict[str, Any]
    truth: dict[str, Any]

    @property
    def roles(self) -> Roles:
        return Roles.of(self.settings)

    @property
    def file(self) -> Path:
        return HOME / self.name / "records.jsonl"

    @property
    def has_reads(self) -> bool:
        return any(r.value and r.value["op"] == "r" for r in self.records)

    def fold(self, records: Iterable[Captured] | None = None, **changed: Any) -> dict[str, list[Row]]:
        settings = {**self.settings, **changed}
        return capture.fold(self.records if records is None else records, Roles.of(settings), settings.get("types"))

    def final(self) -> dict[int, Row]:
        return {row["id"]: row for row in self.truth["final"]}

    def committed(self) -> States:
        """What each key showed after each transaction, neighbours that are equal as one."""
        return {int(key): collapsed([s["row"] for s in states]) for key, states in self.truth["states"].items()}

    def versions(self) -> list[Row]:
        """The versions that the commits of the database make, with their times."""
        return [row for states in self.truth["states"].values() for row in _versions(states)]


@cache
def load(name: str) -> Capture:
    folder = HOME / name
    settings = yaml.safe_load((folder / "roles.yaml").read_text())
    return Capture(name, tuple(capture.read(folder / "records.jsonl")), settings, json.loads((folder / "truth.json").read_text()))


def open_rows(result: dict[str, list[Row]], roles: Roles) -> dict[int, Row]:
    columns = ("id", *roles.tracked)
    return {row["id"]: {c: row[c] for c in columns} for row in result["rows"] if row["is_current"]}


def shown(rows: Iterable[Row], columns: Iterable[str]) -> list[Row]:
    """Rows with these columns only, in the order of keys and times."""
    kept = [{c: row[c] for c in (*columns, "valid_from", "valid_to")} for row in rows]
    return sorted(kept, key=lambda row: (row["id"], row["valid_from"]))


def collapsed(states: Iterable[Row | None]) -> list[Row | None]:
    found: list[Row | None] = [None]
    for state in states:
        if state != found[-1]:
            found.append(state)
    return found[1:]


def states_in(records: Iterable[Captured], order: Order, columns: Iterable[str]) -> States:
    """What each key shows after each transaction if changes come in that order. Truncates take away every key."""
    changes = [(r, order(r.value["source"], r.value["op"])) for r in records if r.value is not None]
    keys = {r.key["id"] for r, _ in changes if r.key is not None}
    found: States = {}
    for key in keys:
        mine = [(seq, r.key is not None, r) for r, seq in changes if r.key is None or r.key["id"] == key]
        mine.sort(key=lambda entry: entry[:2])
        # A read belongs to no transaction of its own; None stands for each of them.
        of_transactions = groupby((r for _, _, r in mine), key=lambda r: (r.value["source"]["txId"], r.value["op"] == "r"))
        found[key] = collapsed(_after(list(group)[-1], columns) for _, group in of_transactions)
    return found


def _after(record: Captured, columns: Iterable[str]) -> Row | None:
    after = record.value["after"]
    return None if after is None else {c: after[c] for c in columns}


def _versions(states: list[dict[str, Any]]) -> list[Row]:
    """A clock may step back between two commits: an effect is never before that of the commit before it."""
    instants: list[tuple[int, Row | None]] = []
    for state in states:
        at = max(state["at"], instants[-1][0] if instants else 0)
        if instants and instants[-1][0] == at:
            instants.pop()
        instants.append((at, state["row"]))
    found: list[Row] = []
    for at, row in instants:
        last = found[-1] if found and found[-1]["valid_to"] is None else None
        if last is not None and row is not None and all(last[c] == row[c] for c in row):
            continue
        if last is not None:
            last["valid_to"] = at
        if row is not None:
            found.append({**row, "valid_from": at, "valid_to": None})
    return found
