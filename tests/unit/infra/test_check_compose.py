"""The committed docker-compose.yml and Dockerfiles have no finding, and every rule finds what was planted."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.checks import compose, compose_tables, dockerfiles
from infra.checks.compose_file import Compose, filled
from infra.checks.finding import Finding, Skipped

ROOT = Path(__file__).resolve().parents[3]
FILES = ("docker-compose.yml", ".dockerignore", ".gitignore", "README.md", "setup.cfg", "pyproject.toml")
FOLDERS = ("infra/compose", "infra/connect", "infra/images", "infra/monitoring")
COPIED = (
    "airflow",
    "bi",
    "commerce360",
    "connect_configs",
    "infra/snowflake",
    "producers",
    "requirements",
    "schemas",
    "stream_jobs",
    "warehouse",
)
COMPOSE, ENV = "docker-compose.yml", "infra/compose/digests.env"
OURS, CONNECT = "infra/images/commerce360/Dockerfile", "infra/connect/Dockerfile"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    for name in FOLDERS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("secrets"))
    for name in COPIED:
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def change(root: Path, file: str, old: str, new: str) -> int:
    """Exactly one place; the line on which it is."""
    path = root / file
    text = path.read_text()
    assert text.count(old) == 1, f"{text.count(old)} times: {old}"
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def findings(root: Path) -> list[Finding]:
    return [*compose.own(root), *dockerfiles.check(root)]


def test_the_committed_files_have_no_finding() -> None:
    assert [str(f) for f in (*compose.check(ROOT), *dockerfiles.check(ROOT)) if not isinstance(f, Skipped)] == []


PLANTED = yaml.safe_load((Path(__file__).parent / "compose_errors.yaml").read_text())


def test_what_the_specification_does_not_know_is_found(checkout: Path) -> None:
    change(checkout, COMPOSE, "    shm_size: 128m", "    shm_sise: 128m")
    found = list(compose.schema(checkout))
    assert all(isinstance(f, Skipped) for f in found) or "shm_sise" in "".join(map(str, found))


@pytest.mark.parametrize("error", PLANTED, ids=[error["said"][:60] for error in PLANTED])
def test_a_planted_error_is_found(checkout: Path, error: dict[str, Any]) -> None:
    line = change(checkout, COMPOSE, error["old"], error["new"])
    found = [f for f in findings(checkout) if error["said"] in f.what]
    assert found
    assert all(f.file == Path(COMPOSE) and f.hint for f in found)
    if "below" in error:
        assert line + error["below"] in {f.line for f in found}


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (ENV, "KAFKA_DIGEST=\n", "", "KAFKA_DIGEST is missing"),
        (ENV, "KAFKA_DIGEST=\n", "KAFKA_DIGEST=\nREDIS_DIGEST=\n", "REDIS_DIGEST is not used"),
        ("infra/compose/brokers3.env", "REPLICATION_FACTOR=3", "REPLICATION=3", "docker-compose.yml has no variable REPLICATION"),
        ("infra/compose/brokers3.env", "REPLICATION_FACTOR=3", "REPLICATION_FACTOR=2", "REPLICATION_FACTOR is 2, and there are 3 brokers"),
        ("infra/compose/brokers3.env", ",3@kafka-3:9093", "", "KAFKA_VOTERS is 1@kafka:9093,2@kafka-2:9093, and the brokers are"),
        ("infra/compose/secrets.sh", "grafana_admin", "grafanas_admin", "nobody makes the secret grafana_admin"),
        (".gitignore", "/infra/compose/secrets/", "/nothing/", "secrets could be committed"),
        (OURS, "3.11.14-slim-bookworm", "3.11-slim", "PYTHON_IMAGE is python:3.11-slim, and"),
        (OURS, "FROM ${JAVA_IMAGE} AS java", "FROM eclipse-temurin AS java", "the base image eclipse-temurin is not pinned"),
        (OURS, "FROM ${JAVA_IMAGE} AS java", "FROM eclipse-temurin:latest AS java", "the base image eclipse-temurin:latest is not pinned"),
        (OURS, "USER c360\n", "", "it runs as root"),
        (OURS, "USER c360\n", "USER root\n", "it runs as root"),
        (CONNECT, "USER appuser\n\nFROM broker", "FROM broker", "broker runs as root"),
        (COMPOSE, "target: connect", "target: worker", "there is no stage worker"),
        (OURS, "COPY bi bi", "COPY dashboards bi", "dashboards is not there"),
        (CONNECT, "COPY infra/connect/jmx.yml", "COPY infra/compose/mongo.sh", "infra/compose/mongo.sh is kept from the builder"),
        (COMPOSE, "infra/images/airflow/Dockerfile", "infra/images/other/Dockerfile", "no service of docker-compose.yml builds it"),
    ],
)  # fmt: skip
def test_a_planted_error_beside_the_compose_file_is_found(checkout: Path, file: str, old: str, new: str, said: str) -> None:
    line = change(checkout, file, old, new)
    (found, *_) = [f for f in findings(checkout) if said in f.what]
    assert found.hint
    if file == OURS and "root" not in said and "is not there" not in said:
        assert (found.file, found.line) == (Path(file), line)


def test_values_are_filled_as_compose_does() -> None:
    assert filled("a${X:-b}c${Y:-}$$d${Z}") == "abc$d"
    assert filled("${X:-b}", {"X": "y"}) == "y"


def test_every_rule_has_an_error_planted_for_it(checkout: Path) -> None:
    """So that a rule that is added is shown to find something."""
    shown = {rule.__name__ for rule in (*compose.RULES, *compose_tables.RULES)}
    silent = set(shown)
    for error in PLANTED:
        text = (ROOT / COMPOSE).read_text()
        (checkout / COMPOSE).write_text(text.replace(error["old"], error["new"]))
        changed = Compose(checkout)
        silent -= {rule.__name__ for rule in (*compose.RULES, *compose_tables.RULES) if rule.__name__ in silent and list(rule(changed))}
    assert silent <= {"three"}  # brokers3.env has its own


def test_scripts_are_shell() -> None:
    for script in [*ROOT.glob("infra/compose/*.sh"), ROOT / "infra/connect/start.sh", ROOT / "infra/images/airflow/start.sh"]:
        assert re.match(r"#!/bin/sh\n", script.read_text())
        assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
