"""The MongoDB behind a connector, looked at with the connector's own account. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from connect_configs import sources
from connect_configs.checks.findings import Finding
from connect_configs.cluster import Cluster
from connect_configs.model import Config
from connect_configs.variables import UnresolvedError

if TYPE_CHECKING:
    import pymongo

OLDEST = (4, 4)
SHORT_OPLOG_HOURS = 24
WATCH_MS = 100
REASON_LENGTH = 200
FIRST_ENTRY = "initiating set"  # of a replica set's oplog: nothing has been dropped from it
REFUSED = frozenset({13, 18, 8000})  # Unauthorized, AuthenticationFailed, AtlasError
RULES = {
    "mongo-unseen": "The MongoDB cannot be looked at from here: a reference that only the worker can resolve, or no connection",
    "mongo-login": "The MongoDB refuses the connector's account",
    "mongo-address": "`connection.uri` is no address of a MongoDB",
    "mongo-standalone": "No replica set: there are no change streams",
    "mongo-old": f"Older than MongoDB {OLDEST[0]}.{OLDEST[1]}",
    "mongo-nothing-there": "The database or the collection is not there yet",
    "mongo-lists-refused": "The account may not list collections",
    "oplog-short": f"The oplog holds less than {SHORT_OPLOG_HOURS} hours: a connector that stands longer cannot go on",
    "oplog-unseen": "The oplog cannot be read",
    "change-stream-refused": "The account may not open the change stream",
}
Found = Callable[..., Finding]


def check(cluster: Cluster, name: str, config: Config) -> list[Finding]:
    from pymongo.errors import OperationFailure, PyMongoError

    found: Found = partial(Finding, name)
    try:
        with sources.mongo(cluster, config) as client:
            return list(_looked(client, cluster, config, found))
    except UnresolvedError as error:
        return [found("unchecked", "mongo-unseen", f"the MongoDB was not looked at: {error.message}", error.hint)]
    except sources.SourceError as error:
        return [found("error", "mongo-address", error.message, error.hint, "connection.uri")]
    except OperationFailure as error:
        level, rule = ("error", "mongo-login") if error.code in REFUSED else ("unchecked", "mongo-unseen")
        return [found(level, rule, f"MongoDB refuses: {_reason(error)}", "check the account of connection.uri", "connection.uri")]
    except PyMongoError as error:
        message = f"the MongoDB does not answer us: {_reason(error)}"
        return [found("unchecked", "mongo-unseen", message, "the worker may reach it; see what its own validation says", "connection.uri")]


def _looked(client: pymongo.MongoClient[dict[str, Any]], cluster: Cluster, config: Config, found: Found) -> Iterator[Finding]:
    hello = client.admin.command("hello")
    database, collection = (cluster.variables.get(config, key) for key in ("database", "collection"))
    yield from _version(client, found)
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        message = "this MongoDB is no replica set and no sharded cluster: it has no change streams"
        yield found("error", "mongo-standalone", message, "make it a replica set, of one member if need be", "connection.uri")
        return
    yield from _collection(client, database, collection, found)
    yield from _change_stream(client, database, collection, found)
    if "setName" in hello:
        yield from _oplog(client, found)
    else:
        yield found("unchecked", "oplog-unseen", "the oplogs of a sharded cluster cannot be read through its router")


def _version(client: pymongo.MongoClient[dict[str, Any]], found: Found) -> Iterator[Finding]:
    version = str(client.admin.command("buildInfo").get("version", ""))
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if len(parts) == 2 and parts < OLDEST:
        yield found("warning", "mongo-old", f"MongoDB {version} gets no fixes any more", "bring it up to date")


def _collection(client: pymongo.MongoClient[dict[str, Any]], database: str, collection: str, found: Found) -> Iterator[Finding]:
    from pymongo.errors import OperationFailure

    if not database:
        return
    try:
        names = client[database].list_collection_names()
    except OperationFailure as error:
        message = f"what is in database {database} cannot be seen: {_reason(error)}"
        yield found("unchecked", "mongo-lists-refused", message, "the account needs listCollections", "database")
        return
    if not names:
        yield found("warning", "mongo-nothing-there", f"database {database} is empty or not there yet", "check the name", "database")
    elif collection and collection not in names:
        message = f"there is no collection {collection} in {database} yet"
        yield found("warning", "mongo-nothing-there", message, f"there are {', '.join(sorted(names)[:10])}", "collection")


def _change_stream(client: pymongo.MongoClient[dict[str, Any]], database: str, collection: str, found: Found) -> Iterator[Finding]:
    from pymongo.errors import OperationFailure

    target: Any = client[database][collection] if database and collection else client[database] if database else client
    try:
        with target.watch(max_await_time_ms=WATCH_MS) as stream:
            stream.try_next()
    except OperationFailure as error:
        message = f"the change stream cannot be opened: {_reason(error)}"
        yield found("error", "change-stream-refused", message, "the account needs find and changeStream there", "connection.uri")


def _oplog(client: pymongo.MongoClient[dict[str, Any]], found: Found) -> Iterator[Finding]:
    from pymongo.errors import OperationFailure

    try:
        ends = [client.local["oplog.rs"].find_one({}, {"ts": 1, "o.msg": 1}, sort=[("$natural", order)]) for order in (1, -1)]
    except OperationFailure as error:
        yield found("unchecked", "oplog-unseen", f"the oplog cannot be read: {_reason(error)}", "the account needs read on local")
        return
    first, last = (getattr((entry or {}).get("ts"), "time", None) for entry in ends)
    if first is None or last is None:
        yield found("unchecked", "oplog-unseen", "there is no oplog to be seen", "so how long a connector may stand is not known")
    elif ((ends[0] or {}).get("o") or {}).get("msg") == FIRST_ENTRY:
        return  # it is young, not short
    elif (hours := (last - first) / 3600) < SHORT_OPLOG_HOURS:
        message = f"the oplog reaches back {hours:.1f} hours: a connector that stands longer cannot go on"
        yield found("warning", "oplog-short", message, "a larger oplog: replSetResizeOplog, or storage.oplogMinRetentionHours")


def _reason(error: Exception) -> str:
    """First line, without the topology that pymongo adds."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].partition(", full error")[0].partition(" (configured timeouts")[0].partition(", Timeout:")[0][:REASON_LENGTH]
