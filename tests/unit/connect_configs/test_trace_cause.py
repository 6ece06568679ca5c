"""What is said of a Java trace: the cause in one line, the whole without flooding a terminal, and never a password."""

from __future__ import annotations

import pytest

from commerce360.cli.connect.watch import printable, shortened, shown
from connect_configs.model import CAUSE_LENGTH, Status, cause

# As Connect 4.3.1 with Debezium 3.7 answered after the publication had been dropped.
PUBLICATION = """\
org.apache.kafka.connect.errors.ConnectException: An exception occurred in the change event producer. This connector will be stopped.
\tat io.debezium.pipeline.ErrorHandler.setProducerThrowable(ErrorHandler.java:67)
\tat io.debezium.connector.postgresql.PostgresStreamingChangeEventSource.execute(PostgresStreamingChangeEventSource.java:222)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: org.apache.kafka.connect.errors.ConnectException: Publication autocreation is disabled, please create one \
and restart the connector.
\tat io.debezium.connector.postgresql.connection.PostgresReplicationConnection.initPublication(PostgresReplicationConnection.java:242)
\tat io.debezium.connector.postgresql.connection.PostgresReplicationConnection.startStreaming(PostgresReplicationConnection.java:721)
\t... 10 more
"""
NESTED = """\
org.apache.kafka.connect.errors.RetriableException: An exception occurred in the change event producer. This connector will be restarted.
\tat io.debezium.pipeline.ErrorHandler.setProducerThrowable(ErrorHandler.java:63)
Caused by: io.debezium.DebeziumException: java.lang.RuntimeException: wrapped
\tat a.B.c(B.java:1)
Caused by: org.postgresql.util.PSQLException: ERROR: publication "dbz_publication" does not exist
  Where: slot "c360_oltp", output plugin "pgoutput", in the change callback, associated LSN 0/1A2B3C4
\tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2734)
\t... 12 more
"""


def test_the_cause_is_the_innermost_that_says_something() -> None:
    assert cause(PUBLICATION) == "ConnectException: Publication autocreation is disabled, please create one and restart the connector."
    assert cause(NESTED) == 'PSQLException: ERROR: publication "dbz_publication" does not exist'


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ("", ""),
        ("java.lang.NullPointerException\n\tat a.B.c(B.java:1)\n", "java.lang.NullPointerException"),
        ("a.b.OuterException: it stopped\nCaused by: java.lang.NullPointerException\n\tat a.B\n", "OuterException: it stopped"),
        ("not a trace\nat all", "not a trace"),
        ("a.b.Some$InnerError: x", "Some$InnerError: x"),
    ],
)
def test_odd_traces(trace: str, said: str) -> None:
    assert cause(trace) == said


def test_a_huge_trace_gives_one_line() -> None:
    huge = f"a.b.FirstException: {'x' * 50_000}\n" + "\tat a.B.c(B.java:1)\n" * 5_000 + f"Caused by: a.b.LastError: {'y' * 50_000}\n"
    assert len(cause(huge)) == CAUSE_LENGTH
    assert cause(huge).startswith("LastError: yyy")
    assert "\n" not in cause(huge)


def test_a_status_tells_the_first_cause_there_is() -> None:
    tasks = [{"id": 0, "state": "RUNNING", "worker_id": "w"}, {"id": 1, "state": "FAILED", "worker_id": "w", "trace": PUBLICATION}]
    found = Status.of({"name": "n", "connector": {"state": "RUNNING", "worker_id": "w"}, "tasks": tasks, "type": "source"})
    assert found.failed
    assert not found.running
    assert found.summary.startswith("RUNNING, task 1 FAILED: ConnectException: Publication autocreation is disabled")


def test_a_whole_trace_keeps_its_beginning_and_its_end() -> None:
    lines = list(shortened("\n".join(f"line {n} {'x' * 9_000}" for n in range(1_000))))
    assert len(lines) == 61
    assert lines[0].startswith("line 0 ")
    assert lines[39].startswith("line 39 ")
    assert lines[40].strip() == "(940 lines left out; --json has them all)"
    assert [line.split()[1] for line in lines[41:]] == [str(n) for n in range(980, 1_000)]
    assert max(map(len, lines)) == 500
    assert len(list(shortened(PUBLICATION))) == PUBLICATION.count("\n")


def test_a_trace_shows_no_credentials_and_steers_no_terminal() -> None:
    text = "MongoException: mongodb://shop:hunter2@db:27017 refused\x1b[2J\x07"
    assert shown(text) == "MongoException: mongodb://******@db:27017 refused\\x1b[2J\\x07"
    assert next(shortened(text)) == shown(text)
    assert printable("a\tb\nc\u202ed") == "a b c\\x202ed"
