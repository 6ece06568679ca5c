"""The warehouse on the real clients: what the local one keeps of the real one's contract, and where it deviates."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from local_ports import new_state
from snowflake.connector.errors import DatabaseError
from snowflake.ingest.streaming.streaming_ingest_error import StreamingIngestError

from commerce360.errors import C360Error
from commerce360.local.doubles.snowflake import keys, tokens
from commerce360.local.stack import Stack
from commerce360.local.warehouse import of_admin
from commerce360.settings import Settings, Warehouse
from schemas.tables import BATCHES
from warehouse.client import Client
from warehouse.streams import open_streams

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
SCRATCH = "C360_CONTRACT"
TABLE = "CREATE OR REPLACE TABLE RAW.T (N NUMBER(38,0) NOT NULL, TS TIMESTAMP_NTZ(6), D DATE, P NUMBER(38,2), S VARCHAR, B BOOLEAN)"
NOON = dt.datetime(2026, 3, 1, 12, 0, 0, 123456)  # noqa: DTZ001 - TIMESTAMP_NTZ has no zone
REAL = {"account": "local", "host": "127.0.0.1", "private_key_file": None, "streaming_url": "https://127.0.0.1:19086"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack.open(new_state(tmp_path_factory.mktemp("warehouse") / "state"))
    try:
        stack.start_service("warehouse")
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module", params=["local", pytest.param("real", marks=pytest.mark.cloud)])
def account(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    """A warehouse with an empty scratch database: the local one, and a real account when the settings name one."""
    settings = Settings().warehouse
    if request.param == "local":
        settings = of_admin(request.getfixturevalue("stack").settings())
    elif missing := [f"C360_WAREHOUSE__{n.upper()}" for n, default in REAL.items() if getattr(settings, n) == default]:
        pytest.skip(f"no real account: {missing[0]} is not set")
    settings = settings.model_copy(update={"database": SCRATCH})
    with Client(settings) as sql:
        sql.query(f"CREATE DATABASE IF NOT EXISTS {SCRATCH}")
        sql.query(f"CREATE SCHEMA IF NOT EXISTS {SCRATCH}.RAW")
        yield settings
        if request.param == "real":
            sql.query(f"DROP DATABASE {SCRATCH}")


@pytest.fixture
def sql(account: Warehouse) -> Iterator[Client]:
    with Client(account) as sql:
        sql.query(f"USE DATABASE {SCRATCH}")
        sql.query(TABLE)
        yield sql


@pytest.fixture
def fresh(account: Warehouse, sql: Client) -> Iterator[Any]:
    """A channel that nothing was ever sent to, of the empty RAW.T."""
    with closing(client(account)) as made:
        yield made.open_channel(uuid.uuid4().hex)[0]


@contextlib.contextmanager
def closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        with contextlib.suppress(StreamingIngestError):  # a channel that was refused cannot be closed in order
            client.close(wait_for_flush=False, timeout_seconds=5)


def client(settings: Warehouse) -> Any:
    """The SDK as it comes: without the loader's choice of upload mode."""
    from snowflake.ingest.streaming import StreamingIngestClient

    if settings.ca_file is not None:
        os.environ["SSL_CERT_FILE"] = str(settings.ca_file)
    properties = {"account": settings.account, "user": settings.user, "role": settings.role, "url": settings.streaming_url}
    properties["private_key_file"] = str(settings.private_key_file)
    return StreamingIngestClient.from_table("contract", settings.database, "RAW", "T", properties=properties)


def wait(until: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := until()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def send(channel: Any, low: int, high: int, text: str = "x") -> None:
    channel.append_rows([{"N": n, "S": text} for n in range(low, high)], str(low), str(high))
    channel.wait_for_flush(240)
    channel.wait_for_commit(lambda token: token is not None and int(token) >= high, 240)


def numbers(sql: Client) -> list[int]:
    return [row["n"] for row in sql.query(f"SELECT N FROM {SCRATCH}.RAW.T ORDER BY N")]


class TestWarehouseContract:
    """Holds for the local warehouse and for a real account."""

    def test_values_come_back_as_they_were_and_null_stays_null(self, sql: Client) -> None:
        rows = [(1, NOON, NOON.date(), Decimal("12345678901234567891.22"), "", True), (2, None, None, None, None, None)]
        for row in rows:
            sql.query("INSERT INTO RAW.T SELECT %s, %s, %s, %s, %s, %s", row)
        assert [tuple(row.values()) for row in sql.query("SELECT * FROM RAW.T ORDER BY N")] == rows
        assert sql.query("SELECT SUM(P) AS P FROM (SELECT P FROM RAW.T UNION ALL SELECT 0.01)")[0]["p"] == Decimal(
            "12345678901234567891.23"
        )
        assert [r["n"] for r in sql.query("SELECT N FROM RAW.T WHERE TS IS NULL")] == [2]
        with sql.connection.cursor() as cursor:
            arrow = cursor.execute("SELECT TS FROM RAW.T ORDER BY N").fetch_arrow_all()
        assert arrow.column("TS").to_pylist() == [NOON, None]

    def test_a_parameter_is_a_value_and_not_a_part_of_the_statement(self, sql: Client) -> None:
        hostile = "x'); DROP TABLE RAW.T; --"
        sql.query("INSERT INTO RAW.T (N, S, P) VALUES (%s, %s, %s)", (1, hostile, Decimal("1.25")))
        assert sql.query("SELECT S, P FROM RAW.T WHERE S = %s", (hostile,)) == [{"s": hostile, "p": Decimal("1.25")}]

    def test_a_transaction_is_all_or_nothing(self, sql: Client, account: Warehouse) -> None:
        with Client(account) as other:
            other.query(f"USE DATABASE {SCRATCH}")
            sql.query("BEGIN")
            sql.query("INSERT INTO RAW.T (N) VALUES (1)")
            assert numbers(other) == []
            sql.query("ROLLBACK")
            assert numbers(sql) == []
            sql.connection.autocommit(False)
            sql.query("INSERT INTO RAW.T (N) VALUES (2)")
            sql.connection.rollback()
            sql.query("INSERT INTO RAW.T (N) VALUES (3)")
            sql.connection.commit()
            assert numbers(other) == [3]

    def test_not_null_is_enforced_and_keys_are_not(self, sql: Client) -> None:
        sql.query("CREATE OR REPLACE TABLE RAW.K (A NUMBER PRIMARY KEY, B NUMBER NOT NULL UNIQUE, UNIQUE (A, B))")
        for _ in range(2):
            sql.query("INSERT INTO RAW.K VALUES (1, 1)")
        assert len(sql.query("SELECT * FROM RAW.K")) == 2
        with pytest.raises(C360Error):
            sql.query("INSERT INTO RAW.K VALUES (2, NULL)")

    def test_wrong_sql_is_refused_at_once(self, sql: Client) -> None:
        with pytest.raises(C360Error, match="refuses"):
            sql.query("SELECT * FROM RAW.NOT_THERE")

    def test_rows_and_their_token_are_committed_together(self, sql: Client, fresh: Any) -> None:
        send(fresh, 0, 10)
        send(fresh, 10, 15)
        assert numbers(sql) == list(range(15))
        assert fresh.get_channel_status().rows_inserted_count == 15

    def test_opening_a_channel_again_tells_the_token_and_shuts_the_old_one_out(self, account: Warehouse, sql: Client, fresh: Any) -> None:
        send(fresh, 0, 10)
        with closing(client(account)) as second:
            ours, status = second.open_channel(fresh.channel_name)
            assert status.latest_committed_offset_token == "10"
            with pytest.raises(StreamingIngestError, match="invalid state"):
                send(fresh, 10, 20)
            send(ours, 10, 12)
        assert numbers(sql) == list(range(12))

    def test_a_batch_too_large_for_a_request_arrives_as_well(self, sql: Client, fresh: Any) -> None:
        """The SDK sends more than about a megabyte as files on a stage."""
        send(fresh, 0, 5000, "y" * 500)
        send(fresh, 5000, 5003)
        assert numbers(sql) == list(range(5003))

    def test_a_text_longer_than_its_column_is_refused(self, sql: Client) -> None:
        sql.query("CREATE OR REPLACE TABLE RAW.V (S VARCHAR(3))")
        with pytest.raises(C360Error, match="too long"):
            sql.query("INSERT INTO RAW.V VALUES ('long')")

    def test_a_wrong_key_is_refused(self, account: Warehouse, tmp_path: Path) -> None:
        wrong = account.model_copy(update={"private_key_file": tmp_path / "wrong.p8"})
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (tmp_path / "wrong.p8").write_bytes(pem)
        with Client(wrong) as sql, pytest.raises((C360Error, DatabaseError), match="JWT"):
            sql.query("SELECT 1")
        with pytest.raises(C360Error, match="cannot open a channel"):
            open_streams(wrong, [BATCHES])


@pytest.mark.parametrize("account", ["local"], indirect=True)
def test_a_client_goes_on_over_a_death_of_the_warehouse_in_both_upload_modes(stack: Stack, account: Warehouse, fresh: Any) -> None:
    for low, text in ((0, "x"), (100, "y" * 20_000)):
        before = stack.restart_count("warehouse")
        send(fresh, low, low + 5, text)
        stack.kill("warehouse", signal.SIGKILL)
        wait(lambda before=before: stack.restart_count("warehouse") > before)
        send(fresh, low + 5, low + 100, text)
    with Client(account) as sql:
        assert numbers(sql) == list(range(200))


@pytest.mark.parametrize("account", ["local"], indirect=True)
def test_a_session_of_before_a_restart_is_told_so(stack: Stack, account: Warehouse) -> None:
    """Not by HTTP 401: the connector would try that again for as long as `network_timeout` says."""
    with Client(account) as client:
        assert client.query("SELECT 1 AS N") == [{"n": 1}]
        before = stack.restart_count("warehouse")
        stack.kill("warehouse", signal.SIGKILL)
        wait(lambda: stack.restart_count("warehouse") > before)
        stack.wait_ready("warehouse")
        with pytest.raises(C360Error, match="390111"):
            client.query("SELECT 1")
    with Client(account) as client:
        assert client.query("SELECT 1 AS N") == [{"n": 1}]


@pytest.mark.parametrize("account", ["local"], indirect=True)
def test_an_expired_token_is_refused(account: Warehouse) -> None:
    assert account.private_key_file
    fingerprint = tokens.fingerprint(keys.public_key(account.private_key_file))
    for end, success in ((time.time() + 60, True), (time.time() - 1, False)):
        claims = {"iss": f"LOCAL.C360_ADMIN.{fingerprint}", "sub": "LOCAL.C360_ADMIN", "iat": 1, "exp": int(end)}
        token = jwt.encode(claims, account.private_key_file.read_text(), "RS256")
        login = {"data": {"AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token, "LOGIN_NAME": "C360_ADMIN", "SESSION_PARAMETERS": {}}}
        reply = requests.post(f"http://127.0.0.1:{account.port}/session/v1/login-request", json=login, timeout=20)
        assert reply.json()["success"] is success


def test_a_row_that_does_not_fit_is_left_out_and_the_others_arrive(sql: Client, fresh: Any) -> None:
    fresh.append_rows([{"N": 1}, {"N": None}], "0", "2")
    fresh.wait_for_flush(60)
    fresh.wait_for_commit(lambda token: token == "2", 60)
    assert numbers(sql) == [1]


@pytest.mark.parametrize("account", ["local"], indirect=True)
class TestWhereTheLocalWarehouseDeviates:
    """Those of `deviations.DEVIATIONS` that need the SDK; the others are in tests/unit/doubles/test_deviations.py."""

    @pytest.mark.xfail(strict=True, reason="rows are visible at once")
    def test_rows_become_visible_some_time_after_a_flush(self, sql: Client, fresh: Any) -> None:
        fresh.append_rows([{"N": 1}], "0", "1")
        fresh.wait_for_flush(60)
        assert numbers(sql) == []
