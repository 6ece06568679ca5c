"""The Python engine: keeps the set of records, answers with rows. For cases, offline folds and comparison; stdlib only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from stream_jobs.scd2 import facts as fact_rules
from stream_jobs.scd2.change import Change, canonical, left_out, problem, resolve, usable
from stream_jobs.scd2.fold import Version, fold, version_key
from stream_jobs.scd2.roles import Roles

Row = dict[str, Any]
Key = tuple[Any, ...]


class History:
    """One table. Whatever the order, repetition or cut of `apply`, the rows depend only on the set of records (R6)."""

    def __init__(self, roles: Roles) -> None:
        self.roles = roles
        self.changes: dict[Key | None, dict[tuple[Any, ...], Change]] = defaultdict(dict)
        self.rejected: dict[str, Row] = {}
        self.facts: dict[Any, tuple[Key | None, int | None]] = {}

    def apply(self, changes: Iterable[Mapping[str, Any]], facts: Iterable[Mapping[str, Any]] = (), roles: Roles | None = None) -> None:
        """Take raw changes (R2) and facts. Raises ConfigDriftError when `roles` are not those of the table."""
        if roles is not None:
            roles.refuse_drift(self.roles.text(), "this history")
        for raw in changes:
            self._take(raw)
        for fact in facts:
            self.facts[fact["id"]] = (_whole(fact["key"]), fact["ts"])

    def versions(self) -> dict[Key, list[Version]]:
        truncates, _ = resolve(self.changes.get(None, {}).values())
        made = {}
        columns = self.columns()
        for key, found in self.changes.items():
            if key is not None:
                winners, _ = resolve(found.values())
                ordered = sorted([*truncates, *winners], key=lambda c: (c.seq, c.op != "t"))
                made[key] = fold(key, ordered, self.roles, columns)
        return made

    def rejections(self) -> list[Row]:
        lost = [loser for found in self.changes.values() for loser in resolve(found.values())[1]]
        conflicts = [{"reason": "seq_conflict", "op": c.op, "key": _list(c.key), "seq": list(c.seq)} for c in lost]
        return [*self.rejected.values(), *conflicts]

    def columns(self) -> tuple[str, ...]:
        seen = {c for found in self.changes.values() for change in found.values() for c in change.after or {}}
        return self.roles.stored(seen)

    def rows(self) -> list[Row]:
        """Rows as R19 describes them, inferred rows (R22) included; key parts and links of one column as plain values."""
        versions = self.versions()
        rows = [self._row(v) for found in versions.values() for v in found]
        wanted = {key for key, _ in self.facts.values() if key is not None}
        return rows + [self._inferred(key) for key in wanted if not versions.get(key)]

    def targets(self) -> dict[Any, fact_rules.Target]:
        versions = self.versions()
        return {fact: fact_rules.target(None if key is None else versions.get(key, []), ts) for fact, (key, ts) in self.facts.items()}

    def _take(self, raw: Mapping[str, Any]) -> None:
        if reason := problem(raw, self.roles):
            named = {k: raw.get(k) for k in ("op", "key", "seq", "ts", "after", "link")}
            self.rejected[canonical([reason, named])] = {"reason": reason, **{k: named[k] for k in ("op", "key", "seq")}}
            return
        change = usable(raw, self.roles)
        if not left_out(change, self.roles):
            self.changes[change.key][change.identity] = change

    def _row(self, version: Version) -> Row:
        return {
            **dict(zip(self.roles.key, version.key, strict=True)),
            **version.values,
            "valid_from": version.valid_from,
            "valid_to": version.valid_to,
            "is_current": version.valid_to is None,
            "is_deleted": version.is_deleted,
            "is_inferred": False,
            "closed_by": version.closed_by,
            "unresolved": list(version.unresolved),
            "moved_from": plain(version.moved_from),
            "moved_to": plain(version.moved_to),
            "version_key": version.version_key,
        }

    def _inferred(self, key: Key) -> Row:
        return {
            **dict(zip(self.roles.key, key, strict=True)),
            **dict.fromkeys(self.columns()),
            **dict.fromkeys(("valid_from", "valid_to", "closed_by", "moved_from", "moved_to")),
            "is_current": True,
            "is_deleted": False,
            "is_inferred": True,
            "unresolved": [],
            "version_key": version_key(key, None),
        }


def plain(key: Key | None) -> Any:
    """A key of one column as its value, of several as a list."""
    return None if key is None else key[0] if len(key) == 1 else list(key)


def _whole(key: Any) -> Key | None:
    """A key with a missing part names no row."""
    return None if key is None or any(part is None for part in key) else tuple(key)


def _list(key: Key | None) -> list[Any] | None:
    return None if key is None else list(key)
