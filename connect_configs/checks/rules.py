"""Rules that need no server: what is known to go wrong with a connector's settings, by reading them.

`RULES` lists them with a line each. A rule says "error" only where it will not work or loses data. Values that are references are
not judged, as only the worker knows them; unknown settings are the server's business.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from connect_configs.checks.findings import Finding
from connect_configs.checks.rules_debezium import POSTGRES
from connect_configs.checks.rules_mongo import MONGO
from connect_configs.checks.ruleset import Rule, Told, lines_of, setting
from connect_configs.model import Config
from connect_configs.sources import kind_of, slot_of
from connect_configs.variables import REFERENCE, is_plain_secret, is_secret

CONVERTER = re.compile(r"(key|value|header)\.converter")
PLACE = re.compile(r".*(hostname|host|\.uri|\.url|\.servers)")
BEGINS_LIKE_REFERENCE = re.compile(r"\$\{[^}]*\}?")
UNWRAPS = ("ExtractNewRecordState", "ExtractNewDocumentState")


def _plain_secrets(config: Config) -> Told:
    for key, value in config.items():
        if is_plain_secret(key, value):
            yield key, f"{key} holds a secret in plain text: Connect stores it in a topic and shows it to everybody"


def _malformed(config: Config) -> Told:
    ours = bool(kind_of(config))
    for key, value in config.items():
        if key.startswith("transforms"):  # ${name} may be a group of a regular expression
            continue
        for found in BEGINS_LIKE_REFERENCE.findall(REFERENCE.sub("", value)):
            if not found.endswith("}"):
                yield key, f"{key} has a reference that is not closed: the worker would take it as plain text"
            elif ours or ":" in found:
                what = "something" if is_secret(key) or is_plain_secret(key, value) else found
                yield key, f"{key} has {what} that looks like a reference and is none: the worker would take it as plain text"


def _places(config: Config) -> Told:
    for key, value in config.items():
        if PLACE.fullmatch(key) and value.strip() and "${" not in value:
            yield key, f"{key} is written out: the file fits one place only"


def _converters(config: Config) -> Told:
    for key in config:
        if CONVERTER.fullmatch(key):
            yield key, f"{key} is named here: it is the worker's choice, which differs from place to place"


def _unwrapped(config: Config) -> Told:
    for key, value in config.items():
        if key.startswith("transforms.") and key.endswith(".type") and value.endswith(UNWRAPS):
            yield key, f"{key} unwraps the envelope: the history needs before, after, op and the image of a delete"


GENERAL: tuple[Rule, ...] = (
    setting("class-missing", "error", "connector.class", {""}, "nobody knows what to run", "name the plugin: `c360 connect plugins`"),
    Rule(
        "secret-plain", "error", "A password, token or credentials in an address stand in plain text",
        "write a reference such as ${env:NAME}, and give the value to the worker", _plain_secrets,
    ),
    Rule(
        "reference-malformed", "error", "A `${...}` that is not closed or is no reference", "write ${provider:key} or ${provider:path:key}",
        _malformed,
    ),
    Rule("place-written-out", "warning", "A host or an address is written out", "write a reference such as ${env:NAME}", _places),
    Rule("converter-named", "warning", "A converter is named in the JSON", "leave it to the worker's own settings", _converters),
)  # fmt: skip
SOURCES: tuple[Rule, ...] = (
    setting(
        "tasks-max", "warning", "tasks.max", lambda v: v.isdigit() and int(v) > 1,
        "this source runs one task whatever stands here", "set it to 1", "1",
    ),
    Rule("envelope-unwrapped", "warning", "A transform takes before, op and deletes away", "unwrap where the topic is read", _unwrapped),
    setting(
        "topic-creation", "warning", "topic.creation.default.replication.factor", {""},
        "topics come with the broker's defaults: one copy, one partition", "set it, with topic.creation.default.partitions",
    ),
    setting(
        "retry-timeout", "warning", "errors.retry.timeout", {"", "0"},
        "the task fails at the first answer that a schema registry does not give", "set it to 600000", "0",
    ),
)  # fmt: skip
OF_KIND: Mapping[str, tuple[Rule, ...]] = {"postgres": (*SOURCES, *POSTGRES), "mongo": (*SOURCES, *MONGO)}
ACROSS = {
    "slot-shared": "Two connectors use one slot of one server: the second cannot start",
    "offset-partition-shared": "Two MongoDB connectors have one `offset.partition.name`",
    "topic-prefix-shared": "Two Debezium connectors have one `topic.prefix`: heartbeat topic and metrics are one",
}
RULES: dict[str, str] = {**lines_of((*GENERAL, *SOURCES, *POSTGRES, *MONGO)), **ACROSS}


def check(name: str, config: Config) -> list[Finding]:
    """What the rules say of one connector."""
    rules = (*GENERAL, *OF_KIND.get(kind_of(config), ()))
    return [finding for rule in rules for finding in rule.findings(name, config)]


def check_all(configs: Mapping[str, Config]) -> list[Finding]:
    """What only shows with several connectors side by side. Each of them gets the finding."""
    postgres = {n: c for n, c in configs.items() if kind_of(c) == "postgres"}
    mongo = {n: c for n, c in configs.items() if kind_of(c) == "mongo"}
    return [*_slots(postgres), *_offsets(mongo), *_prefixes(postgres)]


def _slots(configs: Mapping[str, Config]) -> Iterator[Finding]:
    # A slot's name is unique on its server, whatever the database.
    keys = {n: (c.get("database.hostname", ""), c.get("database.port", "5432"), slot_of(c)) for n, c in configs.items()}
    for name, others in _sharing(keys):
        message = f"slot.name is {keys[name][2]!r} here and in {others}, on the same server: one slot feeds one connector"
        yield Finding(name, "error", "slot-shared", message, "give each its own slot; one publication may serve both", "slot.name")


def _offsets(configs: Mapping[str, Config]) -> Iterator[Finding]:
    keys = {n: (c["offset.partition.name"],) for n, c in configs.items() if c.get("offset.partition.name")}
    for name, others in _sharing(keys):
        message = f"offset.partition.name is the same here and in {others}: their positions can be taken for one another"
        yield Finding(name, "warning", "offset-partition-shared", message, "give each its own", "offset.partition.name")


def _prefixes(configs: Mapping[str, Config]) -> Iterator[Finding]:
    keys = {n: (c["topic.prefix"],) for n, c in configs.items() if c.get("topic.prefix")}
    for name, others in _sharing(keys):
        message = f"topic.prefix is {keys[name][0]!r} here and in {others}: they share the heartbeat topic and the metrics' name"
        yield Finding(name, "warning", "topic-prefix-shared", message, "give each its own", "topic.prefix")


def _sharing(keys: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Connectors whose key is not theirs alone, each with the others' names."""
    holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, key in keys.items():
        holders[key].append(name)
    for names in holders.values():
        for name in names if len(names) > 1 else ():
            yield name, ", ".join(n for n in names if n != name)
