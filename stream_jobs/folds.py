"""The keyed tables of a batch: records decoded on the driver, folded with what is known of their keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from commerce360.lake import Lake
from schemas.tables import Table
from stream_jobs.dimensions import CUSTOMERS, PRODUCTS
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, Rejection, Row, read_record
from stream_jobs.keyed import KeyedLog
from stream_jobs.sales import SALES
from stream_jobs.wire import Decoder, Schemas

ENTITIES: tuple[Entity, ...] = (CUSTOMERS, PRODUCTS, SALES)
MAX_KEYS = 500_000


@dataclass(frozen=True)
class Folded:
    """What a batch adds: rows for each table (only those that differ), and what cannot be used."""

    rows: dict[Table, list[Row]]
    rejections: list[Rejection]


class Folds:
    """One keyed log for each entity. After `apply` follows `commit` when everything is written, else `discard`."""

    def __init__(self, lake: Lake, schema_of: Schemas, entities: Sequence[Entity] = ENTITIES) -> None:
        self.lake = lake
        self.entities = entities
        self.decoder = Decoder(schema_of)
        self.topics = frozenset[str]().union(*(e.topics for e in entities))
        self.logs = {e.table: self._log(e) for e in entities}

    def apply(self, records: Iterable[Record]) -> Folded:
        """Fold; writes nothing. Raises UnavailableError when a schema is needed and the registry does not answer."""
        rejections: list[Rejection] = []
        contributions: dict[Table, list[Contribution]] = defaultdict(list)
        readers: dict[str, list[Entity]] = defaultdict(list)
        for entity in self.entities:
            for topic in entity.topics:
                readers[topic].append(entity)
        for record in records:
            try:
                key, value = self.decoder.decode(record)
                for entity in readers[record.topic]:
                    contributions[entity.table].extend(read_record(entity, record, key, value))
            except RejectedError as error:
                rejections.append(Rejection(record, error.reason, error.detail))
        rows: dict[Table, list[Row]] = {}
        for table, found in contributions.items():
            outcome = self.logs[table].apply(found)
            rows[table] = list(outcome.rows)
            rejections.extend(outcome.rejections)
        return Folded(rows, rejections)

    def commit(self) -> None:
        for log in self.logs.values():
            log.commit()

    def discard(self) -> None:
        for log in self.logs.values():
            log.discard()

    def _log(self, entity: Entity) -> KeyedLog:
        def load(keys: list[Key]) -> dict[Key, list[Row]]:
            return stored(self.lake, entity, keys)

        log = KeyedLog(entity, load, max_keys=MAX_KEYS)
        log.fill(stored(self.lake, entity))
        return log


def stored(lake: Lake, entity: Entity, keys: Sequence[Key] | None = None) -> dict[Key, list[Row]]:
    """The newest rows of the keys (of all keys for None), as the fold left them."""
    column = entity.table.key[0]
    bound = "" if keys is None else f"{column} IN ({', '.join(_literal(key[0]) for key in keys)})"
    sql = entity.table.newest_sql(entity.table.entity, bound)
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in lake.query(entity.table, sql).to_pylist():
        found[entity.key_of(row)].append(row)
    return found


def _literal(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"
