"""The source `files`: history that somebody puts into a landing zone, as JSON Lines, plain or compressed (.gz, .zst).

A folder for each table: `fct_sales` holds order events of the web shop with the fields of `schemas/avro/order_placed.avsc`, `clickstream`
and `reviews` hold documents as mongoexport writes them. What the tables lack is sent to the topic that such records come by, and goes the
way of all others. What cannot be used is named with its file and line, and stays where it is.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from commerce360.backfill.collections import Collection
from commerce360.backfill.found import Days, Found
from commerce360.backfill.received import Read, canonical_key, day_text, days_of, differences
from commerce360.backfill.sending import Sender, unsettled, wait_passed
from commerce360.errors import ConfigError
from commerce360.lake import Lake
from commerce360.reconcile import sources
from commerce360.settings import Settings
from producers.ledger import Ledger
from producers.wire import OrderCodec, find_schema_id, key_of, order_schema
from schemas.columns import Table
from schemas.tables import FCT_SALES
from schemas.topics import ORDER_EVENTS
from stream_jobs.entity import Contribution, Key, Record, read_record
from stream_jobs.sales import SALES
from stream_jobs.slices import DOCUMENT, among
from stream_jobs.values import EPOCH, moment

ENDS = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".jsonl.zst", ".json.zst")
EXAMPLES = 20  # of lines that cannot be used are named
Line = tuple[str, int, Any]  # file, number of the line, what it says


class Files:
    name = "files"
    span = 31

    def __init__(self, settings: Settings, lake: Lake, folder: Path, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.lake = lake
        self.folder = folder
        self.say = say
        self._collection: Collection | None = None
        self._events: dict[Key, list[Mapping[str, Any]]] = {}
        self._named = 0
        self._placeless = 0  # lines that cannot be used and tell no day: counted with the first

    def find(self, table: Table, days: list[dt.date]) -> Days:
        if table.name in DOCUMENT:
            self._collection = Collection(self.settings, self.lake, DOCUMENT[table.name], 0, self.say)
            documents = self._collection.find(self._documents(table), days, lambda text: self._reject(table.entity, 0, text))
            documents[days[0].isoformat()].rejected += self._placeless
            return documents
        if table is not FCT_SALES:
            raise ConfigError(f"{table.entity} is not read from files", "use --source bronze or --source database")
        found = self._differences(self._orders(days), days)
        found[days[0].isoformat()].rejected += self._placeless
        return found

    def feed(self, table: Table, found: Found) -> int:
        if self._collection is not None and table.name in DOCUMENT:
            sources.note_landed(self.settings.state, table.entity, found.differing)
            return self._collection.feed(found)
        keys = [key for key in self._events if canonical_key(key) in found.differing]
        before = self._count(keys)
        events = [event for key in keys for event in self._events[key]]
        self._send(events)
        wait_passed(self.settings, self.lake, [ORDER_EVENTS.name], self.say)
        found.rejected += unsettled(table.entity, self._left(events), self.say)
        return self._count(keys) - before

    def _orders(self, days: list[dt.date]) -> Read:
        names, rejected = {d.isoformat() for d in days}, dict[str, int]()
        read = Read({}, {name: set() for name in names}, rejected)
        for file, number, event in self._lines(FCT_SALES):
            try:
                value = event_of(event)
                (found,) = contributions(value, number)
                self._codec.encode(value)
                of_days = names.intersection(days_of(SALES, found))
            except Exception as error:  # whatever the line makes the readers stumble over
                self._reject(file, number, f"{type(error).__name__}: {error}")
                if (day := _day(event)) in names:
                    rejected[day] = rejected.get(day, 0) + 1
                else:
                    self._placeless += not day
                continue
            for day in of_days:
                read.keys[day].add(found.key)
                read.contributions.setdefault(found.key, []).append(found)
                self._events.setdefault(found.key, []).append(value)
        return read

    @cached_property
    def _codec(self) -> OrderCodec:
        schema = order_schema()
        return OrderCodec(schema, find_schema_id(self.settings.registry, schema))

    def _differences(self, read: Read, days: list[dt.date]) -> Days:
        last = self.lake.last_batch()
        found = differences(self.lake, SALES, read, days, int(last["batch_id"]) if last else -1)
        for mine in found.values():
            mine.differing = {key: [] for key in mine.differing}  # the records are nowhere yet
        return found

    def _send(self, events: list[Mapping[str, Any]]) -> None:
        """Where the shop keeps a ledger, these are in it: all order events that Kafka has stand there."""
        folder = self.settings.state / "ledger"
        records = [(key_of(event["order_id"]), self._codec.encode(event)) for event in events]
        sender = Sender(self.settings, ORDER_EVENTS.name)
        if not folder.is_dir():
            sender.send(records)
            return
        with Ledger.open(folder, order_schema()) as ledger:
            intents = ledger.intend(value for _, value in records)
            for intent, place in zip(intents, sender.send(records), strict=True):
                ledger.acknowledge(intent, *place)

    def _left(self, events: list[Mapping[str, Any]]) -> set[str]:
        """Keys of the events that the lake does not have yet."""
        read = Read({}, {}, {})
        for number, event in enumerate(events):
            (found,) = contributions(event, number)
            read.contributions.setdefault(found.key, []).append(found)
            for day in days_of(SALES, found):
                read.keys.setdefault(day, set()).add(found.key)
        return {key for mine in self._differences(read, [dt.date.fromisoformat(d) for d in read.keys]).values() for key in mine.differing}

    def _documents(self, table: Table) -> Iterator[dict[str, Any]]:
        for file, number, document in self._lines(table):
            try:
                made = _typed(document)
                if made.get("_id") is None:
                    raise ValueError("the document has no _id")
            except Exception as error:  # whatever the line makes the reader stumble over
                self._reject(file, number, f"{type(error).__name__}: {error}")
                self._placeless += 1
                continue
            yield made

    def _lines(self, table: Table) -> Iterator[Line]:
        """Raises ConfigError when there is nothing to read."""
        folder = self.folder / table.entity
        files = sorted(f for f in folder.rglob("*") if f.name.endswith(ENDS)) if folder.is_dir() else []
        if not files:
            raise ConfigError(
                f"there are no files for {table.entity} in {folder}", f"put files there that end with {', '.join(ENDS[:3])} ..."
            )
        self._placeless = 0
        for file in files:
            try:
                yield from self._of_file(file)
            except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
                raise ConfigError(f"{file} cannot be read: {error}", "repair it, or take it away") from error

    def _of_file(self, file: Path) -> Iterator[Line]:
        with opened(file) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        made = json.loads(line.decode())
                    except (ValueError, RecursionError) as error:
                        self._reject(str(file), number, f"it is not JSON: {error}")
                        self._placeless += 1
                    else:
                        yield str(file), number, made

    def _reject(self, file: str, number: int, why: str) -> None:
        self._named += 1
        if self._named <= EXAMPLES:
            self.say(f"cannot be used: {file}{f', line {number}' if number else ''}: {why}")

    def _count(self, keys: list[Key]) -> int:
        if not keys:
            return 0
        sql = f"SELECT COUNT(*) AS n FROM {FCT_SALES.entity} WHERE {among(['order_id'], keys)}"
        return int(self.lake.query(FCT_SALES, sql).to_pylist()[0]["n"])


def contributions(event: Mapping[str, Any], number: int) -> list[Contribution]:
    """What an order event says, as if it had been received. Raises RejectedError."""
    return read_record(SALES, Record(ORDER_EVENTS.name, -1, number, 0, None, None), None, dict(event))


def event_of(raw: Any) -> dict[str, Any]:
    """An order event as Avro takes it: `event_ts` may be text in ISO 8601 or microseconds. Raises ValueError, TypeError or KeyError."""
    if not isinstance(raw, dict):
        raise ValueError("a line is an object with the fields of an order event")
    at = raw["event_ts"]
    micros = at if isinstance(at, int) else (moment(at) - EPOCH) // dt.timedelta(microseconds=1)
    if not isinstance(raw["lines"], list) or not isinstance(raw["order_id"], str) or not isinstance(raw["event_id"], str):
        raise ValueError("event_id and order_id must be texts, lines a list")
    lines = [{"discount": "0.00", **line} for line in raw["lines"]]
    named = {"customer_id": None, "currency": "EUR", "campaign_id": None, "visitor_id": None, **raw}
    return {**named, "event_ts": micros, "lines": lines}


def opened(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(file))
    if file.suffix == ".zst":
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file.open("rb"), closefd=True))
    return file.open("rb")


def _typed(document: Any) -> dict[str, Any]:
    """MongoDB's extended JSON (`{"$date": ..}`, `{"$oid": ..}`, `{"$numberLong": ..}`) as values; plain JSON stays what it is."""
    from bson import json_util

    if not isinstance(document, dict):
        raise ValueError("a line is a document")
    found: dict[str, Any] = json_util.loads(json.dumps(document), json_options=json_util.JSONOptions(tz_aware=True, tzinfo=dt.UTC))
    return found


def _day(event: Any) -> str:
    try:
        at = event["event_ts"]
        return day_text(EPOCH + dt.timedelta(microseconds=at) if isinstance(at, int) else moment(at))
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""
