"""A table folded again from bronze, with the roles of today; and the roles that a table remembers (SCD2 R18).

A table's roles are in its properties. The lake job refuses to start with others until somebody approved them: then it folds the table
again at its start, and its first batch writes the rows that differ together with its own. So there is one writer, readers see old rows
or new ones and never a mixture, and the warehouse gets the difference by the feed, like everything else. The approval is a property of
the table that the rebuilt log was put into: nobody else touches that one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from commerce360.lake import Lake
from schemas.tables import LINEAGE_NAMES, RECORDS, Table
from stream_jobs.bronze import record_of
from stream_jobs.dimensions import WITHDRAWN, Dimension
from stream_jobs.entity import Contribution, Record, RejectedError, Rejection, Row, read_record
from stream_jobs.folds import Folds, stored
from stream_jobs.keyed import KeyedLog
from stream_jobs.scd2.roles import Roles
from stream_jobs.wire import Decoder

ROLES, APPROVED, REBUILT = "c360.roles", "c360.roles.approved", "c360.rebuilt"  # properties of a table
CHUNK = 20_000  # records that are folded at once
EXAMPLES = 10


@dataclass
class Difference:
    """Live log against the new one, by (key, sequence). `extra`: only the live one has it."""

    kinds: Counter[str] = field(default_factory=lambda: Counter(equal=0, changed=0, missing=0, extra=0))
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return sum(self.kinds.values()) == self.kinds["equal"]

    def note(self, kind: str, row: Row, columns: dict[str, tuple[Any, Any]] | None = None) -> None:
        self.kinds[kind] += 1
        if kind != "equal" and len(self.examples) < EXAMPLES:
            self.examples.append({"kind": kind, "row": row, "columns": columns or {}})


def check(lake: Lake, table: Table, roles: Roles) -> bool:
    """Whether the table is to be folded again at the next start. Raises ConfigDriftError for roles that nobody approved."""
    made = new_table(table)
    if lake.exists(made) and lake.properties(made).get(APPROVED) == roles.text():
        return True
    remembered = lake.properties(table).get(ROLES)
    if remembered is not None:
        roles.refuse_drift(remembered, table.entity)
    return False


def agree(lake: Lake, dimension: Dimension) -> bool:
    """`check`, by the writer: a table without roles takes these."""
    again = check(lake, dimension.table, dimension.roles)
    if ROLES not in lake.properties(dimension.table):
        lake.set_properties(dimension.table, {ROLES: dimension.roles.text()})
    return again


def approve(lake: Lake, dimension: Dimension) -> None:
    """The next start of the lake job may fold the table again, with these roles. Comes after `keep`."""
    lake.set_properties(new_table(dimension.table), {APPROVED: dimension.roles.text()})


def records(lake: Lake, topics: frozenset[str], upto: int | None = None) -> Iterator[Record]:
    """The records of the topics as bronze has them, among batches up to `upto`."""
    names = ", ".join(f"'{t}'" for t in sorted(topics))
    bound = "" if upto is None else f" AND batch_id <= {upto}"
    for batch in lake.batches_of(RECORDS, f"SELECT * FROM records WHERE topic IN ({names}){bound}"):
        for row in batch.to_pylist():
            yield record_of(row)


def refold(lake: Lake, dimension: Dimension, decoder: Decoder, upto: int | None = None) -> tuple[KeyedLog, list[Rejection]]:
    """The log as it follows from bronze, and what the roles reject."""
    log, found, rejections = KeyedLog(dimension, lambda: ()), list[Contribution](), list[Rejection]()

    def fold() -> None:
        rejections.extend(log.apply(found).rejections)
        log.commit()
        found.clear()

    for record in records(lake, dimension.topics, upto):
        try:
            found += read_record(dimension, record, *decoder.decode(record))
        except RejectedError as error:
            rejections.append(Rejection(record, error.reason, error.detail))
        if len(found) >= CHUNK:
            fold()
    fold()
    return log, rejections


def compare(lake: Lake, dimension: Dimension, made: KeyedLog, upto: int | None = None) -> Difference:
    """The live log against the new one, in every column but the lineage."""
    found = Difference()
    live = KeyedLog(dimension, lambda: stored(lake, dimension, "" if upto is None else f"batch_id <= {upto}"))
    for key in made.store:
        there = {live.place(r): r for r in live.store.get(key)}
        for row in made.store.get(key):
            old = there.pop(made.place(row), None)
            if old is None:
                found.note("missing", row)
            else:
                columns = {c: (old.get(c), v) for c, v in row.items() if c not in LINEAGE_NAMES and old.get(c) != v}
                found.note("changed" if columns else "equal", row, columns)
        for row in there.values():
            found.note("equal" if row["op"] == WITHDRAWN else "extra", row)
    known = set(made.store)
    for key in live.store:
        if key not in known:
            for row in live.store.get(key):
                found.note("equal" if row["op"] == WITHDRAWN else "extra", row)
    return found


def keep(lake: Lake, dimension: Dimension, made: KeyedLog, batch_id: int) -> Table:
    """Put the new log into a table of its own, in place of what was there; returns it."""
    table = new_table(dimension.table)
    rows = ({**row, "batch_id": batch_id} for key in made.store for row in made.store.get(key))
    lake.replace(table, rows)
    return table


def rebase(lake: Lake, folds: Folds, dimension: Dimension) -> None:
    """Make the folds go on from the new log; what differs is carried into the next batch."""
    log = folds.logs[dimension.table.name]
    made, rejections = refold(lake, dimension, folds.decoder)
    folds.carried += rejections
    log.rebase((key, row) for key in made.store for row in made.store.get(key))
    there = {made.place(r) for key in made.store for r in made.store.get(key)}
    gone = [(key, row) for key in log.store for row in log.store.get(key) if log.place(row) not in there]
    log.rebase((key, dimension.withdrawn(row)) for key, row in gone)


def settle(lake: Lake, dimension: Dimension) -> None:
    """The table has the approved roles now. Killed between the two, the next start folds again and finds no difference."""
    lake.set_properties(dimension.table, {ROLES: dimension.roles.text(), REBUILT: "true"})
    lake.set_properties(new_table(dimension.table), {APPROVED: ""})


def was_rebuilt(lake: Lake, dimension: Dimension) -> bool:
    """Whether the table was ever folded again with roles of its own: some of its dead letters may be of other roles."""
    return REBUILT in lake.properties(dimension.table)


def new_table(table: Table) -> Table:
    """Where a rebuilt log is put for people to look at."""
    return replace(table, name=f"rebuild.{table.entity}", comment=f"{table.name}, folded again from bronze", feed=False)
