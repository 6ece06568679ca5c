"""One thing that is wrong, said to a person: where, what, and what is there instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    file: str
    where: str  # data source, sheet or dashboard
    what: str  # the field, relation or zone
    problem: str
    instead: str = ""

    def __str__(self) -> str:
        told = f"{self.file}: {self.where}: {self.what} {self.problem}"
        return f"{told}; {self.instead}" if self.instead else told


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What comes closest, or a few of what there is."""
    names = sorted(set(known))
    folded = {n.casefold(): n for n in names}
    if close := difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6):
        return f"did you mean {folded[close[0]]}?"
    return f"there is {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}" if names else "there is none"
