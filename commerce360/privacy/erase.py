"""`c360 privacy erase`: a person out of Kafka, the lake and the warehouse, while the lake job, the loader and the page rest.

Steps may be repeated: a token stays a token, and the key is kept beside the stack until all stores are done, so that a run after a crash
makes the same tokens. Bronze comes last of the lake, because it says whose is what. At the end the key is gone, and with it the way back.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commerce360.errors import C360Error, ConfigError
from commerce360.lake import Lake
from commerce360.local.hold import Held
from commerce360.privacy import arrival
from commerce360.privacy import tables as lake_tables
from commerce360.privacy.records import SHORT, People
from commerce360.privacy.tokens import Tokens
from commerce360.reconcile import sources
from commerce360.reconcile.erased import ERASED_BELOW, erased_below
from commerce360.settings import Settings
from schemas import tables
from schemas.personal import EMPTIED, TEXTS
from stream_jobs.wire import RegistrySchemas
from warehouse import ddl
from warehouse.backfill import Backfill, remove_abandoned
from warehouse.client import Client

Note = Callable[[str], None]
CAUGHT_UP_S = 300.0
KAFKA_S = 30.0
KEYS = 200  # tries for one that leaves the winners of conflicts as they are


@dataclass(frozen=True)
class Begun:
    customers: frozenset[int]
    key: bytes


@dataclass(frozen=True)
class Journal:
    """What is under way: ids and the key, nothing that names anybody. Readable by its owner only."""

    path: Path

    def load(self) -> Begun | None:
        if not self.path.exists():
            return None
        found = json.loads(self.path.read_text())
        return Begun(frozenset(found["customers"]), bytes.fromhex(found["key"]))

    def save(self, begun: Begun) -> None:
        """On disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"customers": sorted(begun.customers), "key": begun.key.hex()}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def end(self) -> None:
        self.path.unlink(missing_ok=True)


class Eraser:
    """Of a running local stack. Raises ConfigError for what the shop still has, UnavailableError when a store does not answer."""

    def __init__(self, settings: Settings, note: Note = lambda _: None) -> None:
        self.settings = settings
        self.note = note
        self.lake = Lake(settings.lake)
        self.journal = Journal(settings.state / "run" / "privacy.json")

    def linked(self, customer_ids: Iterable[int]) -> frozenset[int]:
        """These numbers and the others that they had before or got later. Raises ConfigError for one that no table has."""
        wanted = frozenset(customer_ids)
        if unknown := lake_tables.unknown_of(self.lake, wanted):
            raise ConfigError(f"nobody knows customer {', '.join(map(str, unknown))}", "no table of the lake has that number")
        return lake_tables.customers_of(self.lake, wanted)

    def run(self, customer_ids: frozenset[int], given: frozenset[int] | None = None) -> dict[str, Any]:
        """Finishes what an earlier run began, then erases these; what was done, in numbers. `given`: those that somebody named."""
        with self._alone():
            if (begun := self.journal.load()) is not None:
                self.note("finishing what an earlier run began")
                self._refuse_living(begun.customers, begun.customers)
                self._erase(begun.customers, begun.key)
            self._refuse_living(customer_ids, customer_ids if given is None else given)
            return self._erase(customer_ids, None)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        path = self.settings.state / "run" / "privacy.lock"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigError("another erasure is under way", "wait for it") from error
            yield

    def _refuse_living(self, customer_ids: frozenset[int], given: frozenset[int]) -> None:
        """The shop is the source: what it still has would come again, and must go there first."""
        rows = sources.postgres_rows(self.settings.postgres, ["customers"])["customers"]
        living = sorted(customer_ids & {r["customer_id"] for r in rows})
        if living and not given.issuperset(living):
            raise ConfigError(
                f"the shop has customer {_listed(living)}, a number that this person had once or has now",
                "delete them there if it is the same person; if somebody else has it now, use --only, which leaves what came under it",
            )
        if living:
            raise ConfigError(
                f"the shop still has customer {_listed(living)} in sales.customers",
                f"delete them there first: DELETE FROM sales.customers WHERE customer_id IN ({_listed(living)})",
            )
        reviews = [d["_id"] for d in sources.mongo_documents(self.settings.mongo, "reviews") if _customer_of(d) in customer_ids]
        if reviews:
            raise ConfigError(
                f"the web store still has {len(reviews)} reviews by them, such as {reviews[0]}",
                f"delete them there first: db.reviews.deleteMany({{customer_id: {{$in: [{_listed(customer_ids)}]}}}})",
            )

    def _erase(self, customer_ids: frozenset[int], key: bytes | None) -> dict[str, Any]:
        self.note("waiting until the deletions are in the lake and in the warehouse")
        arrival.wait_arrived(self.settings, self.lake, self.note)
        self._refuse_words(customer_ids)
        with Client(self.settings.warehouse) as warehouse, Held(self.settings.state, "lake"):
            self._wait_loaded(warehouse)
            with Held(self.settings.state, "loader"), Held(self.settings.state, "page"):  # the page remembers names
                done = self._rewrite(warehouse, customer_ids, key)
        return {"customers": sorted(customer_ids), **done}

    def _rewrite(self, warehouse: Client, customer_ids: frozenset[int], key: bytes | None) -> dict[str, Any]:
        self.note("reading bronze")
        people = People(customer_ids, Tokens(key or secrets.token_bytes(32)), RegistrySchemas(self.settings.registry))
        theirs = lake_tables.their_records(self.lake, people)
        if key is None:
            key = self._choose_key(people, theirs)
            self.journal.save(Begun(customer_ids, key))
        values = theirs.values(people)
        self._note_erased(values)
        self._reports(people)
        self._lake(people, values)
        self.note("rewriting the warehouse")
        rows = self._warehouse(warehouse)
        self.note("removing their records from Kafka")
        self._kafka()
        self.journal.end()
        return {"records": len(values), "texts": len(people.tokens.made), "warehouse_rows": rows}

    def _choose_key(self, people: People, theirs: lake_tables.Theirs) -> bytes:
        for _ in range(KEYS):
            key = secrets.token_bytes(32)
            people.tokens = Tokens(key)
            if theirs.keeps_its_winners(self.lake, people):
                return key
        raise C360Error(
            f"{KEYS} keys were tried, and each would make another change count where two differ at one place",
            "try again: there are always more keys",
        )

    def _refuse_words(self, customer_ids: frozenset[int]) -> None:
        ids = _listed(customer_ids)
        alive = self.lake.newest(tables.DIM_CUSTOMER, where=f"is_current AND NOT is_deleted AND customer_id IN ({ids})").num_rows
        said = self.lake.newest(tables.REVIEWS, where=f"NOT is_deleted AND customer_id IN ({ids})").num_rows
        if alive or said:
            raise C360Error("the deletions in the shop have not reached the lake", "see `c360 status`; then try again")

    def _wait_loaded(self, warehouse: Client) -> None:
        """The loader must have every row before: it passes over what is rewritten."""
        last = self.lake.last_batch()
        for table in tables.TABLES:
            newest = self.lake.last_commits(table, 1)
            if newest and (last is None or newest[0].batch_id > last["batch_id"]):
                raise C360Error("the lake job was stopped inside a batch", "try again")
        deadline = time.monotonic() + CAUGHT_UP_S
        while last is not None:
            shown = warehouse.query("SELECT MAX(BATCH_ID) AS BATCH_ID FROM OPS.LAKE_BATCHES")[0]["batch_id"]
            if shown is not None and int(shown) >= last["batch_id"]:
                return
            if time.monotonic() > deadline:
                raise C360Error("the warehouse is behind the lake", "see `c360 logs loader`; then try again")
            time.sleep(0.3)

    def _lake(self, people: People, values: dict[lake_tables.Place, bytes | None]) -> None:
        self.note("rewriting the lake")
        logs = [*TEXTS, *EMPTIED, *([t] if (t := lake_tables.rebuilt_customers(self.lake)) else [])]
        for table in logs:
            lake_tables.rewrite_log(self.lake, table, people)
        lake_tables.rewrite_letters(self.lake, people, values)
        for table in (*logs, tables.DEAD_LETTERS):
            self.lake.settle_rewrite(table)
        lake_tables.rewrite_records(self.lake, values)
        self.lake.settle_rewrite(tables.RECORDS)

    def _note_erased(self, places: Iterable[lake_tables.Place]) -> None:
        """Before anything is deleted: bronze stands for what these topics had up to the last record of theirs."""
        known = erased_below(self.lake)
        for topic, partition, offset in places:
            ends = known.setdefault(topic, {})
            ends[partition] = max(ends.get(partition, 0), offset + 1)
        if known != erased_below(self.lake):
            self.lake.set_properties(tables.RECORDS, {ERASED_BELOW: json.dumps(known, sort_keys=True)})

    def _reports(self, people: People) -> None:
        """A reconciliation that found a difference has printed it. They are made again by the next one."""
        words = [word.encode(errors="replace") for word in people.tokens.made if len(word) >= SHORT]
        words += [json.dumps(word)[1:-1].encode() for word in people.tokens.made if len(word) >= SHORT]
        for path in (self.settings.state / "reports").rglob("*"):
            if path.is_file() and any(word in (text := path.read_bytes()) for word in words) and text:
                path.unlink()

    def _warehouse(self, warehouse: Client) -> int:
        """What the lake has now in place of what there is, columns that came later as well; how many rows changed.

        Rows that never fitted are in error tables as they were sent, and copies of a backfill that was killed in tables of its own.
        """
        fed = tuple(t for t in (*TEXTS, *EMPTIED) if t.feed)
        history = Backfill(self.settings, warehouse, fed)
        changed = sum(repair.changed for day in history.run(history.days()) for repair in day)
        remove_abandoned(warehouse, history.database, age_s=0)
        for table in fed:
            warehouse.query(f"TRUNCATE TABLE ERROR_TABLE({history.database}.{ddl.landing(table)})")
        return changed

    def _kafka(self) -> None:
        """Raises C360Error while the sentiment service has not read what is to go: it would never score those of others."""
        from confluent_kafka import KafkaException, TopicPartition
        from confluent_kafka.admin import AdminClient

        ends = erased_below(self.lake)
        wanted = [TopicPartition(t, p, o) for t, parts in ends.items() for p, o in parts.items() if o > 0]
        if not wanted:
            return
        if waiting := arrival.unscored(self.settings, ends):
            raise C360Error(
                f"{waiting} reviews still wait for their sentiment in Kafka; all other stores are done",
                "see `c360 status`; then run the same command again",
            )
        admin = AdminClient(self.settings.kafka.client())  # answers as long as somebody holds it
        try:
            for future in admin.delete_records(wanted, request_timeout=KAFKA_S).values():
                future.result(timeout=2 * KAFKA_S)
        except (KafkaException, TimeoutError) as error:
            raise C360Error(f"Kafka does not delete: {error}", "run the same command again") from error


def _listed(customer_ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(customer_ids)))


def _customer_of(document: dict[str, Any]) -> int | None:
    found = document.get("customer_id")
    return found if isinstance(found, int) else None
