"""What a change of a MongoDB source connector means. Pure; read from mongo-kafka-connect 2.0.1 and seen on the local stack.

Its offset is a resume token, kept by `offset.partition.name` (else by address, database and collection).
"""

from __future__ import annotations

import re

from connect_configs.model import Config
from connect_configs.plans.changes import Consequence, Facts
from connect_configs.plans.meaning_debezium import count

FORMS = (
    *("output.format.key", "output.format.value", "output.schema.key", "output.schema.value", "output.schema.infer.value"),
    *("output.json.formatter", "publish.full.document.only", "change.stream.full.document", "change.stream.full.document.before.change"),
)
NAMES = ("topic.prefix", "topic.suffix", "topic.namespace.map", "topic.separator")
PLACE = ("connection.uri", "database", "collection")
KNOWN = (
    *(*FORMS, *NAMES, *PLACE, "offset.partition.name", "pipeline", "startup.mode", "copy.existing"),
    *("heartbeat.interval.ms", "heartbeat.topic.name"),
)
HOSTS = re.compile(r"^(mongodb(?:\+srv)?://)(?:[^/]*@)?([^/?]*)", re.IGNORECASE)


def of_creation(config: Config, facts: Facts, is_rename: bool) -> list[Consequence]:
    return [_start(config, facts, "without its old position" if is_rename else "new connector", is_rename)]


def of_update(old: Config, new: Config, changed: set[str], facts: Facts) -> list[Consequence]:
    found = []
    places = [k for k in PLACE if _place(k, old) != _place(k, new)]
    if "offset.partition.name" in changed:
        found.append(_start(new, facts, "offset.partition.name changes, so the stored position is not found", True))
    elif places:
        found.append(_moved(new, places, facts))
    if names := [k for k in NAMES if k in changed]:
        found.append(Consequence("new-topics", f"{', '.join(names)} changes: records go to other topics, consumers must follow"))
    if forms := [k for k in FORMS if k in changed]:
        found.append(Consequence("record-form", f"{', '.join(forms)} changes the form of records; consumers must read both"))
    if new.get("publish.full.document.only", "false") == "true" and "publish.full.document.only" in changed:
        found.append(Consequence("document-only", "publish.full.document.only: deletes are not sent from now on", "records"))
    if "pipeline" in changed:
        found.append(Consequence("filter", "another pipeline: events that it filters out are not sent from now on", "records"))
    if "startup.mode" in changed and "offset.partition.name" not in changed:
        found.append(Consequence("later", "startup.mode counts only where there is no stored position: nothing is read again now"))
    if "heartbeat.interval.ms" in changed and new.get("heartbeat.interval.ms", "0") == "0":
        found.append(Consequence("unsafe", "no more heartbeats: the position of a quiet collection ages until the oplog has passed it"))
    return found


def _place(key: str, config: Config) -> str:
    """Of an address only the hosts: account and options may change without another change stream."""
    value = config.get(key, "")
    found = HOSTS.match(value) if key == "connection.uri" else None
    return "".join(found.groups()) if found else value


def _moved(new: Config, places: list[str], facts: Facts) -> Consequence:
    text = f"{', '.join(places)} changes: another change stream, unless it only names the same one otherwise"
    if new.get("offset.partition.name"):
        text += ". The old resume token is still under the same offset.partition.name: if the task fails on it, change that name too"
        return Consequence("other-stream", text, "gap")
    return Consequence("other-stream", _start(new, facts, text, True).message, "gap")


def _start(config: Config, facts: Facts, why: str, had_position: bool) -> Consequence:
    """How it starts without a position. Copying reads every document again; what was deleted in between is not told."""
    mode = config.get("startup.mode", "latest").lower()
    if mode == "copy_existing" or config.get("copy.existing") == "true":
        many = f"about {count(facts.documents)} documents" if facts.documents is not None else "every document"
        text = f"{why}: copies {many} first, then follows the change stream"
        again = "; documents that were sent before come again, deletes between the old position and the start do not"
        return Consequence("copy", text + again if had_position else text, "gap" if had_position else "")
    if mode == "timestamp":
        return Consequence("from-time", f"{why}: starts at the configured time")
    text = f"{why}: starts at the newest event; documents that are there are not read"
    return Consequence("latest", text, "offsets" if had_position else "")
