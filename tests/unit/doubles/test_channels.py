import itertools
import json

import pytest
from snowflake.connector.errors import ProgrammingError
from snowflake_account import LocalAccount

from commerce360.local.doubles.snowflake.channels import Channels, Name, NoSuchChannelError, NoSuchTableError, StaleChannelError

NAMES = (f"CHANNEL-{n}" for n in itertools.count())


COLUMNS = "N NUMBER(38,0) NOT NULL, P NUMBER(12,2), S VARCHAR, B BOOLEAN, AT_ TIMESTAMP_NTZ(6), D DATE"


@pytest.fixture(scope="module")
def sql(tmp_path_factory):
    """Statements of the account's administrator, over the connector; `sql.engine` is behind them."""
    with LocalAccount(tmp_path_factory.mktemp("account")).serving() as account:
        asking = account.session()
        asking("CREATE DATABASE STREAM")
        asking("CREATE SCHEMA STREAM.RAW")
        asking.engine = account.engine
        yield asking
        asking.close()


@pytest.fixture
def engine(sql):
    return sql.engine


@pytest.fixture
def table(sql):
    """A new RAW.T, and its numbers."""
    sql("DROP TABLE IF EXISTS STREAM.RAW.AWAY")
    sql(f"CREATE OR REPLACE TABLE STREAM.RAW.T ({COLUMNS})")
    return lambda: sql("SELECT N FROM STREAM.RAW.T ORDER BY N")


@pytest.fixture
def channels(engine, table):
    return Channels(engine)


@pytest.fixture
def logging(sql, table):
    sql("ALTER TABLE STREAM.RAW.T SET ERROR_LOGGING = TRUE")


@pytest.fixture
def evolving(sql, table):
    sql("ALTER TABLE STREAM.RAW.T SET ENABLE_SCHEMA_EVOLUTION = TRUE")


@pytest.fixture
def errors(sql):
    """[(code, message, the row as sent)] of the error table, as a person asks for it."""
    return lambda: sql("SELECT ERROR_CODE, ERROR_METADATA:error_message::VARCHAR, ERROR_DATA::VARCHAR FROM ERROR_TABLE(STREAM.RAW.T)")


@pytest.fixture
def name():
    return Name("STREAM", "RAW", "T-STREAMING", next(NAMES))


def lines(*rows):
    return b"".join(json.dumps(row).encode() + b"\n\n" for row in rows)  # the SDK puts an empty line after each append


def test_rows_and_token_come_together_and_requests_follow_each_other(channels, name, table):
    opened = channels.open(name, None)
    assert (opened.token, opened.rows) == (None, 0)
    first = channels.append(name, lines({"N": 1}, {"N": 2}), opened.continuation, "2", "r1")
    second = channels.append(name, lines({"N": 3}), first.continuation, "3", "r2")
    assert channels.read(name) == second
    assert (second.token, second.rows) == ("3", 3)
    assert table() == [(1,), (2,), (3,)]


def test_the_same_request_again_changes_nothing(channels, name, table):
    opened = channels.open(name, None)
    first = channels.append(name, lines({"N": 1}), opened.continuation, "1", "r1")
    assert channels.append(name, lines({"N": 1}), opened.continuation, "1", "r1") == first
    assert channels.repeated(name, "r1") == first
    assert channels.repeated(name, "r0") is None
    assert table() == [(1,)]


def test_who_held_the_channel_before_is_out_also_with_its_last_request(channels, name, table):
    old = channels.open(name, None)
    channels.append(name, lines({"N": 1}), old.continuation, "1", "r1")
    new = channels.open(name, None)
    assert new.token == "1"
    for request in ("r1", "r2"):
        with pytest.raises(StaleChannelError):
            channels.append(name, lines({"N": 2}), old.continuation, "2", request)
    channels.append(name, lines({"N": 3}), new.continuation, "3", "r3")
    assert table() == [(1,), (3,)]


@pytest.mark.parametrize(
    ("bad", "code", "column"),
    [
        ({"N": None}, 100072, "N"),
        ({}, 100072, "N"),
        ({"N": "two"}, 100038, "N"),
        ({"N": 2, "AT_": "yesterday"}, 100035, "AT_"),
        ({"N": 2, "D": "2026-02-30"}, 100040, "D"),
        ({"N": 2, "P": "12345678901.00"}, 100038, "P"),
        ({"N": 2, "B": "?"}, 100037, "B"),
    ],
)
def test_a_row_that_does_not_fit_is_set_aside_and_the_others_arrive(channels, name, table, logging, errors, bad, code, column):
    opened = channels.open(name, None)
    before = channels.append(name, lines({"N": 1}), opened.continuation, "1", "r1")
    assert errors() == []
    after = channels.append(name, lines({"N": 9}, bad, {"N": 10, "S": "two"}), before.continuation, "3", "r2")
    assert table() == [(1,), (9,), (10,)]
    assert (after.token, after.rows, after.errors, after.error_token) == ("3", 3, 1, "3")
    assert after.error_message.endswith(f": {column}")
    ((found, message, sent),) = errors()
    assert (found, message, json.loads(sent)) == (code, after.error_message, bad)
    last = channels.append(name, lines({"N": 11}), after.continuation, "4", "r3")
    assert (last.errors, last.error_token) == (1, "3")


def test_without_error_logging_rows_that_do_not_fit_are_only_counted(channels, name, table):
    opened = channels.open(name, None)
    after = channels.append(name, b'not json\n\n{"N": 1}\n', opened.continuation, "2", "r1")
    assert (after.token, after.rows, after.errors) == ("2", 1, 1)
    assert table() == [(1,)]


def test_what_is_no_json_is_kept_as_text(channels, name, logging, errors):
    channels.append(name, b"{no", channels.open(name, None).continuation, "1", "r1")
    assert [json.loads(sent) for _, _, sent in errors()] == ["{no"]


def test_a_number_sent_as_text_is_taken_and_text_for_numbers_too(channels, name, engine):
    opened = channels.open(name, None)
    channels.append(name, lines({"N": "5", "P": 1.25, "S": 7, "B": "true"}), opened.continuation, "1", "r1")
    assert engine.duck.execute('SELECT N, P::VARCHAR, S, B FROM "STREAM"."RAW"."T"').fetchall() == [(5, "1.25", "7", True)]


def test_a_field_without_a_column_is_left_out_unless_the_table_may_evolve(channels, name, table):
    opened = channels.open(name, None)
    after = channels.append(name, lines({"N": 1, "NEW": "x"}), opened.continuation, "1", "r1", may_evolve=True)
    assert (after.rows, after.errors) == (1, 0)
    assert table() == [(1,)]


def test_a_table_that_evolves_gets_the_columns_and_keeps_their_values(channels, name, engine, evolving):
    opened = channels.open(name, None)
    first = channels.append(name, lines({"N": 1}), opened.continuation, "1", "r1")
    sent = {"N": 2, "note": "ü", "LEVEL": 2**40, "SHARE": 0.5, "OK": False, "NOTHING": None}
    second = channels.append(name, lines(sent, {"N": 3, "LEVEL": 7}), first.continuation, "3", "r2")
    channels.append(name, lines({"N": 4, "NOTE": "later"}), second.continuation, "4", "r3")
    found = engine.duck.execute('SELECT N, NOTE, LEVEL, SHARE, OK FROM "STREAM"."RAW"."T" ORDER BY N').fetchall()
    assert found == [(1, None, None, None, None), (2, "ü", 2**40, 0.5, False), (3, None, 7, None, None), (4, "later", None, None, None)]
    described = {c[0]: c[1] for c in engine.duck.execute('DESCRIBE "STREAM"."RAW"."T"').fetchall()}
    assert (described["NOTE"], described["LEVEL"], described["SHARE"], described["OK"]) == ("VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN")
    assert "NOTHING" not in described


def test_a_role_that_may_not_evolve_the_table_adds_no_column(channels, name, engine, evolving):
    opened = channels.open(name, None)
    channels.append(name, lines({"N": 1, "NEW": "x"}), opened.continuation, "1", "r1", may_evolve=False)
    assert "NEW" not in [c[0] for c in engine.duck.execute('DESCRIBE "STREAM"."RAW"."T"').fetchall()]


def test_a_column_that_no_row_has_any_more_loses_its_not_null(channels, name, table, evolving):
    opened = channels.open(name, None)
    after = channels.append(name, lines({"S": "no number"}), opened.continuation, "1", "r1")
    assert (after.rows, after.errors) == (1, 0)
    assert table() == [(None,)]


REPLACE = f"CREATE OR REPLACE TABLE STREAM.RAW.T ({COLUMNS})"


@pytest.mark.parametrize("how", [[REPLACE], ["DROP TABLE STREAM.RAW.T", f"CREATE TABLE STREAM.RAW.T ({COLUMNS})"]])
def test_a_table_that_was_replaced_took_its_channels_and_tokens_with_it(channels, name, sql, how, table):
    opened = channels.open(name, None)
    before = channels.append(name, lines({"N": 1}), opened.continuation, "1", "r1")
    for statement in how:
        sql(statement)
    assert channels.read(name) is None
    for request in ("r1", "r2"):
        with pytest.raises(NoSuchChannelError):
            channels.append(name, lines({"N": 2}), before.continuation, "2", request)
    new = channels.open(name, None)
    assert (new.token, new.rows) == (None, 0)
    with pytest.raises(StaleChannelError):
        channels.append(name, lines({"N": 2}), before.continuation, "2", "r3")
    channels.append(name, lines({"N": 3}), new.continuation, "3", "r4")
    assert table() == [(3,)]


def test_a_table_that_is_renamed_and_back_keeps_its_channels(channels, name, sql):
    before = channels.append(name, lines({"N": 1}), channels.open(name, None).continuation, "1", "r1")
    sql("ALTER TABLE STREAM.RAW.T RENAME TO STREAM.RAW.AWAY")
    assert channels.read(name) is None
    assert not channels.exists(name)
    with pytest.raises(NoSuchTableError):
        channels.open(name, None)
    sql("ALTER TABLE STREAM.RAW.AWAY RENAME TO STREAM.RAW.T")
    assert channels.read(name) == before
    assert channels.open(name, None).token == "1"


def test_error_rows_of_a_table_that_was_replaced_are_gone(channels, name, sql, logging, errors):
    channels.append(name, lines({}), channels.open(name, None).continuation, "1", "r1")
    assert len(errors()) == 1
    sql(REPLACE)
    channels.open(name, None)
    assert errors() == []


def test_error_rows_are_removed_by_truncating_them(channels, name, sql, logging, errors):
    channels.append(name, lines({}), channels.open(name, None).continuation, "1", "r1")
    assert sql("TRUNCATE TABLE IF EXISTS ERROR_TABLE(STREAM.RAW.T)")
    assert errors() == []
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        sql("TRUNCATE ERROR_TABLE(STREAM.RAW.NOT_THERE)")
    with pytest.raises(ProgrammingError, match="syntax error"):
        sql("TRUNCATE TABLE ERROR_TABLE(STREAM.RAW.T) AND MORE")


def test_the_error_table_can_be_read_like_a_table_where_the_base_table_may_be(channels, name, sql, logging):
    channels.append(name, lines({}, {"N": "x"}), channels.open(name, None).continuation, "1", "r1")
    joined = "SELECT COUNT(*) FROM TABLE(ERROR_TABLE(STREAM.RAW.T)) AS e JOIN ERROR_TABLE(STREAM.RAW.T) AS f ON e.ERROR_CODE = f.ERROR_CODE"
    assert sql(joined) == [(2,)]
    assert sql("SELECT 'ERROR_TABLE(STREAM.RAW.T)'") == [("ERROR_TABLE(STREAM.RAW.T)",)]
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        sql("SELECT * FROM ERROR_TABLE(STREAM.RAW.NOT_THERE)")
    with pytest.raises(ProgrammingError, match="C360_STREAMING"):
        sql('SELECT * FROM STREAM.C360_STREAMING."RAW.T"')


def test_values_arrive_as_they_were_sent(channels, name, table, engine):
    opened = channels.open(name, None)
    sent = {"N": 2**62 + 1, "P": "-9999999999.99", "S": 'ü\n"\\', "B": False, "AT_": "2026-03-01T12:00:00.000001", "D": "2026-03-01"}
    channels.append(name, lines(sent, {"N": 1, "S": ""}), opened.continuation, "2", "r1")
    found = engine.duck.execute('SELECT N, P::VARCHAR, S, B, AT_::VARCHAR, D::VARCHAR FROM "STREAM"."RAW"."T" ORDER BY N DESC').fetchall()
    assert found[0] == (2**62 + 1, "-9999999999.99", 'ü\n"\\', False, "2026-03-01 12:00:00.000001", "2026-03-01")
    assert found[1] == (1, None, "", None, None, None)


def test_a_channel_can_be_dropped_in_a_database_that_never_had_one(channels, engine):
    engine.snow.connect("QUIET", "RAW")
    channels.drop(Name("QUIET", "RAW", "T-STREAMING", "C"))
    with pytest.raises(NoSuchChannelError):
        channels.drop(Name("NOT_THERE", "RAW", "T-STREAMING", "C"))


def test_what_was_never_opened_takes_nothing(channels, name, table):
    assert channels.read(name) is None
    with pytest.raises(NoSuchChannelError):
        channels.append(name, lines({"N": 1}), "1_0", "1", "r1")
    with pytest.raises(NoSuchChannelError):
        channels.open(Name("NOT_THERE", "RAW", "T-STREAMING", "C"), None)
    channels.open(name, None)
    channels.drop(name)
    assert channels.read(name) is None
    assert table() == []
