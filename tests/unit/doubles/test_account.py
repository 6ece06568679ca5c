"""Users, roles and grants, with the real connector: who gets in, who may give what, and what a restart keeps."""

import stat

import pytest
from snowflake.connector.errors import DatabaseError, ProgrammingError
from snowflake_account import LocalAccount

from commerce360.local.doubles.snowflake import keys


def names(rows, column=1):
    return {row[column] for row in rows}


@pytest.fixture(scope="module")
def ann(account, admin):
    account.user(admin, "ANN", "READER", "WRITER")
    admin("CREATE TABLE SHOP.RAW.T (A NUMBER)")
    session = account.session("ANN")
    yield session
    session.close()


def test_a_user_gets_in_with_its_own_key_and_its_default_role(ann):
    assert ann("SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_ACCOUNT()") == [("ANN", "READER", "LOCAL")]


@pytest.mark.parametrize(("user", "key"), [("NOBODY", "C360_ADMIN"), ("C360_ADMIN", "ANN"), ("ANN", "C360_ADMIN")])
def test_an_unknown_user_and_the_key_of_another_are_refused(account, ann, user, key):
    with pytest.raises(DatabaseError, match="JWT token is invalid"):
        account.connect(user, key=account.key(key))


def test_a_role_that_the_user_does_not_have_is_refused_at_login_and_later(account, ann):
    with pytest.raises(DatabaseError, match="not granted to this user"):
        account.connect("ANN", role="ACCOUNTADMIN")
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        ann("USE ROLE ACCOUNTADMIN")
    ann("USE ROLE WRITER")
    assert ann("SELECT CURRENT_ROLE(), IS_ROLE_IN_SESSION('WRITER'), IS_ROLE_IN_SESSION('READER')") == [("WRITER", True, False)]
    ann("USE ROLE READER")


def test_a_disabled_user_is_out_also_of_the_session_that_it_has(account, admin):
    account.user(admin, "EVE", "READER")
    session = account.session("EVE")
    assert session("SELECT 1") == [(1,)]
    admin("ALTER USER EVE SET DISABLED = TRUE")
    with pytest.raises(DatabaseError, match="390111"):
        session("SELECT 1")
    with pytest.raises(DatabaseError, match="JWT"):
        account.connect("EVE")


def test_a_second_key_lets_in_while_keys_change(account, admin, tmp_path):
    account.user(admin, "KAY", "READER")
    keys.ensure_private_key(tmp_path / "new.p8")
    admin(f"ALTER USER KAY SET RSA_PUBLIC_KEY_2 = '{keys.public_key(tmp_path / 'new.p8')}'")
    account.connect("KAY", key=tmp_path / "new.p8").close()
    admin("ALTER USER KAY UNSET RSA_PUBLIC_KEY")
    with pytest.raises(DatabaseError, match="JWT"):
        account.connect("KAY")
    with pytest.raises(ProgrammingError, match="Invalid public key"):
        admin("ALTER USER KAY SET RSA_PUBLIC_KEY = 'nonsense'")


def test_what_a_role_inherits_is_in_its_session_and_a_circle_is_refused(account, admin):
    for role in ("LOW", "MIDDLE", "HIGH"):
        admin(f"CREATE ROLE {role}")
    admin("GRANT ROLE LOW TO ROLE MIDDLE")
    admin("GRANT ROLE MIDDLE TO ROLE HIGH")
    with pytest.raises(ProgrammingError, match="circle"):
        admin("GRANT ROLE HIGH TO ROLE LOW")
    account.user(admin, "HAL", "HIGH")
    hal = account.session("HAL")
    assert hal("SELECT IS_ROLE_IN_SESSION('LOW'), IS_ROLE_IN_SESSION('PUBLIC'), IS_ROLE_IN_SESSION('SYSADMIN')") == [(True, True, False)]
    hal("USE ROLE MIDDLE")
    assert hal("SELECT IS_ROLE_IN_SESSION('HIGH')") == [(False,)]
    admin("REVOKE ROLE MIDDLE FROM ROLE HIGH")
    hal("USE ROLE HIGH")
    assert hal("SELECT IS_ROLE_IN_SESSION('LOW')") == [(False,)]
    with pytest.raises(ProgrammingError, match="not authorized"):
        hal("USE ROLE MIDDLE")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE ROLE X",
        "CREATE USER X",
        "CREATE DATABASE X",
        "CREATE WAREHOUSE X",
        "CREATE SCHEMA SHOP.X",
        "CREATE NETWORK POLICY X ALLOWED_IP_LIST = ('1.2.3.4')",
        "CREATE RESOURCE MONITOR X WITH CREDIT_QUOTA = 1",
        "ALTER USER C360_ADMIN SET DISABLED = TRUE",
        "ALTER USER ANN SET DEFAULT_ROLE = ACCOUNTADMIN",
        "ALTER ACCOUNT SET NETWORK_POLICY = X",
        "ALTER WAREHOUSE READS SET WAREHOUSE_SIZE = LARGE",
        "DROP USER C360_ADMIN",
        "DROP ROLE WRITER",
        "DROP DATABASE SHOP",
        "DROP WAREHOUSE READS",
        "GRANT ROLE ACCOUNTADMIN TO USER ANN",
        "GRANT ROLE WRITER TO ROLE READER",
        "GRANT CREATE ROLE ON ACCOUNT TO ROLE READER",
        "GRANT SELECT ON ALL TABLES IN SCHEMA SHOP.RAW TO ROLE READER",
        "GRANT SELECT ON FUTURE TABLES IN SCHEMA SHOP.RAW TO ROLE READER",
        "GRANT USAGE ON DATABASE SHOP TO ROLE READER",
        "GRANT OWNERSHIP ON DATABASE SHOP TO ROLE READER",
        "REVOKE ROLE WRITER FROM USER ANN",
    ],
)
def test_a_plain_role_changes_nothing_of_the_account(account, admin, ann, statement):
    before = account.engine.account.file.read_text()
    with pytest.raises(ProgrammingError, match=r"Insufficient privileges|not authorized"):
        ann(statement)
    assert account.engine.account.file.read_text() == before


def test_grants_are_shown_as_they_were_given(admin):
    admin("CREATE ROLE SHOWN")
    admin("CREATE TABLE SHOP.RAW.SHOWN (A NUMBER)")
    admin("GRANT USAGE ON DATABASE SHOP TO ROLE SHOWN")
    admin("GRANT USAGE, CREATE VIEW ON SCHEMA SHOP.RAW TO ROLE SHOWN")
    admin("GRANT SELECT, INSERT ON TABLE SHOP.RAW.SHOWN TO ROLE SHOWN")
    admin("GRANT USAGE ON WAREHOUSE READS TO ROLE SHOWN")
    admin("GRANT SELECT ON FUTURE VIEWS IN SCHEMA SHOP.RAW TO ROLE SHOWN")
    admin("REVOKE INSERT ON TABLE SHOP.RAW.SHOWN FROM ROLE SHOWN")
    found = {(r["privilege"], r["granted_on"], r["name"]) for r in admin.dicts("SHOW GRANTS TO ROLE SHOWN")}
    assert found == {
        ("USAGE", "DATABASE", "SHOP"),
        ("USAGE", "SCHEMA", "SHOP.RAW"),
        ("CREATE VIEW", "SCHEMA", "SHOP.RAW"),
        ("SELECT", "TABLE", "SHOP.RAW.SHOWN"),
        ("USAGE", "WAREHOUSE", "READS"),
    }
    on = {(r["privilege"], r["grantee_name"]) for r in admin.dicts("SHOW GRANTS ON TABLE SHOP.RAW.SHOWN")}
    assert on == {("SELECT", "SHOWN"), ("OWNERSHIP", "ACCOUNTADMIN")}
    future = [(r["privilege"], r["grant_on"], r["grantee_name"]) for r in admin.dicts("SHOW FUTURE GRANTS IN SCHEMA SHOP.RAW")]
    assert future == [("SELECT", "VIEW", "SHOWN")]
    assert "SHOWN" in names(admin("SHOW ROLES"))
    admin("DROP ROLE SHOWN")
    assert {r["grantee_name"] for r in admin.dicts("SHOW GRANTS ON TABLE SHOP.RAW.SHOWN")} == {"ACCOUNTADMIN"}
    assert admin("SHOW FUTURE GRANTS IN SCHEMA SHOP.RAW") == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TASK SHOP.RAW.T AS SELECT 1",
        "CREATE STREAM SHOP.RAW.S ON TABLE SHOP.RAW.T",
        "CREATE PROCEDURE P() RETURNS INT LANGUAGE SQL AS 'x'",
        "CREATE ROLE A B",
        "CREATE USER A NONSENSE = 1",
        "GRANT FLY ON DATABASE SHOP TO ROLE PUBLIC",
        "GRANT SELECT ON DATABASE SHOP TO ROLE PUBLIC",
        "GRANT USAGE ON DATABASE SHOP TO ROLE PUBLIC WITH GRANT OPTION",
        "GRANT USAGE ON DATABASE SHOP",
        "ALTER USER C360_ADMIN RENAME TO X",
        "SHOW NONSENSE",
        "USE SECONDARY ROLES ALL",
        "EXPLAIN SELECT 1",
        "CALL X()",
        "ATTACH 'x.db' AS X",
        "PRAGMA database_list",
        "SET VARIABLE c360_role = 'ACCOUNTADMIN'",
        "INSTALL httpfs",
        "COPY INTO @SHOP.RAW.S FROM SHOP.RAW.T",
        ";",
        "-- nothing",
    ],
)
def test_a_form_that_is_not_known_is_an_error_and_not_nothing(account, admin, statement):
    before = account.engine.account.file.read_text()
    with pytest.raises(ProgrammingError):
        admin(statement)
    assert account.engine.account.file.read_text() == before


def test_everything_of_the_account_is_there_after_a_restart(tmp_path):
    local = LocalAccount(tmp_path)
    with local.serving():
        admin = local.session()
        admin("CREATE DATABASE D")
        admin("CREATE TABLE D.PUBLIC.T (A NUMBER COMMENT 'of column', S VARCHAR(3)) CLUSTER BY (A) COMMENT = 'of table'")
        admin("CREATE VIEW D.PUBLIC.V (A COMMENT 'of view column') COMMENT = 'of view' AS SELECT A FROM D.PUBLIC.T")
        local.user(admin, "ANN", "READER")
        admin("GRANT USAGE ON DATABASE D TO ROLE READER")
        admin("GRANT USAGE ON SCHEMA D.PUBLIC TO ROLE READER")
        admin("GRANT SELECT ON VIEW D.PUBLIC.V TO ROLE READER")
        admin("CREATE NETWORK POLICY HOME ALLOWED_IP_LIST = ('10.0.0.0/8')")
        admin("CREATE WAREHOUSE W WITH WAREHOUSE_SIZE = SMALL COMMENT = 'it''s $small'")
        admin.close()
    assert stat.S_IMODE(local.engine.account.file.stat().st_mode) == 0o600
    with local.serving():
        ann = local.session("ANN")
        assert ann("SELECT * FROM D.PUBLIC.V") == []
        with pytest.raises(ProgrammingError, match="not authorized"):
            ann("SELECT * FROM D.PUBLIC.T")
        admin = local.session()
        tables = admin("SELECT TABLE_NAME, TABLE_TYPE, COMMENT, CLUSTERING_KEY FROM D.INFORMATION_SCHEMA.TABLES ORDER BY 1")
        assert tables == [("T", "BASE TABLE", "of table", "LINEAR(A)"), ("V", "VIEW", "of view", None)]
        columns = admin("SELECT TABLE_NAME, COLUMN_NAME, COMMENT, CHARACTER_MAXIMUM_LENGTH FROM D.INFORMATION_SCHEMA.COLUMNS ORDER BY 1, 2")
        assert columns == [("T", "A", "of column", None), ("T", "S", None, 3), ("V", "A", "of view column", None)]
        assert [(w["name"], w["size"], w["comment"]) for w in admin.dicts("SHOW WAREHOUSES")] == [("W", "SMALL", "it's $small")]
        assert names(admin("SHOW NETWORK POLICIES")) == {"HOME"}
        assert admin.dicts("SHOW USERS LIKE 'ANN'")[0]["default_role"] == "READER"
        ann.close()
        admin.close()


def test_a_dropped_database_takes_its_file_and_its_grants_along(account, admin):
    admin("CREATE DATABASE GONE")
    admin("CREATE TABLE GONE.PUBLIC.T (A NUMBER)")
    admin("GRANT USAGE ON DATABASE GONE TO ROLE PUBLIC")
    admin("DROP DATABASE GONE")
    admin("DROP DATABASE IF EXISTS GONE")
    assert not list((account.folder / "databases").glob("GONE*"))
    assert "GONE" not in names(admin("SHOW DATABASES"))
    admin("CREATE DATABASE GONE")
    with pytest.raises(ProgrammingError, match="does not exist"):
        admin("SELECT * FROM GONE.PUBLIC.T")
    assert {r["grantee_name"] for r in admin.dicts("SHOW GRANTS ON DATABASE GONE")} == {"ACCOUNTADMIN"}
    admin("DROP DATABASE GONE")


def test_a_query_tag_can_be_read_back(admin):
    admin("ALTER SESSION SET QUERY_TAG = 'tableau; $x'")
    assert admin("SHOW PARAMETERS LIKE 'QUERY_TAG'")[0][:2] == ("QUERY_TAG", "tableau; $x")
    admin("SELECT 4711")
    last = admin("SELECT LAST_QUERY_ID()")
    found = admin(
        "SELECT QUERY_TEXT, QUERY_TAG, ROLE_NAME FROM TABLE(SHOP.INFORMATION_SCHEMA.QUERY_HISTORY()) WHERE QUERY_TEXT = 'SELECT 4711'"
    )
    assert found == [("SELECT 4711", "tableau; $x", "ACCOUNTADMIN")]
    assert last[0][0]
    admin("ALTER SESSION UNSET QUERY_TAG")
    assert admin("SHOW PARAMETERS LIKE 'QUERY_TAG'") == []
