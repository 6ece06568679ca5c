"""What an account needs before the first migration, as SQL for ACCOUNTADMIN: warehouses, roles, service users, the database.

`infra/snowflake/account.sql` is made of it, and is rendered with the same variables as a migration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from commerce360 import snowflake
from commerce360.errors import C360Error
from commerce360.settings import Warehouse
from schemas.access import ROLES, TRANSFORMER, USERS, WAREHOUSE_OF, WAREHOUSES
from warehouse.client import Client
from warehouse.ddl import DATABASE, literal
from warehouse.generated import script
from warehouse.scripts import Script

FILE = Path(__file__).resolve().parents[1] / "infra" / "snowflake" / "account.sql"
TIMEOUT_S = {"C360_LOAD": 60, "C360_BI": 300, "C360_TRANSFORM": 3_600}
MONITOR, NETWORK = "C360_MONTHLY", "C360_SERVICES"
HEAD = """-- Made from schemas/access.py by `make docs`: change it there.
-- Run by ACCOUNTADMIN before the first `c360 warehouse apply`, and again when it or a key changed: `c360 warehouse account --apply`.
-- Variables: database; allowed_ips, addresses between quotes; credits a month; <user>_key, a public key in base64.
"""


def text() -> str:
    return script(_statements(), HEAD)


def read() -> Script:
    return Script("A__account.sql", FILE.read_text())


def key_file(folder: Path, user: str) -> Path:
    """Where the key pair of a user is kept."""
    return folder / f"{user.lower()}.p8"


def variables(database: str, keys: Path, allowed_ips: Sequence[str], quota: int) -> dict[str, str]:
    """What the script needs. Key pairs that `keys` does not have are made there."""
    for user in USERS:
        snowflake.mint_key(key_file(keys, user))
    return {
        "database": database,
        "allowed_ips": ", ".join(literal(ip) for ip in allowed_ips),
        "credits": str(quota),
        **{_key_variable(user): snowflake.public_key(key_file(keys, user)) for user in USERS},
    }


def apply(admin: Warehouse, values: Mapping[str, str]) -> int:
    """Run it as ACCOUNTADMIN; how many statements. Raises C360Error at the first that fails: it may be run again."""
    statements = read().statements(values)
    with Client(admin) as client:
        for number, statement in enumerate(statements, 1):
            try:
                client.query(statement)
            except C360Error as error:
                raise type(error)(f"{FILE.name}, statement {number} of {len(statements)}: {error.message}", error.hint) from error
    return len(statements)


def _key_variable(user: str) -> str:
    return f"{user.lower()}_key"


def _statements() -> Iterator[str]:
    yield (
        f"CREATE RESOURCE MONITOR IF NOT EXISTS {MONITOR} WITH CREDIT_QUOTA = {{{{ credits }}}} FREQUENCY = MONTHLY "
        "START_TIMESTAMP = IMMEDIATELY\nTRIGGERS ON 80 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND"
    )
    yield f"ALTER RESOURCE MONITOR {MONITOR} SET CREDIT_QUOTA = {{{{ credits }}}}"
    for name, about in WAREHOUSES.items():
        options = f"WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60 AUTO_RESUME = TRUE STATEMENT_TIMEOUT_IN_SECONDS = {TIMEOUT_S[name]}"
        yield f"CREATE WAREHOUSE IF NOT EXISTS {name} WITH\n{options}\nINITIALLY_SUSPENDED = TRUE COMMENT = {literal(about)}"
        yield f"ALTER WAREHOUSE {name} SET\n{options}\nRESOURCE_MONITOR = {MONITOR}"
    for role, about in ROLES.items():
        yield f"CREATE ROLE IF NOT EXISTS {role} COMMENT = {literal(about)}"
        yield f"GRANT ROLE {role} TO ROLE SYSADMIN"
        yield f"GRANT USAGE ON WAREHOUSE {WAREHOUSE_OF[role]} TO ROLE {role}"
    yield f"CREATE NETWORK POLICY IF NOT EXISTS {NETWORK} ALLOWED_IP_LIST = ({{{{ allowed_ips }}}})"
    yield f"ALTER NETWORK POLICY {NETWORK} SET ALLOWED_IP_LIST = ({{{{ allowed_ips }}}})"
    for user in USERS:
        key = f"'{{{{ {_key_variable(user)} }}}}'"
        yield (
            f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE RSA_PUBLIC_KEY = {key}\n"
            f"DEFAULT_ROLE = {user} DEFAULT_SECONDARY_ROLES = () DEFAULT_WAREHOUSE = {WAREHOUSE_OF[user]} NETWORK_POLICY = {NETWORK}"
        )
        yield f"ALTER USER {user} SET RSA_PUBLIC_KEY = {key}"
        yield f"GRANT ROLE {user} TO USER {user}"
    yield f"CREATE DATABASE IF NOT EXISTS {DATABASE}"
    yield f"DROP SCHEMA IF EXISTS {DATABASE}.PUBLIC"
    # Of a database that somebody else has filled before, too.
    for what in (f"DATABASE {DATABASE}", *(f"ALL {kind} IN DATABASE {DATABASE}" for kind in ("SCHEMAS", "TABLES", "VIEWS"))):
        yield f"GRANT OWNERSHIP ON {what} TO ROLE {TRANSFORMER} COPY CURRENT GRANTS"
