"""`c360 provision`: the servers that `C360_*` names, brought to what the platform needs."""

from __future__ import annotations

from typing import Annotated

import typer


def provision(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[STEP]...", help="database, topics, schemas, warehouse, connectors; none: all.")
    ] = None,
) -> None:
    """Make what is missing on the servers of C360_*: database and roles, topics, schemas, warehouse, connectors. May be repeated.

    A local stack does this by itself. Accounts that may make others, and sizes: C360_PROVISION__*. The connectors' step needs the
    C360_SOURCE_* variables of the Connect worker, or C360_SOURCE_*_FILE.
    """
    import os

    from commerce360.provision import steps
    from commerce360.settings import Settings

    settings = Settings()
    for name in steps.named(names or []):
        done = steps.STEPS[name](settings, os.environ, typer.echo)
        typer.echo(f"{name}: {', '.join(done) or 'nothing to do'}")
