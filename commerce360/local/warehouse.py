"""The warehouse of a local stack: as which user a process asks, and bringing it from nothing to what the migrations say."""

from __future__ import annotations

from collections.abc import Sequence

from commerce360.local.environment import provision_of
from commerce360.provision import warehouse
from commerce360.settings import Settings, Warehouse
from warehouse.apply import Told
from warehouse.scripts import Script


def of_user(settings: Settings, user: str) -> Warehouse:
    """The same warehouse for a user of schemas/access.py, with the role of that name."""
    return warehouse.of_user(settings.warehouse, user, settings.state / "secrets")


def of_admin(settings: Settings) -> Warehouse:
    return warehouse.of_admin(settings.warehouse, provision_of(settings.state))


def prepare(settings: Settings, told: Told = lambda _: None, found: Sequence[Script] | None = None) -> None:
    """As `commerce360.provision.warehouse` does, with key pairs in the state's secrets. Raises C360Error when it does not answer."""
    warehouse.prepare(settings.model_copy(update={"provision": provision_of(settings.state)}), told, found)
