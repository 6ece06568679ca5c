"""Documents of MongoDB as records of its source connector: made from documents, compared with silver, sent."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from commerce360.backfill.days import WHOLE
from commerce360.backfill.found import Days, Found
from commerce360.backfill.received import TIMES, day_text, parts
from commerce360.backfill.sending import Sender, unsettled, wait_passed
from commerce360.lake import Lake
from commerce360.reconcile import documents
from commerce360.settings import Settings
from stream_jobs.entity import Record, RejectedError, Row
from stream_jobs.silver import Documents
from stream_jobs.slices import among

Document = dict[str, Any]
Event = dict[str, Any]


class Collection:
    """One collection's documents against silver. `second`: epoch second of MongoDB's clock before the documents were read; 0: history."""

    def __init__(self, settings: Settings, lake: Lake, part: Documents, second: int, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.lake = lake
        self.part = part
        self.second = second
        self.say = say
        self.events: dict[str, Event] = {}  # of documents that differ

    def find(self, found_documents: Iterable[Document], days: list[dt.date], reject: Callable[[str], None]) -> Days:
        """Documents of other days are passed over; `reject` is told of those that cannot be used. Keeps what differs in memory, not all."""
        found = {d.isoformat(): Found() for d in days}
        for part in parts(found_documents):
            rows, day_of, events = dict[str, Row](), dict[str, str](), dict[str, Event]()
            for document in part:
                try:
                    event = event_of(document, self.second)
                    change = documents.read(self.part, Record(self.part.topic.name, -1, 0, 0, None, None), event)
                    assert change is not None  # an insert says something
                    (change.id + event["fullDocument"]).encode()
                except (RejectedError, ValueError, OverflowError, RecursionError) as error:
                    reject(f"{document.get('_id')!r}: {error}")
                    of_day = found.get(self._day(document), next(iter(found.values())))
                    of_day.read, of_day.rejected = of_day.read + 1, of_day.rejected + 1
                    continue
                at = change.row[TIMES[self.part.table.name]]
                day = WHOLE if at is None else day_text(at)
                if day in found:
                    found[day].read += 1
                    found[day].keys.add(change.id)
                    rows[change.id], day_of[change.id], events[change.id] = change.row, day, event
            for key in self._differing(rows):
                found[day_of[key]].differing[key] = []
                self.events[key] = events[key]
        return found

    def feed(self, found: Found) -> int:
        """Send what differs, wait until the lake has passed it; how many rows silver got."""
        before = self._rows(found.differing)
        sender, mine = Sender(self.settings, self.part.topic.name), {key: self.events[key] for key in found.differing}
        left = self._differing(self._read(mine))
        sender.send((sender.encode("key", {"documentKey": mine[k]["documentKey"]}), sender.encode("value", mine[k])) for k in left)
        wait_passed(self.settings, self.lake, [self.part.topic.name], self.say)
        found.rejected += unsettled(self.part.table.entity, self._differing(self._read(mine)), self.say)
        return self._rows(found.differing) - before

    def _differing(self, rows: Mapping[str, Row]) -> list[str]:
        """Documents that silver lacks, or has older and otherwise. What comes from files is history, and never newer than what is there."""
        made, names = list[str](), [c.name for c in self.part.fields]
        for keys in parts(list(rows)):
            newest = self.part.table.newest_sql(self.part.table.entity, among(self.part.table.key, [(k,) for k in keys]))
            there = {row[self.part.key]: row for row in self.lake.query(self.part.table, newest).to_pylist()}
            for key in keys:
                old = there.get(key)
                if old is None or (self.second and _is_older(old, rows[key], names)):
                    made.append(key)
        return made

    def _read(self, events: Mapping[str, Event]) -> dict[str, Row]:
        found = (documents.read(self.part, Record(self.part.topic.name, -1, 0, 0, None, None), e) for e in events.values())
        return {change.id: change.row for change in found if change is not None}

    def _rows(self, keys: Iterable[str]) -> int:
        table, count = self.part.table, 0
        for some in parts(list(keys)):
            sql = f"SELECT COUNT(*) AS n FROM {table.entity} WHERE {among(table.key, [(k,) for k in some])}"
            count += int(self.lake.query(table, sql).to_pylist()[0]["n"])
        return count

    def _day(self, document: Document) -> str:
        at = document.get(TIMES[self.part.table.name])
        try:
            return day_text(at) if isinstance(at, dt.datetime) else WHOLE
        except OverflowError:  # beyond what the zone can tell
            return WHOLE


def _is_older(old: Row, new: Row, names: Sequence[str]) -> bool:
    return bool(old["seq"] <= new["seq"] and (old["is_deleted"] or any(old[n] != new[n] for n in names)))


def event_of(document: Document, second: int) -> Event:
    """As the connector writes an insert (its simplified JSON). A document of history has no cluster time, as a copied one."""
    key = plain({"_id": document["_id"]})
    return {
        "_id": json.dumps({"_id": key["_id"], "copyingData": True}, ensure_ascii=False),
        "operationType": "insert",
        "fullDocument": json.dumps(plain(document), ensure_ascii=False),
        "documentKey": json.dumps(key, ensure_ascii=False),
        "clusterTime": json.dumps({"$timestamp": {"t": second, "i": 0}}) if second else None,
    }


def plain(value: Any) -> Any:
    """BSON in the connector's simplified JSON: times in ISO 8601 with milliseconds, ids in hexadecimal, exact numbers as text."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dt.datetime):
        at = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
