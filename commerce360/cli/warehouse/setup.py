"""`c360 warehouse account`: what an account needs before the first migration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commerce360.errors import ConfigError


def account(
    keys: Annotated[Path, typer.Option("--keys", help="Folder of the users' key pairs; those that are missing are made.")],
    allowed_ips: Annotated[
        list[str] | None, typer.Option("--allow-ip", help="Address or CIDR block of the services; may be repeated.")
    ] = None,
    quota: Annotated[int, typer.Option("--credits", min=1, help="Quota of a month; at its end the warehouses are suspended.")] = 100,
    run: Annotated[bool, typer.Option("--apply", help="Run it with the user of C360_WAREHOUSE__USER, as ACCOUNTADMIN.")] = False,
) -> None:
    """Print the SQL that makes warehouses, roles, users and the database of an account, or run it. May be repeated."""
    from commerce360.settings import Settings
    from schemas.access import ADMIN
    from warehouse import account

    if not allowed_ips:
        raise ConfigError("nobody could log in: no address is allowed", "name those of the services with --allow-ip")
    settings = Settings().warehouse
    values = account.variables(settings.database, keys, allowed_ips, quota)
    if not run:
        typer.echo(account.read().render(values) + ";")
        return
    _refuse_local(settings.account)
    count = account.apply(settings.model_copy(update={"role": ADMIN, "warehouse": ""}), values)
    typer.echo(f"{count} statements run; next: `c360 warehouse apply` with C360_WAREHOUSE__USER=C360_TRANSFORMER and its key of {keys}")


def _refuse_local(name: str) -> None:
    from commerce360.settings import Warehouse

    if name == Warehouse().account:
        raise ConfigError(
            "no account is named", "set C360_WAREHOUSE__ACCOUNT, __HOST, __USER and __PRIVATE_KEY_FILE; a local stack does this by itself"
        )
