"""The whole platform in containers, started from nothing. It needs a Docker engine: see conftest.py."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from commerce360.local.state import PORTS
from connect_configs.client import Connect
from connect_configs.files import configurations
from infra.checks.compose_file import Compose
from schemas.topics import TOPICS

pytestmark = [pytest.mark.docker, pytest.mark.timeout(2_400)]
ROOT = Path(__file__).resolve().parents[2]
LIFE_S = 30.0


def test_every_service_is_healthy_and_what_ends_has_ended_well(platform: Any) -> None:
    wanted = {name: service.once for name, service in Compose(ROOT).services.items() if not service.raw.get("profiles")}
    found = platform.services()
    assert wanted.keys() <= found.keys()
    for name, once in wanted.items():
        state = found[name]["State"], found[name]["Health"] if not once else found[name]["ExitCode"]
        assert state == (("exited", 0) if once else ("running", "healthy")), name


def test_connectors_run_and_were_deployed_byte_for_byte(platform: Any) -> None:
    client = Connect(f"http://127.0.0.1:{PORTS['connect']}")
    for name, wanted in configurations().items():
        status = client.status(name)
        assert status is not None
        assert status.running
        deployed = requests.get(f"http://127.0.0.1:{PORTS['connect']}/connectors/{name}/config", timeout=20).json()
        assert {key: value for key, value in deployed.items() if key != "name"} == wanted


def test_topics_are_those_of_the_contract(platform: Any) -> None:
    listed = platform.run("exec -T -e KAFKA_OPTS= kafka /opt/kafka/bin/kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --describe")
    for topic in TOPICS:
        assert f"Topic: {topic.name}\t" in listed
        assert f"PartitionCount: {topic.partitions}\t" in next(line for line in listed.splitlines() if f"Topic: {topic.name}\t" in line)


def test_provisioning_a_second_time_changes_nothing(platform: Any) -> None:
    said = platform.tool("c360 provision database topics schemas")
    assert [line for line in said.splitlines() if line.endswith("nothing to do")] == [
        f"{step}: nothing to do" for step in ("database", "topics", "schemas")
    ]


def test_the_page_answers_on_loopback(platform: Any) -> None:
    assert requests.get(f"http://127.0.0.1:{PORTS['page']}/", timeout=20).status_code == 200


def test_no_secret_is_in_an_environment(platform: Any) -> None:
    secrets = [path.read_text() for path in (ROOT / "infra" / "compose" / "secrets").iterdir()]
    containers = platform.run("ps --all --quiet").split()
    import subprocess

    shown = subprocess.run(["docker", "inspect", *containers], capture_output=True, text=True, check=True).stdout
    environments = json.dumps([entry["Config"]["Env"] for entry in json.loads(shown)])
    assert not any(secret in environments for secret in secrets)


def test_what_entered_came_out(platform: Any) -> None:
    """Life for a while, then the shop rests, and every table is compared at every stage."""
    time.sleep(LIFE_S)
    platform.run("stop shop")
    try:
        said = platform.tool("c360 reconcile --timeout 600")
    finally:
        platform.run("start shop")
    assert "all stages are equal: 0 lost, 0 doubled, 0 changed" in said
