"""What turned one list of versions of a key into another, in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stream_jobs.scd2.change import canonical
from stream_jobs.scd2.fold import Version
from stream_jobs.scd2.roles import Roles

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ENDS = ("delete", "move", "truncate")
LONGEST = 40  # characters of a value in a sentence


@dataclass(frozen=True, slots=True)
class Effect:
    """`kind` is a fixed word, `version` the valid_from of the version that it is about, `text` the sentence for people.

    Kinds: opened, reopened, closed, split, end_moved, start_moved, removed, in_place, corrected (a tracked value of a version that
    keeps its start), resolved, unresolved, closed_otherwise, deleted_changed, linked; and from the arrivals themselves no_op,
    repetition, conflict_won, conflict_lost, rejected, left_out.
    """

    kind: str
    version: int | None
    text: str


def compare(before: Sequence[Version], after: Sequence[Version], roles: Roles) -> list[Effect]:
    """Empty only if both show the same rows. A version is the same one if it keeps its start, or if only its start moved."""
    old, new = {v.valid_from: v for v in before}, {v.valid_from: v for v in after}
    gone = [v for v in before if v.valid_from not in new]
    come = [v for v in after if v.valid_from not in old]
    moved = _moved(gone, come, roles)
    come = [v for v in come if v.valid_from not in {n.valid_from for _, n in moved}]
    gone = [v for v in gone if v.valid_from not in {o.valid_from for o, _ in moved}]
    found: list[Effect] = []
    for left, right in moved:
        where = "earlier" if right.valid_from < left.valid_from else "later"
        text = f"moved the start of {_name(left)} {where}, to {moment(right.valid_from)}"
        found.append(Effect("start_moved", right.valid_from, text))
    kept = [(old[v.valid_from], v) for v in after if v.valid_from in old and not _equal(old[v.valid_from], v)]
    for left, right in sorted([*kept, *moved], key=lambda pair: pair[1].valid_from):
        inside = [v for v in come if _holds(left, v.valid_from) and v.valid_from > right.valid_from]
        found += [*_end(left, right, inside), *_values(left, right, roles)]
    found += [_opened(v, after) for v in come]
    found += [Effect("removed", v.valid_from, f"removed {_name(v)}") for v in gone]
    return found


def _equal(left: Version, right: Version) -> bool:
    """Quick, for the many versions that a change leaves alone; exact all the same: to Python, 1 equals True."""
    return left == right and [*map(type, left.values.values())] == [*map(type, right.values.values())]


def _moved(gone: Iterable[Version], come: Iterable[Version], roles: Roles) -> list[tuple[Version, Version]]:
    """Pairs of one version with two starts: equal in what makes a version, and begun by the same change or ended at the same time."""
    left, pairs = list(come), []
    for old in gone:
        for new in left:
            if _look(old, roles) == _look(new, roles) and (old.begun_by == new.begun_by or old.valid_to == new.valid_to):
                pairs.append((old, new))
                left.remove(new)
                break
    return pairs


def _look(version: Version, roles: Roles) -> tuple[Any, ...]:
    tracked = [c for c in version.values if roles.role(c) == "tracked"]
    return version.is_deleted, canonical([[c, version.values[c], c in version.unresolved] for c in tracked])


def _holds(version: Version, ts: int) -> bool:
    return version.valid_from <= ts and (version.valid_to is None or ts < version.valid_to)


def _end(left: Version, right: Version, inside: Sequence[Version]) -> Iterator[Effect]:
    """`inside`: new versions that stand where `left` was."""
    at = right.valid_from
    if left.valid_to == right.valid_to:
        if left.closed_by != right.closed_by:
            yield Effect("closed_otherwise", at, f"{_name(right)} is now closed by {right.closed_by}, not by {left.closed_by}")
    elif right.valid_to is None:
        yield Effect("reopened", at, f"opened the end of {_name(right)} again (it had ended at {_at(left.valid_to)})")
    elif _is_split(left, right, inside):
        yield Effect("split", at, f"split {_name(right)} at {_at(right.valid_to)} (closed by {right.closed_by})")
    elif left.valid_to is None:
        yield Effect("closed", at, f"closed {_name(right)} at {_at(right.valid_to)} (closed by {right.closed_by})")
    else:
        text = f"moved the end of {_name(right)} from {_at(left.valid_to)} to {_at(right.valid_to)} (closed by {right.closed_by})"
        yield Effect("end_moved", at, text)
    if left.moved_to != right.moved_to:
        yield Effect("linked", at, f"{_name(right)} moved to key {_key(right.moved_to)}")


def _is_split(left: Version, right: Version, inside: Sequence[Version]) -> bool:
    """A version that just went on and now ends where the next one begins is closed; it is split if a part of it comes back."""
    return bool(inside) and (left.valid_to is not None or len(inside) > 1 or inside[0].valid_from != right.valid_to)


def _values(left: Version, right: Version, roles: Roles) -> Iterator[Effect]:
    at, name = right.valid_from, _name(right)
    if left.is_deleted != right.is_deleted:
        yield Effect("deleted_changed", at, f"the row from {moment(at)} is now {'a deleted row' if right.is_deleted else 'a version'}")
    for column, value in right.values.items():
        was_open, is_open = column in left.unresolved, column in right.unresolved
        old = left.values.get(column)
        if was_open and not is_open:
            yield Effect("resolved", at, f"resolved {column} in {name}: {shown(value)}")
        elif is_open and not was_open:
            yield Effect("unresolved", at, f"left {column} unresolved in {name}")
        elif differ(old, value):
            kind = "corrected" if roles.role(column) == "tracked" else "in_place"
            yield Effect(kind, at, f"{column} {shown(old)} -> {shown(value)} in {name}")
    if left.moved_from != right.moved_from:
        yield Effect("linked", at, f"{name} moved from key {_key(right.moved_from)}")


def _opened(version: Version, after: Sequence[Version]) -> Effect:
    older = [v for v in after if v.valid_from < version.valid_from]
    back = bool(older) and not version.is_deleted and (older[-1].is_deleted or older[-1].closed_by in ENDS)
    until = "" if version.valid_to is None else f" to {moment(version.valid_to)}"
    return Effect("reopened" if back else "opened", version.valid_from, f"{'re-opened' if back else 'opened'} {_name(version)}{until}")


def differ(left: Any, right: Any) -> bool:
    """Exact, as versions are compared (R11)."""
    return type(left) is not type(right) or bool(left != right)


def moment(micros: int) -> str:
    """UTC, as short as it is exact."""
    text = (EPOCH + dt.timedelta(microseconds=micros)).strftime("%Y-%m-%d %H:%M:%S.%f")
    return text.rstrip("0").removesuffix(".")


def shown(value: Any) -> str:
    text = canonical(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _name(version: Version) -> str:
    return f"{'deleted row' if version.is_deleted else 'version'} from {moment(version.valid_from)}"


def _at(micros: int | None) -> str:
    return "open" if micros is None else moment(micros)


def _key(key: tuple[Any, ...] | None) -> str:
    return "none" if key is None else "|".join(map(str, key))
