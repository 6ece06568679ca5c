"""Which version a fact belongs to (R21)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream_jobs.scd2.fold import Version


class Target(NamedTuple):
    match: str  # exact, early, gap, inferred or none
    valid_from: int | None


def target(versions: Sequence[Version] | None, ts: int | None) -> Target:
    """`versions` of the fact's key, oldest first; None when the fact has no key."""
    if versions is None or ts is None:
        return Target("none", None)
    if not versions:
        return Target("inferred", None)
    begun = [v for v in versions if v.valid_from <= ts]
    if not begun:
        return Target("early", versions[0].valid_from)
    last = begun[-1]
    inside = last.valid_to is None or ts < last.valid_to
    return Target("exact" if inside else "gap", last.valid_from)
