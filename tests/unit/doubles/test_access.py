"""What a role reaches, with the real connector: what it was granted, nothing one step beyond, in whatever form it is asked for."""

import pytest
from snowflake.connector.errors import IntegrityError, ProgrammingError

REFUSED = "Insufficient privileges|does not exist or not authorized|Unsupported|does not exist"


@pytest.fixture(scope="module")
def shop(account, admin):
    """RAW.T and RAW.SECRET hold rows; CORE.V shows T. READER reads the view, LOADER inserts into T, OWNER owns schema CORE's objects."""
    admin("CREATE TABLE SHOP.RAW.T (ID NUMBER, S VARCHAR)")
    admin("CREATE TABLE SHOP.RAW.SECRET (ID NUMBER, S VARCHAR)")
    admin("INSERT INTO SHOP.RAW.T VALUES (1, 'a')")
    admin("INSERT INTO SHOP.RAW.SECRET VALUES (7, 'hidden')")
    admin("CREATE VIEW SHOP.CORE.V AS SELECT t.ID, x.S FROM SHOP.RAW.T t JOIN SHOP.RAW.SECRET x ON t.ID = x.ID - 6")
    admin("CREATE STAGE SHOP.RAW.FILES")
    for user, role in (("ANN", "READER"), ("LEO", "LOADER"), ("OWEN", "OWNER")):
        account.user(admin, user, role)
        admin(f"GRANT USAGE ON DATABASE SHOP TO ROLE {role}")
        admin(f"GRANT USAGE ON SCHEMA SHOP.CORE TO ROLE {role}")
    admin("GRANT SELECT ON VIEW SHOP.CORE.V TO ROLE READER")
    admin("GRANT USAGE ON SCHEMA SHOP.RAW TO ROLE LOADER")
    admin("GRANT INSERT ON TABLE SHOP.RAW.T TO ROLE LOADER")
    admin("GRANT USAGE ON SCHEMA SHOP.RAW TO ROLE OWNER")
    admin("GRANT SELECT ON TABLE SHOP.RAW.T TO ROLE OWNER")
    admin("GRANT CREATE TABLE, CREATE VIEW ON SCHEMA SHOP.CORE TO ROLE OWNER")
    return admin


def session(account, user):
    made = account.session(user)
    made("USE DATABASE SHOP")
    return made


@pytest.fixture(scope="module")
def reader(account, shop):
    return session(account, "ANN")


@pytest.fixture(scope="module")
def loader(account, shop):
    return session(account, "LEO")


@pytest.fixture(scope="module")
def owner(account, shop):
    return session(account, "OWEN")


def test_a_view_runs_with_its_owners_rights(reader):
    assert reader("SELECT * FROM SHOP.CORE.V") == [(1, "hidden")]
    assert reader("SELECT * FROM CORE.V") == [(1, "hidden")]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM SHOP.RAW.T",
        "SELECT * FROM shop.raw.secret",
        'SELECT * FROM "shop"."raw"."Secret"',
        "SELECT 1 FROM CORE.V, RAW.SECRET",
        "SELECT 1 FROM CORE.V JOIN RAW.SECRET s ON TRUE",
        "SELECT (SELECT MAX(S) FROM RAW.SECRET)",
        "SELECT 1 FROM CORE.V WHERE EXISTS (SELECT 1 FROM RAW.SECRET)",
        "SELECT 1 FROM CORE.V QUALIFY ROW_NUMBER() OVER (ORDER BY (SELECT MAX(ID) FROM RAW.SECRET)) = 1",
        "WITH V AS (SELECT * FROM RAW.SECRET) SELECT * FROM V",
        "WITH A AS (SELECT 1), B AS (SELECT * FROM RAW.SECRET) SELECT * FROM A",
        "SELECT 1 UNION ALL SELECT ID FROM RAW.SECRET",
        "(SELECT ID FROM RAW.SECRET)",
        "/* SELECT 1 */ SELECT ID FROM RAW.SECRET -- FROM CORE.V",
        "SELECT 1; SELECT * FROM RAW.SECRET",
        "SELECT 1;\n-- x\n; SELECT * FROM RAW.SECRET",
        "SELECT * FROM TABLE('RAW.SECRET')",
        "SELECT * FROM IDENTIFIER('RAW.SECRET')",
        "SELECT * FROM LATERAL (SELECT * FROM RAW.SECRET)",
        "SELECT * FROM query('SELECT * FROM SHOP.RAW.SECRET')",
        "SELECT * FROM query_table('SHOP.RAW.SECRET')",
        "SELECT * FROM TABLE(query('SELECT 1'))",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        'SELECT * FROM "/etc/passwd"',
        "SELECT * FROM duckdb_tables",
        "SELECT * FROM duckdb_tables()",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pg_catalog.pg_tables",
        "SELECT * FROM system.information_schema.tables",
        "SELECT * FROM _fs_global._fs_information_schema._c360_objects",
        "SELECT * FROM SHOP._fs_information_schema._fs_tables",
        "SELECT * FROM SHOP.INFORMATION_SCHEMA.TABLE_CONSTRAINTS",
        "SELECT * FROM SHOP.C360_STREAMING.CHANNELS",
        "SELECT * FROM @RAW.FILES",
        "TABLE RAW.SECRET",
        "PIVOT RAW.SECRET ON S",
        "DESCRIBE TABLE RAW.SECRET",
        "DESCRIBE SELECT * FROM RAW.SECRET",
        "SHOW GRANTS ON TABLE SHOP.RAW.SECRET",
        "LIST @RAW.FILES",
        "PUT file:///etc/hostname @RAW.FILES",
        "COPY INTO RAW.T FROM @RAW.FILES",
        "COPY INTO CORE.V FROM @RAW.FILES",
        "INSERT INTO CORE.V SELECT 1, 'x'",
        "INSERT INTO RAW.T SELECT 1, 'x'",
        "UPDATE CORE.V SET S = 'x'",
        "DELETE FROM RAW.T",
        "MERGE INTO RAW.T USING CORE.V ON FALSE WHEN NOT MATCHED THEN INSERT (ID) VALUES (1)",
        "TRUNCATE TABLE RAW.T",
        "DROP VIEW CORE.V",
        "DROP TABLE RAW.T",
        "DROP SCHEMA CORE",
        "ALTER TABLE RAW.T ADD COLUMN X NUMBER",
        "ALTER VIEW CORE.V SET COMMENT = 'x'",
        "COMMENT ON VIEW CORE.V IS 'x'",
        "COMMENT ON COLUMN CORE.V.ID IS 'x'",
        "CREATE TABLE CORE.X (A NUMBER)",
        "CREATE TABLE CORE.X AS SELECT * FROM CORE.V",
        "CREATE OR REPLACE VIEW CORE.V AS SELECT 1 AS A",
        "CREATE SCHEMA SHOP.X",
        "CREATE DATABASE X",
        "USE SCHEMA RAW",
        "USE WAREHOUSE READS",
        "ALTER TABLE CORE.V RENAME TO CORE.W",
        "SELECT * FROM CORE.V AS T, T.RAW.SECRET",
    ],
)
def test_a_reader_of_a_view_is_refused_everything_else(reader, statement):
    with pytest.raises(ProgrammingError) as refused:
        reader(statement)
    assert "hidden" not in str(refused.value)


def test_what_was_refused_changed_nothing(shop):
    assert shop("SELECT * FROM SHOP.RAW.T") == [(1, "a")]
    assert shop("SELECT * FROM SHOP.RAW.SECRET") == [(7, "hidden")]
    assert shop("SELECT * FROM SHOP.CORE.V") == [(1, "hidden")]


def test_a_name_of_a_cte_hides_no_table(account, shop, reader):
    """A CTE is known only behind its definition; where the engine would take the table, the table is asked for."""
    shop("GRANT USAGE ON SCHEMA SHOP.RAW TO ROLE READER")
    try:
        reader("USE SCHEMA RAW")
        for statement in (
            "SELECT * FROM (WITH SECRET AS (SELECT 1) SELECT 1) x, SECRET",
            "WITH SECRET AS (SELECT * FROM SECRET) SELECT * FROM SECRET",
            "WITH RECURSIVE SECRET AS (SELECT * FROM SECRET) SELECT * FROM SECRET",
            "WITH RECURSIVE SECRET AS (SELECT ID FROM SECRET UNION ALL SELECT 1) SELECT * FROM SECRET",
            "WITH A AS (SELECT * FROM SECRET), SECRET AS (SELECT 1) SELECT * FROM A",
            "WITH SECRET AS (SELECT 1) SELECT * FROM RAW.SECRET",
        ):
            with pytest.raises(ProgrammingError, match="not authorized"):
                reader(statement)
        assert reader("WITH SECRET AS (SELECT 5 AS A) SELECT A FROM SECRET") == [(5,)]
        assert reader("WITH RECURSIVE N AS (SELECT 1 AS A UNION ALL SELECT A + 1 FROM N WHERE A < 3) SELECT MAX(A) FROM N") == [(3,)]
    finally:
        shop("REVOKE USAGE ON SCHEMA SHOP.RAW FROM ROLE READER")


def test_a_loader_inserts_and_can_neither_read_nor_change(loader, shop):
    assert loader("INSERT INTO RAW.T VALUES (2, 'b')") == [(1,)]
    for statement in (
        "SELECT * FROM RAW.T",
        "INSERT INTO RAW.T SELECT * FROM RAW.T",
        "INSERT OVERWRITE INTO RAW.T VALUES (3, 'c')",
        "UPDATE RAW.T SET S = 'x'",
        "DELETE FROM RAW.T",
        "TRUNCATE TABLE RAW.T",
        "MERGE INTO RAW.T USING (SELECT 1 AS A) x ON FALSE WHEN NOT MATCHED THEN INSERT (ID) VALUES (1)",
        "INSERT INTO RAW.SECRET VALUES (1, 'x')",
        "ALTER TABLE RAW.T ADD COLUMN X NUMBER",
    ):
        with pytest.raises(ProgrammingError, match=REFUSED):
            loader(statement)
    assert [c[0] for c in loader("DESCRIBE TABLE RAW.T")] == ["ID", "S"]
    shop("DELETE FROM SHOP.RAW.T WHERE ID = 2")


def test_whoever_made_something_may_do_everything_with_it_and_may_pass_it_on(owner, reader, shop):
    owner("CREATE TABLE CORE.MINE (A NUMBER) COMMENT = 'mine'")
    owner("INSERT INTO CORE.MINE VALUES (1)")
    owner("ALTER TABLE CORE.MINE ADD COLUMN IF NOT EXISTS B VARCHAR COMMENT 'more'")
    owner("GRANT SELECT ON TABLE CORE.MINE TO ROLE READER")
    assert reader("SELECT A FROM CORE.MINE") == [(1,)]
    owner("CREATE OR REPLACE TABLE CORE.MINE (A NUMBER)")
    with pytest.raises(ProgrammingError, match="not authorized"):
        reader("SELECT A FROM CORE.MINE")
    owner("CREATE VIEW CORE.OVER AS SELECT ID FROM RAW.T")
    with pytest.raises(ProgrammingError, match="not authorized"):
        owner("CREATE VIEW CORE.BEYOND AS SELECT ID FROM RAW.SECRET")
    shop("GRANT OWNERSHIP ON TABLE SHOP.CORE.MINE TO ROLE READER COPY CURRENT GRANTS")
    with pytest.raises(ProgrammingError, match="not authorized"):
        owner("DROP TABLE CORE.MINE")
    reader("DROP TABLE CORE.MINE")
    owner("DROP VIEW CORE.OVER")


def test_a_dropped_and_made_again_table_has_no_grants_of_before(owner, reader):
    owner("CREATE TABLE CORE.TWICE (A NUMBER)")
    owner("GRANT SELECT ON TABLE CORE.TWICE TO ROLE READER")
    owner("DROP TABLE CORE.TWICE")
    owner("CREATE TABLE CORE.TWICE (A NUMBER)")
    with pytest.raises(ProgrammingError, match="not authorized"):
        reader("SELECT * FROM CORE.TWICE")
    owner("DROP TABLE CORE.TWICE")


def test_grants_on_what_is_to_come_hold_when_it_comes(shop, owner, reader):
    shop("GRANT SELECT ON FUTURE TABLES IN DATABASE SHOP TO ROLE READER")
    owner("CREATE TABLE CORE.NEW (A NUMBER)")
    assert reader("SELECT * FROM CORE.NEW") == []
    shop("REVOKE SELECT ON FUTURE TABLES IN DATABASE SHOP FROM ROLE READER")
    owner("CREATE OR REPLACE TABLE CORE.NEW (A NUMBER)")
    with pytest.raises(ProgrammingError, match="not authorized"):
        reader("SELECT * FROM CORE.NEW")
    owner("DROP TABLE CORE.NEW")


def test_a_decision_does_not_outlive_its_grant(shop, reader):
    assert reader("SELECT COUNT(*) FROM CORE.V") == [(1,)]
    shop("REVOKE SELECT ON VIEW SHOP.CORE.V FROM ROLE READER")
    with pytest.raises(ProgrammingError, match="not authorized"):
        reader("SELECT COUNT(*) FROM CORE.V")
    shop("GRANT SELECT ON VIEW SHOP.CORE.V TO ROLE READER")
    assert reader("SELECT COUNT(*) FROM CORE.V") == [(1,)]


def test_usage_of_database_and_schema_is_needed(shop, reader):
    for kind, name in (("DATABASE", "SHOP"), ("SCHEMA", "SHOP.CORE")):
        shop(f"REVOKE USAGE ON {kind} {name} FROM ROLE READER")
        with pytest.raises(ProgrammingError, match="not authorized"):
            reader("SELECT * FROM SHOP.CORE.V")
        shop(f"GRANT USAGE ON {kind} {name} TO ROLE READER")
    assert reader("SELECT ID FROM SHOP.CORE.V") == [(1,)]


def test_lists_show_what_the_role_may_see(reader, shop):
    found = reader("SELECT TABLE_NAME FROM SHOP.INFORMATION_SCHEMA.TABLES")
    assert found == [("V",)]
    assert {r[0] for r in reader("SELECT DISTINCT TABLE_NAME FROM SHOP.INFORMATION_SCHEMA.COLUMNS")} == {"V"}
    assert {r[1] for r in reader("SHOW SCHEMAS IN DATABASE SHOP")} == {"CORE"}
    assert reader("SHOW TABLES IN ACCOUNT") == []
    assert {r[1] for r in shop("SHOW TABLES IN SCHEMA SHOP.RAW")} == {"T", "SECRET"}


def test_another_sessions_result_cannot_be_scanned(reader, shop):
    shop("SELECT S FROM SHOP.RAW.SECRET")
    theirs = shop("SELECT LAST_QUERY_ID()")[0][0]
    with pytest.raises(ProgrammingError, match="not found"):
        reader(f"SELECT * FROM TABLE(RESULT_SCAN('{theirs}'))")
    reader("SELECT ID FROM CORE.V")
    assert reader("SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))") == [(1,)]


def test_hostile_names_are_names(shop, account):
    table, role = '"a""b; DROP TABLE RAW.T; --"', '"r ""o\'le"'
    shop("USE SCHEMA SHOP.CORE")
    shop(f"CREATE TABLE {table} (\"x'y\" NUMBER COMMENT 'c''d')")
    shop(f"CREATE ROLE {role}")
    shop(f"GRANT SELECT ON TABLE {table} TO ROLE {role}")
    shop(f'CREATE VIEW "v\'w" ("q""z") COMMENT = \'a\\\'b\' AS SELECT "x\'y" FROM {table}')
    assert shop('SELECT * FROM "v\'w"') == []
    granted = {(r["privilege"], r["name"]) for r in shop.dicts(f"SHOW GRANTS TO ROLE {role}")}
    assert granted == {("SELECT", 'SHOP.CORE."A""B; DROP TABLE RAW.T; --"')}
    shop('DROP VIEW "v\'w"')
    shop(f"DROP TABLE {table}")
    shop(f"DROP ROLE {role}")
    assert shop("SELECT * FROM SHOP.RAW.T") == [(1, "a")]
    with pytest.raises(ProgrammingError):
        shop('CREATE DATABASE "../x"')
    assert not list(account.folder.rglob("x*.db"))


def test_a_session_variable_is_a_value_and_gives_no_rights(reader):
    reader("SET place = 'RAW.SECRET'")
    with pytest.raises(ProgrammingError, match="not authorized"):
        reader("SELECT * FROM IDENTIFIER($place)")
    assert reader("SELECT $place, '$place'") == [("RAW.SECRET", "$place")]
    with pytest.raises(ProgrammingError, match="does not exist"):
        reader("SELECT $other")


def test_ddl_commits_the_transaction_that_is_open(owner):
    owner("CREATE TABLE CORE.TX (A NUMBER)")
    owner("BEGIN")
    owner("INSERT INTO CORE.TX VALUES (1)")
    owner("CREATE TABLE CORE.TX2 (A NUMBER)")
    owner("ROLLBACK")
    assert owner("SELECT * FROM CORE.TX") == [(1,)]
    assert owner("SELECT * FROM CORE.TX2") == []
    owner("DROP TABLE CORE.TX")
    owner("DROP TABLE CORE.TX2")


def test_a_temporary_table_is_its_sessions_own(account, owner):
    owner("USE SCHEMA SHOP.CORE")
    owner("CREATE TEMPORARY TABLE BRIEF (A NUMBER)")
    owner("INSERT INTO BRIEF VALUES (1)")
    assert owner("SELECT * FROM BRIEF") == [(1,)]
    other = session(account, "OWEN")
    with pytest.raises(ProgrammingError, match="does not exist"):
        other("SELECT * FROM SHOP.CORE.BRIEF")
    other.close()
    owner("DROP TABLE BRIEF")
    with pytest.raises(ProgrammingError, match="does not exist"):
        owner("SELECT * FROM BRIEF")


def test_options_of_a_table_are_kept_for_the_streaming_half(account, owner):
    engine = account.engine
    owner("CREATE TABLE CORE.OPTED (A NUMBER) ERROR_LOGGING = TRUE")
    assert engine.table_option("SHOP", "CORE", "OPTED", "ERROR_LOGGING") is True
    assert engine.table_option("SHOP", "CORE", "OPTED", "ENABLE_SCHEMA_EVOLUTION") is False
    owner("ALTER TABLE CORE.OPTED SET ERROR_LOGGING = FALSE ENABLE_SCHEMA_EVOLUTION = TRUE")
    assert engine.table_option("SHOP", "CORE", "OPTED", "ERROR_LOGGING") is False
    assert engine.table_option("shop", "core", "opted", "ENABLE_SCHEMA_EVOLUTION") is True
    owner("ALTER TABLE CORE.OPTED CLUSTER BY (A, TO_DATE(A))")
    key = owner("SELECT CLUSTERING_KEY FROM SHOP.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'OPTED'")
    assert key == [("LINEAR(A, TO_DATE(A))",)]
    owner("DROP TABLE CORE.OPTED")
    assert engine.table_option("SHOP", "CORE", "OPTED", "ENABLE_SCHEMA_EVOLUTION") is False


def test_a_text_longer_than_its_column_and_a_null_are_told_apart(owner):
    owner('CREATE TABLE CORE.BOUND (S VARCHAR(3) NOT NULL, "a b" VARCHAR(2))')
    with pytest.raises(IntegrityError, match=r"too long.*3 characters"):
        owner("INSERT INTO CORE.BOUND VALUES ('long', 'b')")
    with pytest.raises(IntegrityError, match="too long"):
        owner("INSERT INTO CORE.BOUND VALUES ('abc', 'bcd')")
    with pytest.raises(IntegrityError, match="NULL result in a non-nullable column"):
        owner("INSERT INTO CORE.BOUND VALUES (NULL, 'b')")
    owner("INSERT INTO CORE.BOUND VALUES ('äöü', NULL)")
    assert owner("SELECT * FROM CORE.BOUND") == [("äöü", None)]
    owner("DROP TABLE CORE.BOUND")
