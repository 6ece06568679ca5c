"""Conformance cases: YAML files, a case a document, read into what an engine gets and what it must answer."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from commerce360.errors import ConfigError

DEFAULTS: dict[str, Any] = {
    "key": ["customer_id"],
    "tracked": ["city", "email"],
    "in_place": ["points"],
    "ignored": ["synced_at"],
    "new_columns": "in_place",
    "ignore_null": [],
    "delete": "close",
    "truncate": "refuse",
    "types": {"customer_id": "int", "points": "int"},
}
TIMES = ("valid_from", "valid_to")


@dataclass(frozen=True)
class Batch:
    changes: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    expect: list[dict[str, Any]] | None = None
    config: dict[str, Any] | None = None
    crash: bool = False


@dataclass(frozen=True)
class Case:
    id: str
    title: str
    config: dict[str, Any]
    batches: list[Batch]
    expect: list[dict[str, Any]]
    expect_rejected: list[dict[str, Any]]
    expect_facts: dict[Any, dict[str, Any]]
    expect_error: dict[str, Any] | None

    @property
    def written_only(self) -> bool:
        return self.expect_error is not None or any(b.config is not None for b in self.batches)


def read(folder: Path) -> list[Case]:
    """Every case below `folder`, by file name. Raises ConfigError for a file that is not a case."""
    files = sorted(p for p in ([folder] if folder.is_file() else folder.rglob("*")) if p.suffix in (".yaml", ".yml"))
    if not files:
        raise ConfigError(f"no case files in {folder}", "name a folder of YAML case files with --cases")
    return [case for path in files for case in _documents(path)]


def micros(value: Any) -> Any:
    """Whole microseconds, from a number or an ISO text; anything else is handed on as it is."""
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            return value
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    return value


def _documents(path: Path) -> Iterator[Case]:
    try:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document is not None:
                json.dumps(document)  # TypeError for a time without quotes and the like: values are texts, whole numbers or null
                yield _case(document)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ConfigError(
            f"{path.name} is not a case file: {type(error).__name__}: {error}", "see the field table of the case format"
        ) from error


def _case(document: Mapping[str, Any]) -> Case:
    config = {**DEFAULTS, **(document.get("config") or {})}
    batches: list[Batch] = []
    for raw in document["batches"]:
        batches.append(_batch(raw, batches, config))
    return Case(
        id=str(document["id"]),
        title=str(document.get("title", "")),
        config=config,
        batches=batches,
        expect=[_row(r) for r in document.get("expect") or []],
        expect_rejected=[
            {**dict.fromkeys(("reason", "op", "key", "seq")), **r, "seq": _seq(r.get("seq"))} for r in document.get("expect_rejected") or []
        ],
        expect_facts={
            k: {"match": v["match"], "valid_from": micros(v.get("valid_from"))} for k, v in (document.get("expect_facts") or {}).items()
        },
        expect_error={k: document["expect_error"][k] for k in ("batch", "code")} if document.get("expect_error") else None,
    )


def _batch(raw: Any, before: list[Batch], config: Mapping[str, Any]) -> Batch:
    if isinstance(raw, list):
        return Batch([c for c in map(_change, raw) if c is not None])
    changes = [c for c in map(_change, raw.get("changes") or []) if c is not None]
    facts = [{"id": f["id"], "key": _key(f.get("key")), "ts": micros(f.get("ts"))} for f in raw.get("facts") or []]
    if any(f["ts"] is not None and type(f["ts"]) is not int for f in facts):
        raise TypeError("the time of a fact is whole microseconds or a quoted text")
    if "replay" in raw:
        again = before[_number(raw["replay"])]
        changes, facts = again.changes[: raw.get("take")] + changes, again.facts + facts
    return Batch(
        changes,
        facts,
        [_row(r) for r in raw["expect"] or []] if "expect" in raw else None,
        {**config, **(raw["config"] or {})} if "config" in raw else None,
        bool(raw.get("crash")),
    )


def _number(batch: Any) -> int:
    """Index of a batch that is named by its number, which begins at 1."""
    if type(batch) is not int or batch < 1:
        raise IndexError(f"there is no batch {batch}")
    return batch - 1


def _change(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    if "op" not in raw and "value" in raw and raw["value"] is None:
        return None  # a Kafka tombstone is read and left out (R2)
    seq = _seq(raw.get("seq"))
    position = seq[0] if isinstance(seq, list) and seq else None
    link, after = raw.get("link"), raw.get("after")
    if not isinstance(after, dict | None):
        raise TypeError("after is a mapping of columns to values")
    return {
        "op": raw.get("op"),
        "key": _key(raw.get("key")),
        "seq": seq,
        "ts": micros(raw["ts"]) if "ts" in raw else position,
        "after": after,
        "link": None if link is None else {k: _key(v) for k, v in link.items()},
    }


def _seq(value: Any) -> Any:
    return [value, 0] if isinstance(value, int) and not isinstance(value, bool) else value


def _key(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else [value]


def _row(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {**raw, **{t: micros(raw[t]) for t in TIMES if t in raw}}
