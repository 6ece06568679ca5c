"""Everything that must be there before the first service can start. Idempotent, quick when done, then without a network."""

from __future__ import annotations

import fcntl
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from commerce360.local.bootstrap import azurite, converter, jars, java
from commerce360.local.bootstrap.paths import BUILD, cache
from commerce360.steps import Note

PACKAGES = (
    "pyspark",
    "delta-spark",
    "deltalake",
    "confluent-kafka",
    "fastavro",
    "snowflake-connector-python",
    "snowpipe-streaming",
    "fakesnow",
    "duckdb",
)


def prepare(note: Note = lambda _, share=None: None, adls: bool = False) -> dict[str, str]:
    """Fetch and lay out the jars, compile the converter, install Azurite if `adls`; the versions of what is used."""
    with _alone():
        java_home = java.find_java(17)
        items = jars.read_lock()
        wanted = jars.missing(items)
        if wanted:
            _fetch(items, sum(i.size for i in wanted), note)
        jars.lay_out(items)
        note("checking the converter")
        converter.build(java_home)
        if adls:
            note("installing Azurite")
            azurite.install()
    return versions(java_home)


def versions(java_home: Path) -> dict[str, str]:
    locked = {i.path.split("/")[-3]: i.path.split("/")[-2] for i in jars.read_lock()}
    named = {
        "kafka": locked["kafka_2.13"],
        "debezium": locked["debezium-connector-postgres"],
        "mongo-kafka-connect": locked["mongo-kafka-connect"],
        "apicurio-registry": locked["apicurio-registry-app"],
        "java": str(java.version(java_home)),
        "python": sys.version.split()[0],
    }
    return {**named, **{name: version(name) for name in PACKAGES}}


def _fetch(items: list[jars.Item], total: int, note: Note) -> None:
    got, lock = 0, threading.Lock()

    def advance(count: int) -> None:
        nonlocal got
        with lock:
            got += count
        note(f"fetching jars: {got / 1e6:.0f} of {total / 1e6:.0f} MB", got / total)

    jars.fetch(items, advance)


@contextmanager
def _alone() -> Iterator[None]:
    """Two set-ups at once would undo each other's lay-out in one checkout, and each other's downloads in the cache of one user."""
    with ExitStack() as held:
        for folder in (BUILD, cache()):
            folder.mkdir(parents=True, exist_ok=True)
            file = held.enter_context((folder / ".prepare.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
