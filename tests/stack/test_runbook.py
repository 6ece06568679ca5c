"""The runbook on a real stack: each fault is caused, found by its page's commands, repaired by them, and well again.

Pages are read as they are (`infra/checks/runbook.py`); `c360` on the path gets the stack's folder, and nothing else is added.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from confluent_kafka import Producer
from local_ports import new_state
from prometheus_client.parser import text_string_to_metric_families

from commerce360.local.cluster import cluster
from commerce360.local.process import Identity
from commerce360.local.stack import settings_of_running
from commerce360.local.state import State
from commerce360.settings import Settings
from commerce360.telemetry.declared import OURS
from infra.checks import runbook
from schemas.topics import REVIEWS
from warehouse.client import Client

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(3600)]
ROOT = Path(__file__).resolve().parents[2]
CONNECTOR = "oltp-postgres"
FOUND_S, WELL_S = 120.0, 300.0
# What nothing on a healthy stack tells.
RARE = {"c360_loader_rejected_rows"}
WRAPPER = """#!/bin/sh
if [ "$1" = connect ]; then shift; exec {python} -m commerce360.cli.main connect --state {state} "$@"; fi
exec {python} -m commerce360.cli.main "$@" --state {state}
"""


class Shell:
    """Runs blocks of pages against one stack."""

    def __init__(self, root: Path) -> None:
        self.state = new_state(root / "state")
        (root / "bin").mkdir()
        (root / "bin" / "c360").write_text(WRAPPER.format(python=sys.executable, state=self.state))
        (root / "bin" / "c360").chmod(0o755)
        path = f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-c", script]
        return subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False, timeout=900, stdin=subprocess.DEVNULL
        )

    def blocks(self, page: str, run: str) -> list[str]:
        text = (ROOT / runbook.FOLDER / f"{page}.md").read_text()
        return ["\n".join(b.commands) for b in runbook.blocks(text) if b.run == run]

    def shows(self, page: str) -> str:
        """All that the page's commands for looking print, whatever they leave with."""
        done = [self.run(script) for script in self.blocks(page, "show")]
        return "".join(d.stdout + d.stderr for d in done)

    def repair(self, page: str) -> None:
        for script in self.blocks(page, "repair"):
            done = self.run(f"set -e\n{script}")
            assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"

    def is_well(self, page: str, sign: str) -> str:
        """Empty if all commands of the page leave with 0 and none shows the fault; else what they print."""
        for script in self.blocks(page, "well"):
            done = self.run(f"set -e\n{script}")
            said = done.stdout + done.stderr
            if done.returncode or re.search(sign, said):
                return f"{script}\n{said}"
        return ""

    @property
    def settings(self) -> Settings:
        return settings_of_running(self.state)

    @property
    def has_shop(self) -> bool:
        services = json.loads(self.run("c360 status --json").stdout)["services"]
        return bool(services.get("shop", {}).get("ready"))

    def halt(self, *services: str) -> None:
        for service in services:
            identity = Identity.load(self.state / "run" / f"{service}.pid")
            assert identity is not None
            os.kill(identity.pid, signal.SIGSTOP)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    root = tmp_path_factory.mktemp("runbook")
    root.chmod(0o755)  # PostgreSQL runs as another account when we are root
    root.parent.chmod(0o755)
    made = Shell(root)
    try:
        done = made.run("c360 up --rate 5")
        assert done.returncode == 0, done.stdout + done.stderr
        wait(lambda: "" if made.has_shop else "the shop is not ready", WELL_S)  # the last one, which asks the registry
        yield made
    finally:
        made.run("c360 down")


@pytest.fixture(scope="module")
def ours_halted(shell: Shell) -> None:
    """All at once: what is silent is told after ten seconds."""
    shell.halt("registry", "lake", "loader", "sentiment")


def wait(look: Callable[[], str], timeout_s: float) -> None:
    """Until `look` says nothing; fails with what it said last."""
    deadline = time.monotonic() + timeout_s
    while said := look():
        assert time.monotonic() < deadline, said
        time.sleep(1)


def play(shell: Shell, page: str, sign: str) -> None:
    """The fault is there: its page finds it, repairs it, and sees that it is well."""

    def unseen() -> str:
        said = shell.shows(page)
        return "" if re.search(sign, said) else said or "nothing was said"

    wait(unseen, FOUND_S)
    shell.repair(page)
    wait(lambda: shell.is_well(page, sign), WELL_S)


def test_a_registry_that_hangs(shell: Shell, ours_halted: None) -> None:
    play(shell, "registry-down", r"page: no answer from registry")


def test_a_lake_job_that_hangs(shell: Shell, ours_halted: None) -> None:
    play(shell, "lake-job-down", r"lake: has told nothing for \d+ s|records wait, and the last batch")


def test_a_loader_that_hangs(shell: Shell, ours_halted: None) -> None:
    play(shell, "loader-stopped", r"loader: has told nothing for \d+ s")


def test_a_service_that_hangs(shell: Shell, ours_halted: None) -> None:
    play(shell, "service-down", r"sentiment: has told nothing for \d+ s")


def test_a_broker_that_hangs(shell: Shell) -> None:
    shell.halt("kafka")
    play(shell, "kafka-down", r"page: no answer from kafka")


def test_a_database_that_hangs(shell: Shell) -> None:
    shell.halt("postgres")
    play(shell, "source-down", r"page: no answer from postgres")


def test_a_connect_worker_that_hangs(shell: Shell) -> None:
    shell.halt("connect")
    play(shell, "connect-down", r"error: .*(does not answer|said nothing)")


def test_a_connector_whose_configuration_was_changed_by_hand(shell: Shell) -> None:
    client = cluster(State.open(shell.state, running=True)).client
    config = client.config(CONNECTOR)
    assert config is not None
    client.put_config(CONNECTOR, {**config, "publication.name": "gone"})
    play(shell, "connector-failed", r"Publication autocreation is disabled")


def test_a_slot_that_nobody_reads(shell: Shell) -> None:
    assert shell.run(f"c360 connect stop {CONNECTOR}").returncode == 0
    play(shell, "slot", r"replication slot c360_oltp: nobody reads it")


def test_a_record_that_nobody_can_read(shell: Shell) -> None:
    producer = Producer(shell.settings.kafka.client())
    producer.produce(REVIEWS.name, key=b"k", value=b"garbage")
    assert producer.flush(20) == 0
    play(shell, "dead-letters", r"web\.shop\.reviews: 1 x bad_magic")


def test_a_warehouse_that_hangs(shell: Shell) -> None:
    shell.halt("warehouse")
    play(shell, "warehouse-unreachable", r"loader: stalled: ")


def test_a_value_that_was_changed_in_the_warehouse(shell: Shell) -> None:
    with Client(shell.settings.warehouse) as client:
        row = client.query("SELECT * FROM CORE.DIM_CUSTOMER WHERE IS_CURRENT AND NOT IS_INFERRED AND CITY IS NOT NULL LIMIT 1")[0]
        where = f"WHERE CUSTOMER_ID = {row['customer_id']} AND SEQ_POS = {row['seq_pos']} AND SEQ_ORD = {row['seq_ord']}"
        client.query(f"UPDATE RAW.DIM_CUSTOMER SET CITY = 'Nowhere' {where}")
    play(shell, "reconcile-differences", r"dim_customer.*Nowhere")


def test_every_metric_is_told_by_a_stack_that_has_seen_it_all(shell: Shell) -> None:
    url = f"http://127.0.0.1:{shell.settings.page.port}/metrics"

    def missing() -> str:
        families = list(text_string_to_metric_families(requests.get(url, timeout=10).text))
        told = {sample.name for family in families for sample in family.samples}
        wanted = {name for m in OURS if m.service != "process" for name in m.series} | {"c360_service_told_timestamp_seconds"}
        return ", ".join(sorted(wanted - told - RARE))

    wait(missing, 60)


def test_every_page_that_can_be_played_here_is(shell: Shell) -> None:
    """A page whose commands are marked to be run has its fault above."""
    pages = {p.stem for p in (ROOT / runbook.FOLDER).glob("*.md") if any(b.run == "show" for b in runbook.blocks(p.read_text()))}
    played = set(re.findall(r'play\(shell, "([\w-]+)"', Path(__file__).read_text()))
    assert pages == played
