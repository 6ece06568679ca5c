"""The warehouse of a local stack: as which user a process asks, and bringing it from nothing to what the migrations say."""

from __future__ import annotations

from collections.abc import Sequence

from commerce360.settings import Settings, Warehouse
from schemas.access import ADMIN, WAREHOUSE_OF
from warehouse import account, apply
from warehouse.apply import Told
from warehouse.client import Client
from warehouse.scripts import Script

ADMIN_USER = "C360_ADMIN"  # made by the local Snowflake itself, with a key that it mints
HERE = ("127.0.0.1",)
CREDITS = 100  # nobody counts them here


def of_user(settings: Settings, user: str) -> Warehouse:
    """The same warehouse for a user of schemas/access.py, with the role of that name."""
    key = account.key_file(settings.state / "secrets", user)
    return settings.warehouse.model_copy(
        update={"user": user, "role": user, "warehouse": WAREHOUSE_OF[user], "private_key_file": key},
    )


def of_admin(settings: Settings) -> Warehouse:
    key = settings.state / "secrets" / "snowflake_admin.p8"
    return settings.warehouse.model_copy(update={"user": ADMIN_USER, "role": ADMIN, "warehouse": "", "private_key_file": key})


def prepare(settings: Settings, told: Told = lambda _: None, found: Sequence[Script] | None = None) -> None:
    """Users, roles and database as ACCOUNTADMIN, then the migrations as their owner. What is done already is not done again.

    Key pairs are minted into the state's secrets. Raises C360Error when the warehouse does not answer.
    """
    values = account.variables(settings.warehouse.database, settings.state / "secrets", HERE, CREDITS)
    checksum, note = account.read().checksum(values), settings.state / "data" / "warehouse" / "account.checksum"
    if not note.exists() or note.read_text() != checksum or not _has_database(settings.warehouse):
        account.apply(of_admin(settings), values)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(checksum)
    apply.apply(settings.warehouse, told, found)


def _has_database(settings: Warehouse) -> bool:
    """Somebody may have dropped it, to load it anew from another lake."""
    with Client(settings) as client:
        return bool(client.query(f"SHOW DATABASES LIKE '{settings.database}'"))
