"""`c360 privacy erase`: a person out of Kafka, the lake and the warehouse, while the lake job and the loader rest.

Steps may be repeated: a token stays a token, and the key is kept beside the stack until all stores are done, so that a run after a crash
makes the same tokens. Then the key is gone, and with it the way back.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commerce360.errors import C360Error, ConfigError
from commerce360.lake import Lake
from commerce360.local.hold import Held
from commerce360.privacy import tables as lake_tables
from commerce360.privacy.records import People
from commerce360.privacy.tokens import Tokens
from commerce360.reconcile import sources
from commerce360.reconcile.erased import ERASED_BELOW, erased_below
from commerce360.settings import Settings
from schemas import tables
from schemas.personal import EMPTIED, TEXTS
from schemas.tables import Table
from stream_jobs.wire import RegistrySchemas
from warehouse import ddl
from warehouse.client import Client

Note = Callable[[str], None]
CAUGHT_UP_S = 120.0
KAFKA_S = 30.0


@dataclass(frozen=True)
class Journal:
    """What is under way: ids and the key, nothing that names anybody. Readable by its owner only."""

    path: Path

    def load(self) -> tuple[frozenset[int], bytes] | None:
        if not self.path.exists():
            return None
        found = json.loads(self.path.read_text())
        return frozenset(found["customers"]), bytes.fromhex(found["key"])

    def begin(self, customer_ids: frozenset[int]) -> bytes:
        key = secrets.token_bytes(32)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps({"customers": sorted(customer_ids), "key": key.hex()}))
        part.replace(self.path)
        return key

    def end(self) -> None:
        self.path.unlink(missing_ok=True)


class Eraser:
    """Of a running local stack. Raises ConfigError for what the shop still has, UnavailableError when a store does not answer."""

    def __init__(self, settings: Settings, note: Note = lambda _: None) -> None:
        self.settings = settings
        self.note = note
        self.lake = Lake(settings.lake)
        self.journal = Journal(settings.state / "run" / "privacy.json")

    def run(self, customer_ids: Iterable[int]) -> dict[str, Any]:
        """Finishes what an earlier run began, then erases these; what was done, in numbers."""
        if (begun := self.journal.load()) is not None:
            self.note("finishing what an earlier run began")
            self._erase(*begun)
        wanted = lake_tables.customers_of(self.lake, customer_ids)
        self._refuse_living(wanted)
        return self._erase(wanted, None)

    def _refuse_living(self, customer_ids: frozenset[int]) -> None:
        """The shop is the source: what it still has would come again, and must go there first."""
        rows = sources.postgres_rows(self.settings.postgres, ["customers"])["customers"]
        if living := sorted(customer_ids & {r["customer_id"] for r in rows}):
            raise ConfigError(
                f"the shop still has customer {', '.join(map(str, living))} in sales.customers",
                f"delete them there first: DELETE FROM sales.customers WHERE customer_id IN ({', '.join(map(str, living))})",
            )
        reviews = [d["_id"] for d in sources.mongo_documents(self.settings.mongo, "reviews") if d.get("customer_id") in customer_ids]
        if reviews:
            raise ConfigError(
                f"the web store still has {len(reviews)} reviews by them, such as {reviews[0]}",
                f"delete them there first: db.reviews.deleteMany({{customer_id: {{$in: [{', '.join(map(str, sorted(customer_ids)))}]}}}})",
            )

    def _erase(self, customer_ids: frozenset[int], key: bytes | None) -> dict[str, Any]:
        root = self.settings.state
        self.note("waiting until the deletions are in the lake and in the warehouse")
        with Client(self.settings.warehouse) as warehouse:
            self._wait_gone(customer_ids)
            with Held(root, "lake"):
                self._wait_loaded(warehouse)
                with Held(root, "loader"):
                    tokens = Tokens(self.journal.begin(customer_ids) if key is None else key)
                    people = People(customer_ids, tokens, RegistrySchemas(self.settings.registry))
                    done = self._lake(people)
                    self.note("rewriting the warehouse")
                    done["warehouse_rows"] = sum(self._warehouse(warehouse, t, people) for t in (*TEXTS, *EMPTIED) if t.feed)
                    self.note("removing their records from Kafka")
                    self._kafka()
                    self.journal.end()
        return {"customers": sorted(customer_ids), **done}

    def _wait_gone(self, customer_ids: frozenset[int]) -> None:
        ids = ", ".join(map(str, sorted(customer_ids)))
        deadline = time.monotonic() + CAUGHT_UP_S
        while True:
            alive = self.lake.newest(tables.DIM_CUSTOMER, where=f"is_current AND NOT is_deleted AND customer_id IN ({ids})").num_rows
            said = self.lake.newest(tables.REVIEWS, where=f"NOT is_deleted AND customer_id IN ({ids})").num_rows
            if not alive and not said:
                return
            if time.monotonic() > deadline:
                raise C360Error("the deletions in the shop have not reached the lake", "see `c360 status`; then try again")
            time.sleep(0.5)

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

    def _lake(self, people: People) -> dict[str, Any]:
        self.note("reading bronze")
        values = lake_tables.their_records(self.lake, people)
        values |= lake_tables.undecodable(self.lake, people, values)
        self._note_erased({topic for topic, _, _ in values})
        self.note("rewriting the lake")
        lake_tables.rewrite_records(self.lake, people, values)
        logs = [*TEXTS, *EMPTIED, *([t] if (t := lake_tables.rebuilt_customers(self.lake)) else [])]
        for table in logs:
            lake_tables.rewrite_log(self.lake, table, people.customer_ids, people)
        for table in (tables.RECORDS, tables.DEAD_LETTERS, *logs):
            self.lake.settle_rewrite(table)
        return {"records": len(values), "texts": len(people.tokens.made)}

    def _note_erased(self, topics: set[str]) -> None:
        """Before anything is deleted: from here on bronze stands for what these topics had up to the last batch."""
        last = self.lake.last_batch()
        if last is not None and topics:
            ends: dict[str, dict[str, int]] = json.loads(last["offsets"])
            known = erased_below(self.lake) | {t: {int(p): o for p, o in ends[t].items()} for t in topics if t in ends}
            self.lake.set_properties(tables.RECORDS, {ERASED_BELOW: json.dumps(known, sort_keys=True)})

    def _warehouse(self, warehouse: Client, table: Table, people: People) -> int:
        """Value by value, as equal values get equal tokens; how many rows changed."""
        ids, count = ", ".join(map(str, sorted(people.customer_ids))), 0
        target = ddl.landing(table)
        for column in TEXTS.get(table, ()):
            where = f"CUSTOMER_ID IN ({ids}) AND {column.upper()}"
            for row in warehouse.query(f"SELECT DISTINCT {column.upper()} AS TEXT FROM {target} WHERE {where} IS NOT NULL"):
                if (token := people.tokens.of(row["text"])) != row["text"]:
                    warehouse.query(f"UPDATE {target} SET {column.upper()} = %s WHERE {where} = %s", (token, row["text"]))
                    count += 1
        for column in EMPTIED.get(table, ()):
            warehouse.query(f"UPDATE {target} SET {column.upper()} = NULL WHERE CUSTOMER_ID IN ({ids})")
        return count

    def _kafka(self) -> None:
        from confluent_kafka import KafkaException, TopicPartition
        from confluent_kafka.admin import AdminClient

        wanted = [TopicPartition(t, p, o) for t, ends in erased_below(self.lake).items() for p, o in ends.items() if o > 0]
        if not wanted:
            return
        admin = AdminClient(self.settings.kafka.client())  # answers as long as somebody holds it
        try:
            for future in admin.delete_records(wanted, request_timeout=KAFKA_S).values():
                future.result(timeout=2 * KAFKA_S)
        except (KafkaException, TimeoutError) as error:
            raise C360Error(f"Kafka does not delete: {error}", "run the same command again") from error
