"""Everything that is looked at before a connector is deployed: our rules, the server's own validation, and the source behind it."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from connect_configs.checks import mongo_checks, postgres_checks, rules
from connect_configs.checks.findings import Finding
from connect_configs.client import Connect
from connect_configs.cluster import Cluster
from connect_configs.http import ConnectError, ConnectUnavailableError
from connect_configs.model import Config
from connect_configs.sources import kind_of, slot_of
from connect_configs.variables import Reference, UnresolvedError, Variables, is_secret, references, scrub, secrets_of

EVERY = "(all)"  # stands for a connector's name where a finding is about all of them
MESSAGE_LENGTH = 400
THREADS = 8  # a MongoDB that is away takes the worker 11 s
# Handed on to other parts, which the plugin does not describe.
HANDED_ON = ("topic.creation.", "producer.override.", "consumer.override.", "admin.override.", "transforms.", "predicates.", "converters.")
OF_SERVER = {
    "plugin-unknown": "The worker has no such plugin",
    "server-refuses": "The worker's own validation refuses a setting",
    "setting-unknown": "No setting of the plugin, but close to one: Connect ignores it silently",
    "server-not-asked": "No cluster was asked: `--offline`, or it does not answer",
    "validation-refused": "The worker does not let us validate, or cannot",
}
OF_SECRETS = {
    "secret-unresolved": "A secret's reference cannot be resolved here; whether the worker can is not to be seen by REST",
    "secret-empty": "A secret's reference gives nothing",
    "secret-file-private": "Only our own account can read the file of a secret; the worker may be another",
    "secret-file-open": "Everybody on the machine can read the file of a secret",
}
RULES: dict[str, str] = {**rules.RULES, **OF_SERVER, **OF_SECRETS, **postgres_checks.RULES, **mongo_checks.RULES}


def validate(cluster: Cluster | None, configs: Mapping[str, Config], deployed_names: Iterable[str] = ()) -> list[Finding]:
    """All findings, ordered by connector, errors first. `deployed_names`: connectors that run already, whose slots are theirs.

    Without a cluster only what needs none. Raises ConnectUnavailableError, and what else says that this is no Connect.
    """
    if cluster is None:
        message = "neither Kafka Connect nor the sources were asked: this is what the files show"
        return [*offline(configs), Finding(EVERY, "unchecked", "server-not-asked", message)]
    cluster.client.version()  # so that a worker that is away is said once, and the session is open before it is shared
    deployed = frozenset(deployed_names)
    jobs: list[Callable[[], list[Finding]]] = []
    for name, config in configs.items():
        hidden = secrets_of(config, cluster.variables)
        jobs += [partial(of_server, cluster.client, name, config, hidden), partial(_source_job, cluster, name, config, hidden, deployed)]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="validate") as pool:
        found = [finding for findings in pool.map(lambda job: job(), jobs) for finding in findings]
    return ordered([*offline(configs), *found])


def offline(configs: Mapping[str, Config]) -> list[Finding]:
    alone = [finding for name, config in configs.items() for finding in rules.check(name, config)]
    return ordered([*alone, *rules.check_all(configs)])


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    levels = ("error", "warning", "unchecked")
    return sorted(findings, key=lambda f: (f.connector, levels.index(f.level)))


# --- the server


def of_server(client: Connect, name: str, config: Config, hidden: Iterable[str] = ()) -> list[Finding]:
    """The worker's own validation, a finding a field. `hidden`: secrets that its messages may hold; those of the settings are known."""
    if not config.get("connector.class"):
        return []  # a rule has said so, and the worker has no answer to it
    try:
        plugins = [str(p["class"]) for p in client.plugins(connectors_only=True)]
        if not _is_plugin(config["connector.class"], plugins):
            message = f"this cluster has no plugin {config['connector.class']}"
            hint = _closest(config["connector.class"], plugins) or f"there are {', '.join(plugins)}"
            return [Finding(name, "error", "plugin-unknown", message, hint, "connector.class")]
        reply = client.validate({**config, "name": name})
    except (ConnectError, ConnectUnavailableError) as error:
        return _scrubbed([Finding(name, "error", "validation-refused", error.message, error.hint)], config, hidden)
    values = [entry["value"] for entry in reply.get("configs", [])]
    found = [_refusal(name, value["name"], said) for value in values for said in value.get("errors", ())]
    if not found and reply.get("error_count"):
        found.append(Finding(name, "error", "server-refuses", f"the worker counts {reply['error_count']} errors, and names no field"))
    found += _unknown(name, config, {str(value["name"]) for value in values})
    return _scrubbed(found, config, hidden)


def _is_plugin(given: str, plugins: Iterable[str]) -> bool:
    """Connect also takes the class without its package, and without its ending."""
    return any(given in (p, short := p.rpartition(".")[2], short.removesuffix("Connector")) for p in plugins)


def _closest(given: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(given, list(known), 1, 0.85)
    return f"did you mean {found[0]}?" if found else ""


def _refusal(name: str, field: str, said: str) -> Finding:
    hint = "correct the setting"
    if "authentication failed" in said or field in ("database.hostname", "connection.uri"):
        hint = "check account, password and address; a reference that the worker cannot resolve looks like this too: is the secret there?"
    return Finding(name, "error", "server-refuses", said, hint, field)


def _unknown(name: str, config: Config, known: set[str]) -> Iterator[Finding]:
    """Only what looks like a slip of the pen: drivers and transforms take settings that no plugin describes."""
    for key in sorted(set(config) - known):
        if not key.startswith(HANDED_ON) and (hint := _closest(key, known)):
            yield Finding(name, "warning", "setting-unknown", f"{key} is no setting of this plugin, and is ignored", hint, key)


# --- secrets


def _scrubbed(findings: Iterable[Finding], config: Config, hidden: Iterable[str]) -> list[Finding]:
    texts = {*hidden, *secrets_of(config)}
    return [
        Finding(f.connector, f.level, f.rule, scrub(f.message, texts, config)[:MESSAGE_LENGTH], scrub(f.hint, texts, config), f.field)
        for f in findings
    ]


def of_secrets(variables: Variables, name: str, config: Config) -> Iterator[Finding]:
    """Is each secret there, and can it be read? The worker's own list of allowed names and folders is not to be seen by REST."""
    for key, value in config.items():
        for reference in references(value) if is_secret(key) or key == "connection.uri" else ():
            yield from _of_secret(variables, name, key, reference)


def _of_secret(variables: Variables, name: str, key: str, reference: Reference) -> Iterator[Finding]:
    try:
        resolved = variables.value(reference)
    except UnresolvedError as error:
        yield Finding(name, "unchecked", "secret-unresolved", f"{key}: {error.message}", error.hint, key)
        return
    if not resolved.strip():
        yield Finding(name, "error", "secret-empty", f"{key}: {reference.text} is empty", "give the worker a value", key)
    if path := _file_of(reference):
        mode = path.stat().st_mode
        if mode & stat.S_IROTH:
            message = f"{key}: everybody on this machine can read {path}"
            yield Finding(name, "warning", "secret-file-open", message, "chmod 640, with the worker's group", key)
        elif not mode & stat.S_IRGRP and path.stat().st_uid == os.getuid():
            message = f"{key}: only this account can read {path}"
            yield Finding(name, "unchecked", "secret-file-private", message, "fine if the worker runs as this account", key)


def _file_of(reference: Reference) -> Path | None:
    if reference.provider == "file":
        return Path(reference.path)
    return Path(reference.path) / reference.key if reference.provider in ("dir", "directory") else None


# --- the source


def _source_job(cluster: Cluster, name: str, config: Config, hidden: Iterable[str], deployed: Collection[str]) -> list[Finding]:
    return _scrubbed(of_source(cluster, name, config, name in deployed and _keeps_slot(cluster, name, config)), config, hidden)


def _keeps_slot(cluster: Cluster, name: str, config: Config) -> bool:
    """Else the slot is a new one for this connector, although it runs."""
    running = cluster.client.config(name)
    return running is not None and slot_of(running) == slot_of(config)


def of_source(cluster: Cluster, name: str, config: Config, deployed: bool) -> list[Finding]:
    """The database behind the connector, and its secrets, where the references can be resolved here."""
    found = list(of_secrets(cluster.variables, name, config))
    if kind_of(config) == "postgres":
        return found + postgres_checks.check(cluster, name, config, deployed)
    return found + mongo_checks.check(cluster, name, config) if kind_of(config) == "mongo" else found


def counts(findings: Iterable[Finding]) -> dict[str, Any]:
    levels = [f.level for f in findings]
    return {"errors": levels.count("error"), "warnings": levels.count("warning"), "unchecked": levels.count("unchecked")}
