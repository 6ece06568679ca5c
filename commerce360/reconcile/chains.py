"""For each table the chain of its stages, compared: source = topic = bronze = silver or gold = warehouse.

"topic" and "bronze" are two measurements: each is a `Refold` of the records that were read there. Where both have the very same
records, byte by byte, it is one: what follows from records depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from commerce360.lake import Lake
from commerce360.reconcile import expect, model, moves, recompute, targets
from commerce360.reconcile.compare import Stage, TableResult, compare
from commerce360.reconcile.refold import COLLECTIONS, Letter, Refold
from commerce360.settings import Calendar
from schemas import tables
from schemas.tables import Table
from stream_jobs import calendar, dimensions
from stream_jobs.dimensions import DIMENSIONS
from stream_jobs.entity import Entity, Row
from stream_jobs.folds import ENTITIES
from stream_jobs.rebuild import was_rebuilt
from stream_jobs.sales import SALES
from warehouse import ddl
from warehouse.client import Client


@dataclass(frozen=True)
class Chains:
    lake: Lake
    warehouse: Client
    refolds: Mapping[str, Refold]  # by stage, in the order of the stages

    def current(self, source: model.Source, rows: Sequence[Row], table: Table | None = None) -> TableResult:
        """The rows that PostgreSQL has now; through to the warehouse where the table is a dimension."""
        read = _reader(source.key, source.columns)
        stages = [read("postgres", rows), *self._refolded(read, lambda r: r.current(source))]
        if table is not None:
            stages += [
                read("gold", self.lake.newest(table, where="is_visible AND is_current AND NOT is_deleted").to_pylist()),
                read("warehouse", self.warehouse.query(f"{_shown(table)} AND IS_CURRENT AND NOT IS_DELETED")),
            ]
        return compare(source.topic.entity, stages, source.columns)

    def gold(self, entity: Entity, expected: Sequence[Row] | None = None) -> TableResult:
        """The rows of the view. `expected`: as the sources imply them, where there is an independent way to know them.

        In the columns of the contract: one that the source got later is compared within the lake, by `log`.
        """
        table = tables.BY_NAME[entity.table.name]
        columns = model.content_columns(table)
        read = _reader(table.key, columns)
        stages = [] if expected is None else [read("sources", expected)]
        stages += self._refolded(read, lambda r: [row for row in r.rows(entity) if _visible(table, row)])
        stages.append(read("gold", self.lake.newest(table, where=table.visible).to_pylist()))
        stages.append(read("warehouse", self.warehouse.query(_shown(table))))
        return compare(table.entity, stages, columns)

    def log(self, table: Table, rows: Callable[[Refold], Sequence[Row]]) -> TableResult:
        """The newest row of every key, hidden ones too, in all columns but `batch_id`: lineage and the writer's own ones as well.

        A row names the record that it stands for, and a batch that appends it again because its neighbour changed keeps that name
        (`Dimension.fold`, `sales._unite`). Of records that say the very same it names the first; only when they were in different
        partitions, where Kafka gives no order, may a batch have seen the other one first.
        """
        table = self.lake.extended(table)
        columns = model.log_columns(table)
        read = _reader(table.key, columns)
        return compare(table.name, [*self._refolded(read, rows), read("lake", self.lake.newest(table).to_pylist())], columns)

    def logs(self) -> list[TableResult]:
        """`log` of every silver and gold table that comes from topics."""
        gold = [self.log(tables.BY_NAME[e.table.name], lambda r, e=e: r.rows(e)) for e in ENTITIES]  # type: ignore[misc]
        return gold + [self.log(d.table, lambda r, d=d: r.document_rows(d)) for d in COLLECTIONS.values()]  # type: ignore[misc]

    def events(self, known: Iterable[Mapping[str, Any]]) -> TableResult:
        """`known`: acknowledged events, which must be in the topic, and intended ones that are. Repeats are counted apart."""
        read = _reader(("event_id",), model.EVENT_COLUMNS)
        stages = [read("producer", [_event(e) for e in known])]
        stages += self._refolded(read, lambda r: list({e["event_id"]: _event(e) for e in r.events}.values()))
        return compare("order_events", stages, model.EVENT_COLUMNS)

    def documents(self, source: model.Source, rows: Sequence[Row], table: Table) -> TableResult:
        read = _reader(source.key, source.columns)
        gold, names = model.GOLD[source]
        stages = [
            read("mongo", rows),
            *self._refolded(read, lambda r: r.current(source)),
            read("silver", self.lake.newest(table, where=table.visible).to_pylist()),
            read("gold", [_renamed(r, names) for r in self.lake.newest(gold, where=gold.visible).to_pylist()]),
            read("warehouse", [_renamed(r, names) for r in self.warehouse.query(f"SELECT * FROM {ddl.view(gold)}")]),
        ]
        return compare(table.entity, stages, source.columns)

    def view(self) -> list[TableResult]:
        """Sessions, reviews, campaigns, marts: computed from the base tables in plain SQL, as the stream keeps them, as people see them."""
        found = recompute.recompute(recompute.read_base(self.lake))
        return [self._derived("recomputed", table, found[table.name].to_pylist()) for table in recompute.TABLES]

    def _derived(self, source: str, table: Table, expected: Sequence[Row]) -> TableResult:
        columns = recompute.columns(table)
        read = _reader(table.key, columns)
        stages = [
            read(source, expected),
            read("gold", self.lake.newest(table, where=table.visible).to_pylist()),
            read("warehouse", self.warehouse.query(f"SELECT * FROM {ddl.view(table)}")),
        ]
        return compare(table.entity, stages, columns)

    def sales_targets(self) -> TableResult:
        """The versions that the warehouse joins to each sale."""
        read = _reader(targets.KEY, targets.COLUMNS)
        customers, products = DIMENSIONS
        stages = self._refolded(read, lambda r: targets.of_sales(_sales(r), r.rows(customers), r.rows(products)))
        stages.append(read("warehouse", self.warehouse.query(f"SELECT {', '.join(targets.COLUMNS)} FROM {ddl.view(tables.FCT_SALES)}")))
        return compare("fct_sales targets", stages, targets.COLUMNS)

    def moves(self) -> TableResult:
        """Every move of a sale, in all columns, as the logs of the lake imply it. They cannot be folded from the topics: see `moves`."""
        table = tables.FCT_SALES_MOVES
        read = _reader(table.key, moves.COLUMNS)
        stages = [
            read("lake log", list(moves.of_logs({t: self._log(t) for t in (*moves.DIMENSIONS, tables.FCT_SALES)}))),
            read("gold", self._log(table)),
            read("warehouse", self.warehouse.query(f"SELECT * FROM {ddl.view(table)}")),
        ]
        return compare(table.entity, stages, moves.COLUMNS)

    def moved_targets(self) -> TableResult:
        """Where a sale moved last, against the version that the warehouse joins to it now."""
        key = (*targets.KEY, "dimension")
        columns = (*key, "version_key", "match")
        read = _reader(key, columns)
        told = moves.newest(self._log(tables.FCT_SALES_MOVES), self._log(tables.FCT_SALES))
        last = [{**m, "version_key": m["to_version_key"], "match": m["to_match"]} for m in told]
        moved = {tuple(m[k] for k in key) for m in last}
        shown = [
            {**sale, "dimension": table.entity, "version_key": sale[f"{name}_version_key"], "match": sale[f"{name}_match"]}
            for sale in self.warehouse.query(f"SELECT {', '.join(targets.COLUMNS)} FROM {ddl.view(tables.FCT_SALES)}")
            for table, name in ((tables.DIM_CUSTOMER, "customer"), (tables.DIM_PRODUCT, "product"))
            if (sale["order_id"], sale["line_no"], table.entity) in moved
        ]
        return compare("fct_sales moved", [read("gold", last), read("warehouse", shown)], columns)

    def _log(self, table: Table) -> list[Row]:
        return self.lake.query(table, f"SELECT * FROM {table.entity}").to_pylist()  # type: ignore[no-any-return]

    def inferred_customers(self) -> TableResult:
        """The rows that the warehouse adds for customers whom only sales know."""
        read = _reader(("customer_id",), targets.INFERRED_COLUMNS)
        stages = self._refolded(read, lambda r: targets.inferred(_sales(r), r.rows(dimensions.CUSTOMERS)))
        found = self.warehouse.query(f"SELECT * FROM {ddl.view(tables.DIM_CUSTOMER)} WHERE IS_INFERRED")
        return compare("inferred customers", [*stages, read("warehouse", found)], targets.INFERRED_COLUMNS)

    def dead_letters(self) -> TableResult:
        """What the lake rejected, by (topic, partition, offset, reason). A letter that may be there or not is right either way.

        So are letters about a history that was folded again with other roles: they were right under the old ones.
        """
        read = _reader(Letter._fields, Letter._fields)
        lake = [{k: row[k] for k in Letter._fields} for row in self.lake.newest(tables.DEAD_LETTERS).to_pylist()]
        there = {Letter(**row) for row in lake}
        rebuilt = {t for d in DIMENSIONS if was_rebuilt(self.lake, d) for t in d.topics}

        def wanted(refold: Refold) -> list[Row]:
            must, may = refold.dead_letters()
            old = {letter for letter in there if letter.topic in rebuilt}
            return [letter._asdict() for letter in must | (may & there) | old]

        return compare("dead_letters", [*self._refolded(read, wanted), read("lake", lake)], Letter._fields)

    def calendar(self, settings: Calendar) -> list[TableResult]:
        """Days and holidays, as the settings ask for them; also days that a backfill brought from outside the usual years."""
        beyond = f"date < DATE '{calendar.FIRST}' OR date > DATE '{calendar.LAST}'"
        more = [row["date"] for row in self.lake.newest(tables.DIM_DATE, where=beyond).to_pylist()]
        wanted = {t: [*calendar.whole(t, settings), *calendar.expected(t, more, settings)] for t in calendar.TABLES}
        return [self._derived("calendar", table, rows) for table, rows in wanted.items()]

    def landing(self, table: Table) -> TableResult:
        """Every log row of the lake is in RAW once, with its lineage: the loader neither lost nor repeated one."""
        columns = tuple(c.name for c in table.fed_columns)
        read = _reader((*table.key, "batch_id"), columns)
        names = ", ".join(f'"{c}"' for c in columns)
        lake = self.lake.query(table, f"SELECT {names} FROM {table.entity}").to_pylist()
        landed = self.warehouse.query(f"SELECT * FROM {ddl.landing(table)}")
        return compare(f"raw.{table.entity}", [read("lake log", lake), read("warehouse RAW", landed)], columns)

    def _refolded(self, read: Reader, rows: Callable[[Refold], Sequence[Row]]) -> list[Stage]:
        """One a stage; stages with the same records share a refold, and are read once."""
        made = {refold: read("", rows(refold)) for refold in dict.fromkeys(self.refolds.values())}
        return [replace(made[refold], name=name) for name, refold in self.refolds.items()]


Reader = Callable[[str, Sequence[Row]], Stage]


def _reader(key: tuple[str, ...], columns: tuple[str, ...]) -> Reader:
    return lambda name, rows: Stage.of(name, rows, key, columns)


def _shown(table: Table) -> str:
    """What the view shows of the source's rows: without the rows that only facts know."""
    inferred = "NOT IS_INFERRED" if table is tables.DIM_CUSTOMER else "TRUE"
    return f"SELECT * FROM {ddl.view(table)} WHERE {inferred}"


def _renamed(row: Row, names: Mapping[str, str]) -> Row:
    return {**row, **{name: row[theirs] for name, theirs in names.items()}}


def _visible(table: Table, row: Row) -> bool:
    return targets.visible(row) if table is tables.FCT_SALES else bool(row["is_visible"])


def _sales(refold: Refold) -> list[Row]:
    return [row for row in refold.rows(SALES) if _visible(tables.FCT_SALES, row)]


def _event(event: Mapping[str, Any]) -> Row:
    return {**event, "event_ts": expect.timestamp(event["event_ts"]), "lines": sorted(map(_flat, event["lines"]))}


def _flat(line: Row) -> str:
    return "|".join(f"{k}={line[k]}" for k in sorted(line))
