"""What a check found: where, what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """`file` is relative to the root that was checked; `line` counts from 1, and 0 is the whole file."""

    file: Path
    what: str
    hint: str
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {self.what}\n  hint: {self.hint}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part that could not be looked at here, and why; it is said, and is no failure."""

    what: str

    def __str__(self) -> str:
        return f"skipped: {self.what}"
