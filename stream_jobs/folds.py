"""The keyed tables of a batch: records decoded on the driver, folded with what is known of their keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from commerce360.lake import Lake
from schemas.tables import Table
from stream_jobs.dimensions import DIMENSIONS, Dimension
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, Rejection, Row, read_record
from stream_jobs.keyed import KeyedLog, Outcome
from stream_jobs.moves import Moves
from stream_jobs.sales import SALES
from stream_jobs.sentiments import SENTIMENTS
from stream_jobs.wire import Decoder, Schemas

ENTITIES: tuple[Entity, ...] = (*DIMENSIONS, SALES, SENTIMENTS)


@dataclass(frozen=True)
class Folded:
    """What a batch adds: rows for each table (only those that differ), and what cannot be used. Tables with the columns they have now."""

    rows: dict[Table, list[Row]]
    rejections: list[Rejection]
    outcomes: dict[str, Outcome]  # by table
    moves: list[Row]  # of gold.fct_sales_moves


class Folds:
    """One keyed log for each entity. After `apply` follows `commit` when everything is written, else `discard`."""

    def __init__(self, lake: Lake, schema_of: Schemas, entities: Sequence[Entity] = ENTITIES) -> None:
        self.lake = lake
        self.entities = tuple(e.over(lake.extended(e.table)) for e in entities)
        self.decoder = Decoder(schema_of)
        self.topics = frozenset[str]().union(*(e.topics for e in entities))
        self.carried: list[Rejection] = []  # for the next batch
        self.logs = {e.table.name: self._log(e) for e in self.entities}
        self.moves = Moves.over(lake, self.logs)
        self._readers: dict[str, list[Entity]] = defaultdict(list)
        for entity in self.entities:
            for topic in entity.topics:
                self._readers[topic].append(entity)

    def apply(self, records: Iterable[Record], looked: Mapping[str, Sequence[Key]] | None = None) -> Folded:
        """Fold; writes nothing. Raises UnavailableError when a schema is needed and the registry does not answer.

        `looked`: keys by table that are folded in any case.
        """
        looked = looked or {}
        rejections = list(self.carried)
        contributions: dict[str, list[Contribution]] = defaultdict(list)
        for record in records:
            try:
                key, value = self.decoder.decode(record)
                for entity in self._readers[record.topic]:
                    contributions[entity.table.name].extend(read_record(entity, record, key, value))
            except RejectedError as error:
                rejections.append(Rejection(record, error.reason, error.detail))
        outcomes: dict[str, Outcome] = {}
        for name, log in self.logs.items():
            if name in contributions or name in looked or log.carried:
                outcomes[name] = log.apply(contributions[name], looked.get(name, ()))
                rejections.extend(outcomes[name].rejections)
        rows = {log.entity.table: outcomes[name].rows for name, log in self.logs.items() if name in outcomes}
        return Folded(rows, rejections, outcomes, self.moves.of(outcomes) if self.moves else [])

    @property
    def roles(self) -> dict[str, str]:
        """Of each dimension, by its table."""
        return {e.table.name: e.roles.text() for e in self.entities if isinstance(e, Dimension)}

    @property
    def carrying(self) -> frozenset[str]:
        """Tables that were folded again and do not have it yet: the next batch brings it."""
        return frozenset(name for name, log in self.logs.items() if log.carried)

    def commit(self) -> None:
        for keyed in self._keyed():
            keyed.commit()
        self.carried.clear()

    def discard(self) -> None:
        for keyed in self._keyed():
            keyed.discard()

    def _keyed(self) -> Sequence[KeyedLog | Moves]:
        return [*self.logs.values(), *([self.moves] if self.moves else [])]

    def _log(self, entity: Entity) -> KeyedLog:
        log = KeyedLog(entity, lambda: stored(self.lake, entity))
        log.store  # noqa: B018 - filled at the start, not in the first batch
        return log


def stored(lake: Lake, entity: Entity, where: str = "") -> Iterator[tuple[Key, Row]]:
    """The newest rows of all keys (or of those that `where` bounds), as the fold left them; a part at a time in memory."""
    sql = lake.known(entity.table).newest_sql(entity.table.entity, where)
    for batch in lake.batches_of(entity.table, sql):
        for row in batch.to_pylist():
            yield entity.key_of(row), row
