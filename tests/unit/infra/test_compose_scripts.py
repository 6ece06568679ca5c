"""The scripts of the containers, run as they are: secrets, digests, the Connect worker's entry point."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from connect_configs.variables import of_environment
from infra.checks.compose import FOLDER
from infra.checks.compose_file import Compose, env_file

ROOT = Path(__file__).resolve().parents[3]
START = ROOT / "infra" / "connect" / "start.sh"
TEMPLATE = ROOT / "commerce360" / "local" / "services" / "config" / "connect.properties"


def run(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, args)], env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, check=False)


def test_secrets_are_those_that_compose_wants_and_stay(tmp_path: Path) -> None:
    script = tmp_path / "secrets.sh"
    script.write_bytes((ROOT / FOLDER / "secrets.sh").read_bytes())
    assert run("sh", script).returncode == 0
    folder = tmp_path / "secrets"
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert made.keys() == Compose(ROOT).top("secrets").keys()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(set(made.values())) == len(made)
    assert all(len(text) >= 30 and text == text.strip() for text in made.values())
    assert made["mongo_uri"] == f"mongodb://c360:{made['mongo_shop']}@mongo:27017/?replicaSet=rs0&authSource=admin"
    assert made["postgres_airflow"] in made["airflow_database"]
    assert len(json.loads(made["airflow_passwords"])["admin"]) == 24

    (folder / "grafana_admin").unlink()
    again = run("sh", script)
    assert again.stdout.splitlines() == [f"made {folder}/grafana_admin"]
    assert {p.name: p.read_text() for p in folder.iterdir() if p.name != "grafana_admin"}.items() <= made.items()


def test_digests_are_asked_for_every_image(tmp_path: Path) -> None:
    for name in ("docker-compose.yml", "infra/compose/digests.sh"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    registry = tmp_path / "bin" / "docker"
    registry.parent.mkdir()
    registry.write_text('#!/bin/sh\nfor image; do :; done\nprintf "sha256:%s\\n" "$(printf %s "$image" | sha256sum | cut -d" " -f1)"\n')
    registry.chmod(0o755)
    done = run("sh", tmp_path / FOLDER / "digests.sh", PATH=f"{registry.parent}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    found = env_file(tmp_path / FOLDER / "digests.env")
    assert found.keys() == env_file(ROOT / FOLDER / "digests.env").keys()
    assert all(value.startswith("@sha256:") for value in found.values())

    registry.write_text("#!/bin/sh\necho no such image\n")
    assert run("sh", tmp_path / FOLDER / "digests.sh", PATH=f"{registry.parent}:{os.environ['PATH']}").returncode != 0
    assert env_file(tmp_path / FOLDER / "digests.env") == found


def test_the_worker_sees_what_deployers_see(tmp_path: Path) -> None:
    """The entry point and `c360` read C360_SOURCE_*_FILE alike, and the settings are those of the local stack's worker."""
    secret = tmp_path / "secret"
    secret.write_text("p$w '\"x\\|&\n")
    given = {"C360_SOURCE_PG_HOST": "postgres", "C360_SOURCE_PG_PASSWORD_FILE": str(secret)}
    properties = tmp_path / "connect.properties"
    addresses = {
        "CONNECT_TEMPLATE": str(TEMPLATE),
        "CONNECT_PROPERTIES": str(properties),
        "CONNECT_BOOTSTRAP": "kafka:9092,kafka-2:9092",
        "CONNECT_HOST": "connect",
        "CONNECT_REGISTRY": "http://registry:8080/apis/ccompat/v7",
        "CONNECT_REPLICATION_FACTOR": "3",
    }
    done = run(START, "python3", "-c", "import json, os; print(json.dumps(dict(os.environ)))", **given, **addresses)
    assert done.returncode == 0, done.stderr
    seen = {name: value for name, value in json.loads(done.stdout).items() if name.startswith("C360_SOURCE_")}
    assert seen == of_environment(given) == {"C360_SOURCE_PG_HOST": "postgres", "C360_SOURCE_PG_PASSWORD": "p$w '\"x\\|&"}

    made = env_file(properties)
    assert made.keys() == env_file(TEMPLATE).keys()
    assert "$" not in properties.read_text()
    assert made["bootstrap.servers"] == "kafka:9092,kafka-2:9092"
    assert (made["listeners"], made["rest.advertised.host.name"]) == ("http://0.0.0.0:8083", "connect")
    assert made["value.converter.schema.registry.url"] == "http://registry:8080/apis/ccompat/v7"
    assert made["offset.storage.replication.factor"] == "3"


def test_a_secret_that_is_not_there_ends_the_worker(tmp_path: Path) -> None:
    done = run(START, "true", C360_SOURCE_PG_PASSWORD_FILE=str(tmp_path / "nothing"))
    assert (done.returncode, done.stderr) == (2, f"error: C360_SOURCE_PG_PASSWORD_FILE: cannot read {tmp_path}/nothing\n")


@pytest.mark.parametrize("name", ["infra/connect/jmx.yml"])
def test_what_containers_read_is_yaml(name: str) -> None:
    found = yaml.safe_load((ROOT / name).read_text())
    assert all(set(rule) <= {"pattern", "name", "type", "labels", "value"} for rule in found["rules"])
