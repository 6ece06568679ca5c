"""Faults on request, so that clients can be tested. Nothing of the real one is like this; it has them without being asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

When = Literal["before", "after"]
Fault = Literal["busy", "detach", "cut_before", "cut_after"]


@dataclass
class Faults:
    """What happens to every n-th publication, counted over the whole process; 0 is never.

    `cut`: the TCP connection ends without a word, before the publication is stored or after, so that its sender cannot know which.
    """

    busy_every: int = 0
    cut_every: int = 0
    cut_when: When = "before"
    detach_every: int = 0
    answer_after_s: float = 0.0  # how long an acknowledgement takes
    publications: int = field(default=0, init=False)

    def next(self) -> Fault | None:
        """Counts a publication, and says what is to happen to it."""
        self.publications += 1
        if self._is_due(self.cut_every):
            return "cut_before" if self.cut_when == "before" else "cut_after"
        if self._is_due(self.busy_every):
            return "busy"
        return "detach" if self._is_due(self.detach_every) else None

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.publications % every == 0
