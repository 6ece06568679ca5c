"""The platform of docker-compose.yml, started by pytest-docker under a project of its own and removed with its volumes at the end.

Needs a Docker engine with Compose 2.33 or newer, 12 GB of memory, a network for images and packages, and the ports of docs/compose.md free.
It has never run where this project was written: there is no engine there. Where there is none, every test here is skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
UP_TIMEOUT_S = 1_800
PROJECT = "c360-test"
REASON = "no Docker engine answers here"


def engine() -> bool:
    """Whether an engine answers, and Compose is there."""
    if shutil.which("docker") is None:
        return False
    asked = (["docker", "info"], ["docker", "compose", "version"])
    return all(subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0 for command in asked)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if here and not engine():
        for item in here:
            item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    return PROJECT


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    return str(ROOT / "docker-compose.yml")


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    """Compose waits until every service is healthy and every one that ends has ended well."""
    subprocess.run(["sh", ROOT / "infra" / "compose" / "secrets.sh"], check=True)
    return ["build", f"up --detach --wait --wait-timeout {UP_TIMEOUT_S}"]


@pytest.fixture(scope="session")
def docker_cleanup() -> list[str]:
    return ["--profile tools down --volumes --timeout 60"]


class Platform:
    def __init__(self, compose: Any) -> None:
        self._compose = compose

    def run(self, command: str) -> str:
        """Of `docker compose`; its output. Raises with what it said when it fails."""
        return bytes(self._compose.execute(command)).decode()

    def tool(self, command: str) -> str:
        return self.run(f"run --rm --no-deps tools {command}")

    def services(self) -> dict[str, dict[str, Any]]:
        lines = self.run("ps --all --format json").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return {entry["Service"]: entry for entry in entries}


@pytest.fixture(scope="session")
def platform(docker_services: Any) -> Platform:
    return Platform(docker_services._docker_compose)
