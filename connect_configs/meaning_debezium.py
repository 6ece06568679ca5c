"""What a change of a Debezium PostgreSQL connector means. Pure; each sentence was seen with Debezium 3.7 on PostgreSQL 15.

A stored offset that the slot does not reach any more makes the task fail ("no longer available on the server"), with every snapshot
mode but when_needed: so a new slot, database or server needs the offsets reset. Offsets are kept by topic.prefix.
"""

from __future__ import annotations

from connect_configs.changes import Consequence, Facts, Loss
from connect_configs.model import Config
from connect_configs.sources import Table, is_included, publication_of, slot_of

PLACE = ("database.hostname", "database.port", "database.dbname")
FORMS = {  # settings that give the same value another form
    "decimal.handling.mode": "decimal numbers",
    "time.precision.mode": "times and dates",
    "binary.handling.mode": "binary values",
    "hstore.handling.mode": "hstore values",
    "interval.handling.mode": "intervals",
    "schema.name.adjustment.mode": "schema names",
    "field.name.adjustment.mode": "field names",
    "unavailable.value.placeholder": "unchanged large values",
    "tombstones.on.delete": "deletes (with or without a tombstone)",
    "message.key.columns": "keys, and with them partitions: the order of a key is lost across the change",
}
SAFETY = {
    "heartbeat.interval.ms": "without heartbeats the slot keeps WAL whenever the captured tables are quiet",
    "heartbeat.action.query": "without its own writes the slot keeps WAL whenever only other databases are written",
}


def of_creation(name: str, config: Config, facts: Facts, is_rename: bool) -> list[Consequence]:
    slot = facts.slots.get(slot_of(config))
    found = [_of_slot(config, facts)]
    if facts.unseen:
        found.append(Consequence("source-unseen", f"the source was not looked at: {facts.unseen}"))
    found += _unpublished(config, facts)
    if slot is not None and (facts.is_loaded or is_rename):
        found.append(Consequence("continues", f"goes on from where slot {slot_of(config)} stands; its rows were loaded before"))
        return found
    return [*found, *_load(config, facts, "new connector")]


def of_update(name: str, old: Config, new: Config, changed: set[str], facts: Facts) -> list[Consequence]:
    found = _of_place(old, new, changed, facts)
    if not any(c.step == "load" for c in found):
        found += _of_prefix(old, new, changed, facts)
    found += _of_tables(old, new, facts)
    if "publication.name" in changed:
        found.append(Consequence("other-publication", f"only tables of publication {publication_of(new)} are sent from now on"))
        found += _unpublished(new, facts)
    found += _of_settings(new, changed)
    if facts.load_is_pending and not any(c.step == "load" for c in found):
        found.append(Consequence("load-pending", "an earlier apply was interrupted before it asked for the rows: it asks now", step="load"))
    return found


def _of_settings(new: Config, changed: set[str]) -> list[Consequence]:
    found = []
    for key, what in FORMS.items():
        if key in changed:
            found.append(Consequence("record-form", f"{key} changes the form of {what} from the restart on; consumers must read both"))
    for key, why in SAFETY.items():
        if key in changed and new.get(key, "0") in ("", "0"):
            found.append(Consequence("unsafe", f"{key} goes: {why}"))
    if "skipped.operations" in changed:
        skipped = new.get("skipped.operations", "t")
        loss: Loss = "" if skipped == "none" else "records"
        found.append(Consequence("operations", f"skipped.operations={skipped}: operations of these letters are not sent from now on", loss))
    if "snapshot.mode" in changed:
        found.append(Consequence("later", "snapshot.mode counts only where there is no stored offset: nothing is read again now"))
    if new.get("slot.drop.on.stop", "false") == "true" and "slot.drop.on.stop" in changed:
        found.append(Consequence("drops-slot", "the slot goes at every stop: changes made while it is stopped are never sent", "gap"))
    return found


def amount(facts: Facts, tables: list[Table] | None = None) -> str:
    """Such as `3 tables (about 1.2 M rows)`."""
    chosen = [t for t in facts.rows if tables is None or t in tables]
    many = f"{len(chosen)} tables" if len(chosen) != 1 else ".".join(chosen[0])
    return many if facts.unseen else f"{many} (about {count(sum(facts.rows[t] for t in chosen))} rows)"


def count(number: int) -> str:
    for size, letter in ((10**9, " G"), (10**6, " M"), (10**4, " k")):
        if number >= size:
            return f"{number / (size if letter != ' k' else 1000):.1f}".removesuffix(".0") + letter
    return str(number)


def _of_slot(config: Config, facts: Facts) -> Consequence:
    name = slot_of(config)
    slot = facts.slots.get(name)
    if slot is None:
        return Consequence("new-slot", f"slot {name} will be made: PostgreSQL keeps WAL for it from then on")
    if slot.active:
        return Consequence("slot-in-use", f"slot {name} is in use by somebody else: the task will fail until it is free")
    return Consequence("slot-exists", f"slot {name} exists and keeps {mebibytes(slot.held_bytes)} of WAL: it goes on from there")


def _of_place(old: Config, new: Config, changed: set[str], facts: Facts) -> list[Consequence]:
    """Another slot, database or server: positions of the old one mean nothing there."""
    if "slot.name" in changed and not any(k in changed for k in PLACE):
        was, now = slot_of(old), slot_of(new)
        held = f" ({mebibytes(facts.slots[was].held_bytes)} now)" if was in facts.slots else ""
        how = "exists already" if now in facts.slots else "will be made"
        text = f"slot.name changes: {now} {how}, {was} keeps WAL{held} until it is dropped (SELECT pg_drop_replication_slot('{was}')); "
    elif places := [k for k in PLACE if k in changed]:
        text = f"{', '.join(places)} changes: another database, with its own slot; the old one keeps WAL until it is dropped; "
    else:
        return []
    text += "stored offsets do not fit and are reset (a backup is kept); what changes until the new slot stands is never sent as a change, "
    text += "deletes among it only by `c360 connect snapshot --close-missing`"
    return [Consequence("new-slot", text, "gap", "reset-offsets"), *_load(new, facts, "the new slot")]


def _of_prefix(old: Config, new: Config, changed: set[str], facts: Facts) -> list[Consequence]:
    if "topic.prefix" not in changed:
        return []
    was, now = old.get("topic.prefix", ""), new.get("topic.prefix", "")
    text = f"topic.prefix changes: records go to topics {now}.* from now on, consumers must follow; offsets are kept by prefix: it goes "
    text += f"on from where the slot stands, and going back to {was} later will fail"
    return [Consequence("new-topics", text), *_load(new, facts, f"topics {now}.*")]


def _of_tables(old: Config, new: Config, facts: Facts) -> list[Consequence]:
    keys = ("table.include.list", "table.exclude.list", "schema.include.list", "schema.exclude.list")
    if all(old.get(k) == new.get(k) for k in keys):
        return []
    now = list(facts.rows)
    added, gone = [t for t in now if t not in facts.was], [t for t in facts.was if t not in now]
    if facts.unseen:
        listed_old, listed_new = _listed(old), _listed(new)
        added, gone = sorted(listed_new - listed_old), sorted(listed_old - listed_new)
    found = []
    if added:
        names = ", ".join(map(".".join, added))
        text = f"added: {names}: rows that are there need an incremental snapshot of {amount(facts, added) if not facts.unseen else names}"
        found.append(Consequence("snapshot-needed", f"{text}: `c360 connect snapshot {' '.join(map('.'.join, added))}`"))
        found += _unpublished(new, facts, added)
    if gone:
        names = ", ".join(map(".".join, gone))
        text = f"no longer captured: {names}: their changes are not sent from now on; their topics and rows stay as they are"
        found.append(Consequence("table-removed", f"{text}. Adding them again later needs a snapshot, and misses deletes", "table"))
    return found


def _listed(config: Config) -> set[Table]:
    parts = (p.strip().replace("\\.", ".") for p in config.get("table.include.list", "").split(","))
    return {(p.partition(".")[0], p.partition(".")[2]) for p in parts if p}


def _unpublished(config: Config, facts: Facts, tables: list[Table] | None = None) -> list[Consequence]:
    if facts.unseen:
        return []
    name = publication_of(config)
    if facts.published is None:
        return [Consequence("publication-missing", f"there is no publication {name}: the task will fail until somebody makes it")]
    missing = [t for t in (tables if tables is not None else facts.rows) if t not in facts.published and is_included(config, t)]
    if not missing:
        return []
    names = ", ".join(map(".".join, missing))
    return [Consequence("not-published", f"publication {name} lacks {names}: `ALTER PUBLICATION {name} ADD TABLE {names}`")]


def _load(config: Config, facts: Facts, why: str) -> list[Consequence]:
    """How the rows that are there reach the topics."""
    mode = config.get("snapshot.mode", "initial")
    if mode in ("no_data", "never", "schema_only"):
        if not config.get("signal.data.collection"):
            return [Consequence("not-loaded", f"{why}: snapshot.mode={mode} and no signal table: rows that are there are never read")]
        return [Consequence("load", f"{why}: incremental snapshot of {amount(facts)}, asked for by apply", step="load")]
    if mode == "initial_only":
        return [Consequence("full-snapshot", f"{why}: full snapshot of {amount(facts)}, then it ends: no changes are sent")]
    return [Consequence("full-snapshot", f"{why}: full snapshot of {amount(facts)} before the first change is sent")]


def mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"
