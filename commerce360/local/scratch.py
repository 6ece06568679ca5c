"""A local Snowflake in this process, in a folder of its own: to replay migrations, and for tests that need no other service."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from commerce360.errors import UnavailableError
from commerce360.local.warehouse import of_user, prepare
from commerce360.settings import Settings, Warehouse
from schemas.access import TRANSFORMER
from warehouse.catalog import Catalog, Live
from warehouse.client import Client
from warehouse.scripts import Script

START_S = 30.0


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Settings]:
    """SQL only, over HTTP as always; the settings are those of the owner. Nothing is prepared."""
    import uvicorn

    from commerce360.local.doubles.snowflake.engine import Engine
    from commerce360.local.doubles.snowflake.keys import ensure_private_key, public_key
    from commerce360.local.doubles.snowflake.sql import Sql

    for noisy in ("fakesnow.server", "sqlglot"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    admin = folder / "secrets" / "snowflake_admin.p8"
    ensure_private_key(admin)
    engine = Engine(folder / "data" / "warehouse" / "databases", public_key(admin))
    server = uvicorn.Server(uvicorn.Config(Sql(engine).app(), port=0, log_level="error", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _wait(server, thread)
        settings = Settings(state=folder, warehouse=Warehouse(port=server.servers[0].sockets[0].getsockname()[1]))
        yield settings.model_copy(update={"warehouse": of_user(settings, TRANSFORMER)})
    finally:
        server.should_exit = True
        thread.join()
        engine.duck.close()


def built(found: Sequence[Script]) -> Catalog:
    """Schemas and tables as the versioned scripts among `found` make them."""
    with tempfile.TemporaryDirectory(prefix="c360-replay-") as folder, serving(Path(folder)) as settings:
        prepare(settings, found=[s for s in found if s.version])
        with Client(settings.warehouse) as client:
            return Live(client.query, settings.warehouse.database).tables()


def _wait(server: object, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_S
    while not getattr(server, "started", False):
        if not thread.is_alive() or time.monotonic() > deadline:
            raise UnavailableError("a local Snowflake does not start in this process", "look for what it printed")
        time.sleep(0.01)
