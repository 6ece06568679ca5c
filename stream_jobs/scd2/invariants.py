"""What holds after every batch (R23), checked on rows of any engine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

Row = Mapping[str, Any]


def check_rows(
    rows: Iterable[Row], key: Sequence[str], tracked: Sequence[str], upserts: Mapping[tuple[Any, ...], int] | None = None
) -> list[str]:
    """Problems as sentences, none if all is well. Times may be of any type that orders. `upserts`: distinct (key, seq) a key."""
    by_key: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        by_key[tuple(row[k] for k in key)].append(row)
    found = [f"key {_name(at)}: {text}" for at, mine in by_key.items() for text in _of_one_key(mine, tracked)]
    counts = Counter(row["version_key"] for mine in by_key.values() for row in mine)
    found += [f"version_key {k} is there {n} times" for k, n in counts.items() if n > 1]
    for at, mine in by_key.items():
        versions = sum(1 for r in mine if not r["is_deleted"] and not r.get("is_inferred"))
        if upserts is not None and versions > upserts.get(at, 0):
            found.append(f"key {_name(at)}: {versions} versions out of {upserts.get(at, 0)} changes")
    return found


def _of_one_key(rows: list[Row], tracked: Sequence[str]) -> list[str]:
    found = []
    current = [r for r in rows if r["is_current"]]
    if len(current) > 1:
        found.append(f"{len(current)} current rows")
    if any(r["is_current"] != (r["valid_to"] is None) for r in rows):
        found.append("is_current does not say that valid_to is NULL")
    if any(r.get("is_inferred") for r in rows):
        return [*found, "an inferred row beside others"] if len(rows) > 1 else found
    ordered = sorted(rows, key=lambda r: r["valid_from"])
    if any(r["valid_to"] is not None and not r["valid_from"] < r["valid_to"] for r in ordered):
        found.append("an interval of no width")
    for left, right in pairwise(ordered):
        if left["valid_to"] is None or left["valid_to"] > right["valid_from"]:
            found.append(f"versions from {left['valid_from']} and {right['valid_from']} overlap")
        elif left["valid_to"] == right["valid_from"] and _equal(left, right, tracked):
            found.append(f"touching versions from {left['valid_from']} and {right['valid_from']} do not differ")
    return found


def _equal(left: Row, right: Row, tracked: Sequence[str]) -> bool:
    same = all(left.get(c) == right.get(c) and type(left.get(c)) is type(right.get(c)) for c in tracked)
    return same and left["unresolved"] == right["unresolved"] and left["is_deleted"] == right["is_deleted"]


def _name(key: tuple[Any, ...]) -> str:
    return "/".join(map(str, key))
