"""`python -m commerce360.local.doubles.snowflake`: SQL over HTTP and Snowpipe Streaming over HTTPS, until it is told to stop.

It listens on `C360_WAREHOUSE__HOST`, and its certificate is for the host of `C360_WAREHOUSE__STREAMING_URL` as well.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any
from urllib.parse import urlsplit

from commerce360 import service
from commerce360.errors import ConfigError
from commerce360.settings import Settings


def main(settings: Settings, stop: threading.Event) -> None:
    import uvicorn

    from commerce360.local.doubles.snowflake.channels import Channels
    from commerce360.local.doubles.snowflake.engine import Engine
    from commerce360.local.doubles.snowflake.faults import Faults
    from commerce360.local.doubles.snowflake.keys import ensure_keys, public_key
    from commerce360.local.doubles.snowflake.sql import Sql
    from commerce360.local.doubles.snowflake.streaming import Streaming

    warehouse = settings.warehouse
    if warehouse.ca_file is None:
        raise ConfigError("the local Snowflake needs a place for its CA", "set C360_WAREHOUSE__CA_FILE")
    admin = settings.state / "secrets" / "snowflake_admin.p8"
    secure = urlsplit(warehouse.streaming_url)
    certificate, key = ensure_keys(admin, warehouse.ca_file, secure.hostname or "localhost")
    for noisy in ("fakesnow.server", "sqlglot"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    engine = Engine(settings.state / "data" / "warehouse" / "databases", public_key(admin), warehouse.account)
    sql = Sql(engine).app()
    channels = Channels(engine)
    streaming = Streaming(channels, engine.account, settings.state / "data" / "warehouse" / "stage").app()
    faulty = Faults(streaming, channels, settings.state / "secrets" / "warehouse.faults")
    common: dict[str, Any] = {"host": warehouse.host, "log_level": "warning", "access_log": False, "lifespan": "off"}
    servers = [
        uvicorn.Server(uvicorn.Config(sql, port=warehouse.port, **common)),
        uvicorn.Server(uvicorn.Config(faulty, port=secure.port or 443, ssl_certfile=str(certificate), ssl_keyfile=str(key), **common)),
    ]
    asyncio.run(_serve(servers, stop))
    engine.duck.close()


async def _serve(servers: list, stop: threading.Event) -> None:  # type: ignore[type-arg]  # uvicorn is imported late
    for server in servers:
        server.install_signal_handlers = lambda: None
        server.capture_signals = _no_signals
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    while not stop.is_set() and not any(t.done() for t in tasks):
        await asyncio.sleep(0.1)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)


class _no_signals:  # noqa: N801 - stands in for a context manager function of uvicorn
    """Signals are ours: uvicorn would raise them again after its own end."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


if __name__ == "__main__":
    service.run("warehouse", main)
