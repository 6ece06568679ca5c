"""Clusters of the bundle's jobs: their kind, their runtime, and the settings in their environment."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from commerce360.settings import Settings
from infra.checks.bundle.reading import at
from infra.checks.finding import Finding

# Spark and Python of a runtime: learn.microsoft.com, Databricks Runtime release notes versions and compatibility (18 LTS, June 2026), and
# github.com/databricks/environments, python/dbr. Its version of Delta is in neither.
RUNTIMES = {"18.x-scala2.13": ("4.1", "3.12")}
DEDICATED = ("SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED")
ONE_NODE = {"spark.databricks.cluster.profile": "singleNode"}
SECRET_NAME = re.compile(r"(PASSWORD|SECRET|TOKEN|KEY|CONNECTION_STRING)(_FILE)?$|__URI$")
SECRET_CONF = re.compile(r"key|secret|password|token", re.IGNORECASE)
REFERENCE = re.compile(r"secret://[^/\s]+/[^/\s]+")


def check(root: Path, found: dict[str, Any]) -> Iterator[Finding]:
    setup = configparser.ConfigParser()
    setup.read(root / "setup.cfg")
    for job in found["resources"]["jobs"].values():
        for cluster in (c["new_cluster"] for c in job["job_clusters"]):
            yield from _kind(job["name"], cluster)
            yield from _runtime(setup, cluster["spark_version"])
            yield from _environment(cluster.get("spark_env_vars", {}))
            yield from _conf(cluster.get("spark_conf", {}))


def _kind(job: str, cluster: dict[str, Any]) -> Iterator[Finding]:
    mode, conf = cluster["data_security_mode"], cluster.get("spark_conf", {})
    if mode not in DEDICATED:
        yield at(mode, f"{job} would run with access mode {mode}, where sessions are those of Spark Connect", f"set {DEDICATED[0]}")
    if cluster["num_workers"]:
        return
    is_one = all(conf.get(k) == v for k, v in ONE_NODE.items()) and str(conf.get("spark.master", "")).startswith("local")
    if not is_one or cluster.get("custom_tags", {}).get("ResourceClass") != "SingleNode":
        hint = "set spark.databricks.cluster.profile: singleNode, spark.master: local[*] and the tag ResourceClass: SingleNode"
        yield at(next(iter(conf), mode), f"the cluster of {job} has no workers, and does not say that it is a single node", hint)


def _runtime(setup: configparser.ConfigParser, version: str) -> Iterator[Finding]:
    if version not in RUNTIMES:
        yield at(version, f"{version} is no runtime that this was looked at with", f"one of {', '.join(RUNTIMES)}; else add what it has")
        return
    spark, python = RUNTIMES[version]
    pinned = re.search(r"^pyspark==(\d+\.\d+)", setup["options.extras_require"]["lake"], re.MULTILINE)
    if pinned is None or pinned[1] != spark:
        ours = pinned[1] if pinned else "not pinned"
        yield at(version, f"{version} has Spark {spark}, setup.cfg's is {ours}", "take the runtime and pyspark of one line")
    if f"Python :: {python}" not in setup["metadata"]["classifiers"]:
        yield at(version, f"{version} has Python {python}, which setup.cfg does not name", "see classifiers in setup.cfg")


def _environment(variables: Mapping[str, str]) -> Iterator[Finding]:
    ours = {name: value for name, value in variables.items() if name.startswith("C360_")}
    for name, value in ours.items():
        if _field(name) is None:
            yield at(name, f"{name} is no setting", "see commerce360/settings.py")
        elif value:
            yield from _secret(name, value)
            yield from _value(name, value)


def _field(name: str) -> Any:
    """The kind of a setting, None for none."""
    model: Any = Settings
    for part in name.removeprefix("C360_").lower().split("__"):
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return None
        model = model.model_fields[part].annotation
    return None if isinstance(model, type) and issubclass(model, BaseModel) else model


def _secret(name: str, value: str) -> Iterator[Finding]:
    is_reference = REFERENCE.fullmatch(value) is not None
    if value.startswith("secret:") and not is_reference:
        yield at(value, f"{name} names no secret", "write secret://scope/key")
    elif SECRET_NAME.search(name) and not is_reference:
        yield at(value, f"{name} stands here in the clear, or is a path that no cluster has", "write secret://scope/key, and put it there")


def _value(name: str, value: str) -> Iterator[Finding]:
    """By the same model that reads it there. What only a deployment knows is in angle brackets, and no number."""
    *sections, last = name.removeprefix("C360_").lower().split("__")
    model: Any = Settings
    for section in sections:
        model = model.model_fields[section].annotation
    try:
        if sections:
            model(**{last: str(value)})
        else:
            TypeAdapter(_field(name)).validate_python(str(value))
    except ValidationError as error:
        yield at(value, f"{name} is {value!r}: {error.errors()[0]['msg']}", "see commerce360/settings.py")


def _conf(conf: Mapping[str, str]) -> Iterator[Finding]:
    for name, value in conf.items():
        if SECRET_CONF.search(name) and not value.startswith("{{secrets/"):
            yield at(value, f"{name} may be a secret in the clear", "write {{secrets/scope/key}}")
