"""What the offsets of a source connector must look like, and how people read them.

Connect takes any JSON as an offset and says 200; a connector that cannot read it dies at its next start. Field names and types are
those that Debezium PostgreSQL 3.7 and the MongoDB source connector 2.0 store, seen on running ones. Pure: no server is asked.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from commerce360.errors import ConfigError
from connect_configs.files import unique_keys

Entry = dict[str, Any]  # {"partition": {...}, "offset": {...} or None}
Kind = Literal["postgres", "mongo", ""]
LONG = 2**63
LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
POSITIONS = ("lsn", "lsn_proc", "lsn_commit")
MESSAGES = frozenset({"INSERT", "UPDATE", "DELETE", "TRUNCATE", "MESSAGE", "BEGIN", "COMMIT", "NOOP"})
TIMED = "82"  # KeyString type of a timestamp: MongoDB's own tokens begin with the cluster time
SHOWN_LENGTH = 60


class ShapeError(ConfigError):
    """Offsets that the connector could not read. Nothing was sent."""

    def __init__(self, problems: Sequence[str], hint: str = "`c360 connect offsets get NAME --json` shows the shape") -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}", hint)
        self.problems = list(problems)


def parse(text: str) -> list[Entry]:
    """Of `{"offsets": [{"partition": {...}, "offset": {...} or null}]}`. Raises ShapeError that names the place."""
    try:
        data = json.loads(text, object_pairs_hook=unique_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ShapeError([f"this is not JSON: {error}"]) from None
    entries = data.get("offsets") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise ShapeError(['there is no list of offsets: {"offsets": [{"partition": {..}, "offset": {..}}]}'])
    if problems := [p for i, entry in enumerate(entries) for p in _frame(f"offsets[{i}]", entry)]:
        raise ShapeError(problems)
    return entries


def _frame(path: str, entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{path} is {named(entry)}, not an object"]
    if odd := sorted(set(entry) - {"partition", "offset"}):
        return [f"{path} has {', '.join(odd)}; it holds partition and offset only"]
    if not isinstance(entry.get("partition"), dict) or not entry["partition"]:
        return [f"{path}.partition is {named(entry.get('partition'))}, not an object with something in it"]
    if "offset" not in entry:
        return [f"{path}.offset is missing (null takes the partition's offset away)"]
    if entry["offset"] is not None and (not isinstance(entry["offset"], dict) or not entry["offset"]):
        return [f"{path}.offset is {named(entry['offset'])}, not an object with something in it, nor null"]
    nested = [(f"{path}.{part}.{k}", v) for part in ("partition", "offset") for k, v in (entry[part] or {}).items()]
    return [f"{place} is {named(v)}; Connect keeps texts, numbers and truth values" for place, v in nested if isinstance(v, dict | list)]


def check(
    kind: Kind,
    entries: Sequence[Entry],
    current: Sequence[Entry],
    partition: Mapping[str, Any] | None = None,
    new_partition: bool = False,
    unchecked: bool = False,
) -> None:
    """Raises ShapeError unless the connector can read them.

    `partition`: the only one that the connector's configuration allows, where that can be told. `current`: what is stored now; it tells
    the partitions there are, and the types where the kind is unknown. `new_partition` lets others in, `unchecked` waives the types of
    an unknown kind.
    """
    problems = ["offsets is empty; `c360 connect offsets reset` takes all of them away"] if not entries else []
    seen: list[str] = []
    for i, entry in enumerate(entries):
        path, text = f"offsets[{i}]", canonical(entry["partition"])
        if text in seen:
            problems.append(f"{path}.partition stands twice")
        seen.append(text)
        problems += _partition(path, kind, entry, current, partition, new_partition)
        problems += _offset(path, kind, entry, current, unchecked)
    if problems:
        raise ShapeError(problems)


def _partition(
    path: str, kind: Kind, entry: Entry, current: Sequence[Entry], wanted: Mapping[str, Any] | None, new_partition: bool
) -> list[str]:
    given, stored = canonical(entry["partition"]), [canonical(e["partition"]) for e in current]
    if entry["offset"] is None and given in stored:
        return []  # also what should never have been stored can be taken away
    if wanted is not None:
        if given != canonical(wanted):
            return [f"{path}.partition is {given}; this connector reads only {canonical(wanted)}"]
        return []
    if kind == "mongo" and (set(entry["partition"]) != {"ns"} or not isinstance(entry["partition"]["ns"], str)):
        return [f'{path}.partition is {given}, not {{"ns": "a text"}}']
    if given not in stored and not new_partition:
        return [f"{path}.partition {given} is none that Connect stores for this connector (--new-partition lets it in)"]
    return []


def _offset(path: str, kind: Kind, entry: Entry, current: Sequence[Entry], unchecked: bool) -> list[str]:
    offset = entry["offset"]
    if offset is None:
        return []
    if kind == "postgres":
        return _postgres(f"{path}.offset", offset)
    if kind == "mongo":
        return _mongo(f"{path}.offset", offset)
    if unchecked:
        return []
    before = next((e["offset"] for e in current if canonical(e["partition"]) == canonical(entry["partition"])), None)
    if before is None:
        return [f"{path}.offset: there is none now to compare its types with (--unchecked sends it as it is)"]
    return _like(f"{path}.offset", offset, before)


def _like(path: str, offset: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    problems = [f"{path}.{key} is missing" for key in before if key not in offset]
    for key, value in offset.items():
        if key not in before:
            problems.append(f"{path}.{key} is not in the stored offset (--unchecked sends it all the same)")
        elif type(value) is not type(before[key]):
            problems.append(f"{path}.{key} is {named(value)}, not {named(before[key])} as now (--unchecked sends it all the same)")
    return problems


# --- Debezium PostgreSQL


def whole(least: int) -> Callable[[Any], str]:
    def problem(value: Any) -> str:
        if type(value) is not int:
            return "not a whole number"
        return "" if least <= value < LONG else f"not between {least} and 2^63 - 1"

    return problem


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "not a text"


def _truth(value: Any) -> str:
    return "" if isinstance(value, bool) else "not true or false"


def _text_or_truth(value: Any) -> str:
    return "" if isinstance(value, str | bool) else "neither a text nor true or false"


def _message(value: Any) -> str:
    return "" if value in MESSAGES else f"none of {', '.join(sorted(MESSAGES))}"


POSTGRES: dict[str, Callable[[Any], str]] = {
    **{name: whole(1) for name in (*POSITIONS, "ts_usec")},
    "txId": whole(0),
    "xmin": whole(0),
    "lsn_events_processed": whole(0),
    "messageType": _message,
    "snapshot": _text_or_truth,
    "snapshot_completed": _truth,
    "last_snapshot_record": _truth,
    "transaction_id": lambda value: "" if value is None else _text(value),
}
PREFIXES: dict[str, Callable[[Any], str]] = {"incremental_snapshot_": _text, "transaction_data_collection_order_": whole(0)}


def _postgres(path: str, offset: Mapping[str, Any]) -> list[str]:
    problems = [] if "lsn" in offset else [f"{path}.lsn is missing: Debezium would not know where to go on"]
    for key, value in offset.items():
        rule = POSTGRES.get(key) or next((r for prefix, r in PREFIXES.items() if key.startswith(prefix)), None)
        if rule is None:
            problems.append(f"{path}.{key} is no field of a Debezium PostgreSQL offset")
        elif problem := rule(value):
            problems.append(f"{path}.{key} is {named(value)}, {problem}")
    return problems


def with_lsn(offset: Mapping[str, Any] | None, lsn: int) -> dict[str, Any]:
    """The same offset at another position, at the end of a transaction. What else it says of that place would be wrong."""
    kept = {k: v for k, v in (offset or {}).items() if k in ("txId", "ts_usec") or k.startswith(("incremental_snapshot_", "snapshot"))}
    return {**kept, **dict.fromkeys(POSITIONS, lsn), "messageType": "COMMIT"}


def parse_lsn(text: str) -> int:
    """`0/1A2B3C`, or the number. Raises ShapeError."""
    if match := LSN.fullmatch(text.strip()):
        found = (int(match[1], 16) << 32) + int(match[2], 16)
    elif text.strip().isdecimal():
        found = int(text)
    else:
        raise ShapeError([f"{text!r} is no LSN"], "write it like 0/1A2B3C, as pg_current_wal_lsn() shows it")
    if problem := whole(1)(found):
        raise ShapeError([f"{text} is {problem}"], "write it like 0/1A2B3C, as pg_current_wal_lsn() shows it")
    return found


def lsn_text(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


# --- MongoDB source


def _mongo(path: str, offset: Mapping[str, Any]) -> list[str]:
    problems = [f"{path}.{k} is no field of a MongoDB source offset" for k in offset if k not in ("_id", "HEARTBEAT", "copy")]
    problems += [f"{path}.{k} is {named(offset[k])}, not a text" for k in ("HEARTBEAT", "copy") if k in offset and _text(offset[k])]
    if "_id" not in offset:
        return [*problems, f"{path}._id is missing: it holds the resume token"]
    if not isinstance(offset["_id"], str):
        return [*problems, f"{path}._id is {named(offset['_id'])}, not a text that holds the resume token's JSON"]
    try:
        token = json.loads(offset["_id"])
    except ValueError:
        return [*problems, f"{path}._id is a text, but no JSON in it"]
    if not isinstance(token, dict):
        return [*problems, f"{path}._id holds {named(token)}, not an object"]
    if "copy" in offset:
        return problems  # while it copies, the id of a document stands there
    if not isinstance(token.get("_data"), str) or not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", token["_data"]):
        return [*problems, f"{path}._id holds no _data in hexadecimal digits"]
    return problems


def token_of(offset: Mapping[str, Any] | None) -> str:
    """Hexadecimal digits of the resume token; empty where there is none."""
    try:
        return str(json.loads((offset or {})["_id"])["_data"])
    except (KeyError, TypeError, ValueError):
        return ""


def token_time(token: str) -> dt.datetime | None:
    """Cluster time in a token of MongoDB 4 and later: type byte, then seconds."""
    if not re.match(TIMED + r"[0-9a-fA-F]{8}", token):
        return None
    return dt.datetime.fromtimestamp(int(token[2:10], 16), dt.UTC)


# --- for people


def named(value: Any) -> str:
    kinds: dict[type, str] = {bool: "a truth value", int: "a whole number", float: "a number with a point", str: "a text"}
    return kinds.get(type(value)) or ("null" if value is None else "a list" if isinstance(value, list) else "an object")


def canonical(value: Any) -> str:
    """Equal texts: equal JSON. 1, 1.0 and true are three things."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def same(one: Sequence[Entry], other: Sequence[Entry]) -> bool:
    return sorted(map(canonical, one)) == sorted(map(canonical, other))


def changed(current: Sequence[Entry], entries: Sequence[Entry]) -> list[Entry]:
    """What will be stored once `entries` were sent: Connect keeps the partitions that are not named."""
    found = {canonical(e["partition"]): e for e in [*current, *entries]}
    return [e for e in found.values() if e["offset"] is not None]


def replacing(current: Sequence[Entry], wanted: Sequence[Entry]) -> list[Entry]:
    """What to send so that nothing but `wanted` is stored."""
    kept = {canonical(e["partition"]) for e in wanted}
    return [*wanted, *({"partition": e["partition"], "offset": None} for e in current if canonical(e["partition"]) not in kept)]


def readable(kind: Kind, offset: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Fields and values, positions and times as people write them, the important ones first."""
    if offset is None:
        return [("", "none")]
    order = {name: i for i, name in enumerate((*POSITIONS, "ts_usec"))}
    keys = sorted(offset, key=lambda k: (order.get(k, len(order)), k))
    rows = [(key, _shown(kind, key, offset[key])) for key in keys]
    if kind == "mongo" and (time := token_time(token_of(offset))):
        rows.insert(0, ("time", f"{time:%Y-%m-%d %H:%M:%S} UTC"))
    return rows


def _shown(kind: Kind, key: str, value: Any) -> str:
    if kind == "postgres" and type(value) is int and 0 < value < LONG:
        if key in POSITIONS:
            return f"{lsn_text(value)}  ({value})"
        if key == "ts_usec" and value < 2**52:
            return f"{dt.datetime.fromtimestamp(value / 1e6, dt.UTC):%Y-%m-%d %H:%M:%S.%f} UTC"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_LENGTH or kind == "mongo" else f"{text[:SHOWN_LENGTH]}... ({len(text)} characters)"


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")
