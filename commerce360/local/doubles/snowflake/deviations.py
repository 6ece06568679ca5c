"""Where the local Snowflake deviates from a real one. Each has one strict xfail test of its name: what stops to deviate leaves the list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    name: str  # what holds on a real account; the test is `test_<name>`
    real: str
    here: str


DEVIATIONS = (
    # Statements
    Deviation(
        "keys_are_kept_and_shown",
        "PRIMARY KEY, UNIQUE, FOREIGN KEY are kept, not enforced",
        "removed from DDL: the engine would enforce them",
    ),
    Deviation("a_task_can_be_seen", "TASK, STREAM, PIPE, DYNAMIC TABLE, PROCEDURE", "refused as unsupported"),
    Deviation(
        "a_policy_protects_a_table", "masking and row access policies on tables and views", "on views; on a table refused as unsupported"
    ),
    Deviation("several_statements_in_one_request", "MULTI_STATEMENT_COUNT allows them", "refused"),
    Deviation("the_ddl_of_an_object_can_be_asked_for", "GET_DDL", "not there"),
    Deviation("a_plan_can_be_asked_for", "EXPLAIN", "refused as unsupported"),
    Deviation("the_past_can_be_read", "time travel: AT, BEFORE, UNDROP", "refused by the engine"),
    # Access
    Deviation(
        "a_query_needs_a_warehouse",
        "a session without a running warehouse reads no table",
        "warehouses, resource monitors are kept and shown",
    ),
    Deviation("a_network_policy_shuts_out", "logins from other addresses are refused", "kept and shown only"),
    Deviation("a_role_may_pass_a_privilege_on", "WITH GRANT OPTION, managed access schemas", "refused as unsupported"),
    Deviation("secondary_roles_add_to_the_role", "USE SECONDARY ROLES ALL", "refused; only the primary role counts"),
    Deviation("a_password_lets_in", "password, key pair, OAuth, ...", "key pairs only"),
    # Data
    Deviation("names_in_quotes_tell_cases_apart", '"a" and "A" are two names', "one name"),
    Deviation("a_timestamp_has_nanoseconds", "up to nanoseconds", "microseconds"),
    Deviation(
        "a_text_is_bounded_in_a_column_that_was_added", "VARCHAR(n) holds in every column", "in columns of CREATE TABLE; not in added ones"
    ),
    Deviation(
        "a_writer_waits_for_another", "DML waits for the lock of another transaction", "the second writer of a row is refused at once"
    ),
    Deviation("stages_outlive_a_restart", "stages and their files stay", "stages are forgotten at a restart"),
    # Snowpipe Streaming
    Deviation("rows_become_visible_some_time_after_a_flush", "some seconds", "at once"),
)
