"""docker-compose.yml against the local stack's own tables: settings, ports, versions, what the servers are told, topics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel

from commerce360.local import airflow
from commerce360.local.bootstrap import jars
from commerce360.local.services import postgres
from commerce360.local.services.java import TEMPLATES
from commerce360.local.state import PORTS
from commerce360.provision.steps import STEPS
from commerce360.settings import Settings
from connect_configs.variables import SOURCE
from infra.checks.compose_file import NAME, Compose, env_file, filled
from infra.checks.finding import Finding

Found = Iterator[Finding]
PREFIX = "C360_"
# Service and port of its container -> name in the local stack's table.
PUBLISHED = {
    ("postgres", 5432): "postgres",
    ("mongo", 27017): "mongo",
    ("kafka", 19092): "kafka",
    ("registry", 8080): "registry",
    ("connect", 8083): "connect",
    ("warehouse", 19085): "warehouse",
    ("warehouse", 19086): "warehouse_streaming",
    ("page", 19080): "page",
    ("azurite", 10000): "azurite",
}
HERE_ONLY = frozenset({"listen_addresses", "unix_socket_directories"})  # of a PostgreSQL without a container
# Addresses, and the number of copies, which is a variable: 1 unless somebody says otherwise.
ADDRESSES = frozenset(
    {"node.id", "controller.quorum.voters", "listeners", "advertised.listeners", "listener.security.protocol.map", "log.dirs"}
)
STREAMING = "C360_WAREHOUSE__STREAMING_URL"
NOT_SERVER = frozenset({"KAFKA_HEAP_OPTS", "KAFKA_OPTS"})
THREE = Path("infra/compose/brokers3.env")
PROFILES = "COMPOSE_PROFILES"  # read by Compose itself


def settings(compose: Compose) -> Found:
    """Every C360_* is one."""
    known = set(_names(PREFIX, Settings))
    for service in compose.services.values():
        for name in service.environment:
            if name.startswith(PREFIX) and not name.startswith(SOURCE) and name not in known:
                line = compose.line_of(service.name, "environment", name)
                yield Finding(NAME, f"{service.name}: there is no setting {name}", "see commerce360/settings.py", line)


def streaming(compose: Compose) -> Found:
    """The real client of Snowpipe Streaming takes no host whose name has fewer than three parts (snowpipe-streaming 1.9.1)."""
    given = (s.raw.get("networks") or {} for s in compose.services.values() if isinstance(s.raw.get("networks"), dict))
    known = {alias for networks in given for options in networks.values() for alias in (options or {}).get("aliases", ())}
    for service in compose.services.values():
        host = urlsplit(service.environment.get(STREAMING, "")).hostname
        if host and (host.count(".") < 2 or host not in known):
            line = compose.line_of(service.name, "environment", STREAMING)
            yield Finding(NAME, f"{service.name} cannot stream to {host}", "three parts, and an alias in the network", line)


def _names(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _names(f"{prefix}{name.upper()}__", kind)
        else:
            yield f"{prefix}{name.upper()}"


def ports(compose: Compose) -> Found:
    """On the host as the local stack's."""
    found: dict[tuple[str, int], int] = {}
    for service in compose.services.values():
        for text in service.raw.get("ports") or ():
            host, container = str(text).rsplit(":", 2)[-2:]
            found[service.name, int(container)] = int(host)
    wanted = {at: PORTS[name] for at, name in PUBLISHED.items()} | {("airflow", 8080): airflow.PORT}
    for (name, inside), port in wanted.items():
        if (has := found.get((name, inside))) != port:
            line = compose.line("services", name, "ports")
            yield Finding(NAME, f"{name} publishes {inside} as {has}, and the local stack as {port}", f'"127.0.0.1:{port}:{inside}"', line)


def versions(compose: Compose) -> Found:
    """Of Kafka and the registry, as jars.lock has them; PostgreSQL not older than the local stack takes."""
    locked = {i.path.split("/")[-3]: i.path.split("/")[-2] for i in jars.read_lock()}
    kafka = (compose.services["kafka"].raw.get("build") or {}).get("args", {}).get("KAFKA_IMAGE", "")
    registry = compose.services["registry"].image
    for name, image, wanted in (("kafka", kafka, locked["kafka_2.13"]), ("registry", registry, locked["apicurio-registry-app"])):
        if (tag := _tag(image)) != wanted:
            line = compose.line("services", name, "image") or compose.line("services", name)
            yield Finding(NAME, f"{name} is {tag}, and jars.lock has {wanted}", "the same version on both sides", line)
    tag = _tag(compose.services["postgres"].image)
    if int(tag.partition(".")[0] or 0) < postgres.OLDEST:
        line = compose.line("services", "postgres", "image")
        yield Finding(NAME, f"PostgreSQL {tag} is older than {postgres.OLDEST}", "name a newer one", line)


def _tag(image: str) -> str:
    return filled(image).partition("@")[0].rpartition(":")[2]


def database(compose: Compose) -> Found:
    """PostgreSQL is told what it is told here."""
    words = compose.services["postgres"].words("command")
    told = dict(word.partition("=")[::2] for flag, word in pairwise(words) if flag == "-c")
    wanted = {name: value for name, value in postgres.SETTINGS.items() if name not in HERE_ONLY}
    yield from _differences(compose, "postgres", "command", told, wanted)


def brokers(compose: Compose) -> Found:
    """Every broker is told what the local one is."""
    lines = (TEMPLATES / "kafka.properties").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=")[::2] for line in lines if line and not line.startswith("#")]
    wanted = {name: value for name, value in pairs if name not in ADDRESSES}
    for name, service in compose.services.items():
        if service.image == compose.services["kafka"].image:
            given = {k: v for k, v in service.environment.items() if k.startswith("KAFKA_") and k not in NOT_SERVER}
            told = {k.removeprefix("KAFKA_").lower().replace("_", "."): v for k, v in given.items()}
            yield from _differences(compose, name, "environment", told, wanted)


def _differences(compose: Compose, service: str, key: str, told: dict[str, str], wanted: dict[str, str]) -> Found:
    for name, value in wanted.items():
        if (has := told.get(name)) != value:
            what = f"{service}: {name} is {has}, and {value} in the local stack"
            yield Finding(NAME, what, "the same on both sides", compose.line("services", service, key))


def three(compose: Compose) -> Found:
    """brokers3.env names variables that there are, and brokers that there are."""
    given = env_file(compose.root / THREE)
    there = {*re.findall(r"\$\{(\w+)", compose.text), PROFILES}
    for name in sorted(given.keys() - there):
        yield Finding(THREE, f"docker-compose.yml has no variable {name}", "correct the name")
    nodes = {s.environment["KAFKA_NODE_ID"]: name for name, s in compose.services.items() if "KAFKA_NODE_ID" in s.environment}
    voters = ",".join(f"{node}@{name}:9093" for node, name in sorted(nodes.items()))
    if given.get("KAFKA_VOTERS") != voters:
        yield Finding(THREE, f"KAFKA_VOTERS is {given.get('KAFKA_VOTERS')}, and the brokers are {voters}", "name all of them")
    profiles = {p for name in nodes.values() for p in compose.services[name].raw.get("profiles", ())}
    if set(given.get(PROFILES, "").split(",")) != profiles:
        yield Finding(THREE, f"{PROFILES} is {given.get(PROFILES, '')!r}, and the brokers are in {', '.join(sorted(profiles))}", "name it")
    if given.get("REPLICATION_FACTOR") != str(len(nodes)):
        yield Finding(
            THREE, f"REPLICATION_FACTOR is {given.get('REPLICATION_FACTOR')}, and there are {len(nodes)} brokers", "one copy each"
        )


def provisioned(compose: Compose) -> Found:
    """Topics, schemas and all else come from `c360 provision`, each step once; nothing makes topics by itself."""
    steps = [step for s in compose.services.values() for step in s.words("command")[2:] if s.words("command")[:2] == ["c360", "provision"]]
    for step in STEPS:
        if steps.count(step) != 1:
            yield Finding(NAME, f"`c360 provision {step}` is run by {steps.count(step)} services", "one service that ends runs it")


RULES: tuple[Callable[[Compose], Found], ...] = (settings, streaming, ports, versions, database, brokers, three, provisioned)
