"""Keys that are open in the history and gone at the source: deletes that nobody sent, because a replication slot was lost.

They are closed by the record that Debezium would have sent: a delete with the row's last image, encoded with the schemas of the key's
last record, in its partition. So every consumer understands it, and the lake keeps its one writer.

Where it stands (SCD2 R3): let W be the end of the log and X a transaction id that is assigned after W was read. Whoever logged a row
below W had an id by then, one below X; a snapshot taken once all ids below X are over shows them all, so a key that it lacks is absent
after every transaction that has a row below W. Whoever has an id above X has its rows at W or above. So the delete is placed between the
two, at (W, W - 1): a row that begins at W itself must win, and not be taken for the same change.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.lake import Lake
from commerce360.reconcile import topics
from commerce360.settings import Kafka, Registry
from connect_configs import sources
from connect_configs.cluster import Cluster
from connect_configs.model import Config
from connect_configs.snapshot import position
from connect_configs.sources import Table
from schemas.tables import RECORDS
from stream_jobs import wire
from stream_jobs.entity import Record, RejectedError

if TYPE_CHECKING:
    import psycopg

HEADER = ("c360.origin", b"missing-at-source")
KEYS_AT_A_TIME = 20_000
POLL_S = 0.3
DELIVERY_S = 60
Key = tuple[Any, ...]
Note = Callable[[str], None]


@dataclass(frozen=True)
class Mark:
    """The end of the log and the time at the source when it was there; whoever logged before that has an id below `running_below`."""

    lsn: int
    ts_us: int
    running_below: int

    @property
    def place(self) -> tuple[int, int]:
        """Of the deletes: behind all that began below the mark, before what begins at it."""
        return self.lsn, self.lsn - 1


@dataclass
class Last:
    """The newest change of a key."""

    seq: tuple[int, int]
    op: str
    record: Record
    envelope: dict[str, Any]


@dataclass
class Missing:
    """What was compared and found; `deletes` are ready to be sent."""

    topic: str
    table: Table
    columns: list[str]  # of the primary key
    mark: Mark
    at_source: int
    open: int
    unread: int = 0  # records that could not be used, see the dead letters
    deletes: list[tuple[Key, Record]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "at_source": self.at_source,
            "open": self.open,
            "unread": self.unread,
            "missing": [list(key) for key, _ in self.deletes],
        }


def find(cluster: Cluster, name: str, config: Config, table: Table, lake: Lake | None, note: Note, timeout_s: float = 120.0) -> Missing:
    """`lake`: where records are that the topic has no more; None: the topic must be whole.

    Raises ConfigError (no Kafka or registry known, table without a primary key), SourceError (rows that the connector's account may not
    see), UnavailableError when a transaction at the source or the connector does not come to an end in time.
    """
    if not cluster.kafka or not cluster.registry:
        raise ConfigError("this cluster's Kafka and registry are not known", "give its context --kafka and --registry")
    kafka = Kafka(bootstrap=cluster.kafka["bootstrap.servers"], config=dict(cluster.kafka))
    prefix = config.get("topic.prefix", "")
    topic = f"{prefix}.{'.'.join(table)}"
    with _source(cluster, config, table) as connection:
        mark = _mark(connection)
        note("waiting for transactions that run at the source")
        endless = "a transaction at the source does not end"
        _wait(lambda: _oldest(connection) >= mark.running_below, timeout_s, endless, "see pg_stat_activity")
        columns = _key_columns(connection, table)
        present = set(_keys(connection, table, columns))
        end = _log_end(connection)  # a delete that the keys show already must have been received, or it would be sent twice
    note("waiting for the connector to have read that far")
    behind = f"{name} does not read as far as the end of the log"
    _wait(lambda: position(cluster.client.offsets(name), prefix) >= end, timeout_s, behind, f"see `c360 connect status {name}`")
    note(f"reading {topic}")
    schemas = wire.RegistrySchemas(Registry(url=cluster.registry))
    return _compare(Missing(topic, table, columns, mark, len(present), 0), present, _records(kafka, topic, lake), schemas)


def close(cluster: Cluster, config: Config, found: Missing) -> int:
    """Send the deletes of the keys that are still gone; how many Kafka has acknowledged. May be repeated.

    No tombstones, whatever `tombstones.on.delete` says: a key may come back at the source while somebody thinks about the answer. By its
    position the delete then loses against the new row, but a tombstone has no position, and would take the row out of a compacted topic.
    For the same reason keys that are back already are left out: their new row closes the old one as any change does.

    Raises UnavailableError when Kafka does not take all of them.
    """
    deletes = _still_gone(cluster, config, found)
    if deletes:
        _send(cluster, [record for _, record in deletes])
    return len(deletes)


def _still_gone(cluster: Cluster, config: Config, found: Missing) -> list[tuple[Key, Record]]:
    left = dict(found.deletes)
    with _source(cluster, config, found.table) as connection:
        for key in _keys(connection, found.table, found.columns):
            left.pop(key, None)
    return list(left.items())


def _send(cluster: Cluster, records: list[Record]) -> None:
    from confluent_kafka import KafkaException, Producer

    failed: list[str] = []
    limits = {"message.timeout.ms": DELIVERY_S * 1000}
    producer = Producer({**limits, **cluster.kafka, "enable.idempotence": True, "log_level": 3})

    def told(error: Any, _: Any) -> None:
        if error:
            failed.append(error.str())

    try:
        for record in records:
            while not failed and not _queued(producer, record, told):
                producer.poll(1)
    except KafkaException as error:
        failed.append(str(error.args[0]))
    left = len(producer)
    while left and (now := producer.flush(DELIVERY_S)) < left:
        left = now
    if left or failed:
        raise UnavailableError(f"Kafka did not take all of the deletes: {(failed or ['no answer'])[0]}", "run it again")


def _queued(producer: Any, record: Record, told: Callable[[Any, Any], None]) -> bool:
    """False while the producer's queue is full."""
    try:
        producer.produce(record.topic, record.value, record.key, record.partition, on_delivery=told, headers=list(record.headers))
    except BufferError:
        return False
    producer.poll(0)
    return True


@contextmanager
def _source(cluster: Cluster, config: Config, table: Table) -> Iterator[psycopg.Connection[Any]]:
    """Rows that a policy hides would all look gone: with row_security off PostgreSQL refuses to answer without them."""
    with sources.postgres(cluster, config) as connection, sources.answering(config):
        connection.execute("SET row_security = off")
        query = "SELECT row_security_active(format('%%I.%%I', %s::text, %s::text)::regclass), current_user"
        is_hidden, user = connection.execute(query, table).fetchone() or (True, "?")
        if is_hidden:
            raise sources.SourceError(
                f"row-level security hides rows of {'.'.join(table)} from {user}: nobody can say which are gone",
                f"as a superuser: ALTER ROLE {user} BYPASSRLS",
            )
        yield connection


def _mark(connection: psycopg.Connection[Any]) -> Mark:
    """The log's end first, then a transaction id of our own: ids that are assigned later have their rows behind that end.

    The newest id of a snapshot (`pg_snapshot_xmax`) would not do: it knows those that have ended, not the highest that run.
    """
    query = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    lsn, ts = connection.execute(query).fetchone() or (0, 0)
    (ceiling,) = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone() or (0,)
    return Mark(int(lsn), int(ts), int(ceiling))


def _log_end(connection: psycopg.Connection[Any]) -> int:
    (found,) = connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint").fetchone() or (0,)
    return int(found)


def _oldest(connection: psycopg.Connection[Any]) -> int:
    (found,) = connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone() or (0,)
    return int(found)


def _key_columns(connection: psycopg.Connection[Any], table: Table) -> list[str]:
    rows = connection.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
        " WHERE i.indisprimary AND i.indrelid = format('%%I.%%I', %s::text, %s::text)::regclass"
        " ORDER BY array_position(i.indkey, a.attnum)",
        table,
    ).fetchall()
    if not rows:
        raise ConfigError(f"{'.'.join(table)} has no primary key", "without one nobody can say which rows are gone")
    return [str(row[0]) for row in rows]


def _keys(connection: psycopg.Connection[Any], table: Table, columns: list[str]) -> Iterator[Key]:
    """In one snapshot, a part at a time."""
    from psycopg import sql

    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with connection.transaction(), connection.cursor("c360_missing") as cursor:
        cursor.itersize = KEYS_AT_A_TIME
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(*table)))
        for row in cursor:
            yield tuple(map(_plain, row))


def _plain(value: Any) -> Any:
    """Whole numbers and texts, as a record's key has them too; other types as their text."""
    return value if isinstance(value, int | str) and not isinstance(value, bool) else str(value)


def _records(kafka: Kafka, topic: str, lake: Lake | None) -> Iterator[Record]:
    """All that was ever received: from the topic while it is whole, else what the lake has of it and then the topic."""
    if any(topics.first_offsets(kafka, [topic])[topic].values()):
        if lake is None or not lake.exists(RECORDS):
            raise ConfigError(f"{topic} has lost its oldest records", "name the lake that has them: C360_LAKE__ROOT")
        names = "topic, partition, offset, key, value"
        for batch in lake.batches_of(RECORDS, f"SELECT {names} FROM records WHERE topic = '{topic}'"):
            for row in batch.to_pylist():
                yield Record(row["topic"], row["partition"], row["offset"], 0, row["key"], row["value"])
    yield from topics.read_all(kafka, [topic])


def _compare(found: Missing, present: set[Key], records: Iterable[Record], schemas: wire.RegistrySchemas) -> Missing:
    """`found` with what is open in the records and missing among the keys that are present."""
    decoder = wire.Decoder(schemas)
    newest: dict[Key, Last] = {}
    unread = 0
    for record in records:
        try:
            key, envelope = decoder.decode(record)
            if envelope is None or key is None or envelope.get("op") == "t":
                continue
            seq = wire.sequence(envelope["source"], envelope["op"])
        except (RejectedError, KeyError):
            unread += 1
            continue
        parts = tuple(_plain(key.get(c)) for c in found.columns)
        if parts not in newest or newest[parts].seq < seq:
            newest[parts] = Last(seq, envelope["op"], record, envelope)
    rows = {k: last for k, last in newest.items() if last.op != "d"}
    gone = {k: last for k, last in rows.items() if k not in present and last.seq < found.mark.place}
    _refuse_other_types(found.topic, present, rows)
    deletes = [(key, _delete(last, found.mark, schemas)) for key, last in sorted(gone.items(), key=str)]
    return replace(found, open=len(rows), unread=unread, deletes=deletes)


def _refuse_other_types(topic: str, present: set[Key], rows: dict[Key, Last]) -> None:
    """Keys that PostgreSQL and Debezium write differently would all look missing."""
    if present and rows and not present & rows.keys():
        raise C360Error(f"no key of {topic} is among those of the table", "load the table first (`c360 connect snapshot`), then compare")


def _delete(last: Last, mark: Mark, schemas: wire.RegistrySchemas) -> Record:
    import fastavro

    now_us = time.time_ns() // 1000
    previous, lsn = mark.place
    place = {"lsn": lsn, "sequence": json.dumps([str(previous), str(lsn)]), "txId": None, "xmin": None, "snapshot": "false"}
    times = {"ts_ms": mark.ts_us // 1000, "ts_us": mark.ts_us, "ts_ns": mark.ts_us * 1000}
    source = {k: {**place, **times}.get(k, v) for k, v in last.envelope["source"].items()}
    told = {"before": last.envelope.get("after") or last.envelope.get("before"), "after": None, "op": "d", "transaction": None}
    told |= {"source": source, "ts_ms": now_us // 1000, "ts_us": now_us, "ts_ns": now_us * 1000}
    record, value = last.record, last.record.value or b""
    head = value[: wire.HEADER_BYTES]
    schema = schemas(int.from_bytes(head[1:], "big")) or {}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(dict(schema)), {**last.envelope, **told})
    return Record(record.topic, record.partition, -1, 0, record.key, head + out.getvalue(), (HEADER,))


def _wait(until: Callable[[], bool], timeout_s: float, what: str, hint: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not until():
        if time.monotonic() > deadline:
            raise UnavailableError(f"{what} after {timeout_s:.0f} s", hint)
        time.sleep(POLL_S)
