"""Where the local Snowflake deviates: each has one test that holds on a real account and is to fail here. Those that need a stack are in
tests/stack/test_warehouse.py."""

import ast
import json
import threading
from pathlib import Path

import pytest
from snowflake_account import LocalAccount
from typer.testing import CliRunner

from commerce360.local.doubles.snowflake.deviations import DEVIATIONS

TESTS = Path(__file__).parents[2]
FILES = (Path(__file__), TESTS / "stack" / "test_warehouse.py")


def expected_failures(file):
    """Names of its tests that are strict xfails."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef):
            marks = [ast.unparse(d) for d in node.decorator_list]
            if any("mark.xfail" in m and "strict=True" in m for m in marks) or any(m == "deviates" for m in marks):
                yield node.name.removeprefix("test_")


deviates = pytest.mark.xfail(strict=True, reason="see deviations.py")


def test_each_deviation_has_one_test_that_is_to_fail_and_each_such_test_is_listed():
    found = [name for file in FILES for name in expected_failures(file)]
    assert sorted(found) == sorted(d.name for d in DEVIATIONS)


def test_the_command_lists_them_for_people_and_for_programs():
    from commerce360.cli.main import app

    text = CliRunner().invoke(app, ["warehouse", "deviations"]).output
    assert all(d.real in text and d.here in text for d in DEVIATIONS)
    listed = json.loads(CliRunner().invoke(app, ["warehouse", "deviations", "--json"]).output)
    assert [d["name"] for d in listed] == [d.name for d in DEVIATIONS]


@pytest.fixture
def here(admin):
    """The administrator in schema SHOP.CORE, with a table T of one row."""
    admin("USE SCHEMA SHOP.CORE")
    admin("CREATE OR REPLACE TABLE T (A NUMBER, S VARCHAR)")
    admin("INSERT INTO T VALUES (1, 'a')")
    return admin


@deviates
def test_keys_are_kept_and_shown(here):
    here("CREATE OR REPLACE TABLE K (A NUMBER PRIMARY KEY)")
    assert [r["column_name"] for r in here.dicts("SHOW PRIMARY KEYS IN TABLE K")] == ["A"]


@deviates
def test_a_task_can_be_seen(here):
    here("CREATE OR REPLACE TASK NIGHTLY SCHEDULE = '60 MINUTE' AS SELECT 1")
    assert [r["name"] for r in here.dicts("SHOW TASKS")] == ["NIGHTLY"]


@deviates
def test_a_policy_protects_a_table(here):
    here("CREATE MASKING POLICY IF NOT EXISTS HIDE AS (v VARCHAR) RETURNS VARCHAR -> '***'")
    here("ALTER TABLE T MODIFY COLUMN S SET MASKING POLICY HIDE")
    assert here("SELECT S FROM T") == [("***",)]


@deviates
def test_several_statements_in_one_request(here):
    with here.connection.cursor() as cursor:
        cursor.execute("SELECT 1; SELECT 2", num_statements=2)
        cursor.nextset()
        assert cursor.fetchall() == [(2,)]


@deviates
def test_the_ddl_of_an_object_can_be_asked_for(here):
    assert "NUMBER(38,0)" in here("SELECT GET_DDL('TABLE', 'T')")[0][0]


@deviates
def test_a_plan_can_be_asked_for(here):
    assert here("EXPLAIN SELECT * FROM T")


@deviates
def test_the_past_can_be_read(here):
    before = here("SELECT CURRENT_TIMESTAMP()")[0][0]
    here("DELETE FROM T")
    assert here(f"SELECT A FROM T AT(TIMESTAMP => '{before.isoformat()}'::TIMESTAMP_TZ)") == [(1,)]


@deviates
def test_a_query_needs_a_warehouse(account, here):
    other = account.session(database="SHOP", schema="CORE")
    with pytest.raises(Exception, match="No active warehouse"):
        other("SELECT A + 1 FROM T")


@deviates
def test_a_network_policy_shuts_out(account, here):
    here("CREATE OR REPLACE NETWORK POLICY ELSEWHERE ALLOWED_IP_LIST = ('192.0.2.1')")
    account.user(here, "FAR", "FAR")
    here("ALTER USER FAR SET NETWORK_POLICY = ELSEWHERE")
    with pytest.raises(Exception, match="not allowed"):
        account.connect("FAR")


@deviates
def test_a_role_may_pass_a_privilege_on(here):
    here("GRANT SELECT ON TABLE T TO ROLE PUBLIC WITH GRANT OPTION")
    assert [r["grant_option"] for r in here.dicts("SHOW GRANTS ON TABLE T") if r["grantee_name"] == "PUBLIC"] == ["true"]


@deviates
def test_secondary_roles_add_to_the_role(account, here):
    account.user(here, "TWO", "FIRST", "SECOND")
    for kind, name in (("DATABASE", "SHOP"), ("SCHEMA", "SHOP.CORE")):
        here(f"GRANT USAGE ON {kind} {name} TO ROLE SECOND")
    here("GRANT SELECT ON TABLE T TO ROLE SECOND")
    two = account.session("TWO")
    two("USE SECONDARY ROLES ALL")
    assert two("SELECT A FROM SHOP.CORE.T") == [(1,)]


@deviates
def test_a_password_lets_in(account, here):
    import snowflake.connector

    here("CREATE USER PAT PASSWORD = 'correct horse 1A' MUST_CHANGE_PASSWORD = FALSE")
    address = {"account": "local", "host": "127.0.0.1", "port": account.port, "protocol": "http"}
    snowflake.connector.connect(user="PAT", password="correct horse 1A", login_timeout=10, **address).close()


@deviates
def test_names_in_quotes_tell_cases_apart(here):
    here('CREATE OR REPLACE TABLE C ("a" NUMBER, "A" NUMBER)')


@deviates
def test_a_timestamp_has_nanoseconds(here):
    assert here("SELECT TO_VARCHAR('2026-03-01 12:00:00.123456789'::TIMESTAMP_NTZ(9), 'FF9')") == [("123456789",)]


@deviates
def test_a_text_is_bounded_in_a_column_that_was_added(here):
    here("ALTER TABLE T ADD COLUMN L VARCHAR(3)")
    with pytest.raises(Exception, match="too long"):
        here("INSERT INTO T (L) VALUES ('long')")


@deviates
def test_a_writer_waits_for_another(account, here):
    other = account.session(database="SHOP", schema="CORE")
    here("BEGIN")
    here("UPDATE T SET S = 'first' WHERE A = 1")
    failed = []

    def second():
        try:
            other("UPDATE T SET S = 'second' WHERE A = 1")
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=second)
    thread.start()
    thread.join(1)
    here("COMMIT")
    thread.join(20)
    assert not failed
    assert here("SELECT S FROM T") == [("second",)]


@deviates
def test_stages_outlive_a_restart(tmp_path):
    local = LocalAccount(tmp_path)
    for statements in (["CREATE DATABASE D", "CREATE STAGE D.PUBLIC.S"], ["LIST @D.PUBLIC.S"]):
        with local.serving():
            admin = local.session()
            for statement in statements:
                admin(statement)
            admin.close()
