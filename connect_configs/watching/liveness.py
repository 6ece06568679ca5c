"""What REST does not know of a running connector: heartbeats, slot, oplog, records a second. Looked at in parallel, within a few seconds.

A server that does not answer us is a fact as well; what cannot be seen at all is named with the reason, and never guessed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error, ConfigError
from connect_configs import sources
from connect_configs.client import Connect, Offsets
from connect_configs.cluster import Cluster
from connect_configs.http import ConnectError
from connect_configs.model import Config, Connector
from connect_configs.offsets.offset_shapes import token_of, token_time
from connect_configs.watching.health import Facts, Oplog, Slot

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

BUDGET_S = 6.0  # all together; the database drivers give up after 5 s
CALL_S = 3.0  # one question to Connect or Kafka
THREADS = 12
RATE_S = 60.0
SHORTEST_RATE_S = 0.5
MIB = 2**20
LATE = f"no answer within {BUDGET_S:.0f} s"
# No standby can say what was written since, so there it is what arrived.
SLOT_QUERY = """
SELECT s.active, s.wal_status, pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn)::bigint, pg_wal_lsn_diff(w.lsn, s.restart_lsn)::bigint,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size')
  FROM (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS lsn) w
  JOIN pg_replication_slots s ON s.slot_name = %s
"""


Key = tuple[str, str]  # kind of look, connector


class TroubleError(C360Error):
    """A server does not answer us: a finding, not a reason to stop."""


@dataclass(frozen=True)
class Activity:
    """One connector's topics in Kafka."""

    heartbeat_age_s: float | None = None
    record_age_s: float | None = None
    records_per_s: float | None = None
    refused: str = ""  # why Connect does not tell its topics: only heartbeats are known


@dataclass(frozen=True)
class Window:
    """First and last entry of the oplog, seconds since 1970."""

    first_s: float
    last_s: float


@dataclass
class Look:
    """Looks at a cluster as often as it is told. Keeps its client of Kafka; from the second look on, rates are of the time in between."""

    cluster: Cluster
    _kafka: KafkaLook | None = field(default=None, init=False)

    def facts(self, connectors: Mapping[str, Connector]) -> dict[str, Facts]:
        """By connector. Uses the cluster's client without patience: a call that is not answered soon stays unanswered."""
        client = impatient(self.cluster.client)
        jobs: dict[Key, Callable[[], Any]] = {}
        if self.cluster.kafka:
            jobs["kafka", ""] = lambda: self._activity(client, connectors)
        for name, connector in connectors.items():
            jobs["offsets", name] = offsets = Once(partial(client.offsets, name))
            kind = sources.kind_of(connector.config)
            if kind == "postgres":
                jobs["source", name] = partial(slot_of, self.cluster, connector.config)
            elif kind == "mongo":
                jobs["source", name] = partial(window_of, self.cluster, connector.config, offsets)
        done = in_parallel(jobs, BUDGET_S)
        return {name: _facts(name, c.config, bool(self.cluster.kafka), done) for name, c in connectors.items()}

    def _activity(self, client: Connect, connectors: Mapping[str, Connector]) -> dict[str, Activity]:
        self._kafka = self._kafka or KafkaLook(self.cluster.kafka)
        topics, refused = topics_of(client, connectors)
        found = self._kafka.activity(topics, {n: heartbeat_topic(c.config) for n, c in connectors.items()})
        return {n: replace(a, records_per_s=None, refused=refused[n]) if n in refused else a for n, a in found.items()}


class Once:
    """A question that two jobs ask: put once."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: Any = None

    def __call__(self) -> Any:
        """Raises what the question raised."""
        with self._lock:
            if self._answer is None:
                try:
                    self._answer = self._ask()
                except C360Error as error:
                    self._answer = error
        if isinstance(self._answer, C360Error):
            raise self._answer
        return self._answer


def topics_of(client: Connect, names: Iterable[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Topics by connector, and what Connect said where it refused: one of a name that no address takes must not blind us for the others.

    Raises ConnectUnavailableError: that is of the worker, not of one connector.
    """
    topics: dict[str, list[str]] = {}
    refused: dict[str, str] = {}
    for name in names:
        try:
            topics[name] = client.topics(name)
        except ConnectError as error:
            topics[name], refused[name] = [], error.message
    return topics, refused


def impatient(client: Connect) -> Connect:
    """The same client; from now on it asks once, and not for long."""
    client.http.patience_s = 0.0
    client.http.timeout_s = min(client.http.timeout_s, CALL_S)
    return client


def in_parallel(jobs: Mapping[Key, Callable[[], Any]], budget_s: float) -> dict[Key, Any]:
    """What each job answered or raised (C360Error only); those that are not done in time are left out."""
    todo: queue.SimpleQueue[tuple[Key, Callable[[], Any]]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Key, Any]] = queue.SimpleQueue()
    for item in jobs.items():
        todo.put(item)
    for _ in range(min(THREADS, len(jobs))):
        # Daemons: a driver that hangs must not keep the command from ending.
        threading.Thread(target=_work, args=(todo, done), daemon=True).start()
    deadline = time.monotonic() + budget_s
    found: dict[Key, Any] = {}
    while len(found) < len(jobs):
        try:
            key, answer = done.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            break
        if isinstance(answer, Exception) and not isinstance(answer, C360Error):
            raise answer
        found[key] = answer
    return found


def _work(todo: queue.SimpleQueue[Any], done: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            key, job = todo.get_nowait()
        except queue.Empty:
            return
        try:
            done.put((key, job()))
        except Exception as error:  # for the thread that waits
            done.put((key, error))


# --- settings and offsets


def heartbeat_interval_s(config: Config) -> float | None:
    """None: it sends no heartbeats, as is both connectors' default."""
    text = config.get("heartbeat.interval.ms", "0")
    return float(text) / 1000 if text.isdigit() and int(text) else None


def heartbeat_topic(config: Config) -> str:
    """Empty where there is none."""
    kind = sources.kind_of(config)
    if not heartbeat_interval_s(config) or not kind:
        return ""
    if kind == "mongo":
        return config.get("heartbeat.topic.name", "__mongodb_heartbeats")
    prefix = config.get("topic.heartbeat.prefix") or config.get("heartbeat.topics.prefix") or "__debezium-heartbeat"
    return f"{prefix}.{config.get('topic.prefix', '')}"


def position_s(offsets: Offsets) -> float | None:
    """When the source's event at the newest stored offset happened, seconds since 1970. Debezium 3.7 and MongoDB's connector 2.0."""
    found = []
    for entry in offsets:
        offset = entry.get("offset") or {}
        if isinstance(moment := offset.get("ts_usec"), int):
            found.append(moment / 1e6)
        elif (time_of_token := token_time(token_of(offset))) is not None:
            found.append(time_of_token.timestamp())
    return max(found, default=None)


# --- sources


def slot_of(cluster: Cluster, config: Config) -> Slot:
    """Raises TroubleError where PostgreSQL does not answer or refuses us, ConfigError where the account cannot be known here."""
    try:
        connection = sources.postgres(cluster, config)
    except (sources.SourceError, sources.SourceUnavailableError) as error:
        raise TroubleError(error.message) from error
    import psycopg

    name = sources.slot_of(config)
    try:
        with connection:
            connection.execute("SET statement_timeout = '3s'")
            row = connection.execute(SLOT_QUERY, (name,)).fetchone()
    except psycopg.Error as error:
        raise ConfigError(f"PostgreSQL: {str(error).strip().splitlines()[0]}") from error
    if row is None:
        return Slot(name)
    cap = int(row[4]) * MIB if row[4] is not None and row[4] >= 0 else None
    return Slot(name, bool(row[0]), str(row[1]), row[2], row[3], cap)


def window_of(cluster: Cluster, config: Config, offsets: Callable[[], Offsets]) -> Window:
    """Only where the connector's position can be held against it. Raises as `slot_of` does."""
    if position_s(_or_none(offsets)) is None:
        if _is_closed(cluster.variables.get(config, "connection.uri", "mongodb://localhost:27017")):
            raise TroubleError("MongoDB does not answer: no connection")
        raise ConfigError("the stored resume token holds no time, so there is nothing to hold against the oplog")
    try:
        client = sources.mongo(cluster, config)
    except sources.SourceError as error:
        raise TroubleError(error.message) from error
    from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

    try:
        with client:
            entries = client["local"]["oplog.rs"]
            found = [entries.find_one({}, {"ts": 1}, sort=[("$natural", way)], max_time_ms=3000) for way in (1, -1)]
    except ConnectionFailure as error:
        raise TroubleError(f"MongoDB does not answer ({type(error).__name__})") from error
    except OperationFailure as error:
        raise ConfigError(f"the oplog cannot be read: {(error.details or {}).get('codeName') or f'error {error.code}'}") from error
    except PyMongoError as error:
        raise ConfigError(f"the oplog cannot be read: {type(error).__name__}") from error
    first, last = (float(entry["ts"].time) if entry and "ts" in entry else 0.0 for entry in found)
    if not first or last <= first:
        raise ConfigError("local.oplog.rs holds no window: no replica set, or a server that only stands in for MongoDB")
    return Window(first, last)


def _or_none(offsets: Callable[[], Offsets]) -> Offsets:
    try:
        return offsets()
    except C360Error:
        return []


def _is_closed(uri: str) -> bool:
    """Does no host take a connection? Without the driver, which takes longer to load than all the rest; False where unsure."""
    import socket

    scheme, _, rest = uri.partition("://")
    hosts = rest.partition("/")[0].rpartition("@")[2].split(",")
    if scheme != "mongodb" or "%" in rest.partition("/")[0].rpartition("@")[2]:
        return False
    for host in hosts:
        name, _, port = host.rpartition(":") if ":" in host else (host, "", "27017")
        try:
            with socket.create_connection((name.strip("[]"), int(port)), timeout=CALL_S / len(hosts)):
                return False
        except (OSError, ValueError):
            continue
    return True


# --- Kafka


class KafkaLook:
    """Ends of topics and their newest timestamps, many partitions in one question."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._where = settings.get("bootstrap.servers", "")
        # Its own complaints would stand between the lines of the table.
        self._settings = {**settings, "log_level": 0, "socket.timeout.ms": int(CALL_S * 1000), "reconnect.backoff.max.ms": 1000}
        self._admin: AdminClient | None = None
        # A client that knows an older leader epoch than the broker's goes on asking with it: behind an error the next look has a new one.
        self._fresh = False
        self._ends: dict[tuple[str, int], int] = {}
        self._ends_at = 0.0

    def activity(self, topics: Mapping[str, list[str]], heartbeats: Mapping[str, str]) -> dict[str, Activity]:
        """By connector. Raises TroubleError where no broker answers."""
        from confluent_kafka import KafkaException

        try:
            return self._activity(topics, {n: t for n, t in heartbeats.items() if t})
        except KafkaException as error:
            self._ends = {}
            raise TroubleError(f"Kafka at {self._where} does not answer: {error.args[0].name().strip('_').lower()}") from error

    def _activity(self, topics: Mapping[str, list[str]], heartbeats: Mapping[str, str]) -> dict[str, Activity]:
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import AdminClient, OffsetSpec

        if self._admin is None or not self._fresh:
            self._admin, self._fresh = AdminClient(self._settings), True
        there = self._admin.list_topics(timeout=CALL_S).topics
        beating = set(heartbeats.values())
        wanted = beating | {t for used in topics.values() for t in used}
        parts = [TopicPartition(t, p) for t in sorted(wanted) if t in there for p in there[t].partitions]
        now_s = time.time()
        newest = self._ask(parts, OffsetSpec.max_timestamp())
        ends = {key: offset for key, (offset, _) in self._ask(parts, OffsetSpec.latest()).items()}
        rates = self._rates(parts, ends, now_s)

        def youngest_s(names: set[str]) -> float | None:
            moments = [ms for (topic, _), (_, ms) in newest.items() if topic in names and ms > 0]
            return max(now_s - max(moments) / 1000, 0.0) if moments else None

        found = {}
        for name, used in topics.items():
            data = set(used) - beating
            rate = sum((r for (topic, _), r in rates.items() if topic in data), 0.0)
            found[name] = Activity(youngest_s({heartbeats[name]}) if name in heartbeats else None, youngest_s(data), rate)
        return found

    def _rates(self, parts: list[TopicPartition], ends: dict[tuple[str, int], int], now_s: float) -> dict[tuple[str, int], float]:
        """Since the last look, at the first one of the last minute. Markers of transactions count too: only offsets are looked at."""
        from confluent_kafka.admin import OffsetSpec

        span_s = now_s - self._ends_at
        if not self._ends or span_s < SHORTEST_RATE_S:
            span_s = RATE_S
            starts = {k: o for k, (o, _) in self._ask(parts, OffsetSpec.for_timestamp(int((now_s - RATE_S) * 1000))).items()}
        else:
            starts = self._ends
        self._ends, self._ends_at = ends, now_s
        # -1: nothing is as new as that.
        return {key: max(end - start, 0) / span_s for key, end in ends.items() if (start := starts.get(key, -1)) >= 0}

    def _ask(self, parts: list[TopicPartition], spec: Any) -> dict[tuple[str, int], tuple[int, int]]:
        """(offset, timestamp) by topic and partition; partitions without an answer are left out unless none has one."""
        from confluent_kafka import KafkaException

        if not parts or self._admin is None:
            return {}
        found, last = {}, None
        for part, future in self._admin.list_offsets(dict.fromkeys(parts, spec), request_timeout=CALL_S).items():
            try:
                result = future.result()
                found[part.topic, part.partition] = (result.offset, result.timestamp)
            except KafkaException as error:
                last = error
        if last:
            self._fresh = False
            if not found:
                raise last
        return found


# --- together


def _facts(name: str, config: Config, kafka: bool, done: Mapping[Key, Any]) -> Facts:
    """What the jobs found, put together for one connector."""
    found = _Found(done, name)
    offsets = found.answer("offsets", ("position_age_s",), "")
    position = position_s(offsets) if offsets else None
    if offsets is not None and position is None:
        found.unseen["position_age_s"] = "the stored offset holds no time that can be read" if offsets else "no offset is stored yet"
    facts = Facts(
        heartbeat_interval_s=heartbeat_interval_s(config),
        position_age_s=None if position is None else max(time.time() - position, 0.0),
        beats_when_idle=sources.kind_of(config) != "mongo" or position is not None,
        position_moves="heartbeat.action.query" in config,
        **_seen_in_kafka(name, config, kafka, found),
        **_seen_in_source(config, position, found),
    )
    return replace(facts, troubles=tuple(found.troubles), unseen=found.unseen)


@dataclass
class _Found:
    done: Mapping[Key, Any]
    name: str
    troubles: list[str] = field(default_factory=list)
    unseen: dict[str, str] = field(default_factory=dict)

    def answer(self, job: str, fields: tuple[str, ...], late: str, name: str | None = None) -> Any:
        """None, and noted why, where there is none. `late`: the trouble that a job which never ended means."""
        answer = self.done.get((job, self.name if name is None else name), TroubleError(late) if late else ConfigError(LATE))
        if not isinstance(answer, C360Error):
            return answer
        if isinstance(answer, TroubleError):
            self.troubles.append(answer.message)
        self.unseen |= dict.fromkeys(fields, answer.message)
        return None


def _seen_in_kafka(name: str, config: Config, kafka: bool, found: _Found) -> dict[str, Any]:
    fields = ("heartbeat_age_s", "record_age_s", "records_per_s")
    if not kafka:
        found.unseen |= dict.fromkeys(fields, "the context names no Kafka brokers")
        return {}
    activity = found.answer("kafka", fields, f"Kafka: {LATE}", "")
    if activity is None:
        return {}
    mine: Activity = activity.get(name, Activity())
    if mine.heartbeat_age_s is None:
        found.unseen["heartbeat_age_s"] = "no heartbeat was sent yet" if heartbeat_topic(config) else "heartbeats are off"
    if mine.refused:
        found.unseen |= dict.fromkeys(("record_age_s", "records_per_s"), mine.refused)
    elif mine.record_age_s is None:
        found.unseen["record_age_s"] = "no record was sent yet"
    return {field: getattr(mine, field) for field in fields}


def _seen_in_source(config: Config, position: float | None, found: _Found) -> dict[str, Any]:
    kind = sources.kind_of(config)
    if not kind:
        found.unseen |= dict.fromkeys(("slot", "oplog"), "no source that we know how to look at")
        return {}
    product, part = ("PostgreSQL", "slot") if kind == "postgres" else ("MongoDB", "oplog")
    seen = found.answer("source", (part,), f"{product}: {LATE}")
    if isinstance(seen, Slot):
        return {"slot": seen}
    if isinstance(seen, Window):
        return {"oplog": Oplog(seen.last_s - seen.first_s, None if position is None else max(seen.last_s - position, 0.0))}
    return {}
