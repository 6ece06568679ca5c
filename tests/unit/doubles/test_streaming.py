"""Who may stream into a table: the role of the token, as SQL granted it, at each request."""

import json
import threading
import time
import uuid

import jwt
import pytest
import requests
import uvicorn
from snowflake_account import LocalAccount

from commerce360.local.doubles.snowflake import keys, tokens
from commerce360.local.doubles.snowflake.channels import Channels
from commerce360.local.doubles.snowflake.streaming import Streaming

PIPE = "/v2/streaming/databases/D/schemas/RAW/pipes/T-STREAMING"
DATA = "/v2/streaming/data/databases/D/schemas/RAW/pipes/T-STREAMING/channels/C/rows"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`server.url` of the streaming half, `server.admin("...")` in SQL; its user STREAMER has the roles FEEDER and STRANGER."""
    folder = tmp_path_factory.mktemp("streaming")
    with LocalAccount(folder).serving() as account:
        account.admin = account.session()
        for statement in ("CREATE DATABASE D", "CREATE SCHEMA D.RAW"):
            account.admin(statement)
        account.user(account.admin, "STREAMER", "FEEDER", "STRANGER")
        app = Streaming(Channels(account.engine), account.engine.account, folder / "stage").app()
        web = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False, lifespan="off"))
        thread = threading.Thread(target=web.run, daemon=True)
        thread.start()
        while not web.started:
            assert thread.is_alive()
            time.sleep(0.01)
        account.url = f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}"
        yield account
        web.should_exit = True
        thread.join(10)
        account.admin.close()


@pytest.fixture
def table(server):
    server.admin("CREATE OR REPLACE TABLE D.RAW.T (N NUMBER NOT NULL) ENABLE_SCHEMA_EVOLUTION = TRUE")
    for what in ("DATABASE D", "SCHEMA D.RAW"):
        server.admin(f"GRANT USAGE ON {what} TO ROLE FEEDER")
        server.admin(f"GRANT USAGE ON {what} TO ROLE STRANGER")
    server.admin("GRANT INSERT ON TABLE D.RAW.T TO ROLE FEEDER")


class Client:
    """The calls of the SDK, one by one."""

    def __init__(self, server, role=None):
        self.url = server.url
        key = server.key("STREAMER")
        now = int(time.time() * 1000)
        claims = {
            "iss": f"LOCAL.STREAMER.{tokens.fingerprint(keys.public_key(key))}",
            "sub": "LOCAL.STREAMER",
            "iat": now,
            "exp": now + 60_000,
        }
        claims |= {"scp": f"session:role:{role}"} if role else {}
        self.answer = self._ask("POST", "/oauth/token", jwt.encode(claims, key.read_text(), "RS256"))
        self.token = self.answer.text

    def open(self):
        found = self._ask("PUT", f"{PIPE}/channels/C", self.token)
        self.continuation = found.json().get("next_continuation_token")
        return found

    def rows(self, *rows):
        body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        query = {"continuationToken": self.continuation, "endOffsetToken": "1", "requestId": uuid.uuid4().hex}
        found = self._ask("POST", DATA, self.token, body, query)
        self.continuation = found.json().get("next_continuation_token", self.continuation)
        return found

    def status(self):
        return self._ask("POST", f"{PIPE}:bulk-channel-status", self.token, json.dumps({"channel_names": ["C", "OTHER"]}))

    def pipe(self):
        return self._ask("POST", f"{PIPE}:pipe-info", self.token, "{}")

    def _ask(self, method, path, token, body=None, query=None):
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, self.url + path, data=body, params=query, headers=headers, timeout=20)


def columns(server):
    return [row[0] for row in server.admin("SELECT COLUMN_NAME FROM D.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'T'")]


def test_a_role_with_insert_streams_and_sees_what_became_of_its_rows(server, table):
    client = Client(server, "FEEDER")
    assert [client.pipe().status_code, client.open().status_code] == [200, 200]
    assert client.rows({"N": 1}, {"N": "two"}, {"N": 3}).status_code == 200
    (found,) = client.status().json()["channel_statuses"].values()
    told = {"rows_inserted": 2, "rows_parsed": 3, "rows_error_count": 1, "last_error_offset_upper_bound": "1"}
    assert {k: found[k] for k in told} == told
    assert found["last_committed_offset_token"] == "1"
    assert found["last_error_message"] == "Numeric value is not recognized: N"
    assert time.time() * 1000 - found["last_error_timestamp_ms"] < 60_000
    assert server.admin("SELECT N FROM D.RAW.T ORDER BY N") == [(1,), (3,)]


def test_the_default_role_counts_where_a_token_names_none(server, table):
    assert Client(server).open().status_code == 200


def test_a_role_without_insert_is_told_that_there_is_nothing(server, table):
    client = Client(server, "STRANGER")
    for found in (client.pipe(), client.open(), client.rows({"N": 1}), client.status()):
        assert (found.status_code, found.json()["code"]) == (404, "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED")
    server.admin("GRANT SELECT ON TABLE D.RAW.T TO ROLE STRANGER")
    assert client.open().status_code == 404
    assert server.admin("SELECT * FROM D.RAW.T") == []


def test_a_right_that_is_taken_away_ends_with_the_next_request(server, table):
    client = Client(server, "FEEDER")
    client.open()
    assert client.rows({"N": 1}).status_code == 200
    server.admin("REVOKE INSERT ON TABLE D.RAW.T FROM ROLE FEEDER")
    assert client.rows({"N": 2}).status_code == 404
    assert server.admin("SELECT N FROM D.RAW.T") == [(1,)]


def test_a_role_that_the_user_does_not_have_gets_no_token(server, table):
    for role in ("ACCOUNTADMIN", "NOT_THERE"):
        assert Client(server, role).answer.status_code == 403


def test_only_a_role_with_evolve_schema_adds_columns(server, table):
    client = Client(server, "FEEDER")
    client.open()
    assert client.rows({"N": 1, "NEW": "lost"}).status_code == 200
    assert columns(server) == ["N"]
    server.admin("GRANT EVOLVE SCHEMA ON TABLE D.RAW.T TO ROLE FEEDER")
    assert client.rows({"N": 2, "NEW": "kept"}).status_code == 200
    assert server.admin("SELECT N, NEW FROM D.RAW.T ORDER BY N") == [(1, None), (2, "kept")]


def test_a_table_that_is_not_there_has_no_pipe(server, table):
    client = Client(server, "FEEDER")
    server.admin("DROP TABLE D.RAW.T")
    for found in (client.pipe(), client.open(), client.status()):
        assert found.status_code == 404


def test_without_a_token_nothing_is_said(server, table):
    client = Client(server, "FEEDER")
    client.token = "e30.e30.x"
    for found in (client.pipe(), client.open(), client.status()):
        assert (found.status_code, found.json()["code"]) == (401, "390303")
