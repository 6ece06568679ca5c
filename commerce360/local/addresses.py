"""Where the sources of a stack are, for its Connect worker and for the clients of this machine. Imports next to nothing."""

from __future__ import annotations

import os

from commerce360.local.state import State


def isolate() -> None:
    """What the environment says about other servers must not lead clients of the stack away from it; for this process and its children.

    Proxies are not for loopback; libpq's variables would override what our connection strings leave open; the Snowflake connector would
    ask the metadata services of three clouds where it runs.
    """
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost")))
    for name in [n for n in os.environ if n.startswith("PG")]:
        del os.environ[name]
    os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"


def mongo_uri(port: int) -> str:
    """retryWrites=false: the stand-in's cache of retryable writes slows every insert; poll: its streaming hello upsets the Java driver."""
    return f"mongodb://127.0.0.1:{port}/?replicaSet=secantus&retryWrites=false&serverMonitoringMode=poll"


def source_variables(state: State) -> dict[str, str]:
    """What connector JSON refers to as `${env:C360_SOURCE_...}`; read by the Connect worker only."""
    return {
        "C360_SOURCE_PG_HOST": "127.0.0.1",
        "C360_SOURCE_PG_PORT": str(state.ports["postgres"]),
        "C360_SOURCE_PG_DATABASE": "commerce",
        "C360_SOURCE_PG_USER": "debezium",
        "C360_SOURCE_PG_PASSWORD": state.secret("postgres_debezium"),
        "C360_SOURCE_PG_SSLMODE": "prefer",  # in a cloud: verify-full
        "C360_SOURCE_MONGO_URI": mongo_uri(state.ports["mongo"]),
        "C360_SOURCE_MONGO_PARTITION": state.ids["mongo_partition"],
        "C360_SOURCE_REPLICATION_FACTOR": "1",
    }
