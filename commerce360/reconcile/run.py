"""Read every stage, compare them table by table, check the invariants of history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from commerce360.lake import Lake
from commerce360.reconcile import expect, model, sources, topics
from commerce360.reconcile.compare import Difference, Key, Stage, TableResult, compare
from commerce360.reconcile.refold import Refold
from commerce360.settings import Settings
from producers.ledger import Ledger
from schemas import tables
from schemas.tables import Table
from schemas.topics import TOPICS
from stream_jobs import dimensions, wire
from stream_jobs.entity import Row
from stream_jobs.sales import SALES
from stream_jobs.scd2 import invariants
from warehouse.client import Client

Note = Callable[[str], None]
DIMENSIONS = (dimensions.CUSTOMERS, dimensions.PRODUCTS)


@dataclass
class Result:
    tables: list[TableResult] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # SCD2 invariants that do not hold
    rejected: Counter[str] = field(default_factory=Counter)
    repeats: int = 0  # order events that are in Kafka more than once (the lake drops them)

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
        result = Result()
        self.note("reading the topics")
        refold, records = self._read_topics()
        self.note("comparing Kafka with bronze")
        result.tables.append(self._bronze(records))
        bronze_equal = result.tables[0].equal
        self.note("reading the sources")
        oltp = sources.postgres_rows(self.settings.postgres, [s.topic.entity for s in model.OLTP])
        ledger = Ledger.read(self.settings.state / "ledger")
        with Client(self.settings.warehouse) as warehouse:
            self.note("comparing dimensions")
            for source, dimension in zip((model.CUSTOMERS, model.PRODUCTS), DIMENSIONS, strict=True):
                rows = refold.rows(dimension)
                result.tables.append(self._current(source, dimension.table, oltp, refold, warehouse, bronze_equal))
                result.tables.append(self._gold(dimension.table, [], rows, warehouse, bronze_equal))
                result.broken += self._invariants(dimension)
            self.note("comparing orders and sales")
            result.tables += [self._oltp(s, oltp, refold, bronze_equal) for s in (model.ORDERS, model.ORDER_ITEMS)]
            result.tables.append(self._events(ledger, refold, result, bronze_equal))
            gone = {str(k[0]) for k in refold.deleted(model.ORDERS)}
            expected = expect.sales(oltp["orders"], oltp["order_items"], list(ledger.acked.values()), gone)
            result.tables.append(self._gold(tables.FCT_SALES, expected, refold.rows(SALES), warehouse, bronze_equal))
            self.note("comparing clicks and reviews")
            result.tables += [self._documents(s, t, refold, warehouse, bronze_equal) for s, t in model.DOCUMENTS.items()]
            self.note("comparing the lake's logs with the warehouse, row by row")
            result.tables += [self._landing(t, warehouse) for t in tables.FED]
        result.rejected.update(r["reason"] for r in self.lake.newest(tables.DEAD_LETTERS).select(["reason"]).to_pylist())
        return result

    def _read_topics(self) -> tuple[Refold, dict[Key, bytes]]:
        schema_of = wire.RegistrySchemas(self.settings.registry)
        refold = Refold(wire.Decoder(schema_of).decode, (*DIMENSIONS, SALES))
        digests: dict[Key, bytes] = {}
        for record in topics.read_all(self.settings.kafka, [t.name for t in TOPICS]):
            digests[(record.topic, record.partition, record.offset)] = topics.digest(record)
            refold.add(record)
        return refold, digests

    def _bronze(self, records: dict[Key, bytes]) -> TableResult:
        bronze = Stage("bronze")
        for topic in TOPICS:
            found = self.lake.query(tables.RECORDS, f"SELECT * FROM records WHERE topic = '{topic.name}'")
            for row in (r for batch in found.to_batches(5000) for r in batch.to_pylist()):
                at = (row["topic"], row["partition"], row["offset"])
                made = topics.digest(_record(row))
                if at in bronze.digests:
                    bronze.extra.append((at, made))
                else:
                    bronze.digests[at] = made
        return compare("bronze.records", [Stage("topic", dict(records)), bronze], ())

    def _current(
        self, source: model.Source, table: Table, oltp: dict[str, list[Row]], refold: Refold, warehouse: Client, bronze_equal: bool
    ) -> TableResult:
        where = "is_visible AND is_current AND NOT is_deleted"
        read = _reader(source.key, source.columns)
        topic = read("topic", refold.current(source))
        stages = [
            read("postgres", oltp[source.topic.entity]),
            *_with_bronze(topic, bronze_equal),
            read("gold", self.lake.newest(table, where=where).to_pylist()),
            read("warehouse", warehouse.query(f"{_shown(table)} AND IS_CURRENT AND NOT IS_DELETED")),
        ]
        return compare(source.topic.entity, stages, source.columns)

    def _gold(self, table: Table, expected: Sequence[Row], refolded: list[Row], warehouse: Client, bronze_equal: bool) -> TableResult:
        """`expected` (rows of the view as the sources imply them) starts the chain when there is an independent way to know them."""
        columns = model.content_columns(table)
        read = _reader(table.key, columns)
        shown = [r for r in refolded if _visible(table, r)]
        stages = [read("sources", expected)] if table is tables.FCT_SALES else []
        stages += _with_bronze(read("topic", shown), bronze_equal)
        stages.append(read("gold", self.lake.newest(table, where=table.visible).to_pylist()))
        stages.append(read("warehouse", warehouse.query(_shown(table))))
        return compare(table.entity, stages, columns)

    def _oltp(self, source: model.Source, oltp: dict[str, list[Row]], refold: Refold, bronze_equal: bool) -> TableResult:
        read = _reader(source.key, source.columns)
        stages = [read("postgres", oltp[source.topic.entity]), *_with_bronze(read("topic", refold.current(source)), bronze_equal)]
        return compare(source.topic.entity, stages, source.columns)

    def _events(self, ledger: Any, refold: Refold, result: Result, bronze_equal: bool) -> TableResult:
        """Acknowledged events must be in the topic; events in the topic must have been intended. Repeats are counted apart."""
        read = _reader(("event_id",), model.EVENT_COLUMNS)
        events = {e["event_id"]: _event(e) for e in refold.events}
        result.repeats = len(refold.events) - len(events)
        known = dict(ledger.acked)
        # Sent but not acknowledged when the producer died: Kafka may have it or not, and either is right.
        known.update({k: v for k, v in ledger.intended.items() if k in events})
        stages = [read("producer", [_event(e) for e in known.values()]), *_with_bronze(read("topic", list(events.values())), bronze_equal)]
        return compare("order_events", stages, model.EVENT_COLUMNS)

    def _documents(self, source: model.Source, table: Table, refold: Refold, warehouse: Client, bronze_equal: bool) -> TableResult:
        key = source.key[0]
        documents = [{**d, key: d["_id"]} for d in sources.mongo_documents(self.settings.mongo, source.topic.entity)]
        view = {"clickstream": "FCT_PAGE_EVENTS", "reviews": "FCT_REVIEWS"}[table.entity]
        read = _reader(source.key, source.columns)
        stages = [
            read("mongo", documents),
            *_with_bronze(read("topic", refold.current(source)), bronze_equal),
            read("silver", self.lake.newest(table, where=table.visible).to_pylist()),
            read("warehouse", warehouse.query(f"SELECT * FROM CORE.{view}")),
        ]
        return compare(table.entity, stages, source.columns)

    def _landing(self, table: Table, warehouse: Client) -> TableResult:
        """Every log row of the lake is in RAW once, with its lineage: the loader neither lost nor repeated one."""
        columns = tuple(c.name for c in table.fed_columns)
        read = _reader((*table.key, "batch_id"), columns)
        landed = "OPS.LAKE_BATCHES" if table is tables.BATCHES else f"RAW.{table.entity}"
        names = ", ".join(f'"{c}"' for c in columns)
        lake = self.lake.query(table, f"SELECT {names} FROM {table.entity}").to_pylist()
        return compare(
            f"raw.{table.entity}", [read("lake log", lake), read("warehouse RAW", warehouse.query(f"SELECT * FROM {landed}"))], columns
        )

    def _invariants(self, dimension: dimensions.Dimension) -> list[str]:
        rows = self.lake.newest(dimension.table, where=dimension.table.visible).to_pylist()
        return [
            f"{dimension.table.name}: {problem}" for problem in invariants.check_rows(rows, dimension.roles.key, dimension.roles.tracked)
        ]


def _shown(table: Table) -> str:
    """What the view shows of the source's rows: without the rows that only facts know."""
    inferred = "NOT IS_INFERRED" if table is tables.DIM_CUSTOMER else "TRUE"
    return f"SELECT * FROM CORE.{table.entity} WHERE {inferred}"


def _reader(key: tuple[str, ...], columns: tuple[str, ...]) -> Callable[[str, Sequence[Row]], Stage]:
    return lambda name, rows: Stage.of(name, rows, key, columns)


def _with_bronze(topic: Stage, equal: bool) -> list[Stage]:
    """Bronze holds the topic's bytes exactly (compared record by record), so it says the same of this table."""
    return [topic, Stage("bronze", topic.digests, topic.extra, topic.rows)] if equal else [topic]


def _visible(table: Table, row: Row) -> bool:
    if table is tables.FCT_SALES:
        return bool(row["line_no"] > 0 and row["is_complete"] and not row["is_deleted"])
    return bool(row["is_visible"])


def _event(event: Row) -> Row:
    return {**event, "event_ts": expect.timestamp(event["event_ts"]), "lines": sorted(map(_flat, event["lines"]))}


def _flat(line: Row) -> str:
    return "|".join(f"{k}={line[k]}" for k in sorted(line))


def _record(row: Row) -> Any:
    from stream_jobs.entity import Record

    headers = tuple((h["key"], h["value"]) for h in row["headers"] or [])
    micros = round(row["kafka_ts"].timestamp() * 1_000_000)
    return Record(row["topic"], row["partition"], row["offset"], micros, row["key"], row["value"], headers)
