"""Masking and row access policies on views, with the real connector: what each role sees, and who may change it."""

import pytest
from snowflake.connector.errors import ProgrammingError
from snowflake_account import LocalAccount

CLEAR = [(1, "ann@x.org", "BERN", 10), (2, "bob@y.org", "GENEVA", 20), (3, None, None, 30)]
MASKED = [(1, "***@x.org", "BERN", 10), (2, "***@y.org", "GENEVA", 20), (3, None, None, 30)]
EMAIL = "CASE WHEN IS_ROLE_IN_SESSION('CARE') THEN v ELSE REGEXP_REPLACE(v, '^[^@]+', '***') END"
CITY = """IS_ROLE_IN_SESSION('CARE')
    OR EXISTS (SELECT 1 FROM SHOP.RAW.ENTITLED e WHERE e.ROLE = CURRENT_ROLE() AND (e.CITY = c OR e.CITY = '*'))"""
VIEW = """CREATE OR REPLACE VIEW SHOP.CORE.CUSTOMER (
    ID COMMENT 'key',
    EMAIL WITH MASKING POLICY SHOP.CORE.EMAIL COMMENT 'personal',
    CITY,
    POINTS
) {rows} COMMENT = 'people' AS SELECT ID, EMAIL, CITY, POINTS FROM SHOP.RAW.PEOPLE"""
ROWS = "WITH ROW ACCESS POLICY SHOP.CORE.CITY ON (CITY)"


@pytest.fixture(scope="module")
def shop(account, admin):
    admin("USE SCHEMA SHOP.RAW")
    admin("CREATE TABLE PEOPLE (ID NUMBER, EMAIL VARCHAR, CITY VARCHAR, POINTS NUMBER)")
    admin("INSERT INTO PEOPLE VALUES (1, 'ann@x.org', 'BERN', 10), (2, 'bob@y.org', 'GENEVA', 20), (3, NULL, NULL, 30)")
    admin("CREATE TABLE ENTITLED (ROLE VARCHAR, CITY VARCHAR)")
    admin("INSERT INTO ENTITLED VALUES ('ANALYST', 'BERN')")
    admin(f"CREATE MASKING POLICY SHOP.CORE.EMAIL AS (v VARCHAR) RETURNS VARCHAR -> {EMAIL} COMMENT = 'hides the name'")
    admin(f"CREATE ROW ACCESS POLICY SHOP.CORE.CITY AS (c VARCHAR) RETURNS BOOLEAN -> {CITY}")
    for user, role in (("ANA", "ANALYST"), ("CARL", "CARE")):
        account.user(admin, user, role)
        admin(f"GRANT USAGE ON DATABASE SHOP TO ROLE {role}")
        admin(f"GRANT USAGE ON SCHEMA SHOP.CORE TO ROLE {role}")
        admin(f"GRANT SELECT ON FUTURE VIEWS IN SCHEMA SHOP.CORE TO ROLE {role}")
    return admin


@pytest.fixture(scope="module")
def ana(account, shop):
    return account.session("ANA")


@pytest.fixture(scope="module")
def carl(account, shop):
    return account.session("CARL")


@pytest.fixture
def view(shop):
    """The view with both policies."""
    shop(VIEW.format(rows=ROWS))
    yield "SHOP.CORE.CUSTOMER"
    shop("DROP VIEW IF EXISTS SHOP.CORE.CUSTOMER")


def seen(session, view="SHOP.CORE.CUSTOMER"):
    return session(f"SELECT * FROM {view} ORDER BY ID")


def test_a_column_is_masked_for_one_role_and_clear_for_the_other(shop, ana, carl):
    shop(VIEW.format(rows=""))
    assert seen(ana) == MASKED
    assert seen(carl) == CLEAR
    assert ana("SELECT ID FROM SHOP.CORE.CUSTOMER WHERE EMAIL = 'ann@x.org'") == []
    assert ana("SELECT ID FROM SHOP.CORE.CUSTOMER WHERE EMAIL LIKE 'ann%' OR EMAIL > 'a'") == []
    assert ana("SELECT COUNT(*) FROM SHOP.CORE.CUSTOMER GROUP BY EMAIL ORDER BY 1") == [(1,), (1,), (1,)]


def test_rows_are_those_that_the_reader_is_entitled_to(shop, view, ana, carl):
    assert seen(ana) == MASKED[:1]
    assert seen(carl) == CLEAR
    assert seen(shop) == []  # the owner's role is as good as any other
    shop("INSERT INTO SHOP.RAW.ENTITLED VALUES ('ANALYST', '*')")
    assert [r[0] for r in seen(ana)] == [1, 2, 3]
    shop("DELETE FROM SHOP.RAW.ENTITLED WHERE CITY = '*'")
    assert ana("SELECT SUM(POINTS) FROM SHOP.CORE.CUSTOMER") == [(10,)]


def test_the_readers_role_counts_also_through_another_view(shop, view, ana, carl):
    shop("CREATE VIEW SHOP.CORE.POINTS AS SELECT EMAIL, POINTS FROM SHOP.CORE.CUSTOMER")
    assert ana("SELECT * FROM SHOP.CORE.POINTS") == [("***@x.org", 10)]
    assert len(carl("SELECT * FROM SHOP.CORE.POINTS")) == 3
    shop("DROP VIEW SHOP.CORE.POINTS")


def test_a_changed_policy_takes_effect_in_views_that_are_there(shop, view, ana, carl):
    shop("ALTER MASKING POLICY SHOP.CORE.EMAIL SET BODY -> CASE WHEN CURRENT_ROLE() = 'ANALYST' THEN 'no; $x' ELSE v END")
    assert ana(f"SELECT EMAIL FROM {view}") == [("no; $x",)]
    assert seen(carl) == CLEAR
    shop("ALTER ROW ACCESS POLICY SHOP.CORE.CITY SET BODY -> c = 'GENEVA'")
    assert [r[0] for r in seen(carl)] == [2]
    assert [r[0] for r in seen(ana)] == [2]
    shop(f"ALTER MASKING POLICY SHOP.CORE.EMAIL SET BODY -> {EMAIL}")
    shop(f"ALTER ROW ACCESS POLICY SHOP.CORE.CITY SET BODY -> {CITY}")
    assert seen(ana) == MASKED[:1]


def test_a_policy_in_use_can_neither_be_dropped_nor_replaced(shop, view):
    for statement in (
        "DROP MASKING POLICY SHOP.CORE.EMAIL",
        "DROP ROW ACCESS POLICY SHOP.CORE.CITY",
        "CREATE OR REPLACE MASKING POLICY SHOP.CORE.EMAIL AS (v VARCHAR) RETURNS VARCHAR -> v",
    ):
        with pytest.raises(ProgrammingError, match="associated with one or more entities"):
            shop(statement)
    shop("CREATE MASKING POLICY IF NOT EXISTS SHOP.CORE.EMAIL AS (v VARCHAR) RETURNS VARCHAR -> v")
    assert shop("DESCRIBE MASKING POLICY SHOP.CORE.EMAIL")[0][3] == EMAIL
    shop("CREATE MASKING POLICY SHOP.CORE.FREE AS (v VARCHAR) RETURNS VARCHAR -> v")
    shop("CREATE OR REPLACE MASKING POLICY SHOP.CORE.FREE AS (v VARCHAR) RETURNS VARCHAR -> 'x'")
    shop("DROP MASKING POLICY SHOP.CORE.FREE")
    assert {r[1] for r in shop("SHOW MASKING POLICIES")} == {"EMAIL"}
    assert {r[1] for r in shop("SHOW ROW ACCESS POLICIES")} == {"CITY"}


def test_policies_are_set_and_unset_on_a_view_that_is_there(shop, view, ana):
    shop(f"ALTER VIEW {view} MODIFY COLUMN EMAIL UNSET MASKING POLICY")
    assert seen(ana) == CLEAR[:1]
    shop(f"ALTER VIEW {view} DROP ROW ACCESS POLICY SHOP.CORE.CITY")
    assert seen(ana) == CLEAR
    shop(f"ALTER VIEW {view} MODIFY COLUMN EMAIL SET MASKING POLICY SHOP.CORE.EMAIL")
    assert seen(ana) == MASKED
    with pytest.raises(ProgrammingError, match="already has a masking policy"):
        shop(f"ALTER VIEW {view} MODIFY COLUMN EMAIL SET MASKING POLICY SHOP.CORE.EMAIL")
    shop(f"ALTER VIEW {view} ADD ROW ACCESS POLICY SHOP.CORE.CITY ON (CITY)")
    assert seen(ana) == MASKED[:1]


def test_a_mask_may_look_at_other_columns(shop, ana):
    shop("CREATE MASKING POLICY SHOP.CORE.BY_CITY AS (v VARCHAR, city VARCHAR) RETURNS VARCHAR -> CASE WHEN city = 'BERN' THEN v END")
    shop(
        "CREATE VIEW SHOP.CORE.W (ID, EMAIL WITH MASKING POLICY SHOP.CORE.BY_CITY USING (EMAIL, CITY), CITY) "
        "AS SELECT ID, EMAIL, CITY FROM SHOP.RAW.PEOPLE"
    )
    assert ana("SELECT EMAIL FROM SHOP.CORE.W ORDER BY ID") == [("ann@x.org",), (None,), (None,)]
    shop("DROP VIEW SHOP.CORE.W")
    shop("DROP MASKING POLICY SHOP.CORE.BY_CITY")


def test_what_is_on_a_view_can_be_asked_for(shop, view):
    asked = f"SELECT * FROM TABLE(SHOP.INFORMATION_SCHEMA.POLICY_REFERENCES(REF_ENTITY_NAME => '{view}', REF_ENTITY_DOMAIN => 'VIEW'))"
    found = {(r["POLICY_KIND"], r["POLICY_NAME"], r["REF_COLUMN_NAME"], r["REF_ARG_COLUMN_NAMES"]) for r in shop.dicts(asked)}
    assert found == {("MASKING_POLICY", "EMAIL", "EMAIL", None), ("ROW_ACCESS_POLICY", "CITY", None, '[ "CITY" ]')}
    by_policy = "SELECT REF_ENTITY_NAME FROM TABLE(SHOP.INFORMATION_SCHEMA.POLICY_REFERENCES(POLICY_NAME => 'SHOP.CORE.EMAIL')) p"
    assert shop(by_policy) == [("CUSTOMER",)]
    comments = shop(
        "SELECT COLUMN_NAME, COMMENT FROM SHOP.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'CUSTOMER' ORDER BY ORDINAL_POSITION"
    )
    assert comments == [("ID", "key"), ("EMAIL", "personal"), ("CITY", None), ("POINTS", None)]
    assert shop("SELECT COMMENT FROM SHOP.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'CUSTOMER'") == [("people",)]
    shop(f"COMMENT ON COLUMN {view}.CITY IS 'where'")
    assert shop("SELECT COMMENT FROM SHOP.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'CUSTOMER' AND COLUMN_NAME = 'CITY'") == [
        ("where",)
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER MASKING POLICY SHOP.CORE.EMAIL SET BODY -> v",
        "DROP MASKING POLICY SHOP.CORE.EMAIL",
        "DESCRIBE MASKING POLICY SHOP.CORE.EMAIL",
        "ALTER VIEW SHOP.CORE.CUSTOMER MODIFY COLUMN EMAIL UNSET MASKING POLICY",
        "ALTER VIEW SHOP.CORE.CUSTOMER DROP ALL ROW ACCESS POLICIES",
        "CREATE OR REPLACE VIEW SHOP.CORE.CUSTOMER AS SELECT 1 AS A",
        "CREATE MASKING POLICY SHOP.CORE.MINE AS (v VARCHAR) RETURNS VARCHAR -> v",
        "SELECT SHOP.CORE.\"_C360_ROW_CITY\"('BERN')",
        "SELECT EMAIL FROM SHOP.RAW.PEOPLE",
        "SET VARIABLE c360_roles = ['CARE']",
    ],
)
def test_a_reader_cannot_get_around_a_policy(shop, view, ana, statement):
    with pytest.raises(ProgrammingError):
        ana(statement)
    assert seen(ana) == MASKED[:1]


def test_one_who_may_make_views_needs_apply_for_a_policy(shop, view, ana):
    shop("GRANT CREATE VIEW ON SCHEMA SHOP.CORE TO ROLE ANALYST")
    mine = "CREATE VIEW SHOP.CORE.MINE (E WITH MASKING POLICY SHOP.CORE.EMAIL) AS SELECT EMAIL FROM SHOP.CORE.CUSTOMER"
    with pytest.raises(ProgrammingError, match="not authorized"):
        ana(mine)
    shop("GRANT APPLY ON MASKING POLICY SHOP.CORE.EMAIL TO ROLE ANALYST")
    ana(mine)
    assert ana("SELECT * FROM SHOP.CORE.MINE") == [("***@x.org",)]
    ana("DROP VIEW SHOP.CORE.MINE")
    shop("REVOKE CREATE VIEW ON SCHEMA SHOP.CORE FROM ROLE ANALYST")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE MASKING POLICY SHOP.CORE.X AS (v VARCHAR) RETURNS NUMBER -> 1", "mismatch"),
        ("CREATE MASKING POLICY SHOP.CORE.X AS (v VARCHAR) RETURNS VARCHAR -> w", "invalid identifier"),
        ("CREATE MASKING POLICY SHOP.CORE.X AS (v VARCHAR) RETURNS VARCHAR -> v FROM SHOP.RAW.PEOPLE", "one expression"),
        ("CREATE MASKING POLICY SHOP.CORE.X AS (v VARCHAR) RETURNS VARCHAR -> v; DROP TABLE SHOP.RAW.PEOPLE", "statement count"),
        ("CREATE ROW ACCESS POLICY SHOP.CORE.X AS (v VARCHAR) RETURNS VARCHAR -> v", "BOOLEAN"),
        ("CREATE VIEW SHOP.CORE.X (A WITH MASKING POLICY SHOP.CORE.EMAIL) AS SELECT 1 AS A", "takes VARCHAR"),
        ("CREATE VIEW SHOP.CORE.X (A) WITH ROW ACCESS POLICY SHOP.CORE.CITY ON (B) AS SELECT 'x' AS A", "invalid identifier"),
        ("CREATE VIEW SHOP.CORE.X (A, B) AS SELECT 'x' AS A", "2 columns"),
        ("CREATE VIEW SHOP.CORE.X (A WITH MASKING POLICY SHOP.CORE.NONE) AS SELECT 'x' AS A", "does not exist"),
        ("CREATE VIEW SHOP.CORE.X AS SELECT * FROM SHOP.RAW.NONE", "does not exist"),
        ("CREATE VIEW SHOP.CORE.X AS DELETE FROM SHOP.RAW.PEOPLE", "syntax error"),
        ("ALTER TABLE SHOP.RAW.PEOPLE ADD ROW ACCESS POLICY SHOP.CORE.CITY ON (CITY)", "Unsupported"),
        ("ALTER TABLE SHOP.RAW.PEOPLE MODIFY COLUMN EMAIL SET MASKING POLICY SHOP.CORE.EMAIL", "Unsupported"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(shop, view, statement, told):
    with pytest.raises(ProgrammingError, match=told):
        shop(statement)
    assert {r[0] for r in shop("SELECT TABLE_NAME FROM SHOP.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'X'")} == set()
    assert len(shop("SELECT * FROM SHOP.RAW.PEOPLE")) == 3


def test_policies_hold_after_a_restart(tmp_path):
    local = LocalAccount(tmp_path)
    with local.serving():
        admin = local.session()
        admin("CREATE DATABASE D")
        admin("CREATE TABLE T AS SELECT 'secret' AS S")
        admin("CREATE MASKING POLICY M AS (v VARCHAR) RETURNS VARCHAR -> CASE WHEN CURRENT_ROLE() = 'X' THEN v ELSE '***' END")
        admin("CREATE VIEW V (S MASKING POLICY M) AS SELECT S FROM T")
        admin.close()
    with local.serving():
        admin = local.session()
        admin("USE SCHEMA D.PUBLIC")
        assert admin("SELECT * FROM V") == [("***",)]
        admin("ALTER MASKING POLICY M SET BODY -> 'new'")
        assert admin("SELECT * FROM V") == [("new",)]
        with pytest.raises(ProgrammingError, match="associated"):
            admin("DROP MASKING POLICY M")
        admin("ALTER VIEW V MODIFY COLUMN S UNSET MASKING POLICY")
        admin("DROP MASKING POLICY M")
        assert admin("SELECT * FROM V") == [("secret",)]
        admin.close()
