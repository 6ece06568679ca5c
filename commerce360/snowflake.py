"""A connection to the warehouse: the real Snowflake connector with key-pair authentication, for every part that asks in SQL; its keys."""

from __future__ import annotations

import base64
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commerce360.settings import Warehouse, read_secret

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Row = dict[str, Any]
QUIET = {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False, "CLIENT_TELEMETRY_ENABLED": False}


def connect(settings: Warehouse, login_timeout_s: int, network_timeout_s: int) -> SnowflakeConnection:
    """Raises the connector's errors, and ConfigError before the key exists. Not for sharing between threads."""
    key = _private_key(settings)
    import snowflake.connector

    logging.getLogger("snowflake.connector").setLevel(logging.CRITICAL)  # it logs each retry with its address; the error is raised anyway
    return snowflake.connector.connect(
        account=settings.account,
        host=settings.host,
        port=settings.port,
        protocol=settings.protocol,
        user=settings.user,
        role=settings.role,
        warehouse=settings.warehouse,
        database=settings.database,
        authenticator="SNOWFLAKE_JWT",
        private_key=key,
        login_timeout=login_timeout_s,
        network_timeout=network_timeout_s,
        session_parameters=QUIET,
    )


def rows(connection: SnowflakeConnection, statement: str, params: tuple[Any, ...] | None = None, timeout_s: int | None = None) -> list[Row]:
    """The answer as dicts with lower-case names. Raises the connector's errors."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params, timeout=timeout_s)
        names = [d.name.lower() for d in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def mint_key(path: Path) -> None:
    """A new key pair of a user, PKCS#8 PEM, readable by its owner only; one that is there is left alone."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if path.exists():
        return
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    part.replace(path)


def public_key(path: Path) -> str:
    """The public half as RSA_PUBLIC_KEY of a user takes it: DER in base64, without lines around it."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(path.read_bytes(), None)
    return base64.b64encode(
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()


def _private_key(settings: Warehouse) -> bytes:
    """As the connector takes it: PKCS#8 DER."""
    pem = read_secret(settings.private_key_file, "warehouse private key").get_secret_value().encode()
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pem, None)
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
