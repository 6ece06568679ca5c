"""A live warehouse against the contract and against the migrations of this checkout."""

from __future__ import annotations

from commerce360.settings import Warehouse
from warehouse import apply, catalog, drift, scripts
from warehouse.catalog import Live
from warehouse.client import Client
from warehouse.drift import Drift
from warehouse.history import History


def check(settings: Warehouse) -> list[Drift]:
    """Every difference. Raises C360Error when the database is not there."""
    with Client(settings) as client:
        done = History(client, settings.database).read()
        found = scripts.read()
        steps = apply.plan(found, done, apply.variables(settings))
        unknown = sorted(done.checksums.keys() - {s.name for s in found})
        live = Live(client.query, settings.database).everything()
        return [*drift.history(steps, unknown), *drift.compare(catalog.contract(), live, settings.database)]
