"""`c360 provision` on real local servers that hold nothing yet, by settings in the environment alone; and a second time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from local_ports import new_state

from commerce360.local import addresses, environment
from commerce360.local.bootstrap.paths import ROOT
from commerce360.local.stack import Stack
from commerce360.provision.steps import STEPS
from connect_configs.client import Connect
from connect_configs.files import configurations
from connect_configs.http import Access
from schemas.access import CARE
from schemas.topics import TOPICS
from warehouse.client import Client

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
SERVERS = ("postgres", "mongo", "kafka", "registry", "warehouse", "connect")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("provision") / "state"))
    try:
        for name in SERVERS:
            stack.supervisor.start(name)
        for name in SERVERS:
            stack.supervisor.wait_ready(name)
        yield stack
    finally:
        stack.stop()


def provision(stack: Stack, *steps: str, **more: str) -> subprocess.CompletedProcess[str]:
    """As an operator would: addresses in the environment, secrets in files."""
    state = stack.state
    sources = addresses.source_variables(state)
    del sources["C360_SOURCE_PG_PASSWORD"]
    sources["C360_SOURCE_PG_PASSWORD_FILE"] = str(state.secret_file("postgres_debezium"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("C360_")}
    env = {**clean, **environment.variables(stack.settings()), **sources, **more}
    command = [sys.executable, "-m", "commerce360.cli.main", "provision", *steps]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_empty_servers_get_everything_and_a_second_time_nothing(servers: Stack) -> None:
    first = provision(servers)
    assert first.returncode == 0, first.stderr
    for said in (
        "made the role shop, made the role debezium, made the database commerce, made the publication dbz_publication",
        "made the topic oltp.sales.customers",
        "registered the schema of shop.orders.events",
        "set up the account, migrated V1.0.0__schemas.sql",
        *(f"deployed {name}" for name in configurations()),
    ):
        assert said in first.stdout
    settings = servers.settings()
    there = AdminClient(settings.kafka.client()).list_topics(timeout=20).topics
    assert {t.name: t.partitions for t in TOPICS}.items() <= {name: len(t.partitions) for name, t in there.items()}.items()
    with psycopg.connect(settings.postgres.conninfo()) as shop:
        assert shop.execute("SELECT count(*) FROM pg_publication_tables WHERE pubname = 'dbz_publication'").fetchone() == (6,)
    care = settings.warehouse.model_copy(
        update={"user": CARE, "role": CARE, "private_key_file": settings.state / "secrets" / "c360_care.p8"}
    )
    with Client(care) as client:
        assert client.query("SELECT COUNT(*) AS n FROM COMMERCE360.CORE.DIM_CUSTOMER") == [{"n": 0}]
    connect = Connect(settings.connect.url, access=Access.of(settings.connect))
    assert all(status is not None and status.running for status in map(connect.status, configurations()))
    secrets = [servers.state.secret(name) for name in ("postgres_superuser", "postgres_shop", "postgres_debezium")]
    assert not any(secret in first.stdout + first.stderr for secret in secrets)

    again = provision(servers)
    assert (again.returncode, again.stdout.splitlines()) == (0, [f"{name}: nothing to do" for name in STEPS])


def test_what_cannot_be_done_says_what_to_do(servers: Stack) -> None:
    wrong = provision(servers, "tables")
    assert wrong.returncode == 2
    assert wrong.stderr == "error: there is no step tables\nhint: the steps are database, topics, schemas, warehouse, connectors\n"

    file = servers.state.root / "wrong-password"
    file.write_text("wrong")
    refused = provision(servers, "database", C360_PROVISION__POSTGRES_PASSWORD_FILE=str(file))
    assert refused.returncode == 1
    assert "error: PostgreSQL does not let us in" in refused.stderr

    admin = AdminClient(servers.settings().kafka.client())
    name = TOPICS[-1].name
    admin.delete_topics([name])[name].result()
    few = provision(servers, "topics", C360_PROVISION__REPLICATION_FACTOR="3")
    assert few.returncode == 1
    assert f"cannot create topic {name}" in few.stderr
    assert provision(servers, "topics").stdout == f"topics: made the topic {name}\n"


def test_another_number_of_partitions_is_refused(servers: Stack) -> None:
    from confluent_kafka.admin import NewPartitions

    admin = AdminClient(servers.settings().kafka.client())
    name = TOPICS[-1].name
    admin.create_partitions([NewPartitions(name, 2)])[name].result()
    refused = provision(servers, "topics")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: {name} has 2 partitions instead of 1\n")


def test_nobody_answers(servers: Stack, tmp_path: Path) -> None:
    silent = provision(servers, "database", C360_POSTGRES__PORT="1")
    assert (silent.returncode, silent.stderr.count("\n")) == (1, 2)
    assert "PostgreSQL does not let us in" in silent.stderr
    missing = provision(servers, "connectors", C360_SOURCE_MONGO_URI_FILE=str(tmp_path / "nothing"))
    assert missing.returncode == 2
    assert "C360_SOURCE_MONGO_URI_FILE: no file at" in missing.stderr
