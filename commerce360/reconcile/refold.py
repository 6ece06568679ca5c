"""The whole stream read again: the last image of every source row, and every gold row folded from nothing.

The last images are taken here directly from the envelopes, without the SCD2 fold, so that the two can disagree.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from commerce360.reconcile import model
from schemas import topics
from stream_jobs import wire
from stream_jobs.entity import Contribution, Entity, Key, Record, RejectedError, Row

Decode = Callable[[Record], tuple[dict[str, Any] | None, dict[str, Any] | None]]
Image = tuple[tuple[int, ...], str, dict[str, Any] | None]  # order, operation, row image


class Refold:
    """Feed it every record of the data topics, in any order; then ask for rows."""

    def __init__(self, decode: Decode, entities: Iterable[Entity]) -> None:
        self.decode = decode
        self.entities = tuple(entities)
        self.rejected: list[tuple[Record, str]] = []
        self.events: list[dict[str, Any]] = []
        self.images: dict[str, dict[Key, Image]] = defaultdict(dict)
        self._contributions: dict[str, dict[Key, list[Contribution]]] = defaultdict(lambda: defaultdict(list))
        self._sources = {s.topic.name: s for s in (*model.OLTP, *model.DOCUMENTS)}

    def add(self, record: Record) -> None:
        try:
            key, value = self.decode(record)
            self._note(record, key, value)
            bare = record._replace(key=None, value=None, headers=())
            for entity in self.entities:
                if record.topic in entity.topics:
                    for found in entity.read(record, key, value):
                        self._contributions[entity.table.name][found.key].append(Contribution(found.key, found.payload, bare))
        except RejectedError as error:
            self.rejected.append((record, error.reason))

    def rows(self, entity: Entity) -> list[Row]:
        """All log rows of the entity, folded from all contributions at once."""
        folded = (entity.fold(key, [], new)[0] for key, new in self._contributions[entity.table.name].items())
        return [row for rows in folded for row in rows]

    def current(self, source: model.Source) -> list[Row]:
        """The rows that the source should hold now."""
        return [source.typed(image) for _, op, image in self.images[source.topic.name].values() if op != "d" and image is not None]

    def deleted(self, source: model.Source) -> set[Key]:
        return {key for key, (_, op, _image) in self.images[source.topic.name].items() if op == "d"}

    def _note(self, record: Record, key: dict[str, Any] | None, value: dict[str, Any] | None) -> None:
        if value is None:
            return
        if record.topic == topics.ORDER_EVENTS.name:
            self.events.append(value)
        elif topics.BY_NAME[record.topic].system == "postgres":
            self._note_change(record, value)
        else:
            self._note_document(record, value)

    def _note_change(self, record: Record, envelope: dict[str, Any]) -> None:
        source = self._sources[record.topic]
        image = envelope["before"] if envelope["op"] == "d" else envelope["after"]
        at = tuple(image[k] for k in source.key)
        self._keep(record.topic, at, (wire.sequence(envelope["source"], envelope["op"]), envelope["op"], image))

    def _note_document(self, record: Record, event: dict[str, Any]) -> None:
        source = self._sources[record.topic]
        at = (json.loads(event["documentKey"])["_id"],)
        op = "d" if event["operationType"] == "delete" else "u"
        # A change stream keeps the order of one document, and so does its partition.
        order = (record.offset,)
        document = json.loads(event["fullDocument"]) if event.get("fullDocument") else None
        if document is None and op != "d":
            return  # deleted before the connector looked it up; the delete follows
        image = {**document, source.key[0]: document["_id"]} if document else None
        self._keep(record.topic, at, (order, op, image))

    def _keep(self, topic: str, key: Key, image: Image) -> None:
        known = self.images[topic].get(key)
        if known is None or image[0] >= known[0]:
            self.images[topic][key] = image
