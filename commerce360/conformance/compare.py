"""Rows of an engine against the rows that a case expects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

DEFAULT_ROW: dict[str, Any] = {
    "valid_to": None,
    "is_deleted": False,
    "is_inferred": False,
    "unresolved": [],
    "moved_from": None,
    "moved_to": None,
}
ONLY_IF_GIVEN = ("closed_by", "version_key")
Row = dict[str, Any]


def compare_rows(expected: Iterable[Row], rows: Iterable[Row], key: tuple[str, ...]) -> list[str]:
    """Rows matched by key and valid_from; what an expected row does not name has its default."""
    at = (*key, "valid_from")
    got: dict[tuple[Any, ...], Row] = {}
    found = []
    for row in rows:
        place = tuple(row[c] for c in at)
        if place in got:
            found.append(f"a second row {row}")
        got[place] = row
    for want in expected:
        actual = got.pop(tuple(want.get(c) for c in at), None)
        if actual is None:
            found.append(f"no row {want}")
            continue
        full = {**dict.fromkeys(actual), **DEFAULT_ROW, "is_current": want.get("valid_to") is None, **want}
        names = [c for c in full if not c.startswith("_") and (c not in ONLY_IF_GIVEN or c in want)]
        found += [f"row {want}: {c} is {actual.get(c)!r}, not {full[c]!r}" for c in names if not _equal(actual.get(c), full[c])]
    return found + [f"unexpected row {row}" for row in got.values()]


def rejection(raw: Mapping[str, Any]) -> str:
    """What a case says of a rejected record: the same text for the same."""
    key = raw.get("key")
    key = key[0] if isinstance(key, list) and len(key) == 1 else key
    return json.dumps([raw["reason"], raw.get("op"), key, raw.get("seq")], ensure_ascii=False)


def _equal(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)
