"""What a source says of a day of a table, and what of it the table lacks or has otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from commerce360.backfill.days import WHOLE
from schemas.columns import Table
from stream_jobs.slices import Place, Slice

KEYS, PLACES = 500, 2_000  # in one slice: a batch of the stream waits for no more than this


@dataclass
class Found:
    """Of one day and table. `differing`: keys as a slice names them, with the places of their records in bronze."""

    read: int = 0  # records, documents or rows of the source
    rejected: int = 0  # of them cannot be used
    keys: set[str] = field(default_factory=set)
    differing: dict[str, list[Place]] = field(default_factory=dict)

    @property
    def unchanged(self) -> int:
        return len(self.keys) - len(self.differing)


Days = dict[str, Found]  # by ISO day; WHOLE for a table without days, the year for the calendar


class Source(Protocol):
    """Finds what differs and changes nothing. Then the lake job looks at the keys again; then `feed` brings what bronze does not have."""

    name: str
    span: int  # days that are looked for at once: what is in memory

    def find(self, table: Table, days: list[dt.date]) -> Days: ...

    def feed(self, table: Table, found: Found) -> int:
        """Rows that the lake got for it. Raises UnavailableError."""
        ...


@dataclass(frozen=True)
class Result:
    """Of one day and table. `changed`, `unchanged`: keys. `rows`: that the lake job appended; None in a dry run."""

    day: str
    table: str
    source: str
    read: int
    changed: int
    unchanged: int
    rejected: int
    rows: int | None
    seconds: float

    @property
    def summary(self) -> str:
        day = self.day if self.day != WHOLE else "all days"
        wrote = "nothing was written" if self.rows is None else f"{self.rows} rows written"
        return (
            f"{day} {self.table}: {self.read} read, {self.changed} changed, {self.unchanged} unchanged, {self.rejected} rejected; "
            f"{wrote}, {self.seconds:.1f} s"
        )


def slices(run_id: str, table: Table, day: str, differing: Mapping[str, list[Place]], first: int) -> Iterator[Slice]:
    """Numbered from `first` on. A key with very many records is in several: what they say is united."""
    keys, places = list[str](), list[Place]()
    number = first
    for key, its in _cut(differing):
        if keys and (len(keys) == KEYS or len(places) + len(its) > PLACES):
            yield Slice(run_id, number, day, table, tuple(keys), tuple(places))
            keys, places, number = [], [], number + 1
        keys.append(key)
        places += its
    if keys:
        yield Slice(run_id, number, day, table, tuple(keys), tuple(places))


def _cut(differing: Mapping[str, list[Place]]) -> Iterator[tuple[str, list[Place]]]:
    for key, its in differing.items():
        for start in range(0, max(len(its), 1), PLACES):
            yield key, its[start : start + PLACES]
