"""The database by an administrator who is no superuser, as Azure Database for PostgreSQL has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from local_ports import new_state
from psycopg import sql

from commerce360.local.stack import Stack
from commerce360.provision import database
from commerce360.settings import Settings

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
ADMIN = "azure_admin"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    stack = Stack.open(new_state(tmp_path / "state"))
    try:
        stack.supervisor.start("postgres")
        stack.supervisor.wait_ready("postgres")
        found = stack.settings()
        root = {"user": "postgres", "password_file": found.provision.postgres_password_file, "dbname": "postgres"}
        with psycopg.connect(found.postgres.model_copy(update=root).conninfo(), autocommit=True) as superuser:
            if superuser.info.server_version < 160_000:
                pytest.skip("before PostgreSQL 16 only a superuser makes roles that replicate; set C360_PG_BIN to a newer one")
            made = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB REPLICATION PASSWORD 'x'")
            superuser.execute(made.format(sql.Identifier(ADMIN)))
        (tmp_path / "password").write_text("x")
        admin = {"postgres_user": ADMIN, "postgres_password_file": tmp_path / "password"}
        yield found.model_copy(update={"provision": found.provision.model_copy(update=admin)})
    finally:
        stack.stop()


def test_it_makes_all_and_a_second_time_nothing(settings: Settings) -> None:
    made = ["role shop", "role debezium", "database commerce", "publication dbz_publication"]
    assert database.prepare(settings) == [f"made the {name}" for name in made]
    with psycopg.connect(settings.postgres.conninfo()) as shop:
        query = "SELECT pubowner::regrole::text, datdba::regrole::text FROM pg_publication, pg_database WHERE datname = current_database()"
        assert shop.execute(query).fetchall() == [("shop", "shop")]
    assert database.prepare(settings) == []
