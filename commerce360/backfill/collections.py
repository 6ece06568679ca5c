"""Documents of MongoDB as records of its source connector: made from documents, compared with silver, sent."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from commerce360.backfill.days import WHOLE
from commerce360.backfill.found import Days, Found
from commerce360.backfill.received import TIMES, day_text, parts
from commerce360.backfill.sending import Sender, wait_for
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
        """Documents of other days are passed over; `reject` is told of those that cannot be used."""
        found = {d.isoformat(): Found() for d in days}
        rows, day_of = dict[str, Row](), dict[str, str]()
        for document in found_documents:
            event = event_of(document, self.second)
            try:
                change = documents.read(self.part, Record(self.part.topic.name, -1, 0, 0, None, None), event)
            except RejectedError as error:
                reject(f"{document.get('_id')}: {error}")
                day = self._day(document)
                if day in found:
                    found[day].read, found[day].rejected = found[day].read + 1, found[day].rejected + 1
                continue
            assert change is not None  # an insert says something
            at = change.row[TIMES[self.part.table.name]]
            day = WHOLE if at is None else day_text(at)
            if day in found:
                found[day].read += 1
                found[day].keys.add(change.id)
                rows[change.id], day_of[change.id], self.events[change.id] = change.row, day, event
        for key in self._differing(rows):
            found[day_of[key]].differing[key] = []
        return found

    def feed(self, found: Found) -> int:
        """Send what differs, wait until silver has it; how many rows silver got."""
        before = self._rows(found.differing)
        sender, mine = Sender(self.settings, self.part.topic.name), {key: self.events[key] for key in found.differing}
        left = self._differing(self._read(mine))
        sender.send((sender.encode("key", {"documentKey": mine[k]["documentKey"]}), sender.encode("value", mine[k])) for k in left)
        wait_for(lambda: len(self._differing(self._read(mine))), self.part.table.entity, self.say)
        return self._rows(found.differing) - before

    def _differing(self, rows: Mapping[str, Row]) -> list[str]:
        """Documents that silver lacks, or has older and otherwise."""
        made, names = list[str](), [c.name for c in self.part.fields]
        for keys in parts(list(rows)):
            newest = self.part.table.newest_sql(self.part.table.entity, among(self.part.table.key, [(k,) for k in keys]))
            there = {row[self.part.key]: row for row in self.lake.query(self.part.table, newest).to_pylist()}
            for key in keys:
                old = there.get(key)
                if old is None or (old["seq"] <= rows[key]["seq"] and (old["is_deleted"] or any(old[n] != rows[key][n] for n in names))):
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
        return day_text(at) if isinstance(at, dt.datetime) else WHOLE


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
