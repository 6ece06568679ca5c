"""`python -m commerce360.local.doubles.snowflake`: SQL over HTTP and Snowpipe Streaming over HTTPS, until it is told to stop."""

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
    from commerce360.local.doubles.snowflake.keys import ensure_keys
    from commerce360.local.doubles.snowflake.sql import Sql
    from commerce360.local.doubles.snowflake.streaming import Streaming

    warehouse = settings.warehouse
    if warehouse.private_key_file is None or warehouse.ca_file is None:
        raise ConfigError("the local Snowflake needs places for its key and its CA", "set C360_WAREHOUSE__PRIVATE_KEY_FILE and __CA_FILE")
    certificate, key = ensure_keys(warehouse.private_key_file, warehouse.ca_file)
    for noisy in ("fakesnow.server", "sqlglot"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    engine = Engine(settings.state / "data" / "warehouse" / "databases")
    sql = Sql(engine, warehouse.private_key_file).app()
    channels = Channels(engine)
    streaming = Streaming(channels, warehouse.private_key_file, settings.state / "data" / "warehouse" / "stage").app()
    streaming = Faults(streaming, channels, warehouse.private_key_file)
    secure = urlsplit(warehouse.streaming_url)
    common: dict[str, Any] = {"host": "127.0.0.1", "log_level": "warning", "access_log": False, "lifespan": "off"}
    servers = [
        uvicorn.Server(uvicorn.Config(sql, port=warehouse.port, **common)),
        uvicorn.Server(uvicorn.Config(streaming, port=secure.port or 443, ssl_certfile=str(certificate), ssl_keyfile=str(key), **common)),
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
