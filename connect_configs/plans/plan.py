"""What `apply` would do: desired against deployed configurations, and what each difference means. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from connect_configs.model import Config, Connector
from connect_configs.plans import meaning
from connect_configs.plans.changes import Action, Change, Facts, Field, Plan
from connect_configs.sources import kind_of, place_of, slot_of
from connect_configs.variables import shown


def differences(old: Config, new: Config) -> tuple[Field, ...]:
    """Settings that differ, by name; secrets hidden, so that two hidden values may look alike."""
    keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
    return tuple(Field(k, *(None if c.get(k) is None else shown(k, c[k]) for c in (old, new))) for k in keys)


def make(desired: Mapping[str, Config], deployed: Mapping[str, Connector], facts: Mapping[str, Facts], prune: bool = False) -> Plan:
    """`facts` by connector name; a connector without an entry is planned without numbers."""
    changes = []
    for name, config in desired.items():
        running = deployed.get(name)
        known = facts.get(name, Facts("nobody looked"))
        if running is None:
            old_name = renamed_from(name, config, desired, deployed)
            found = meaning.of_creation(name, config, known, deployed.get(old_name))
            changes.append(Change(name, "create", config, consequences=found, renamed_from=old_name, pending=known.pending))
        elif fields := differences(running.config, config):
            found = meaning.of_update(running.config, config, known)
            changes.append(Change(name, "update", config, fields, found, running.status.summary, pending=known.pending))
        else:
            found = meaning.of_rest(config, known)
            changes.append(Change(name, "unchanged", config, (), found, running.status.summary, pending=known.pending))
    action: Action = "delete" if prune else "unmanaged"
    for name in sorted(deployed.keys() - desired.keys()):
        config = deployed[name].config
        found = meaning.of_removal(name, config) if prune else ()
        changes.append(Change(name, action, config, (), found, deployed[name].status.summary))
    return Plan(tuple(changes))


def renamed_from(name: str, config: Config, desired: Mapping[str, Config], deployed: Mapping[str, Connector]) -> str:
    """The deployed connector that has no file and reads the same thing; empty for none."""
    identity = _identity(config)
    others = (o for o in deployed.values() if o.name not in desired and o.name != name)
    return next((o.name for o in others if _identity(o.config) == identity), "")


def _identity(config: Config) -> tuple[object, ...]:
    """What a connector reads. Of a kind that we do not know, only the very same settings are the same."""
    kind = kind_of(config)
    if kind == "postgres":
        return (kind, place_of(config), slot_of(config))
    if kind == "mongo":
        return (kind, *(config.get(k, "") for k in ("connection.uri", "database", "collection")))
    return ("", *sorted(config.items()))
