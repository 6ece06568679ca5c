"""From a commit in PostgreSQL to a Kafka consumer: `python benchmarks/commit_to_consumer.py`. `--quick` is for a try.

The same rows, one transaction each, go three ways at once:

| way | what it is |
|---|---|
| raw | a reader of the replication protocol, nothing behind it: what PostgreSQL itself takes to decode and send a commit |
| ours | the project's own connector file, but for names and the database |
| defaults | the same connector with what it must be told, everything else as Debezium has it |

Times count from the moment before COMMIT is sent until a consumer has the record (read_committed; the worker writes exactly once for
both). Rows come in random gaps, so that no way's poll is in step with them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import psycopg
from confluent_kafka import Consumer

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "stack"))
from connect_cluster import ConnectCluster, connect_cluster, wait
from topic_records import Topics

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

TARGET = 0.25
MUST = ("connector.class", "database.hostname", "database.port", "database.user", "database.password", "plugin.name")
MUST += ("publication.name", "publication.autocreate.mode", "signal.data.collection")
MUST += ("topic.creation.default.replication.factor", "topic.creation.default.partitions")
ASKS, IS_DATA, KEEPALIVE_LSN = 17, b"w", slice(1, 9)  # of a keepalive message: does the server want an answer?
HEAD = 25  # of XLogData: its kind, start, end and time
WARM = 20  # rows before the measured ones


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/bench/commit_to_consumer.json"))
    given = parser.parse_args(arguments)
    found = measured(100 if given.quick else given.rows)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))


def table(found: dict[str, Any]) -> str:
    lines = [f"{found['rows']} commits, in random gaps of 20 to 180 ms, load {found['load_before']:.1f}"]
    for way in ("raw", "ours", "defaults"):
        lines += [f"{way:<10}" + "  ".join(f"{name} {found[way][name]:>7.1f} ms" for name in ("p50", "p90", "p99", "max"))]
    lines.append(f"p50 of ours over defaults {found['ratio']:.3f} (at most {TARGET} is wanted), over raw {found['over_raw']:.1f}")
    return "\n".join(lines)


def measured(rows: int) -> dict[str, Any]:
    load, seen = os.getloadavg()[0], {way: {} for way in ("raw", "ours", "defaults")}  # type: dict[str, dict[int, float]]
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder, connect_cluster(Path(folder)) as connect, connect.database("bench") as db:
        readers = [
            threading.Thread(target=read_raw, args=(connect, seen["raw"], stop)),
            threading.Thread(
                target=consume, args=(connect, {"ours.public.items": seen["ours"], "dflt.public.items": seen["defaults"]}, stop)
            ),
        ]
        for reader in readers:
            reader.start()
        try:
            deploy(connect, db)
            committed = write(db, range(1, 1 + WARM), seen) | write(db, range(1 + WARM, 1 + WARM + rows), seen)
        finally:
            stop.set()
            for reader in readers:
                reader.join()
    ways: dict[str, Any] = {
        way: spread([(at[n] - committed[n]) * 1000 for n in range(1 + WARM, 1 + WARM + rows)]) for way, at in seen.items()
    }
    ratios = {"ratio": ways["ours"]["p50"] / ways["defaults"]["p50"], "over_raw": ways["ours"]["p50"] / ways["raw"]["p50"]}
    return {"rows": rows, "cores": os.cpu_count(), "load_before": load} | ways | {name: round(r, 3) for name, r in ratios.items()}


def deploy(connect: ConnectCluster, db: psycopg.Connection[Any]) -> None:
    """Both connectors on one table, each with a slot of its own, waiting for what comes next."""
    ours = connect.config("bench", topic__prefix="ours", slot__name="bench_ours")
    same = {name: ours[name] for name in MUST} | {"database.dbname": "bench", "table.include.list": ours["table.include.list"]}
    connect.client.put_config("bench-ours", ours)
    connect.client.put_config("bench-defaults", {**same, "topic.prefix": "dflt", "slot.name": "bench_defaults"})
    reading = "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'bench_%' AND active"
    wait("all three read their slots", lambda: (row := db.execute(reading).fetchone()) and row[0] == 3)


def write(db: psycopg.Connection[Any], ids: range, seen: dict[str, dict[int, float]]) -> dict[int, float]:
    """One row a transaction; the moment before each COMMIT. Returns when all ways have shown the last one."""
    at, rng = {}, random.Random(ids.start)
    for number in ids:
        db.execute("BEGIN")
        db.execute("INSERT INTO items VALUES (%s, 'something to read', 3)", (number,))
        at[number] = time.perf_counter()
        db.execute("COMMIT")
        time.sleep(rng.uniform(0.02, 0.18))
    deadline = time.monotonic() + 60
    while missing := {way: len(set(ids) - set(rows)) for way, rows in seen.items() if not set(ids) <= set(rows)}:
        if time.monotonic() > deadline:
            raise SystemExit(f"error: rows did not come, of {len(ids)}: {missing}\nhint: run it again without other load")
        time.sleep(0.1)
    return at


def spread(ms: list[float]) -> dict[str, float]:
    cuts = quantiles(ms, n=100, method="inclusive")
    return {name: round(value, 2) for name, value in (("p50", cuts[49]), ("p90", cuts[89]), ("p99", cuts[98]), ("max", max(ms)))}


def consume(connect: ConnectCluster, topics: dict[str, dict[int, float]], stop: threading.Event) -> None:
    """Keys are decoded behind the clock."""
    settings = connect.stack.settings()
    options = {"group.id": "bench", "auto.offset.reset": "earliest", "enable.auto.commit": False, "topic.metadata.refresh.interval.ms": 500}
    consumer, decode = Consumer(settings.kafka.client(**options)), Topics(settings)._decode
    consumer.subscribe(list(topics))
    while not stop.is_set():
        message = consumer.poll(0.5)
        now = time.perf_counter()
        if message is not None and message.error() is None:
            topics[message.topic() or ""].setdefault(decode(message.key())["id"], now)
    consumer.close()


def read_raw(connect: ConnectCluster, seen: dict[int, float], stop: threading.Event) -> None:
    """Stream the publication by the replication protocol (PostgreSQL 54.4, 54.9), and take the ids of inserted rows."""
    conninfo = f"{connect.stack._postgres.conninfo('bench')} replication=database"
    with psycopg.connect(conninfo, autocommit=True) as link:
        link.pgconn.exec_(b"CREATE_REPLICATION_SLOT bench_raw TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT")
        asked = b"START_REPLICATION SLOT bench_raw LOGICAL 0/0 (proto_version '1', publication_names 'dbz_publication')"
        begun = link.pgconn.exec_(asked)
        assert begun.status == psycopg.pq.ExecStatus.COPY_BOTH, begun.error_message
        while not stop.is_set():
            size, data = link.pgconn.get_copy_data(1)
            now = time.perf_counter()
            if size > 0:
                taken(link.pgconn, bytes(data), now, seen)
            else:
                wait_readable(link)
        link.pgconn.finish()


def wait_readable(link: psycopg.Connection[Any]) -> None:
    import select

    if select.select([link.pgconn.socket], [], [], 0.5)[0]:
        link.pgconn.consume_input()


def taken(server: PGconn, data: bytes, now: float, seen: dict[int, float]) -> None:
    if data[:1] == IS_DATA and data[HEAD : HEAD + 1] == b"I":  # an insert: relation, 'N', count of columns, then 't' and a text each
        length = int.from_bytes(data[HEAD + 9 : HEAD + 13], "big")
        seen.setdefault(int(data[HEAD + 13 : HEAD + 13 + length]), now)
    elif data[:1] == b"k" and data[ASKS]:
        server.put_copy_data(b"r" + data[KEEPALIVE_LSN] * 3 + bytes(9))
        server.flush()


if __name__ == "__main__":
    main()
