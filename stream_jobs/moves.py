"""Which sales came to belong to another version in a batch (R21), from what the folds know: rows of gold.fct_sales_moves.

A sale moves when it was visible before the batch and is visible with it, and its target is another one. For each key whose history
changed, two step functions from time to target are compared; only facts whose time lies where they differ are looked up. So the cost
is that of what changed and of what moves, not of the tables.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from commerce360.lake import Lake
from schemas.tables import DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, FCT_SALES_MOVES, Table
from stream_jobs.entity import Key, Row
from stream_jobs.factindex import EVER, Fact, FactIndex
from stream_jobs.keyed import KeyedLog, Outcome
from stream_jobs.sales import HEADER, LINE_COLUMNS
from stream_jobs.scd2.fold import version_key
from stream_jobs.values import EPOCH, timestamp

DIMENSIONS = (DIM_CUSTOMER, DIM_PRODUCT)
COLUMNS = tuple(d.history_key[0] for d in DIMENSIONS)  # of a sale: the key of each dimension
MICROSECOND = dt.timedelta(microseconds=1)
LINEAGE = ("event_ts", "kafka_ts", "origin")


class Target(NamedTuple):
    match: str
    version_key: str | None


class Step(NamedTuple):
    """From `start` on (microseconds), facts belong to `target`."""

    start: int
    target: Target


class Line(NamedTuple):
    """A line of an order that a batch changed: its row where it is visible, and the header's row afterwards."""

    before: Row | None
    after: Row | None
    header: Row | None


class Moves:
    """After `of` follows `commit` when the batch is written, else `discard`: as with a `KeyedLog`."""

    # A commit to any of these says that the moves of its batch are decided: they are written first, and may be none.
    tables: tuple[Table, ...] = (FCT_SALES_MOVES, *DIMENSIONS, FCT_SALES)

    def __init__(self, lake: Lake, logs: Mapping[str, KeyedLog]) -> None:
        self.lake = lake
        self.logs = logs
        self._index: FactIndex | None = None
        self._lines: list[Line] = []
        self.index  # noqa: B018 - filled at the start, not in the first batch

    @classmethod
    def over(cls, lake: Lake, logs: Mapping[str, KeyedLog]) -> Moves | None:
        """None where sales or one of their dimensions are not among the logs."""
        return cls(lake, logs) if all(t.name in logs for t in (*DIMENSIONS, FCT_SALES)) else None

    @property
    def index(self) -> FactIndex:
        if self._index is None:
            self._index = FactIndex()
            for facts in _stored(self.lake):
                self._index.change((), facts)
        return self._index

    def of(self, outcomes: Mapping[str, Outcome]) -> list[Row]:
        """The moves of a batch whose folds had these outcomes, without `batch_id`."""
        self._lines = list(_lines(outcomes.get(FCT_SALES.name, Outcome())))
        made: list[Row] = []
        for at, table in enumerate(DIMENSIONS):
            histories = Histories(self.logs[table.name], outcomes.get(table.name, Outcome()))
            own = [line for line in self._lines if line.before and _names(line.before, at) != (line.after and _names(line.after, at))]
            made += self._by_histories(at, histories, {_id(line.before) for line in own if line.before})
            made += _by_facts(at, histories, own)
        return made

    def commit(self) -> None:
        gone = [_fact(line.before) for line in self._lines if line.before]
        self.index.change(gone, [_fact(line.after) for line in self._lines if line.after])
        self._lines = []

    def discard(self) -> None:
        self._lines, self._index = [], None

    def _by_histories(self, at: int, histories: Histories, left_out: Collection[tuple[str, int]]) -> Iterator[Row]:
        """Facts that stayed what they were. `left_out`: those that did not."""
        for key in histories.changed():
            news: Changes | None = None
            for start, end, old, new in differences(histories.before(key), histories.after(key)):
                for fact in self.index.between(at, key[0], start, end):
                    if (fact.order_id, fact.line_no) not in left_out:
                        news = news or histories.changes(key)
                        cause = news.explaining(new, fact.ts)
                        yield _row(at, fact.order_id, fact.line_no, key[0], fact.ts, old, new, _told_by(cause))


class Changes:
    """The changes of a key that came in a batch."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = sorted(rows, key=_place)
        self.times = [r["_ts"] for r in self.rows]
        self.begun = {r["version_key"]: r for r in self.rows if r["is_visible"]}

    def explaining(self, new: Target, ts: int) -> Row | None:
        """The one that begins the target, else the last one at or before the fact's time, else the first after it.

        None: no change came, the history was folded again with other roles. Where both happened, the change is named.
        """
        if found := self.begun.get(new.version_key):
            return found
        at = max(0, bisect_right(self.times, ts) - 1)
        return self.rows[at] if self.rows else None


class Histories:
    """A dimension's histories before a batch and with it."""

    def __init__(self, log: KeyedLog, outcome: Outcome) -> None:
        self.log = log
        self.outcome = outcome
        self.infers = log.entity.table.name == DIM_CUSTOMER.name  # there are no inferred products

    def changed(self) -> Iterator[Key]:
        return (key for key in self.outcome.after if key)  # what is said of all keys is under the empty one

    def before(self, key: Key) -> list[Step]:
        found = self.outcome.before.get(key)
        return self._steps(key, self.log.rows(key) if found is None else found)

    def after(self, key: Key) -> list[Step]:
        return self._steps(key, self.log.rows(key))

    def changes(self, key: Key) -> Changes:
        shared = self.log.entity.shared(key)
        return Changes([*self._new(key), *(() if shared is None else self._new(shared))])

    def target(self, key: int | None, ts: int | None, steps: Mapping[int, list[Step]]) -> Target:
        if key is None or ts is None:
            return Target("none", None)
        found = steps[key]
        return found[bisect_right(found, ts, key=lambda step: step.start) - 1].target

    def _new(self, key: Key) -> Iterator[Row]:
        """Rows for changes that were not there; or another one is, in the same place (R7)."""
        known = {self.log.place(r): r["origin"] for r in self.outcome.before.get(key, ())}
        return (r for r in self.outcome.after.get(key, ()) if known.get(self.log.place(r)) != r["origin"])

    def _steps(self, key: Key, rows: Iterable[Row]) -> list[Step]:
        return steps(rows, Target("inferred", version_key(key, None) if self.infers else None))


def steps(rows: Iterable[Row], nothing: Target) -> list[Step]:
    """To which target a fact of a key belongs, by its time; `nothing` is that of a key without versions."""
    versions = sorted((r for r in rows if r["is_visible"]), key=lambda r: r["valid_from"])
    if not versions:
        return [Step(EVER, nothing)]
    made = {EVER: Target("early", versions[0]["version_key"])}
    for version in versions:  # where it touches the one before it, its start replaces that one's end
        made[micros(version["valid_from"])] = Target("exact", version["version_key"])
        if version["valid_to"] is not None:
            made[micros(version["valid_to"])] = Target("gap", version["version_key"])
    return [Step(start, target) for start, target in made.items()]


def differences(before: Sequence[Step], after: Sequence[Step]) -> Iterator[tuple[int, int | None, Target, Target]]:
    """The spans of time (the last one ends with None) in which a fact has another target than before, with both."""
    old, new = dict(before), dict(after)
    starts = sorted(old.keys() | new.keys())
    was, now = old[EVER], new[EVER]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        was, now = old.get(start, was), new.get(start, now)
        if was != now:
            yield start, end, was, now


def micros(at: dt.datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _by_facts(at: int, histories: Histories, lines: Iterable[Line]) -> Iterator[Row]:
    """Facts that came to name another row of the dimension, or another time."""
    for line in lines:
        if line.before is None or line.after is None:
            continue
        (key, ts), (new_key, new_ts) = _names(line.before, at), _names(line.after, at)
        old = histories.target(key, ts, {} if key is None else {key: histories.before((key,))})
        new = histories.target(new_key, new_ts, {} if new_key is None else {new_key: histories.after((new_key,))})
        if old != new:
            yield _row(at, *_id(line.after), new_key, new_ts, old, new, _told_by_fact(line, COLUMNS[at]))


def _told_by(change: Row | None) -> Row:
    if change is None:
        return {"cause": "roles"}
    told = {"cause": "dimension", "cause_op": change["op"], "cause_seq_pos": change["seq_pos"], "cause_seq_ord": change["seq_ord"]}
    return told | {name: change[name] for name in LINEAGE}


def _told_by_fact(line: Line, column: str) -> Row:
    """The record of the line where the line's own key changed, else that of the order's header, which has the time."""
    assert line.before is not None
    assert line.after is not None
    own = column in LINE_COLUMNS and line.before[column] != line.after[column]
    told = line.after if own or line.header is None else line.header
    return {"cause": "fact", **{name: told[name] for name in LINEAGE}}


def _row(at: int, order_id: str, line_no: int, key: int | None, ts: int | None, old: Target, new: Target, told: Row) -> Row:
    return {
        "order_id": order_id,
        "line_no": line_no,
        "dimension": DIMENSIONS[at].entity,
        "source_key": key,
        "fact_ts": None if ts is None else timestamp(ts),
        "from_match": old.match,
        "from_version_key": old.version_key,
        "to_match": new.match,
        "to_version_key": new.version_key,
        **dict.fromkeys(("cause_op", "cause_seq_pos", "cause_seq_ord", *LINEAGE)),
        **told,
    }


def _lines(outcome: Outcome) -> Iterator[Line]:
    for key, rows in outcome.after.items():
        before = {r["line_no"]: r for r in outcome.before[key] if _visible(r)}
        header = next((r for r in rows if r["line_no"] == HEADER), None)
        for row in rows:
            was, now = before.get(row["line_no"]), row if _visible(row) else None
            if was or now:
                yield Line(was, now, header)


def _visible(row: Row) -> bool:
    """`FCT_SALES.visible`, of a row in hand."""
    return bool(row["line_no"] > HEADER and row["is_complete"] and not row["is_deleted"])


def _id(row: Row) -> tuple[str, int]:
    return row["order_id"], row["line_no"]


def _names(row: Row, at: int) -> tuple[int | None, int | None]:
    """The dimension's key and the time."""
    return row[COLUMNS[at]], None if row["ordered_at"] is None else micros(row["ordered_at"])


def _fact(row: Row) -> Fact:
    return Fact(*_id(row), tuple(row[c] for c in COLUMNS), None if row["ordered_at"] is None else micros(row["ordered_at"]))


def _place(row: Row) -> tuple[int, int, int]:
    return row["_ts"], row["seq_pos"], row["seq_ord"]


def _stored(lake: Lake) -> Iterator[list[Fact]]:
    """The visible facts of the table, a part at a time."""
    newest = FCT_SALES.newest_sql(FCT_SALES.entity)
    sql = f"SELECT order_id, line_no, ordered_at, {', '.join(COLUMNS)} FROM ({newest}) AS newest WHERE {FCT_SALES.visible}"
    for batch in lake.batches_of(FCT_SALES, sql):
        ids, numbers, times, *keys = (column.cast("int64") if n == 2 else column for n, column in enumerate(batch.columns))
        parts = (c.to_pylist() for c in (ids, numbers, times))
        yield [Fact(i, n, key, ts) for i, n, ts, key in zip(*parts, zip(*(k.to_pylist() for k in keys), strict=True), strict=True)]
