"""Every topic that a broker has to hold: the contract's, those of heartbeats, and the Connect workers' own; and where they fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from commerce360.capacity.tiers import TIERS, Tier
from commerce360.local.services.java import TEMPLATES
from connect_configs.files import CONFIGS, configurations
from schemas.topics import TOPICS

KINDS = ("data", "heartbeat", "connect")
CONNECT_DEFAULTS = {"config": 1, "offset": 25, "status": 5}  # partitions where the worker's properties say nothing
# What the table of tiers says.
SHOWN: Mapping[str, Callable[[Tier], str]] = {
    "Kafka's protocol": lambda t: "yes" if t.kafka else "no",
    "hubs of a namespace": lambda t: f"{t.hubs:,} per {t.unit}" if t.hubs_per_unit else f"{t.hubs:,}",
    "partitions of a hub": lambda t: f"{t.partitions_of_hub:,}",
    "partitions of a namespace": lambda t: f"{t.partitions_of_unit:,} per {t.unit}" if t.partitions_of_unit else "",
    "retention": lambda t: f"{t.retention_days} day{'s' if t.retention_days > 1 else ''}",
    "stored in the price": lambda t: f"{t.stored_gb:,} GB per {t.unit}",
    "units of a namespace": lambda t: f"{t.units[0]} to {t.units[-1]} {t.unit}",
    "compaction": lambda t: f"{t.compacted_gb:,g} GB a partition" if t.compacted_gb else "no",
    "compression": lambda t: "gzip" if t.compression else "no",
    "transactions, so exactly once": lambda t: t.transactions,
}


@dataclass(frozen=True)
class Held:
    name: str
    kind: str
    partitions: int
    compacted: bool = False


def held(configs: Path = CONFIGS, worker: Path = TEMPLATES / "connect.properties") -> tuple[Held, ...]:
    """Of connectors' JSON files and a worker's properties. No dead letters are topics: the lake has them in a table."""
    data = [Held(t.name, "data", t.partitions) for t in TOPICS]
    return (*data, *_heartbeats(configs), *_internal(worker.read_text(encoding="utf-8")))


def _heartbeats(configs: Path) -> list[Held]:
    found = []
    for config in configurations(configs).values():
        if int(config.get("heartbeat.interval.ms", "0")):
            prefix = config.get("topic.heartbeat.prefix", "__debezium-heartbeat")
            name = config.get("heartbeat.topic.name") or f"{prefix}.{config['topic.prefix']}"
            found.append(Held(name, "heartbeat", int(config["topic.creation.default.partitions"])))
    return found


def _internal(properties: str) -> list[Held]:
    names = dict(re.findall(r"^(config|offset|status)\.storage\.topic=(.+)$", properties, re.MULTILINE))
    counts = {k: int(n) for k, n in re.findall(r"^(config|offset|status)\.storage\.partitions=(\d+)$", properties, re.MULTILINE)}
    return [Held(name, "connect", counts.get(kind, CONNECT_DEFAULTS[kind]), compacted=True) for kind, name in names.items()]


def misfits(topics: tuple[Held, ...], tier: Tier, units: int = 1) -> list[str]:
    """Why a namespace of this tier with that many units cannot hold them; empty when it can."""
    hubs = tier.hubs * (units if tier.hubs_per_unit else 1)
    partitions = sum(t.partitions for t in topics)
    rules = (
        (not tier.kafka, "it does not speak Kafka"),
        (len(topics) > hubs, f"{len(topics)} topics, and a namespace has {hubs}"),
        (any(t.partitions > tier.partitions_of_hub for t in topics), f"a hub has at most {tier.partitions_of_hub} partitions"),
        (
            tier.partitions_of_unit is not None and partitions > tier.partitions_of_unit * units,
            f"{partitions} partitions, and {units} {tier.unit} has {(tier.partitions_of_unit or 0) * units}",
        ),
        (tier.compacted_gb is None and any(t.compacted for t in topics), "it has no compaction"),
    )
    return [text for is_broken, text in rules if is_broken]


def smallest(topics: tuple[Held, ...], tier: Tier) -> int | None:
    """Units of the smallest namespace that holds them; None when none does."""
    return next((n for n in tier.units if not misfits(topics, tier, n)), None)


def budget(topics: tuple[Held, ...]) -> str:
    """Markdown: what is needed, and which tier holds it; the same on every machine."""
    lines = ["| topics | number | partitions | compacted | names |", "|---|---|---|---|---|"]
    for kind in KINDS:
        some = [t for t in topics if t.kind == kind]
        names, compacted = ", ".join(f"`{t.name}`" for t in some), "yes" if any(t.compacted for t in some) else "no"
        lines.append(f"| {kind} | {len(some)} | {sum(t.partitions for t in some)} | {compacted} | {names} |")
    lines.append(f"| **all** | **{len(topics)}** | **{sum(t.partitions for t in topics)}** | | |")
    data = tuple(t for t in topics if t.kind == "data")
    beating = tuple(t for t in topics if t.kind != "connect")
    sets = {"the data topics alone": data, "with heartbeats": beating, "all, with Connect's own": topics}
    lines += ["", "| tier | " + " | ".join(sets) + " |", "|---" * (len(sets) + 1) + "|"]
    lines += [f"| {tier.name} | " + " | ".join(_verdict(some, tier) for some in sets.values()) + " |" for tier in TIERS]
    lines += ["", "| | " + " | ".join(t.name for t in TIERS) + " |", "|---" * (len(TIERS) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(show(t) for t in TIERS) + " |" for name, show in SHOWN.items()]
    return "\n".join(lines) + "\n"


def _verdict(topics: tuple[Held, ...], tier: Tier) -> str:
    units = smallest(topics, tier)
    return f"from {units} {tier.unit} on" if units else f"no: {misfits(topics, tier, tier.units[-1])[0]}"
