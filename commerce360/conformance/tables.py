"""The tables of the cases in a lake: one a configuration, shared by its runs, each of which is a scope of its own."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commerce360.conformance.runner import Run
from commerce360.errors import ConfigError
from schemas.reading import Dialect, Facts, Target, spans, visible, with_inferred
from schemas.tables import CHANGE, LINEAGE, RAW_CHANGE, SEQUENCE, VERSION, Column, Table, Type
from stream_jobs.dimensions import Dimension
from stream_jobs.entity import Contribution, Entity, Key, Record, Rejection, Row
from stream_jobs.scd2 import facts as fact_rules
from stream_jobs.scd2.history import plain
from stream_jobs.scd2.roles import Roles
from stream_jobs.values import EPOCH, timestamp

SCOPE = Column("run", "string", "the run that the row belongs to", nullable=False)
FACT_PREFIX = "facts."
TYPES: Mapping[str, Type] = {"int": "bigint", "bigint": "bigint", "boolean": "boolean", "double": "double"}
MARKS = ("valid_from", "valid_to", "is_current", "is_deleted", "is_inferred", "closed_by", "unresolved", "moved_from", "moved_to")


class CaseFacts:
    """An entity for the facts of cases: the newest one of an id."""

    def __init__(self, table: Table, key: Sequence[str], runs: Iterable[str]) -> None:
        self.table = table
        self.key = tuple(key)
        self.topics = frozenset(FACT_PREFIX + run for run in runs)

    def read(self, record: Record, key: Row | None, value: Row | None) -> list[Contribution]:
        fact = json.loads((value or {})["change"])
        return [Contribution((record.topic.removeprefix(FACT_PREFIX), json.dumps(fact["id"])), fact, record)]

    def fold(self, key: Key, stored: Sequence[Row], new: Sequence[Contribution]) -> tuple[list[Row], list[Rejection]]:
        if not new:
            return list(stored), []
        last = max(new, key=lambda c: c.record.offset)
        fact, record = last.payload, last.record
        parts = fact["key"] or [None] * len(self.key)
        at = None if fact["ts"] is None else timestamp(fact["ts"])
        row = {SCOPE.name: key[0], "fact_id": key[1], **dict(zip(self.key, parts, strict=True)), "fact_ts": at}
        return [{**row, "event_ts": at, "kafka_ts": timestamp(record.timestamp_us), "origin": record.origin}], []

    def key_of(self, row: Row) -> Key:
        return (row[SCOPE.name], row["fact_id"])

    def shared(self, key: Key) -> Key | None:
        return None

    def over(self, table: Table) -> Entity:
        return self


@dataclass(frozen=True)
class Group:
    """One configuration: a dimension and its facts, as the lake has them."""

    runs: frozenset[str]
    dimension: Dimension
    facts: CaseFacts

    @classmethod
    def of(cls, number: int, runs: Sequence[Run], columns: Iterable[str] = ()) -> Group:
        """`columns`: new columns of the source that the table has from the start; others come by themselves."""
        roles, names = runs[0].roles, frozenset(run.name for run in runs)
        types = {c: TYPES.get(t, "string") for c, t in runs[0].case.config["types"].items()}
        kept = (*roles.key, *roles.tracked, *roles.in_place, *sorted(set(columns)))
        own = [Column(c, types.get(c, "string")) for c in kept]
        table = Table(
            f"gold.case_{number:02d}",
            "History of conformance cases.",
            (SCOPE, *own, *CHANGE, *VERSION, *LINEAGE, *RAW_CHANGE),
            key=(SCOPE.name, *roles.key, *SEQUENCE),
            newest=("batch_id",),
            visible="is_visible",
            feed=True,
            history_key=roles.key,
        )
        facts = Table(
            f"gold.case_facts_{number:02d}",
            "Facts of conformance cases.",
            (SCOPE, Column("fact_id", "string", nullable=False), *own[: len(roles.key)], Column("fact_ts", "timestamp"), *LINEAGE),
            key=(SCOPE.name, "fact_id"),
            newest=("batch_id",),
            feed=True,
        )
        return cls(names, Dimension(table, names, roles, case_change), CaseFacts(facts, roles.key, names))

    @property
    def tables(self) -> tuple[Table, Table]:
        return self.dimension.table, self.facts.table


def groups(runs: Sequence[Run], declare_new: bool = False) -> tuple[list[Group], dict[str, ConfigError]]:
    """The groups, and the runs that no table of a lake can hold: a column has a name that the history needs for itself."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(json.dumps([run.roles.text(), run.case.config["types"]], sort_keys=True), []).append(run)
    made, refused = list[Group](), dict[str, ConfigError]()
    for number, mine in enumerate(found.values()):
        try:
            made.append(Group.of(number, mine, _new_columns(mine) if declare_new else ()))
        except ConfigError as error:
            refused |= {run.name: error for run in mine}
    return made, refused


def _new_columns(runs: Sequence[Run]) -> set[str]:
    roles = runs[0].roles
    if roles.new_columns not in ("tracked", "in_place"):
        return set()
    seen = {c for run in runs for b in run.batches for raw in b.changes for c in raw["after"] or {}}
    return seen.difference(roles.key, roles.tracked, roles.in_place, roles.ignored)


def case_change(record: Record, key: Mapping[str, Any] | None, value: Mapping[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    """A case says its changes in the terms of the rules; Debezium's envelope is what the captures in the tests are about."""
    found: dict[str, Any] = json.loads(value["change"])
    return found


def rows_sql(group: Group, table: Table, newest: Mapping[str, str], dialect: Dialect) -> str:
    """Versions and inferred rows. `table`: the dimension's with the columns it has by now; `newest`: newest log rows by table."""
    key = (SCOPE.name, *group.facts.key)
    facts = Facts(newest[group.facts.table.name], key, "fact_ts")
    versions = visible(table, newest[table.name])
    return with_inferred(table, versions, facts, dialect)


def targets_sql(group: Group, newest: Mapping[str, str], dialect: Dialect) -> str:
    table = group.dimension.table
    target = Target(table, "v", "f", Facts("f", (SCOPE.name, *group.facts.key), "fact_ts"), dialect)
    versions = visible(table, newest[table.name])
    return (
        f"WITH f AS ({newest[group.facts.table.name]}), v AS ({spans(table, versions, dialect)}) "
        f"SELECT f.{dialect.quote(SCOPE.name)}, f.fact_id, {target.match} AS fact_match, v.valid_from, {target.key} AS version_key "
        f"FROM f {target.join}"
    )


def as_row(row: Row, roles: Roles, table: Table) -> Row:
    """A row of the view as the rules write it. Snowflake knows column names in one case only."""
    kept = {c.name for c in table.columns} - {c.name for c in (SCOPE, *CHANGE, *VERSION, *LINEAGE, *RAW_CHANGE)}
    row = {**{c: row[c.lower()] for c in kept if c.lower() in row}, **row}
    made = {c: row[c] for c in kept} | {c: row[c] for c in (*MARKS, "version_key")}
    made |= {c: _micros(row[c]) for c in ("valid_from", "valid_to")}
    made |= {c: None if row[c] is None else plain(tuple(json.loads(row[c]))) for c in ("moved_from", "moved_to")}
    return {**made, "unresolved": json.loads(row["unresolved"]), **{c: row[c] for c in roles.key}}


def as_target(row: Row) -> fact_rules.Target:
    return fact_rules.Target(row["fact_match"], _micros(row["valid_from"]))


def _micros(at: dt.datetime | None) -> int | None:
    """Snowflake's times have no zone; they are UTC."""
    if at is None:
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - EPOCH) // dt.timedelta(microseconds=1)
