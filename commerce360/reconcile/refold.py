"""A whole stream read again: the last image of every source row, every gold row folded from nothing, and what cannot be used.

The last images are taken here directly from the envelopes, without the SCD2 fold, so that the two can disagree. What the lake must
reject is rejected here for the same reason, in the same words, and then says nothing of any row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from commerce360.reconcile import documents, model
from schemas import topics
from stream_jobs import silver, wire
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, Row, read_record
from stream_jobs.keyed import KeyedLog
from stream_jobs.slices import Slice

Decode = Callable[[Record], tuple[dict[str, Any] | None, dict[str, Any] | None]]
Image = tuple[tuple[int, ...], str, dict[str, Any] | None]  # order, operation, row image
COLLECTIONS = {d.topic.name: d for d in silver.DOCUMENTS}


class Letter(NamedTuple):
    """Key of a dead letter."""

    topic: str
    partition: int
    offset: int
    reason: str


class Refold:
    """Feed it every record of the data topics, in any order; then ask for rows.

    Lineage is that of the first record, by partition and offset, among those that say the very same: the lake has it too, because
    records of one key share a partition and arrive in its order.
    """

    def __init__(self, decode: Decode, entities: Iterable[Entity]) -> None:
        self.decode = decode
        self.entities = tuple(entities)
        self.events: list[dict[str, Any]] = []
        self.images: dict[str, dict[Key, Image]] = defaultdict(dict)
        self._truncated: dict[str, tuple[int, ...]] = {}  # where a table was last emptied
        self._rejected: set[Letter] = set()
        self._newest: dict[str, dict[str, documents.Change]] = defaultdict(dict)
        self._contributions: dict[str, dict[Key, list[Contribution]]] = defaultdict(lambda: defaultdict(list))
        self._folded: dict[str, tuple[list[Row], set[Letter], set[Letter]]] = {}
        self._sources = {s.topic.name: s for s in (*model.OLTP, *model.DOCUMENTS)}

    def add(self, record: Record) -> None:
        self._folded.clear()
        try:
            if record.topic in COLLECTIONS:
                self._add_document(COLLECTIONS[record.topic], record)
            else:
                self._add_change(record)
        except RejectedError as error:
            self._rejected.add(Letter(*record[:3], error.reason))

    def rows(self, entity: Entity) -> list[Row]:
        """All log rows of the entity, folded from all contributions at once."""
        return self._fold(entity)[0]

    def document_rows(self, collection: silver.Documents) -> list[Row]:
        """The newest silver row of each document, deleted ones too."""
        return [change.row for change in self._newest[collection.topic.name].values()]

    def current(self, source: model.Source) -> list[Row]:
        """The rows that the source should hold now, as far as its records can be used."""
        emptied = self._truncated.get(source.topic.name, (-1,))
        images = (i for i in self.images[source.topic.name].values() if i[0] >= emptied)
        return [source.typed(image) for _, op, image in images if op != "d" and image is not None]

    def deleted(self, source: model.Source) -> set[Key]:
        emptied = self._truncated.get(source.topic.name, (-1,))
        return {key for key, (order, op, _image) in self.images[source.topic.name].items() if op == "d" or order < emptied}

    def dead_letters(self) -> tuple[set[Letter], set[Letter]]:
        """What the lake must have rejected, and what it may have besides.

        A change that lost a conflict (SCD2 R7) is named at its first record. A repetition of a loser is a second letter only when it
        came in another batch than the first, which the topic cannot tell. The same holds for an id that a registry knew but that a
        flood of unknown ones kept from being asked for; that one shows as a difference.
        """
        folded = [self._fold(entity) for entity in self.entities]
        must = self._rejected.union(*(lost for _, lost, _ in folded))
        return must, set[Letter]().union(*(repeated for _, _, repeated in folded)) - must

    def _fold(self, entity: Entity) -> tuple[list[Row], set[Letter], set[Letter]]:
        """Rows, letters of the losers, letters of the losers' repetitions."""
        name = entity.table.name
        if name not in self._folded:
            log, lost, repeated = KeyedLog(entity, lambda: ()), set[Letter](), set[Letter]()
            found = sorted((c for of_key in self._contributions[name].values() for c in of_key), key=lambda c: c.record[:3])
            outcome = log.apply(found)
            rows = [row for of_key in outcome.after.values() for row in of_key]
            said = {c.record[:3]: c for c in found} if outcome.rejections else {}
            for loser in outcome.rejections:
                at = loser.record[:3]
                lost.add(Letter(*at, loser.reason))
                first = said[at]
                same = (c for c in self._contributions[name][first.key] if c.payload == first.payload)
                repeated |= {Letter(*c.record[:3], loser.reason) for c in same}
            self._folded[name] = rows, lost, repeated - lost
        return self._folded[name]

    def _add_change(self, record: Record) -> None:
        key, value = self.decode(record)
        bare = record._replace(key=None, value=None, headers=())
        for entity in self.entities:
            if record.topic in entity.topics:
                for found in read_record(entity, record, key, value):
                    self._contributions[entity.table.name][found.key].append(Contribution(found.key, found.payload, bare))
        if value is None:
            return
        if record.topic == topics.BACKFILL.name:
            Slice.read(value)
        elif record.topic == topics.ORDER_EVENTS.name:
            self.events.append(value)
        elif record.topic in self._sources:
            self._note_change(record, key, value)

    def _note_change(self, record: Record, key: dict[str, Any] | None, envelope: dict[str, Any]) -> None:
        source, op = self._sources[record.topic], envelope["op"]
        if op == "t":
            self._truncated[record.topic] = max(self._truncated.get(record.topic, (-1,)), wire.sequence(envelope["source"], op))
            return
        image = envelope["before"] if op == "d" else envelope["after"]
        values = {**(image or {}), **(key or {})}
        at = tuple(values[k] for k in source.key)
        self._keep(record.topic, at, (wire.sequence(envelope["source"], op), op, image))

    def _add_document(self, collection: silver.Documents, record: Record) -> None:
        """The JVM reads no Kafka key of a document: the value repeats it."""
        _, event = self.decode(record._replace(key=None))
        change = None if event is None else documents.read(collection, record, event)
        if change is None:
            return
        # A change stream keeps the order of one document, and so does its partition.
        self._keep(record.topic, (change.id,), ((record.offset,), "d" if change.is_delete else "u", change.row))
        newest = self._newest[record.topic]
        if change.id not in newest or newest[change.id].order < change.order:
            newest[change.id] = change

    def _keep(self, topic: str, key: Key, image: Image) -> None:
        known = self.images[topic].get(key)
        if known is None or image[0] >= known[0]:
            self.images[topic][key] = image
