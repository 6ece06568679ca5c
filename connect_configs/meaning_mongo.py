"""What a change of a MongoDB source connector means. Pure; read from mongo-kafka-connect 2.0.1 and seen on the local stack.

Its offset is a resume token, kept by `offset.partition.name` (else by address, database and collection).
"""

from __future__ import annotations

from connect_configs.changes import Consequence, Facts
from connect_configs.meaning_debezium import count
from connect_configs.model import Config

FORMS = (
    *("output.format.key", "output.format.value", "output.schema.key", "output.schema.value", "output.schema.infer.value"),
    *("output.json.formatter", "publish.full.document.only", "change.stream.full.document", "change.stream.full.document.before.change"),
)
NAMES = ("topic.prefix", "topic.suffix", "topic.namespace.map", "topic.separator")
PLACE = ("connection.uri", "database", "collection")


def of_creation(config: Config, facts: Facts, is_rename: bool) -> list[Consequence]:
    return [_start(config, facts, "without its old position" if is_rename else "new connector", "offsets" if is_rename else "")]


def of_update(old: Config, new: Config, changed: set[str], facts: Facts) -> list[Consequence]:
    found = []
    if "offset.partition.name" in changed:
        found.append(_start(new, facts, "offset.partition.name changes, so the stored position is not found", "offsets"))
    elif places := [k for k in PLACE if k in changed]:
        found.append(_moved(new, places, facts))
    if names := [k for k in NAMES if k in changed]:
        found.append(Consequence("new-topics", f"{', '.join(names)} changes: records go to other topics, consumers must follow"))
    if forms := [k for k in FORMS if k in changed]:
        found.append(Consequence("record-form", f"{', '.join(forms)} changes the form of records; consumers must read both"))
    if "pipeline" in changed:
        found.append(Consequence("filter", "another pipeline: events that it filters out are not sent from now on", "records"))
    if "startup.mode" in changed and "offset.partition.name" not in changed:
        found.append(Consequence("later", "startup.mode counts only where there is no stored position: nothing is read again now"))
    if "heartbeat.interval.ms" in changed and new.get("heartbeat.interval.ms", "0") == "0":
        found.append(Consequence("unsafe", "no more heartbeats: the position of a quiet collection ages until the oplog has passed it"))
    return found


def _moved(new: Config, places: list[str], facts: Facts) -> Consequence:
    text = f"{', '.join(places)} changes: another change stream"
    if new.get("offset.partition.name"):
        text += ", but the old resume token is still under the same offset.partition.name: the task may fail on it. Change that name too"
        return Consequence("other-stream", text, "gap")
    start = _start(new, facts, text, "gap")
    return Consequence("other-stream", start.message, "gap")


def _start(config: Config, facts: Facts, why: str, loss: str) -> Consequence:
    """How it starts without a position. Copying reads everything again: nothing is lost but deletes of the meantime."""
    mode = config.get("startup.mode", "latest")
    if mode == "copy_existing" or config.get("copy.existing") == "true":
        many = f"about {count(facts.documents)} documents" if facts.documents is not None else "every document"
        return Consequence("copy", f"{why}: copies {many} first (again, where they were sent before), then follows the change stream")
    if mode == "timestamp":
        return Consequence("from-time", f"{why}: starts at the configured time")
    text = f"{why}: starts at the newest event; documents that are there are not read"
    return Consequence("latest", text, "offsets" if loss else "")
