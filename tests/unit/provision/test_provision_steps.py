"""Which steps are run, in which order, and what each refuses before it asks a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from commerce360.errors import ConfigError
from commerce360.provision import database, steps, warehouse
from commerce360.settings import Postgres, Provision, Settings


def test_steps_keep_their_order_and_none_is_all() -> None:
    assert steps.named([]) == ["database", "topics", "schemas", "warehouse", "connectors"]
    assert steps.named(["schemas", "topics"]) == ["topics", "schemas"]
    with pytest.raises(ConfigError, match="there is no step tables"):
        steps.named(["tables"])


def test_passwords_must_be_there_before_anything_is_done(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.write_text("x")
    with pytest.raises(ConfigError, match="PostgreSQL password of shop"):
        database.prepare(Settings())
    with pytest.raises(ConfigError, match="PostgreSQL password of debezium"):
        database.prepare(Settings(postgres=Postgres(password_file=shop)))


def test_without_a_folder_of_keys_nothing_is_migrated() -> None:
    with pytest.raises(ConfigError, match="no folder of the users' keys"):
        warehouse.prepare(Settings())


def test_the_worker_s_secrets_are_read_from_their_files(tmp_path: Path) -> None:
    for name, text in (("admin", "root-password\n"), ("pw", "debezium-password\n")):
        (tmp_path / name).write_text(text)
    settings = Settings(provision=Provision(postgres_password_file=tmp_path / "admin"))
    environ = {"C360_SOURCE_PG_HOST": "postgres", "C360_SOURCE_PG_PASSWORD_FILE": str(tmp_path / "pw"), "OTHER": "x"}
    found = steps.cluster(settings, environ)
    assert found.variables.env == {"C360_SOURCE_PG_HOST": "postgres", "C360_SOURCE_PG_PASSWORD": "debezium-password"}
    assert found.admin is not None
    assert found.admin.password == "root-password"
    assert "root-password" not in repr(found)
    with pytest.raises(ConfigError, match="C360_SOURCE_PG_PASSWORD_FILE: no file at"):
        steps.cluster(settings, {"C360_SOURCE_PG_PASSWORD_FILE": str(tmp_path / "nothing")})
