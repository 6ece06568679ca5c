import pytest

from commerce360.local.doubles.snowflake.engine import Engine, local_sql
from commerce360.local.doubles.snowflake.statements import writes

KEYS = """CREATE TABLE IF NOT EXISTS RAW.X (
    ID NUMBER(38,0) NOT NULL PRIMARY KEY COMMENT 'a, PRIMARY KEY (x)',
    B VARCHAR DEFAULT 'UNIQUE' UNIQUE NOT ENFORCED,
    C NUMBER(38,0) NOT NULL REFERENCES RAW.Y (ID),
    CONSTRAINT PK PRIMARY KEY (ID, B) NOT ENFORCED RELY,
    UNIQUE (B, C),
    FOREIGN KEY (C) REFERENCES RAW.Y (ID)
) COMMENT = 'its FOREIGN KEY (c)'"""


@pytest.fixture
def session(engine):
    connection = engine.snow.connect("KEYS", "RAW")
    connection.cursor().execute("CREATE SCHEMA IF NOT EXISTS RAW")
    yield connection.cursor()
    connection.close()


def test_keys_leave_a_new_table_and_everything_else_stays(session):
    made = local_sql(KEYS)
    for gone in ("NOT ENFORCED", "RELY", "REFERENCES", "CONSTRAINT"):
        assert gone not in made
    assert "'a, PRIMARY KEY (x)'" in made
    assert "'its FOREIGN KEY (c)'" in made
    session.execute(made)
    for _ in range(2):
        session.execute("INSERT INTO RAW.X (ID, C) VALUES (1, 1)")
    assert session.execute("SELECT ID, B, C FROM RAW.X").fetchall() == [(1, "UNIQUE", 1)] * 2
    for column in ("ID", "C"):
        with pytest.raises(Exception, match="NULL result in a non-nullable column"):
            session.execute(f"INSERT INTO RAW.X ({column}) VALUES (1)")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'CREATE TABLE T (A INT PRIMARY KEY)'",
        "INSERT INTO T VALUES (', UNIQUE (A)')",
        "CREATE TABLE T (A NUMBER(38,0) NOT NULL, B TIMESTAMP_NTZ(6))",
        "CREATE TABLE T (A NUMBER PRIMARY KEY",
    ],
)
def test_other_statements_are_left_as_they_are(text):
    assert local_sql(text) == text


def test_only_reads_go_beside_a_writer():
    assert not any(
        map(writes, ("SELECT 1", " with a as (select 1) select * from a", "SHOW TABLES", "BEGIN", "ALTER SESSION SET AUTOCOMMIT=1"))
    )
    assert all(map(writes, ("INSERT INTO T VALUES (1)", "CREATE TABLE T (A INT)", "-- x\nDELETE FROM T", "MERGE INTO T", "ALTER TABLE T")))


def test_a_comment_hides_no_writer():
    assert not any(map(writes, ("/* INSERT */ SELECT 1", "(SELECT 1)", "-- DELETE\nSELECT 1")))
    assert all(map(writes, ("/* SELECT */ DELETE FROM T", "-- SELECT\nGRANT ROLE A TO ROLE B", "PUT file://x @y")))


def test_a_transaction_that_fails_leaves_nothing_and_frees_the_engine(engine, session):
    def half():
        with engine.transaction() as cursor:
            cursor.execute('CREATE TABLE "KEYS"."RAW"."HALF" (A INT)')
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    with engine.transaction() as cursor:
        assert cursor.execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'HALF'").fetchone() == (0,)


def test_sums_over_the_newest_rows_may_be_larger_than_each_of_them(engine, session):
    run = engine.duck.execute
    run("CREATE TABLE memory.main.done AS SELECT 5::BIGINT AS b")
    run("CREATE TABLE memory.main.t AS SELECT i AS id, (i % 4)::VARCHAR AS k, (i % 3)::INTEGER AS n, 1 + i % 5 AS b FROM range(3000) r(i)")
    newest = """SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY b DESC) AS rank FROM memory.main.t
        WHERE b <= (SELECT max(b) FROM memory.main.done)) WHERE rank = 1"""
    sums = run(f"SELECT k, sum(n) AS s, count(*) AS c FROM ({newest}) GROUP BY k ORDER BY c, k").fetchall()
    assert sums == [(k, 750, 750) for k in "0123"]
    assert len(run(f"SELECT k FROM ({newest}) GROUP BY k HAVING sum(n) > 200").fetchall()) == 4


def test_databases_are_there_again_after_a_restart(tmp_path):
    first = Engine(tmp_path)
    cursor = first.snow.connect("SHOP", "RAW").cursor()
    cursor.execute("CREATE TABLE T (A NUMBER)")
    cursor.execute("INSERT INTO T VALUES (7)")
    first.duck.close()
    second = Engine(tmp_path)
    assert second.duck.execute('SELECT A FROM "SHOP"."RAW"."T"').fetchall() == [(7,)]
    second.duck.close()
