"""Rules on a MongoDB source connector (run with connector 2.x and driver 5.9.2)."""

from __future__ import annotations

from connect_configs.checks.ruleset import REFERENCE_BEGINS, Rule, Told, is_number_below, setting
from connect_configs.model import Config

DEAD_LETTERS = ("errors.deadletterqueue.topic.name", "mongo.errors.deadletterqueue.topic.name")
KEY_SCHEMA = '{"type": "record", "name": "key", "fields": [{"name": "documentKey", "type": "string"}]}'


def _key_scatters(config: Config) -> Told:
    kind, schema = config.get("output.format.key", "json"), config.get("output.schema.key", "")
    if REFERENCE_BEGINS in kind + schema or (kind.lower() == "schema" and "documentKey" in schema):
        return
    yield (
        "output.format.key",
        "the key is not the documentKey but the resume token: events of one document scatter over partitions, unordered",
    )


def _errors_tolerated(config: Config) -> Told:
    for key in ("errors.tolerance", "mongo.errors.tolerance"):
        if config.get(key, "").lower() == "all" and not any(config.get(k) for k in DEAD_LETTERS):
            yield key, f"{key} is 'all' and there is no dead letter topic: documents that do not fit are lost without a word"


def _copies_a_database(config: Config) -> Told:
    if config.get("startup.mode", "").lower() == "copy_existing" and not config.get("collection", "").strip():
        yield "collection", "collection is not set with copy_existing: copying a whole database fails with driver 5 (NoSuchMethodError)"


MONGO: tuple[Rule, ...] = (
    Rule(
        "mongo-key", "warning", "The message key is the resume token, not the document's key",
        f"output.format.key=schema, output.schema.key={KEY_SCHEMA}",
        _key_scatters,
    ),
    setting(
        "mongo-full-document", "warning", "change.stream.full.document", lambda v: v.lower() in ("", "default"),
        "updates come without the document", "set it to updateLookup",
    ),
    setting(
        "mongo-document-only", "warning", "publish.full.document.only", {"true"},
        "deletes are not sent, nor what kind of change it was", "set it to false", "false",
    ),
    setting(
        "mongo-startup", "warning", "startup.mode", {"latest"},
        "documents that are there already are never read", "set it to copy_existing", "latest",
    ),
    Rule(
        "mongo-copy-database", "warning", "`startup.mode` copies a whole database, which fails with driver 5", "one connector a collection",
        _copies_a_database,
    ),
    setting(
        "mongo-heartbeat-off", "warning", "heartbeat.interval.ms", is_number_below(1),
        "the resume token of a quiet collection grows old, and once the oplog has passed it the connector cannot go on", "set it to 10000",
        "0",
    ),
    Rule(
        "errors-tolerated", "error", "`errors.tolerance` is all without a dead letter topic", "name errors.deadletterqueue.topic.name",
        _errors_tolerated,
    ),
    setting(
        "mongo-offset-partition", "warning", "offset.partition.name", {""},
        "the position is kept under the address, so it is lost when that changes", "name it after the connector and the data set",
    ),
    setting(
        "mongo-exactly-once", "error", "exactly.once.support", {"required"},
        "the MongoDB connector cannot promise that, and Connect refuses it", "leave it out: requested is the default", "requested",
    ),
)  # fmt: skip
