"""Read every stage, compare them table by table, check the invariants of history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.reconcile import expect, model, sources, topics
from commerce360.reconcile.chains import Chains
from commerce360.reconcile.compare import Difference, Stage, TableResult, compare
from commerce360.reconcile.erased import deleted_records
from commerce360.reconcile.refold import Decode, Refold
from commerce360.settings import Settings
from producers.ledger import Ledger, LedgerView
from schemas import tables
from schemas.topics import TOPICS
from stream_jobs import dimensions, rebuild, wire
from stream_jobs.dimensions import DIMENSIONS
from stream_jobs.entity import Record, Row
from stream_jobs.folds import ENTITIES
from stream_jobs.sales import SALES
from stream_jobs.scd2 import invariants
from warehouse.client import Client

Note = Callable[[str], None]


@dataclass
class Result:
    tables: list[TableResult] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # SCD2 invariants that do not hold; why the comparison says nothing
    rejected: Counter[str] = field(default_factory=Counter)
    repeats: int = 0  # order events that are in Kafka more than once (the lake drops them)
    looks: int = 1  # how often all stages were read until this result

    @property
    def equal(self) -> bool:
        return not self.broken and all(t.equal for t in self.tables)

    @property
    def lost(self) -> int:
        return sum(t.kinds.get("missing", 0) for t in self.tables)

    @property
    def doubled(self) -> int:
        return sum(t.kinds.get("doubled", 0) + t.kinds.get("unexpected", 0) for t in self.tables)

    @property
    def changed(self) -> int:
        return sum(t.kinds.get("changed", 0) for t in self.tables)

    @property
    def differences(self) -> list[Difference]:
        return [d for t in self.tables for d in t.differences]

    def as_json(self) -> dict[str, Any]:
        return {
            "equal": self.equal,
            "lost": self.lost,
            "doubled": self.doubled,
            "changed": self.changed,
            "rejected": sum(self.rejected.values()),
            "rejected_by_reason": dict(self.rejected),
            "repeated_events": self.repeats,
            "looks": self.looks,
            "broken_invariants": self.broken,
            "tables": {t.table: t.as_json() for t in self.tables},
        }


class Reconciler:
    """One pass over all stages. Nothing may be written meanwhile: `drain.wait` makes it so."""

    def __init__(self, settings: Settings, note: Note = lambda _: None) -> None:
        self.settings = settings
        self.note = note
        self.lake = Lake(settings.lake)

    def run(self) -> Result:
        """Raises UnavailableError when a stage cannot be read."""
        from deltalake.exceptions import DeltaError

        try:
            if missing := [t.name for t in tables.TABLES if not self.lake.exists(t)]:
                raise UnavailableError(f"the lake has no table {', '.join(missing)}", "see `c360 status` and `c360 logs lake`")
            return self._run()
        except DeltaError as error:
            raise UnavailableError(f"the lake cannot be read: {str(error)[:200]}", "see `c360 logs lake`") from error

    def _run(self) -> Result:
        result = Result()
        decode = wire.Decoder(wire.RegistrySchemas(self.settings.registry)).decode
        self.note("reading the topics")
        names = [t.name for t in TOPICS]
        gone = deleted_records(self.lake, topics.first_offsets(self.settings.kafka, names))
        topic, records = folded("topic", chain(gone, topics.read_all(self.settings.kafka, names)), decode)
        self.note("reading bronze")
        bronze, kept = read_bronze(topic, records, lambda: bronze_records(self.lake), decode)
        result.tables.append(kept)
        self.note("reading the sources")
        oltp = sources.postgres_rows(self.settings.postgres, [s.topic.entity for s in model.OLTP])
        ledger = Ledger.read(self.settings.state / "ledger")
        known = known_events(ledger, topic)
        result.repeats = len(topic.events) - len({e["event_id"] for e in topic.events})
        with Client(self.settings.warehouse) as warehouse:
            chains = Chains(self.lake, warehouse, {"topic": topic, "bronze": bronze})
            self.note("comparing dimensions")
            for source, dimension in zip((model.CUSTOMERS, model.PRODUCTS), DIMENSIONS, strict=True):
                result.tables += [chains.current(source, oltp[source.topic.entity], dimension.table), chains.gold(dimension)]
                result.broken += self._invariants(dimension)
            result.tables += [chains.inferred_customers(), *chains.calendar(self.settings.calendar)]
            self.note("comparing orders and sales")
            result.tables += [chains.current(s, oltp[s.topic.entity]) for s in (model.ORDERS, model.ORDER_ITEMS)]
            result.tables += [chains.events(known), chains.gold(SALES, expected_sales(oltp, known, topic)), chains.sales_targets()]
            result.tables += [chains.moves(), chains.moved_targets()]
            self.note("comparing clicks and reviews")
            result.tables += [chains.documents(s, self._documents(s, topic), t) for s, t in model.DOCUMENTS.items()]
            result.tables.append(chains.dead_letters())
            self.note("comparing sessions and marts with a plain recomputation")
            result.tables += chains.view()
            self.note("comparing the lake's logs with the topics and the warehouse, row by row")
            result.tables += [*chains.logs(), *(chains.landing(t) for t in tables.FED)]
        result.broken += nothing_compared(result.tables, len(ledger.intended), len(ledger.acked))
        result.rejected.update(r["reason"] for r in self.lake.newest(tables.DEAD_LETTERS).select(["reason"]).to_pylist())
        return result

    def _documents(self, source: model.Source, topic: Refold) -> list[sources.Row]:
        """Those that MongoDB has; and those that came from files, in the words of their topic, for there is nobody else to ask."""
        rows, key = sources.documents(self.settings.mongo, source), source.key[0]
        more = sources.landed(self.settings.state, source.topic.entity) - {row[key] for row in rows}
        return [*rows, *(row for row in topic.current(source) if row[key] in more)]

    def _invariants(self, dimension: dimensions.Dimension) -> list[str]:
        rows = self.lake.newest(dimension.table, where=dimension.table.visible).to_pylist()
        return [
            f"{dimension.table.name}: {problem}" for problem in invariants.check_rows(rows, dimension.roles.key, dimension.roles.tracked)
        ]


def folded(name: str, records: Iterable[Record], decode: Decode) -> tuple[Refold, Stage]:
    """The records folded, and the stage of their bytes."""
    refold, stage = Refold(decode, ENTITIES), Stage(name)
    for record in distinct(stage, records):
        refold.add(record)
    return refold, stage


def read_bronze(topic: Refold, records: Stage, read: Callable[[], Iterable[Record]], decode: Decode) -> tuple[Refold, TableResult]:
    """Bronze folded, and compared with the topics. It is folded for itself only where it has other bytes than they have."""
    kept = Stage("bronze")
    for _ in distinct(kept, read()):
        pass
    found = compare("bronze.records", [records, kept], ())
    return (topic if found.equal else folded("bronze", read(), decode)[0]), found


def distinct(stage: Stage, records: Iterable[Record]) -> Iterator[Record]:
    """The first record of each place. The stage gets the bytes of all."""
    for record in records:
        at, made = (record.topic, record.partition, record.offset), topics.digest(record)
        if at in stage.digests:
            stage.extra.append((at, made))
        else:
            stage.digests[at] = made
            yield record


def bronze_records(lake: Lake) -> Iterator[Record]:
    """Every row of bronze as the record that it was."""
    return rebuild.records(lake, frozenset(t.name for t in TOPICS))


def known_events(ledger: LedgerView, refold: Refold) -> list[Mapping[str, Any]]:
    """The events that the topic must have, and of those that were sent but not acknowledged when the producer died the ones that it has.

    Kafka may have an unacknowledged one or not, and either is right; but all later stages must say the same of it.
    """
    there = {e["event_id"] for e in refold.events}
    return list({**ledger.acked, **{k: v for k, v in ledger.intended.items() if k in there}}.values())


def expected_sales(oltp: Mapping[str, Sequence[Row]], known: Iterable[Mapping[str, Any]], refold: Refold) -> list[Row]:
    gone = {str(k[0]) for k in refold.deleted(model.ORDERS)}
    return expect.sales(oltp["orders"], oltp["order_items"], known, gone, refold.deleted(model.ORDER_ITEMS))


def nothing_compared(found: Iterable[TableResult], intended: int, acked: int) -> list[str]:
    """Equal because nothing was there to differ is no proof: the reason, or nothing."""
    if intended and not acked:
        return [f"nothing was compared: of {intended} orders that the shop meant to send, Kafka acknowledged none"]
    if not any(stage.count for each in found if each.table in model.SOURCED for stage in each.stages):
        return ["nothing was compared: neither a source nor a stage has a row"]
    return []
