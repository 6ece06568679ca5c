"""What a change of a connector's configuration means, for any connector. Pure; seen on Connect 4.3 with Debezium 3.7."""

from __future__ import annotations

import re

from connect_configs.model import Config, Connector
from connect_configs.plans import meaning_debezium, meaning_mongo
from connect_configs.plans.changes import Consequence, Facts
from connect_configs.sources import kind_of, publication_of, slot_of

CONVERTERS = ("key.converter", "value.converter", "header.converter")
SHAPES = ("transforms", "predicates", *CONVERTERS)
NEW_TOPICS_ONLY = "topic.creation."
HARMLESS = re.compile(  # of these we know that a change only restarts the task
    r"""poll\.interval\.ms|poll\.max\.batch\.size|poll\.await\.time\.ms|max\.batch\.size|max\.queue\.size(\.in\.bytes)?|tasks\.max(\.enforce)?
    |errors\.(retry\..*|max\.retries|log\..*|deadletterqueue\..*|retries\..*)|retriable\.restart\.connector\.wait\.ms|exactly\.once\.support
    |heartbeat\..*|(incremental\.)?snapshot\.(chunk\.size|fetch\.size|max\.threads)|incremental\.snapshot\..*|query\.fetch\.size
    |slot\.(max\.retries|retry\.delay\.ms)|status\.update\.interval\.ms|database\.(user|password|ssl.*|tcpKeepAlive|initial\.statements)
    |(producer|consumer|admin)\.override\..*|connection\.(user|username|password)|.*\.password|custom\.metric\.tags|notification\..*
    |offset\.flush\..*|publication\.autocreate\.mode|read\.only|signal\..*""",
    re.VERBOSE,
)
Consequences = tuple[Consequence, ...]


def of_creation(name: str, config: Config, facts: Facts, before: Connector | None) -> Consequences:
    """`before`: the connector that has another name and reads the same; what differs from it counts as well."""
    found: list[Consequence] = []
    kind = kind_of(config)
    if before:
        found.append(_renamed(name, before.name, config))
    if kind == "postgres":
        found += meaning_debezium.of_creation(config, facts, before.config if before else None)
    elif kind == "mongo":
        found += meaning_mongo.of_creation(config, facts, before is not None)
    if before and before.config != config:
        known = {c.kind for c in found}
        found += [c for c in of_update(before.config, config, facts) if c.kind not in known | {"task-restart", "load-pending"}]
    return tuple(found)


def of_update(old: Config, new: Config, facts: Facts) -> Consequences:
    if _class(old) != _class(new):
        return (_other_class(old, new),)
    changed = {k for k in old.keys() | new.keys() if old.get(k) != new.get(k)}
    found: list[Consequence] = []
    told: set[str] = set()
    kind = kind_of(new)
    if kind == "postgres":
        found, told = meaning_debezium.of_update(old, new, changed, facts), set(meaning_debezium.KNOWN)
    elif kind == "mongo":
        found, told = meaning_mongo.of_update(old, new, changed, facts), set(meaning_mongo.KNOWN)
    found += _shapes(changed, new, facts)
    if any(k.startswith(NEW_TOPICS_ONLY) for k in changed):
        text = "topic.creation.* counts for topics that are made from now on; others stay as they are"
        found.append(Consequence("new-topics-only", text))
    if "topics" in changed or "topics.regex" in changed:
        found.append(Consequence("sink-topics", "other topics: records of a topic that the sink leaves are no longer delivered", "records"))
    if old.get("errors.tolerance", "none") != "all" and new.get("errors.tolerance") == "all":
        found.append(Consequence("skips-errors", "records that fail will be skipped without a trace from now on", "records"))
    told |= {"connector.class", "topics", "topics.regex", "errors.tolerance"}
    rest = {k for k in changed - told if not k.startswith((*SHAPES, NEW_TOPICS_ONLY))}
    if unknown := sorted(k for k in rest if not HARMLESS.fullmatch(k)):
        found.append(Consequence("effect-unknown", f"{', '.join(unknown)}: what that does is not known here; see `c360 connect describe`"))
    if not found:
        found.append(Consequence("task-restart", "its tasks restart: seconds without new records, nothing lost"))
    return tuple(found)


def of_rest(config: Config, facts: Facts) -> Consequences:
    """Of a connector that is deployed as desired: what an interrupted apply left to do."""
    return tuple(meaning_debezium.of_pending(facts)) if kind_of(config) == "postgres" else ()


def of_removal(name: str, config: Config) -> Consequences:
    """What stays behind when the connector is deleted."""
    kind = kind_of(config)
    found = [Consequence("offsets-stay", f"its offsets stay: a connector named {name} would go on from them")]
    if kind == "postgres":
        found.append(Consequence("slot-stays", f"slot {slot_of(config)} stays and keeps WAL until it is dropped (`delete --purge`)"))
        found.append(Consequence("publication-stays", f"publication {publication_of(config)} stays"))
    found.append(Consequence("topics-stay", "its topics stay"))
    return tuple(found)


def _renamed(name: str, old_name: str, config: Config) -> Consequence:
    """Connect keeps offsets under the connector's name."""
    told = f"{old_name} renamed to {name}: its offsets stay with the old name (orphaned)"
    if kind_of(config) == "postgres":
        same = f"both want slot {slot_of(config)}, so {old_name} has to go first (--prune); {name} then goes on where the slot stands"
        return Consequence("offsets-orphaned", f"{told}; {same}")
    carry = f"to keep the position: apply with --create-state STOPPED and without --prune, put those of {old_name} in with "
    carry += f"`c360 connect offsets set {name} --new-partition`, resume it, then delete {old_name}"
    return Consequence("offsets-orphaned", f"{told}; {carry}")


def _class(config: Config) -> str:
    """Short: Connect takes a class with and without its package."""
    return config.get("connector.class", "").rpartition(".")[2].removesuffix("Connector")


def _other_class(old: Config, new: Config) -> Consequence:
    was, now = (c.get("connector.class", "").rpartition(".")[2] for c in (old, new))
    kept = f"; slot {slot_of(old)} keeps WAL until it is dropped" if kind_of(old) == "postgres" else ""
    return Consequence(
        "other-class",
        f"{was} becomes {now}: its offsets mean nothing to the new one and stay beside the new ones, it starts from nothing{kept}. "
        "A connector of another name is the clean way",
        "offsets",
    )


def _shapes(changed: set[str], new: Config, facts: Facts) -> list[Consequence]:
    """Other bytes for the same record: whoever reads the topics must be able to read both."""
    touched = sorted(k for k in changed if k.startswith(SHAPES))
    if not touched:
        return []
    topics = [t for t in facts.topics if "heartbeat" not in t]
    named = ", ".join(topics[:4]) + (", ..." if len(topics) > 4 else "")
    of = f"consumers of {len(topics)} topics ({named})" if topics else "consumers of its topics"
    first = next((c for c in CONVERTERS if any(k.startswith(c) for k in touched)), touched[0])
    text = f"{first} changes: {of} get records in another form from the restart on; older records keep theirs"
    if any(k.startswith("key.converter") for k in touched):
        text += "; a key with other bytes goes to another partition, so the order of a key is lost across the change"
    return [Consequence("record-form", text)]
