"""What each role may do, and what it is refused one step beyond: on the local Snowflake, and on an account when the settings name one.

The user of an account must have all roles of schemas/access.py, and C360_TRANSFORMER must be allowed to make databases.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commerce360.errors import C360Error
from commerce360.local.warehouse import of_user
from commerce360.settings import Settings, Warehouse
from schemas.access import ANALYST, CARE, LOADER, OPS, TRANSFORMER, WAREHOUSE_OF
from warehouse import apply
from warehouse.check import check
from warehouse.client import Client

SCRATCH = "C360_CONTRACT_ROLES"
NEEDED = {"account": "local", "private_key_file": None}
Ask = Callable[[str, str], list[dict[str, Any]]]


@pytest.fixture(scope="module", params=["local", pytest.param("real", marks=pytest.mark.cloud)])
def as_role(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Warehouse]]:
    if request.param == "local":
        settings = request.getfixturevalue("migrated")
        yield lambda role: of_user(settings, role)
        return
    given = Settings().warehouse
    if missing := [f"C360_WAREHOUSE__{n.upper()}" for n, default in NEEDED.items() if getattr(given, n) == default]:
        pytest.skip(f"no real account: {missing[0]} is not set")

    def of(role: str) -> Warehouse:
        return given.model_copy(update={"role": role, "warehouse": WAREHOUSE_OF[role], "database": SCRATCH})

    with Client(of(TRANSFORMER)) as owner:
        owner.query(f"CREATE OR REPLACE DATABASE {SCRATCH}")
        try:
            apply.apply(of(TRANSFORMER))
            yield of
        finally:
            owner.query(f"DROP DATABASE {SCRATCH}")


@pytest.fixture(scope="module")
def ask(as_role: Callable[[str], Warehouse]) -> Iterator[Ask]:
    """`ask(role, sql)`, with two customers and a review in the warehouse."""
    with contextlib.ExitStack() as opened:
        clients: dict[str, Client] = {}

        def asked(role: str, sql: str) -> list[dict[str, Any]]:
            if role not in clients:
                clients[role] = opened.enter_context(Client(as_role(role)))
                clients[role].query(f"USE DATABASE {as_role(role).database}")
            return clients[role].query(sql)

        _fill(lambda sql: asked(TRANSFORMER, sql))
        yield asked


def _fill(owner: Callable[[str], Any]) -> None:
    owner("DELETE FROM OPS.ENTITLEMENTS")
    for table in ("OPS.LAKE_BATCHES", "RAW.DIM_CUSTOMER", "RAW.FCT_REVIEWS", "RAW.MART_CUSTOMER_360"):
        owner(f"DELETE FROM {table}")
    flags = "TRUE AS IS_CURRENT, TRUE AS IS_VISIBLE, FALSE AS IS_DELETED, 0 AS BATCH_ID"
    for number, name, country in ((1, "Ada", "AT"), (2, "Bo", "DE")):
        owner(
            "INSERT INTO RAW.DIM_CUSTOMER (CUSTOMER_ID, SEQ_POS, SEQ_ORD, OP, EMAIL, FULL_NAME, CITY, COUNTRY, VERSION_KEY, "
            f"IS_CURRENT, IS_VISIBLE, IS_DELETED, BATCH_ID) SELECT {number}, 1, 1, 'c', '{name.lower()}@example.org', '{name} Roth', "
            f"'Graz', '{country}', 'v{number}', {flags}"
        )
    owner("INSERT INTO RAW.FCT_REVIEWS (REVIEW_ID, IS_DELETED, TITLE, BODY, BATCH_ID) SELECT 'r', FALSE, 'My flat in Graz', NULL, 0")
    owner("INSERT INTO OPS.LAKE_BATCHES (BATCH_ID) SELECT 0")


def refused(ask: Ask, role: str, sql: str) -> None:
    """As somebody without the privilege, not for wrong SQL: the owner may do it."""
    with pytest.raises(C360Error, match=r"(?i)insufficient privileges|not authorized|not exist"):
        ask(role, sql)


CUSTOMERS = "SELECT EMAIL, FULL_NAME, CITY, COUNTRY FROM CORE.DIM_CUSTOMER ORDER BY CUSTOMER_ID"
CLEAR = [("ada@example.org", "Ada Roth", "Graz", "AT"), ("bo@example.org", "Bo Roth", "Graz", "DE")]
MASKED = [("a***@example.org", "***", "***", "AT"), ("b***@example.org", "***", "***", "DE")]


def rows(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in found]


def test_the_loader_inserts_and_reads_which_batches_are_complete_and_no_more(ask: Ask) -> None:
    ask(LOADER, "INSERT INTO RAW.DIM_DATE (DATE_KEY, DATE, BATCH_ID) SELECT 20260301, '2026-03-01', 0")
    assert ask(LOADER, "SELECT MAX(BATCH_ID) AS N FROM OPS.LAKE_BATCHES") == [{"n": 0}]
    for sql in (
        "SELECT * FROM RAW.DIM_DATE",
        "DELETE FROM RAW.DIM_DATE",
        "UPDATE OPS.LAKE_BATCHES SET RECORDS = 1",
        "SELECT * FROM CORE.DIM_DATE",
        "INSERT INTO OPS.ENTITLEMENTS SELECT 'C360_ANALYST', 'AT'",
        "DROP TABLE RAW.DIM_DATE",
        "CREATE TABLE RAW.MINE (A INT)",
    ):
        refused(ask, LOADER, sql)


def test_the_owner_migrates_rewrites_and_sees_everything_but_manages_no_users(ask: Ask) -> None:
    assert rows(ask(TRANSFORMER, CUSTOMERS)) == CLEAR
    ask(TRANSFORMER, "CREATE OR REPLACE TABLE RAW.SCRATCH (A INT)")
    ask(TRANSFORMER, "DROP TABLE RAW.SCRATCH")
    ask(TRANSFORMER, "UPDATE RAW.DIM_CUSTOMER SET CITY = 'Graz' WHERE CUSTOMER_ID = 1")
    for sql in (
        "CREATE USER SOMEBODY",
        "CREATE ROLE SOME_ROLE",
        "GRANT ROLE ACCOUNTADMIN TO USER C360_TRANSFORMER",
        "DROP WAREHOUSE C360_BI",
    ):
        refused(ask, TRANSFORMER, sql)


def test_an_analyst_reads_views_with_personal_data_masked_and_nothing_below_them(ask: Ask) -> None:
    assert rows(ask(ANALYST, CUSTOMERS)) == MASKED
    assert rows(ask(ANALYST, "SELECT TITLE, BODY FROM CORE.FCT_REVIEWS")) == [("***", None)]
    assert rows(ask(ANALYST, "SELECT COUNT(*) FROM CORE.DIM_CUSTOMER WHERE EMAIL = 'ada@example.org'")) == [(0,)]
    assert rows(ask(ANALYST, "SELECT BATCH_ID FROM OPS.FRESHNESS")) == [(0,)]
    for sql in (
        "SELECT * FROM RAW.DIM_CUSTOMER",
        "SELECT * FROM OPS.ENTITLEMENTS",
        "SELECT * FROM OPS.CHANGE_HISTORY",
        "INSERT INTO RAW.DIM_DATE (DATE_KEY) SELECT 1",
        "CREATE VIEW MART.MINE AS SELECT 1 AS A",
        "DROP VIEW CORE.DIM_CUSTOMER",
        "ALTER MASKING POLICY OPS.MASK_TEXT SET BODY -> VAL",
    ):
        refused(ask, ANALYST, sql)
    refused(ask, ANALYST, f"USE ROLE {CARE}") if _is_local(ask) else None


def _is_local(ask: Ask) -> bool:
    """The user of an account has all roles; a service here has one."""
    return bool(ask(ANALYST, "SELECT CURRENT_USER() = 'C360_ANALYST' AS LOCAL")[0]["local"])


def test_customer_care_sees_personal_data_in_the_clear_and_changes_nothing(ask: Ask) -> None:
    assert rows(ask(CARE, CUSTOMERS)) == CLEAR
    assert rows(ask(CARE, "SELECT TITLE FROM CORE.FCT_REVIEWS")) == [("My flat in Graz",)]
    for sql in ("SELECT * FROM RAW.DIM_CUSTOMER", "UPDATE RAW.DIM_CUSTOMER SET CITY = NULL", "SELECT * FROM OPS.ENTITLEMENTS"):
        refused(ask, CARE, sql)


def test_operations_read_ops_and_no_customer(ask: Ask) -> None:
    assert ask(OPS, "SELECT COUNT(*) AS N FROM OPS.LAKE_BATCHES") == [{"n": 1}]
    assert ask(OPS, "SELECT COUNT(*) AS N FROM OPS.CHANGE_HISTORY")[0]["n"] > 0
    assert rows(ask(OPS, "SELECT BATCH_ID FROM OPS.FRESHNESS")) == [(0,)]
    for sql in ("SELECT * FROM CORE.DIM_CUSTOMER", "SELECT * FROM RAW.DIM_CUSTOMER", "DELETE FROM OPS.LAKE_BATCHES"):
        refused(ask, OPS, sql)


def test_a_role_with_entitlements_sees_these_countries_only_and_customer_care_all(ask: Ask) -> None:
    ask(TRANSFORMER, f"INSERT INTO OPS.ENTITLEMENTS SELECT '{ANALYST}', 'DE'")
    try:
        assert rows(ask(ANALYST, CUSTOMERS)) == MASKED[1:]
        assert rows(ask(CARE, CUSTOMERS)) == rows(ask(TRANSFORMER, CUSTOMERS)) == CLEAR
    finally:
        ask(TRANSFORMER, "DELETE FROM OPS.ENTITLEMENTS")
    assert rows(ask(ANALYST, CUSTOMERS)) == MASKED


def test_check_names_what_somebody_did_by_hand(ask: Ask, as_role: Callable[[str], Warehouse]) -> None:
    ask(TRANSFORMER, "ALTER TABLE RAW.DIM_DATE ADD COLUMN FESTIVAL VARCHAR")
    ask(TRANSFORMER, "COMMENT ON COLUMN RAW.FCT_SALES.QUANTITY IS 'how many'")
    ask(TRANSFORMER, f"GRANT SELECT ON TABLE RAW.DIM_CUSTOMER TO ROLE {ANALYST}")
    ask(TRANSFORMER, f"REVOKE SELECT ON VIEW CORE.DIM_DATE FROM ROLE {ANALYST}")
    found = {str(d) for d in check(as_role(TRANSFORMER))}
    assert found == {
        "RAW.DIM_DATE.FESTIVAL: column unknown",
        "RAW.FCT_SALES.QUANTITY: comment how many, not units ordered",
        f"RAW.DIM_CUSTOMER: SELECT of {ANALYST} unknown",
        f"CORE.DIM_DATE: SELECT of {ANALYST} missing",
    }
