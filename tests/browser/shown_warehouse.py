"""The local Snowflake with the shop's rows in it, as the loader would have streamed them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from shown_customers import logs as about_customers
from shown_orders import logs

from commerce360.local.environment import variables
from commerce360.settings import Settings, Warehouse
from warehouse import apply, ddl
from warehouse.client import Client


@contextlib.contextmanager
def local_warehouse(folder: Path) -> Iterator[Warehouse]:
    ports = _free_ports()
    settings = Settings(
        state=folder,
        warehouse=Warehouse(
            port=ports[0],
            streaming_url=f"https://127.0.0.1:{ports[1]}",
            user="c360_admin",
            role="ACCOUNTADMIN",
            private_key_file=folder / "secrets" / "snowflake_admin.p8",  # the server makes it
            ca_file=folder / "tls" / "ca.pem",
        ),
    )
    command = [sys.executable, "-m", "commerce360.local.doubles.snowflake"]
    with (folder / "warehouse.log").open("wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **variables(settings)}, stdout=log, stderr=log)
    try:
        _wait(server, f"http://127.0.0.1:{ports[0]}/health", folder / "warehouse.log")
        apply.apply(settings.warehouse)
        _load(settings.warehouse)
        yield settings.warehouse
    finally:
        server.terminate()
        server.wait(20)


def _load(settings: Warehouse) -> None:
    with Client(settings) as client:
        client.query(f"USE DATABASE {settings.database}")
        for table, rows in {**logs(), **about_customers()}.items():
            names = [c.name for c in table.fed_columns]
            values = ", ".join(f"({', '.join(_literal(row[n]) for n in names)})" for row in rows)
            client.query(f"INSERT INTO {ddl.landing(table)} ({', '.join(names)}) VALUES {values}")


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | Decimal):
        return str(value)
    text = value.strftime("%Y-%m-%d %H:%M:%S.%f") if hasattr(value, "strftime") else str(value)
    return "'" + text.replace("'", "''") + "'"


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=5).ok:
                return
        time.sleep(0.1)
    raise AssertionError(f"the local warehouse does not start: {log.read_text()[-2000:]}")


def _free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], other.getsockname()[1]]
