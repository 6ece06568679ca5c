"""What a change of a Debezium PostgreSQL connector means. Pure; each sentence was seen with Debezium 3.7 on PostgreSQL 15.

A stored offset that the slot does not reach any more makes the task fail ("no longer available on the server"), with every snapshot
mode but when_needed: so a new slot, database or server needs the offsets reset. Offsets are kept by topic.prefix.
"""

from __future__ import annotations

from connect_configs.model import Config
from connect_configs.plans.changes import Consequence, Facts
from connect_configs.sources import NO_SNAPSHOT, Table, is_included, place_of, publication_of, signal_table, slot_of

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


TABLES = ("table.include.list", "table.exclude.list", "schema.include.list", "schema.exclude.list")
COLUMNS = ("column.include.list", "column.exclude.list")
KNOWN = (
    *(*PLACE, *TABLES, *COLUMNS, *FORMS, *SAFETY, "slot.name", "topic.prefix", "publication.name", "snapshot.mode", "skipped.operations"),
    *("slot.drop.on.stop", "signal.data.collection", "signal.enabled.channels", "event.processing.failure.handling.mode"),
)


def of_creation(config: Config, facts: Facts, before: Config | None) -> list[Consequence]:
    """`before`: of the connector that had another name."""
    slot = facts.slots.get(slot_of(config))
    found = [_of_slot(config, facts)]
    if facts.unseen:
        found.append(Consequence("source-unseen", f"the source was not looked at: {facts.unseen}"))
    found += _unpublished(config, facts)
    has_topics = facts.is_loaded or (before is not None and before.get("topic.prefix") == config.get("topic.prefix"))
    if slot is not None and has_topics:
        found.append(Consequence("continues", f"goes on from where slot {slot_of(config)} stands; its rows were loaded before"))
        return found
    return [*found, *_load(config, facts, "new connector")]


def of_update(old: Config, new: Config, changed: set[str], facts: Facts) -> list[Consequence]:
    found = _of_place(old, new, facts)
    if not any(c.step == "load" for c in found):
        found += _of_prefix(old, new, changed, facts)
    found += _of_tables(old, new, facts)
    if publication_of(old) != publication_of(new):
        found += _of_publication(new, facts)
    found += _of_settings(old, new, changed)
    steps = {c.step for c in found}
    return [*found, *(c for c in of_pending(facts) if c.step not in steps)]


def of_pending(facts: Facts) -> list[Consequence]:
    """What an interrupted apply left to do."""
    if facts.pending is None:
        return []
    if facts.pending.load:
        text = "an earlier apply was interrupted before it asked for the rows: it asks now"
        found = [Consequence("load-pending", text, step="load")]
    else:
        found = [Consequence("start-pending", "an earlier apply was interrupted while it was stopped: it goes on now", step="start")]
    if facts.pending.reset:
        text = "its offsets do not fit its slot yet: they are reset, with a backup"
        found.append(Consequence("reset-pending", text, step="reset-offsets"))
    return found


def _of_settings(old: Config, new: Config, changed: set[str]) -> list[Consequence]:
    found = []
    for key, what in FORMS.items():
        if key in changed:
            found.append(Consequence("record-form", f"{key} changes the form of {what} from the restart on; consumers must read both"))
    for key, why in SAFETY.items():
        if key in changed and new.get(key, "0") in ("", "0"):
            found.append(Consequence("unsafe", f"{key} goes: {why}"))
    return [*found, *_of_omissions(old, new, changed)]


def _of_omissions(old: Config, new: Config, changed: set[str]) -> list[Consequence]:
    """Settings that leave something out, or time it otherwise."""
    found = []
    if columns := [k for k in COLUMNS if k in changed]:
        text = f"{', '.join(columns)} changes which columns are sent; a column that goes is taken for one that was not sent, not for NULL"
        found.append(Consequence("record-form", text))
    if more := _skipped(new) - _skipped(old):
        text = f"skipped.operations: {', '.join(sorted(more))} will not be sent any more"
        found.append(Consequence("operations", text, "records"))
    if changed & {"snapshot.mode"}:
        found.append(Consequence("later", "snapshot.mode counts only where there is no stored offset: nothing is read again now"))
    if new.get("slot.drop.on.stop", "false") == "true" and "slot.drop.on.stop" in changed:
        found.append(Consequence("drops-slot", "the slot goes at every stop: changes made while it is stopped are never sent", "gap"))
    if changed & {"signal.data.collection", "signal.enabled.channels"}:
        found.append(Consequence("signals", "signals go another way from now on: one that was asked for and not begun is not seen"))
    if new.get("event.processing.failure.handling.mode", "fail") != "fail" and "event.processing.failure.handling.mode" in changed:
        found.append(Consequence("skips-errors", "changes that cannot be processed will be skipped from now on", "records"))
    return found


def _skipped(config: Config) -> set[str]:
    """Letters of operations; Debezium leaves out truncates where nothing is said."""
    return {part.strip().lower() for part in config.get("skipped.operations", "t").split(",")} - {"none", ""}


def _of_publication(new: Config, facts: Facts) -> list[Consequence]:
    name = publication_of(new)
    missing = [t for t in facts.rows if facts.published is not None and t not in facts.published]
    text = f"only tables of publication {name} are sent from now on"
    if not missing:
        return [Consequence("other-publication", text), *_unpublished(new, facts)]
    return [Consequence("other-publication", f"{text}: not {', '.join(map('.'.join, missing))}", "table"), *_unpublished(new, facts)]


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


def _of_place(old: Config, new: Config, facts: Facts) -> list[Consequence]:
    """Another slot, database or server: positions of the old one mean nothing there."""
    is_same = place_of(old) == place_of(new) if facts.is_same_place is None else facts.is_same_place
    was, now = slot_of(old), slot_of(new)
    if is_same and was == now:
        return []
    if is_same:
        held = f" ({mebibytes(facts.slots[was].held_bytes)} now)" if was in facts.slots else ""
        how = "exists already" if now in facts.slots else "will be made"
        text = f"slot.name changes: {now} {how}, {was} keeps WAL{held} until it is dropped (SELECT pg_drop_replication_slot('{was}')); "
    else:
        places = [k for k, a, b in zip(PLACE, place_of(old), place_of(new), strict=True) if a != b]
        text = f"{', '.join(places)} changes: another database, with its own slot; the old one keeps WAL until it is dropped; "
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
    if all(old.get(k) == new.get(k) for k in TABLES):
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
    mode = config.get("publication.autocreate.mode", "all_tables")
    if facts.published is None:
        if mode not in ("disabled", "no_tables"):
            return [Consequence("publication-by-debezium", f"publication {name} will be made by Debezium ({mode})")]
        return [Consequence("publication-missing", f"there is no publication {name}: the task will fail until somebody makes it")]
    if mode == "filtered":
        return [Consequence("publication-by-debezium", f"Debezium makes publication {name} hold the captured tables ({mode})")]
    missing = [t for t in (tables if tables is not None else facts.rows) if t not in facts.published and is_included(config, t)]
    if not missing:
        return []
    names = ", ".join(map(".".join, missing))
    return [Consequence("not-published", f"publication {name} lacks {names}: `ALTER PUBLICATION {name} ADD TABLE {names}`")]


def _load(config: Config, facts: Facts, why: str) -> list[Consequence]:
    """How the rows that are there reach the topics."""
    mode = config.get("snapshot.mode", "initial").lower()
    if mode in NO_SNAPSHOT:
        if signal_table(config) is None:
            return [Consequence("not-loaded", f"{why}: snapshot.mode={mode} and no signal table: rows that are there are never read")]
        if facts.unseen:
            by_hand = "the source cannot be reached from here, so ask for the rows that are there: `c360 connect snapshot --all`"
            return [Consequence("load-by-hand", f"{why}: {by_hand}")]
        return [Consequence("load", f"{why}: incremental snapshot of {amount(facts)}, asked for by apply", step="load")]
    if mode == "initial_only":
        return [Consequence("full-snapshot", f"{why}: full snapshot of {amount(facts)}, then it ends: no changes are sent")]
    return [Consequence("full-snapshot", f"{why}: full snapshot of {amount(facts)} before the first change is sent")]


def mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"
