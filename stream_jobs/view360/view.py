"""The 360 view beside the batches: what a batch changes in sessions, page events, reviews, campaigns and marts.

All of it follows from silver, sales and the dimensions, so nothing of it has to survive: at the start every row is computed from those
tables and compared with what the view's own tables say. What differs (a crash between two commits, a rule that changed) is carried into
the next batch. So a replay needs no stamps: it finds no difference.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from commerce360 import log
from commerce360.lake import Lake
from schemas.behaviour import DIM_CAMPAIGN, FCT_PAGE_EVENTS, FCT_REVIEWS, FCT_SESSIONS
from schemas.behaviour import SENTIMENTS as SENTIMENTS_TABLE
from schemas.columns import Table
from schemas.marts import MART_ATTRIBUTION, MART_CUSTOMER_360, MARTS
from schemas.shop import campaigns
from schemas.tables import CLICKSTREAM, DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, RECORDS, REVIEWS
from stream_jobs.entity import Key, Row
from stream_jobs.keyed import KeyedLog, Outcome
from stream_jobs.values import EPOCH
from stream_jobs.view360.days import day_of, rows_of
from stream_jobs.view360.memory import Memory, digest
from stream_jobs.view360.sums import TABLES as SUMMED
from stream_jobs.view360.units import unit_of, where_units
from stream_jobs.view360.work import Products, Work

logger = log.get("lake")
TABLES = (DIM_CAMPAIGN, FCT_PAGE_EVENTS, FCT_SESSIONS, FCT_REVIEWS, *MARTS)
NEEDED = (DIM_CUSTOMER, DIM_PRODUCT, FCT_SALES, SENTIMENTS_TABLE)


@dataclass(frozen=True)
class Changes:
    """What a batch brought. `clicks`, `reviews`: rows of silver; `outcomes` of the folds, by table; `newest`: of the Kafka record times.

    `looked`: units of the view's tables that somebody else may have changed.
    """

    clicks: Sequence[Row] = ()
    reviews: Sequence[Row] = ()
    outcomes: Mapping[str, Outcome] | None = None
    newest: dt.datetime | None = None
    looked: Mapping[Table, Sequence[str]] | None = None


class View:
    """After `apply` follows `commit` when everything is written, else `discard`."""

    def __init__(self, lake: Lake, logs: Mapping[str, KeyedLog]) -> None:
        self.lake = lake
        self.logs = logs
        self.as_of = day_of(EPOCH)
        self._memory: Memory | None = None
        self._products = Products()
        self._carried: dict[Table, list[Row]] = {}
        self.memory  # noqa: B018 - filled at the start, not in the first batch

    @classmethod
    def over(cls, lake: Lake, logs: Mapping[str, KeyedLog]) -> View | None:
        """None where a table that it is made of is not among the logs."""
        return cls(lake, logs) if all(t.name in logs for t in NEEDED) else None

    @property
    def memory(self) -> Memory:
        if self._memory is None:
            self._memory, self._products, self._carried = Memory(), Products(), {}
            self._load(self._memory)
        return self._memory

    def apply(self, changes: Changes) -> dict[Table, list[Row]]:
        """Rows to append, without `batch_id`: those of the batch and what the start carried."""
        memory = self.memory
        if changes.newest is not None:
            self.as_of = max(self.as_of, day_of(changes.newest))
        outcomes = changes.outcomes or {}
        memory.begin()
        work = Work(memory, self._products, self.as_of)
        work.customers |= memory.turned(self.as_of)
        for table, units in (changes.looked or {}).items():
            self._look(memory, work, table, units)
        work.note_clicks(changes.clicks)
        for table, note in self._notes(work):
            if outcome := outcomes.get(table.name):
                note(outcome.after)
        work.note_reviews(changes.reviews, outcomes.get(SENTIMENTS_TABLE.name), self._said_of)
        work.finish()
        memory.end()
        return {t: self._merged(t, work.rows[t]) for t in TABLES if work.rows[t] or self._carried.get(t)}

    def commit(self) -> None:
        self._carried = {}

    def discard(self) -> None:
        """Nobody knows what was written: everything is read again."""
        self._memory = None

    def _merged(self, table: Table, rows: list[Row]) -> list[Row]:
        """A carried row counts unless the batch has a newer one of its key."""
        made = {tuple(r[k] for k in table.key): r for r in (*self._carried.get(table, ()), *rows)}
        return list(made.values())

    def _notes(self, work: Work) -> tuple[tuple[Table, Callable[[Mapping[Key, Sequence[Row]]], None]], ...]:
        return ((DIM_PRODUCT, work.note_products), (DIM_CUSTOMER, work.note_customers), (FCT_SALES, work.note_orders))

    def _said_of(self, key: Key) -> list[Row]:
        return self.logs[SENTIMENTS_TABLE.name].rows(key)

    def _load(self, memory: Memory) -> None:
        """Compute everything from the base tables. Part by part: the rows that are in memory at once are few."""
        newest = self.lake.query(RECORDS, "SELECT MAX(kafka_ts) AS at FROM records").to_pylist()[0]["at"]
        self.as_of = EPOCH.date() if newest is None else day_of(newest)
        memory.begin()
        work = Work(memory, self._products, self.as_of)
        for table in TABLES:
            self._hear(memory, work, table)
        for rows in self._newest(CLICKSTREAM):
            work.note_clicks(rows)
        for table, note in self._notes(work):
            store = self.logs[table.name].store
            for key in store:
                note({key: store.get(key)})
        for rows in self._newest(REVIEWS):
            work.note_reviews(rows, None, self._said_of)
        work.know_campaigns(campaigns())
        work.finish()
        memory.end()
        self._carried = {t: self._merged(t, rows) for t, rows in work.rows.items() if rows}
        if self._carried:
            logger.info("repaired_view", **{t.entity: len(rows) for t, rows in self._carried.items()})

    def _hear(self, memory: Memory, work: Work, table: Table) -> None:
        """What the table says now; and that each of its rows is to be looked at, though no base row may ask for it any more."""
        for rows in self._newest(table):
            for row in rows:
                unit, sub = unit_of(table, row)
                memory.say(table, unit, {sub: (digest(table, row), bool(row.get("is_deleted", False)))})
                if table is FCT_SESSIONS and row["visitor_id"] is not None:
                    work.visitors.add(row["visitor_id"])
                elif table is MART_ATTRIBUTION:
                    work.attributed.add(row["order_id"])
                elif table is MART_CUSTOMER_360:
                    work.customers.add(row["customer_id"])
                elif table in SUMMED:
                    work.delta[table.name, tuple(row[k] for k in table.key)] = {}

    def _look(self, memory: Memory, work: Work, table: Table, units: Sequence[str]) -> None:
        """Take what the table says of the units for what it says, and compute them again."""
        said: dict[str, dict[str, tuple[bytes, bool]]] = {unit: {} for unit in units}
        for rows in self._newest(table, where_units(table, units)):
            for row in rows:
                unit, sub = unit_of(table, row)
                if unit in said:
                    said[unit][sub] = (digest(table, row), bool(row.get("is_deleted", False)))
        for unit, found in said.items():
            memory.forget(table, unit)
            memory.say(table, unit, found)
            work.look(table, unit)

    def _newest(self, table: Table, where: str = "") -> Iterator[Iterable[Row]]:
        for batch in self.lake.batches_of(table, table.newest_sql(table.entity, where)):
            yield rows_of(table, batch)
