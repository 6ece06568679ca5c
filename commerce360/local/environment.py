"""Settings of a local stack, and the same as environment variables for its processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from commerce360 import settings as s
from commerce360.local.addresses import mongo_uri
from commerce360.local.bootstrap import jars, java
from commerce360.local.services import azurite
from commerce360.local.state import CONNECT_USER, STORAGE_KEY, State
from schemas.access import TRANSFORMER, WAREHOUSE_OF

ADMIN_USER = "C360_ADMIN"  # made by the local Snowflake itself, with a key that it mints


def provision_of(root: Path) -> s.Provision:
    """Accounts of a local stack. Nothing is deleted from its topics: reconciliation reads them from their first record."""
    secrets = root / "secrets"
    return s.Provision(
        postgres_password_file=secrets / "postgres_superuser",
        debezium_password_file=secrets / "postgres_debezium",
        retention_ms=-1,
        warehouse_user=ADMIN_USER,
        warehouse_key_file=secrets / "snowflake_admin.p8",
        warehouse_keys=secrets,
    )


def settings_of(state: State, shop: Mapping[str, Any] | None = None, lake: Mapping[str, Any] | None = None) -> s.Settings:
    """What a process of this stack should see, in the warehouse as its owner.

    Values given by the environment for the shop, the lake, sentiment and the calendar are kept.
    """
    given = s.Settings()
    ports = state.ports
    return s.Settings(
        state=state.root,
        log_level=given.log_level,
        log_json=given.log_json,
        kafka=s.Kafka(bootstrap=f"127.0.0.1:{ports['kafka']}"),
        registry=s.Registry(url=f"http://127.0.0.1:{ports['registry']}/apis/ccompat/v7"),
        connect=s.Connect(url=f"http://127.0.0.1:{ports['connect']}", user=CONNECT_USER, password_file=state.secret_file("connect")),
        postgres=s.Postgres(port=ports["postgres"], password_file=state.secret_file("postgres_shop")),
        mongo=s.Mongo(uri=mongo_uri(ports["mongo"])),
        lake=given.lake.model_copy(
            update={
                **(lake or {}),
                **places(state),
                "jars": jars.spark_jars(),
                "java_home": str(java.spark_java_home(java.find_java(17))),
            }
        ),
        warehouse=s.Warehouse(
            port=ports["warehouse"],
            streaming_url=f"https://127.0.0.1:{ports['warehouse_streaming']}",
            user=TRANSFORMER,
            role=TRANSFORMER,
            warehouse=WAREHOUSE_OF[TRANSFORMER],
            private_key_file=state.root / "secrets" / f"{TRANSFORMER.lower()}.p8",
            ca_file=state.authority,
        ),
        page=s.Page(port=ports["page"]),
        shop=given.shop.model_copy(update=dict(shop or {})),
        sentiment=given.sentiment,
        calendar=given.calendar,
        provision=provision_of(state.root),
    )


def places(state: State) -> dict[str, Any]:
    """Where the lake is, and how its clients get there: settings of `Lake`."""
    if state.lake == "files":
        return {"root": str(state.data("lake")), "checkpoint": str(state.data("lake-checkpoint"))}
    at = azurite.ADDRESS
    return {
        "root": f"{at}/lake",
        "checkpoint": f"{at}/checkpoint",
        "auth": "key",
        "account_key_file": state.secret_file(STORAGE_KEY),
        "endpoint": f"https://127.0.0.1:{state.ports['azurite']}",
        "ca_file": state.authority,
    }


def variables(settings: s.Settings) -> dict[str, str]:
    """`C360_*` variables that make `Settings()` equal to `settings`."""
    return dict(_flat("C360_", settings))


def names() -> frozenset[str]:
    """Of all variables that settings have, set or not."""
    return frozenset(_names("C360_", s.Settings))


def _names(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    for name, about in model.model_fields.items():
        inner = about.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names(f"{prefix}{name.upper()}__", inner)
        else:
            yield f"{prefix}{name.upper()}"


def _flat(prefix: str, model: BaseModel) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in model:
        key = f"{prefix}{name.upper()}"
        if isinstance(value, BaseModel):
            found += _flat(f"{key}__", value)
        elif isinstance(value, Path):
            found.append((key, str(value.resolve())))
        elif isinstance(value, dict | tuple):
            found.append((key, json.dumps(value)))
        elif value is not None:
            found.append((key, str(value)))
    return found
