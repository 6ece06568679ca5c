"""Which warehouse a command means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from commerce360.errors import ConfigError

if TYPE_CHECKING:
    from commerce360.settings import Settings


def settings_of(state: Path) -> Settings:
    """Of the account that `C360_WAREHOUSE__ACCOUNT` names, else of the stack in `state`. Raises ConfigError when there is neither."""
    from commerce360.local.stack import settings_of_running
    from commerce360.settings import Settings, Warehouse

    given = Settings()
    if given.warehouse.account != Warehouse().account:
        return given
    if not (state / "stack.json").exists():
        raise ConfigError(f"there is no stack in {state}", "start one with `c360 up`, or set C360_WAREHOUSE__ACCOUNT for an account")
    return settings_of_running(state)
