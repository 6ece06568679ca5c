"""The shop's database in PostgreSQL: its schema, the roles of the shop and of Debezium, the publication."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from commerce360.errors import C360Error, UnavailableError
from commerce360.settings import Settings, read_secret

SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "oltp.sql"
CAPTURED = ("customers", "products", "orders", "order_items")
DEBEZIUM, PUBLICATION = "debezium", "dbz_publication"  # as connect_configs/oltp-postgres.json has them, or its worker


def prepare(settings: Settings) -> list[str]:
    """What was made; what is there stays, but for passwords, which become those of the files.

    Raises ConfigError without a password's file, UnavailableError when nobody answers, C360Error when the account may not.
    """
    shop = settings.postgres.user
    passwords = {
        shop: read_secret(settings.postgres.password_file, f"PostgreSQL password of {shop}"),
        DEBEZIUM: read_secret(settings.provision.debezium_password_file, f"PostgreSQL password of {DEBEZIUM}"),
    }
    done: list[str] = []
    with _admin(settings, "postgres") as server:
        for role, options in ((shop, "LOGIN"), (DEBEZIUM, "LOGIN REPLICATION")):
            if not _exists(server, "pg_roles WHERE rolname", role):
                server.execute(sql.SQL("CREATE ROLE {} " + options).format(sql.Identifier(role)))
                done.append(f"made the role {role}")
            secret = sql.Literal(passwords[role].get_secret_value())
            server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), secret))
        if not _exists(server, "pg_database WHERE datname", settings.postgres.dbname):
            _let_give(server, shop)
            names = sql.Identifier(settings.postgres.dbname), sql.Identifier(shop)
            server.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
            done.append(f"made the database {settings.postgres.dbname}")
    with _connected(settings.postgres.conninfo()) as owner:
        owner.execute(SCHEMA.read_bytes())
        owner.execute(f"GRANT USAGE ON SCHEMA sales TO {DEBEZIUM}; GRANT SELECT ON ALL TABLES IN SCHEMA sales TO {DEBEZIUM}")
        owner.execute(f"GRANT INSERT, UPDATE, DELETE ON sales.dbz_signal, sales.dbz_heartbeat TO {DEBEZIUM}")
        if not _exists(owner, "pg_publication WHERE pubname", PUBLICATION):
            tables = ", ".join(f"sales.{t}" for t in (*CAPTURED, "dbz_signal", "dbz_heartbeat"))
            owner.execute(f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {tables}")
            done.append(f"made the publication {PUBLICATION}")
    return done


def _let_give(server: psycopg.Connection[Any], owner: str) -> None:
    """Who is no superuser, as on Azure, makes a database for `owner` only as its member.

    Where it may not grant that, it is a member already, or making the database is refused.
    """
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidGrantOperation):
        server.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(owner)))


def _exists(connection: psycopg.Connection[Any], where: str, name: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {where} = %s", (name,)).fetchone() is not None


def _admin(settings: Settings, dbname: str) -> contextlib.AbstractContextManager[psycopg.Connection[Any]]:
    """As the account that may make others."""
    given = settings.provision
    admin = {"user": given.postgres_user, "password_file": given.postgres_password_file, "dbname": dbname}
    return _connected(settings.postgres.model_copy(update=admin).conninfo())


@contextlib.contextmanager
def _connected(conninfo: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
            yield connection
    except psycopg.OperationalError as error:
        message = str(error).splitlines()[0]
        raise UnavailableError(f"PostgreSQL does not let us in: {message}", "check C360_POSTGRES__* and the password files") from error
    except psycopg.Error as error:
        hint = "C360_PROVISION__POSTGRES_USER may make roles that replicate, and databases"
        raise C360Error(f"PostgreSQL refuses: {str(error).splitlines()[0]}", hint) from error
