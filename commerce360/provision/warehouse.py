"""The warehouse, from nothing to what the migrations say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from commerce360.errors import ConfigError
from commerce360.settings import Provision, Settings, Warehouse
from schemas.access import ADMIN, TRANSFORMER, WAREHOUSE_OF
from warehouse import account, apply
from warehouse.apply import Told
from warehouse.client import Client
from warehouse.scripts import Script


def of_user(settings: Warehouse, user: str, keys: Path) -> Warehouse:
    """The same warehouse for a user of schemas/access.py, with the role of that name and the key in the folder `keys`."""
    key = account.key_file(keys, user)
    return settings.model_copy(update={"user": user, "role": user, "warehouse": WAREHOUSE_OF[user], "private_key_file": key})


def of_admin(settings: Warehouse, given: Provision) -> Warehouse:
    update = {"user": given.warehouse_user, "role": ADMIN, "warehouse": "", "private_key_file": given.warehouse_key_file}
    return settings.model_copy(update=update)


def prepare(settings: Settings, told: Told = lambda _: None, found: Sequence[Script] | None = None) -> list[str]:
    """Users, roles and database as ACCOUNTADMIN, where one is given; then the migrations as their owner. What was done.

    Raises ConfigError without the owner's key, UnavailableError when the warehouse does not answer, C360Error when it refuses.
    """
    given = settings.provision
    if given.warehouse_keys is None:
        hint = "set C360_PROVISION__WAREHOUSE_KEYS to the folder that `c360 warehouse account --keys` has filled"
        raise ConfigError("there is no folder of the users' keys", hint)
    done: list[str] = []
    if given.warehouse_user and _account(settings, given, given.warehouse_keys):
        done.append("set up the account")
    steps = apply.apply(of_user(settings.warehouse, TRANSFORMER, given.warehouse_keys), told, found)
    return done + [f"migrated {step.script.name}" for step in steps if step.runs]


def _account(settings: Settings, given: Provision, keys: Path) -> bool:
    """False where it was done before. Key pairs that are missing are made."""
    values = account.variables(settings.warehouse.database, keys, given.allowed_ips, given.credits)
    checksum, note = account.read().checksum(values), settings.state / "data" / "warehouse" / "account.checksum"
    owner = of_user(settings.warehouse, TRANSFORMER, keys)
    if note.exists() and note.read_text() == checksum and _has_database(owner):
        return False
    account.apply(of_admin(settings.warehouse, given), values)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(checksum)
    return True


def _has_database(settings: Warehouse) -> bool:
    """Somebody may have dropped it, to load it anew from another lake."""
    with Client(settings) as client:
        return bool(client.query(f"SHOW DATABASES LIKE '{settings.database}'"))
