"""Bring the warehouse to what the contracts say; may be run again."""

from __future__ import annotations

from commerce360.settings import Warehouse
from warehouse import ddl
from warehouse.client import Client


def apply(settings: Warehouse) -> int:
    """Run the DDL; how many statements."""
    made = ddl.statements(settings.database)
    with Client(settings) as client:
        for statement in made:
            client.query(statement)
    return len(made)
