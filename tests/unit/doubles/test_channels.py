import itertools
import json

import pytest

from commerce360.local.doubles.snowflake.channels import BadRowsError, Channels, Name, NoSuchChannelError, StaleChannelError

NAMES = (f"CHANNEL-{n}" for n in itertools.count())


@pytest.fixture
def table(engine):
    cursor = engine.snow.connect("STREAM", "RAW").cursor()
    cursor.execute(
        "CREATE OR REPLACE TABLE T (N NUMBER(38,0) NOT NULL, P NUMBER(12,2), S VARCHAR, B BOOLEAN, AT_ TIMESTAMP_NTZ(6), D DATE)"
    )
    return lambda: sorted(engine.duck.execute('SELECT N FROM "STREAM"."RAW"."T"').fetchall())


@pytest.fixture
def channels(engine, table):
    return Channels(engine)


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
    "bad",
    [
        {"N": None},
        {},
        {"N": 2, "UNKNOWN": 1},
        {"N": "two"},
        {"N": 2, "AT_": "yesterday"},
        {"N": 2, "P": "12345678901.00"},
        {"N": 2, "B": "?"},
    ],
)
def test_one_row_that_does_not_fit_leaves_rows_and_token_as_they_were(channels, name, table, bad):
    opened = channels.open(name, None)
    before = channels.append(name, lines({"N": 1}), opened.continuation, "1", "r1")
    with pytest.raises(BadRowsError):
        channels.append(name, lines({"N": 9}, bad), before.continuation, "3", "r2")
    assert channels.read(name) == before
    assert table() == [(1,)]
    channels.append(name, lines({"N": 5}), before.continuation, "5", "r3")
    assert table() == [(1,), (5,)]


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
